//! `shareable!`: structs of shareable fields.

/// Defines structs that are [`Shareable`](crate::Shareable), if each of their fields is; and
/// [`Synchronized`](crate::Synchronized), if each of them is that too.
///
/// A struct is `repr(C)`, so that its layout is fixed; its [`fingerprint`](crate::Shareable::FINGERPRINT) is of its
/// name and of the name, type and place of each field. So two programs that define it alike can share it, and two that
/// don't are told so. What a read-only link shows of it has the same fields: see [`Fields`](crate::Fields).
///
/// ```
/// use commonage::{Link, link::ReadWrite, shareable, sync::SeqLock};
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// shareable! {
///     /// What a robot tells of itself.
///     pub struct Telemetry {
///         pub position: SeqLock<[f64; 3]>,
///         pub errors: AtomicU64,
///     }
/// }
///
/// let robot: Link<Telemetry, ReadWrite> = Link::create("robot-of-the-docs")?;
/// robot.position.write([1.0, 2.0, 0.5]);
/// robot.errors.fetch_add(1, Relaxed);
///
/// // In any other process:
/// let seen: Link<Telemetry> = Link::open("robot-of-the-docs")?;
/// assert_eq!(seen.fields().position.read()?, [1.0, 2.0, 0.5]);
/// assert_eq!(seen.fields().errors.load(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It takes any number of structs, with named fields or as tuples of up to sixteen, with attributes, derives and
/// documentation:
///
/// ```
/// use commonage::{
///     bytemuck::{Pod, Zeroable},
///     shareable,
///     sync::SeqLock,
/// };
///
/// shareable! {
///     /// A place, in metres.
///     #[derive(Clone, Copy, PartialEq, Debug, Pod, Zeroable)]
///     #[bytemuck(crate = "commonage::bytemuck")]
///     pub struct Place(pub f64, pub f64);
///
///     /// A rectangle: a struct of structs.
///     #[derive(Clone, Copy, PartialEq, Debug, Pod, Zeroable)]
///     #[bytemuck(crate = "commonage::bytemuck")]
///     pub struct Field { pub from: Place, pub to: Place }
/// }
///
/// let field = SeqLock::new(Field { from: Place(0.0, 0.0), to: Place(3.0, 4.0) });
/// assert_eq!(field.read()?.to, Place(3.0, 4.0));
/// # Ok::<(), commonage::sync::Unread>(())
/// ```
///
/// A value of such a struct is whatever others have written to its fields: it can have no invariant that they don't
/// have.
///
/// A struct may have a `Drop`, which the owner of a link runs. Such a link does not deref, because the others would
/// still look at what is being dropped; it is reached by the unsafe [`get`](crate::Link::get):
///
/// ```compile_fail,E0080
/// use commonage::{Link, link::ReadWrite, shareable};
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// shareable! {
///     struct Guests { present: AtomicU64 }
/// }
///
/// impl Drop for Guests {
///     fn drop(&mut self) {
///         println!("{} were still there", self.present.get_mut());
///     }
/// }
///
/// let guests: Link<Guests, ReadWrite> = Link::create("guests-of-the-docs")?;
/// guests.present.fetch_add(1, Relaxed);
/// # Ok::<(), commonage::Error>(())
/// ```
///
/// A field that leads out of the memory is refused:
///
/// ```compile_fail,E0277
/// commonage::shareable! {
///     struct Names {
///         first: String,
///     }
/// }
/// ```
///
/// Structs with type parameters, and enums, are made shareable by hand: see [`Shareable`](crate::Shareable#by-hand).
#[macro_export]
macro_rules! shareable {
    () => {};

    // A struct with named fields.
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_attribute:meta])* $field_visibility:vis $field:ident : $type:ty),+ $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        #[repr(C)]
        $visibility struct $name {
            $($(#[$field_attribute])* $field_visibility $field: $type),+
        }

        const _: () = {
            #[doc = concat!("What can be seen of a `", stringify!($name), "`.")]
            #[derive(Clone, Copy)]
            $visibility struct __CommonageFields<'a> {
                $(
                    #[doc = concat!("Of `", stringify!($field), "`.")]
                    $field_visibility $field: &'a $crate::Observed<$type>
                ),+
            }

            $crate::shareable! { @implement $name __CommonageFields $(($field) ($type))+ }
        };

        $crate::shareable! { $($rest)* }
    };

    // A tuple: its fields are numbered, one after the other.
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident (
            $($(#[$field_attribute:meta])* $field_visibility:vis $type:ty),+ $(,)?
        );
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        #[repr(C)]
        $visibility struct $name($($(#[$field_attribute])* $field_visibility $type),+);

        const _: () = {
            #[doc = concat!("What can be seen of a `", stringify!($name), "`.")]
            #[derive(Clone, Copy)]
            $visibility struct __CommonageFields<'a>(
                $(
                    #[doc = concat!("Of the `", stringify!($type), "`.")]
                    $field_visibility &'a $crate::Observed<$type>
                ),+
            );

            $crate::shareable! {
                @number $name __CommonageFields [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] [$(($type))+] []
            }
        };

        $crate::shareable! { $($rest)* }
    };

    (@number $name:ident $fields:ident [$number:tt $($numbers:tt)*] [$type:tt $($types:tt)*] [$($done:tt)*]) => {
        $crate::shareable! { @number $name $fields [$($numbers)*] [$($types)*] [$($done)* ($number) $type] }
    };
    (@number $name:ident $fields:ident [$($numbers:tt)*] [] [$($done:tt)*]) => {
        $crate::shareable! { @implement $name $fields $($done)* }
    };
    (@number $name:ident $fields:ident [] $($rest:tt)*) => {
        ::core::compile_error!("`shareable!` takes tuples of at most sixteen fields: give them names");
    };

    (@implement $name:ident $fields:ident $(($field:tt) ($type:ty))+) => {
        // SAFETY: `repr(C)` fixes the layout, and each field is shareable: its fingerprint is asked for. So zeroes are
        // a value.
        unsafe impl $crate::Shareable for $name {
            const FINGERPRINT: u64 = $crate::fingerprint_of_struct(
                ::core::stringify!($name),
                ::core::mem::size_of::<$name>(),
                ::core::mem::align_of::<$name>(),
                &[$((
                    ::core::stringify!($field),
                    <$type as $crate::Shareable>::FINGERPRINT,
                    ::core::mem::offset_of!($name, $field),
                )),+],
            );
            const LOCKS: bool = false $(|| <$type as $crate::Shareable>::LOCKS)+;
        }

        // SAFETY: what safe code does through it is done through a field, and each is synchronized. (A bound with a
        // lifetime may be false without being an error: there is no implementation then.)
        unsafe impl $crate::Synchronized for $name
        where
            $(for<'trivial> $type: $crate::Synchronized),+
        {
        }

        impl $crate::Fields for $name {
            type Fields<'a> = $fields<'a>;

            fn fields(observed: &$crate::Observed<Self>) -> $fields<'_> {
                // Neither a struct whose fields are not aligned compiles here, nor one to which an attribute has added
                // a field: of that one nothing is known.
                let _ = |value: &Self| {
                    let Self { $($field: _),+ } = value;
                    $(let _ = &value.$field;)+
                };
                let value = $crate::Observed::as_ptr(observed);
                $fields {
                    // SAFETY: a field of what is observed lies in it, is aligned, and is changed as the whole is.
                    $($field: unsafe { $crate::Observed::from_ptr(&raw const (*value).$field) }),+
                }
            }
        }

        impl ::core::fmt::Debug for $fields<'_> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(::core::stringify!($name))
                    $(.field(::core::stringify!($field), self.$field))+
                    .finish()
            }
        }
    };

    ($(#[$attribute:meta])* $visibility:vis struct $name:ident < $($rest:tt)*) => {
        ::core::compile_error!("`shareable!` takes no type parameters: implement `Shareable` by hand");
    };
    ($(#[$attribute:meta])* $visibility:vis enum $($rest:tt)*) => {
        ::core::compile_error!("`shareable!` takes structs only: implement `Shareable` by hand");
    };
}

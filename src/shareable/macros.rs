//! `shareable!`: structs of shareable fields.

/// Defines a struct that is [`Shareable`](crate::Shareable), if each of its fields is; and
/// [`Synchronized`](crate::Synchronized), if each of them is that too.
///
/// The struct is `repr(C)`, so that its layout is fixed; its [`fingerprint`](crate::Shareable::FINGERPRINT) is of its name
/// and of the name, type and place of each field. So two programs that define it alike can share it, and two that don't
/// are told so. What a read-only link shows of it has the same fields: see [`Fields`](crate::Fields).
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
/// A field that leads out of the memory is refused:
///
/// ```compile_fail,E0277
/// commonage::shareable! {
///     struct Names {
///         first: String,
///     }
/// }
/// ```
#[macro_export]
macro_rules! shareable {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_attribute:meta])* $field_visibility:vis $field:ident : $type:ty),* $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[repr(C)]
        $visibility struct $name {
            $($(#[$field_attribute])* $field_visibility $field: $type),*
        }

        const _: () = {
            // SAFETY: `repr(C)` fixes the layout, and each field is shareable: the compiler has been asked.
            unsafe impl $crate::Shareable for $name
            where
                $($type: $crate::Shareable),*
            {
                const FINGERPRINT: u64 = $crate::shareable::fingerprint_of_struct(
                    stringify!($name),
                    ::core::mem::size_of::<$name>(),
                    ::core::mem::align_of::<$name>(),
                    &[$((
                        stringify!($field),
                        <$type as $crate::Shareable>::FINGERPRINT,
                        ::core::mem::offset_of!($name, $field),
                    )),*],
                );
                const LOCKS: bool = false $(|| <$type as $crate::Shareable>::LOCKS)*;
            }
        };
    };
}

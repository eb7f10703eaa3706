//! What can lie at a fixed place and be changed by several processes: [`Shareable`], and, what is safe to use there as
//! it is, [`Synchronized`].

// The traits are unsafe to implement: links rely on what they promise.
#![allow(unsafe_code)]

mod impls;
mod macros;
mod observed;
#[cfg(test)]
mod tests;

pub use self::observed::{Fields, Observed};

/// A type whose values can live in a [`Link`](crate::Link): at any address, in several processes at the same time.
///
/// Numbers, `bool`, `char`, atomics, `Wrapping`, `Saturating`, `MaybeUninit`, the types of [`sync`](crate::sync), and
/// arrays of such types are shareable. Structs become so by the macro [`shareable!`](crate::shareable), which looks at
/// each field. References, `Box`, `Vec`, `String` and whatever else leads out of the memory are not:
///
/// ```compile_fail,E0277
/// # use commonage::{Link, link::ReadWrite};
/// let link: Link<Vec<u8>, ReadWrite> = Link::create("scores")?;
/// # Ok::<(), commonage::Error>(())
/// ```
///
/// Nor is an `Option`: nothing says where it has its discriminant.
///
/// # By hand
///
/// What the macro does not take, a struct with a type parameter or an enum, can be made shareable by an implementation:
///
/// ```
/// use commonage::{Shareable, fingerprint_of, fingerprint_of_struct};
/// use std::mem::offset_of;
///
/// #[repr(C)]
/// struct Range<T> {
///     low: T,
///     high: T,
/// }
///
/// // SAFETY: `repr(C)` fixes the layout, and there is nothing in it but what is shareable.
/// unsafe impl<T: Shareable> Shareable for Range<T> {
///     const FINGERPRINT: u64 = fingerprint_of_struct(
///         "Range",
///         size_of::<Self>(),
///         align_of::<Self>(),
///         &[("low", T::FINGERPRINT, offset_of!(Self, low)), ("high", T::FINGERPRINT, offset_of!(Self, high))],
///     );
///     const LOCKS: bool = T::LOCKS;
/// }
///
/// #[repr(u32)]
/// enum Light {
///     Red = 0,
///     Green = 1,
/// }
///
/// // SAFETY: it has the layout of a `u32`, and zero is one of them.
/// unsafe impl Shareable for Light {
///     const FINGERPRINT: u64 = fingerprint_of("Light: red 0, green 1", size_of::<Self>(), align_of::<Self>());
///     const LOCKS: bool = false;
/// }
/// ```
///
/// # Safety
///
/// The implementor promises:
///
/// - The layout is fixed: it is the same whatever compiler, version and settings the processes were built with
///   (`repr(C)`, `repr(transparent)` or primitive), and what differs on other machines changes the fingerprint.
/// - Bytes that are all zero are a value: links are [created](crate::Link::create) so.
/// - A value holds no address, descriptor, thread id or anything else that belongs to one process, and means the same
///   at any address that is aligned as the type asks.
/// - What a writer leaves that is killed half-way is a value: whoever gets the lock of a dead holder reaches it in safe
///   code. So a part of a value that has invalid bit patterns is no wider than a pointer, and is valid beside any value
///   of each other part. An enum has no fields.
/// - No other type, and no other version of it, that is used under the same name has this
///   [`FINGERPRINT`](Self::FINGERPRINT).
/// - [`LOCKS`](Self::LOCKS) is true if there is a [`sync::Mutex`](crate::sync::Mutex) or a
///   [`sync::SeqLock`](crate::sync::SeqLock) anywhere in it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't live in shared memory at a fixed place",
    label = "not `Shareable`",
    note = "references, boxes, vectors, strings and options can't; structs can by the macro `commonage::shareable!`"
)]
pub unsafe trait Shareable: Sized + 'static {
    /// What tells this type from others, the same in every process: see [`fingerprint_of`](crate::fingerprint_of).
    const FINGERPRINT: u64;
    /// Whether a value has locks in it. A process that can write to such a link makes itself known to the others, so
    /// that its death is noticed.
    const LOCKS: bool;
}

/// A [`Shareable`] type that is safe to use while other processes use it: a writable [`Link`](crate::Link) to one
/// derefs.
///
/// Atomics, the types of [`sync`](crate::sync), arrays of such types, and structs made by
/// [`shareable!`](crate::shareable) of nothing else are. Plain data is not: put it into a
/// [`SeqLock`](crate::sync::SeqLock) or a [`Mutex`](crate::sync::Mutex), or reach it by the unsafe
/// [`get`](crate::Link::get).
///
/// # Safety
///
/// The implementor promises that whatever safe code does through a `&Self` is sound while other processes, and other
/// threads of this one, do the same to the same bytes at other addresses; and also while they hold what they got by it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not safe to use while other processes change it",
    label = "not `Synchronized`",
    note = "put plain data into a `commonage::sync::SeqLock` or a `commonage::sync::Mutex`, or reach it by the unsafe `get` of the link"
)]
pub unsafe trait Synchronized: Shareable + Sync {}

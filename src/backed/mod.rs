//! What can live in shared memory: the traits, and their implementations for slices, strings, arrays and plain values.
//!
//! | type | made with `new` from | metadata | view |
//! |---|---|---|---|
//! | `[T]` | `(T, usize)`: initial value, length | the length | `&[T]`, `&mut [T]` |
//! | `str` | `str` | the length in bytes | `&str`, `&mut str` |
//! | [`Value<T>`] | `T` | none | `&T`, `&mut T` |
//! | `ndarray::Array<A, D>` (feature `ndarray`) | `(A, D)`: initial value, shape | shape and strides (`ArrayLayout`) | `ArrayView`, `ArrayViewMut` |
//!
//! Elements are what bytemuck calls [`NoUninit`](bytemuck::NoUninit) and [`CheckedBitPattern`](bytemuck::CheckedBitPattern):
//! numbers, `bool`, `char`, arrays of numbers, and types that derive the two. Neither allows a reference or a pointer, which
//! would mean nothing in another process.
//!
//! Structs of numbers derive `Pod` and `Zeroable` instead, which include the two; with
//! `#[bytemuck(crate = "commonage::bytemuck")]` this crate's re-export is enough for that, and for enums without fields.
//! Structs with a `bool`, a `char` or an enum in them derive `NoUninit` and `CheckedBitPattern`, and need bytemuck itself
//! (feature `derive`) as a dependency: the derive makes a second struct that looks for it there.
//!
//! # Backing a type of your own
//!
//! Say how many bytes a value needs, how to write it into them, and what (small, serializable) metadata is needed to look
//! at them again: that is [`ShmemBacked`]. Then say what looking means: [`ShmemView`] and, for
//! [`SharedMut`](crate::SharedMut), [`ShmemViewMut`].
//!
//! ```
//! use commonage::{Shared, ShmemBacked, ShmemView};
//!
//! // A stack of images in contiguous memory.
//! struct ImageStack {
//!     data: Vec<u8>,
//!     shape: [u16; 2],
//! }
//!
//! // SAFETY: the metadata is plain numbers, and the view below is sound whatever they are.
//! unsafe impl ShmemBacked for ImageStack {
//!     // Shape of an image, number of images, value of every pixel.
//!     type NewArg = ([u16; 2], usize, u8);
//!     type MetaData = [u16; 2];
//!
//!     fn required_memory_arg((shape, n_images, _): &Self::NewArg) -> usize {
//!         shape.iter().map(|&n| n as usize).product::<usize>() * n_images
//!     }
//!     fn required_memory_src(src: &Self) -> usize {
//!         src.data.len()
//!     }
//!     fn new(data: &mut [u8], (shape, _, value): &Self::NewArg) -> Self::MetaData {
//!         data.fill(*value);
//!         *shape
//!     }
//!     fn new_from_src(data: &mut [u8], src: &Self) -> Self::MetaData {
//!         data.copy_from_slice(&src.data);
//!         src.shape
//!     }
//! }
//!
//! struct ImageStackView<'a> {
//!     data: &'a [u8],
//!     shape: [u16; 2],
//! }
//!
//! impl<'a> ShmemView<'a> for ImageStack {
//!     type View = ImageStackView<'a>;
//!     fn view(data: &'a [u8], shape: &'a [u16; 2]) -> Self::View {
//!         ImageStackView { data, shape: *shape }
//!     }
//! }
//!
//! let stack = ImageStack { data: vec![7; 64 * 64 * 3], shape: [64, 64] };
//! let shared = Shared::copy_from(&stack)?;
//! assert_eq!(shared.as_view().data.len(), 64 * 64 * 3);
//! assert_eq!(shared.as_view().shape, [64, 64]);
//! # Ok::<(), commonage::Error>(())
//! ```

// The traits are unsafe to implement: the wrappers rely on what `new` and `check` promise.
#![allow(unsafe_code)]

use std::{any::type_name, fmt, mem::needs_drop};

use serde::{Serialize, de::DeserializeOwned};

use crate::Error;
pub use crate::fingerprint::fingerprint_of;

#[cfg(feature = "ndarray")]
mod ndarray;
mod slice;
mod str;
mod value;

pub use value::Value;

#[cfg(feature = "ndarray")]
pub use self::ndarray::{ArrayLayout, Order, SharedArray, SharedArrayMut};
#[cfg(feature = "ndarray")]
pub(crate) use self::ndarray::{
    narrow_axis, plain_array, required_memory_for, required_memory_of, room_for_array, standard_metadata, write_array,
};
pub(crate) use self::slice::{room_for, write_elements};

/// A type whose values can live in shared memory, wrapped in a [`Shared`](crate::Shared) or a
/// [`SharedMut`](crate::SharedMut). See the [module documentation](self) for how to implement it.
///
/// # Safety
///
/// The implementor promises, for the type and for its [`ShmemView`] and [`ShmemViewMut`]:
///
/// - After [`new`](Self::new) or [`new_from_src`](Self::new_from_src) has been called with exactly as many
///   bytes as [`required_memory_arg`](Self::required_memory_arg) or [`required_memory_src`](Self::required_memory_src)
///   answered for the same argument, aligned to [`ALIGNMENT`](Self::ALIGNMENT), the views can be made soundly from those bytes and the
///   metadata that was returned, in this process and in any other that runs the same type, at any address that is aligned
///   as much. So neither bytes nor metadata hold addresses, descriptors or anything else that belongs to one process.
/// - What [`plain_bytes`](Self::plain_bytes) answers is what `new_from_src` would have written and returned.
/// - Serializing metadata has no effect but the bytes: they can be serialized more often than they are sent, so they hold
///   no handles of this crate (whose serialization issues tickets), channels or the like.
/// - The same holds for whatever bytes and metadata [`check`](Self::check) has answered `Ok(())` for; the default
///   `check` answers that for everything whose token has the right MAC, that is, for what `new` or `new_from_src` made
///   and what was written through the views since.
/// - Writing through a `ShmemViewMut`, which includes what it does with the metadata it was lent, leaves bytes and metadata
///   behind that the views can be made from again, all bytes initialized.
/// - Either no other type that is claimed anywhere has this type's [`fingerprint`](Self::fingerprint), or `check` finds out
///   what is not this type's. The default fingerprint goes by the type's name, which types in the bodies of two functions,
///   or in two versions of one crate, can have in common.
pub unsafe trait ShmemBacked {
    /// What [`new`](Self::new) makes a value from.
    type NewArg: ?Sized;

    /// What is needed, beside the data, to make a view. It travels in the token, in postcard, so it should be small, and
    /// serde attributes that need a self-describing format (`tag`, `untagged`, `flatten`, `skip_serializing_if`) don't work.
    type MetaData: Serialize + DeserializeOwned + Clone;

    /// How the data has to be aligned, in bytes: a power of two. The default is 128, as in sharify, and no more than what
    /// the pool gives to every block.
    const ALIGNMENT: usize = 128;

    /// Whether [`new`](Self::new) and [`new_from_src`](Self::new_from_src) rely on finding zeros. If not, they find bytes
    /// of any value (all initialized), and the pool is spared the zeroing of recycled memory. By default they find zeros.
    const NEEDS_ZEROED: bool = true;

    /// The number of bytes that the value made from `arg` needs. A number that overflows is `usize::MAX`: the pool answers
    /// that with [`Error::TooLarge`].
    fn required_memory_arg(arg: &Self::NewArg) -> usize;

    /// The number of bytes that a copy of `src` needs.
    fn required_memory_src(src: &Self) -> usize;

    /// Writes the value made from `arg` into `data`, and returns the metadata for its views.
    #[allow(clippy::new_ret_no_self)]
    fn new(data: &mut [u8], arg: &Self::NewArg) -> Self::MetaData;

    /// Writes a copy of `src` into `data`, and returns the metadata for its views.
    fn new_from_src(data: &mut [u8], src: &Self) -> Self::MetaData;

    /// The bytes that [`new_from_src`](Self::new_from_src) copies, and the metadata that it returns, if it does nothing but
    /// copy bytes as they are, as many as [`required_memory_src`](Self::required_memory_src) answers. Large copies into
    /// memory that has not been used before are then left to the system, which writes pages without clearing them first.
    ///
    /// By default nothing is known of the source's bytes.
    fn plain_bytes(src: &Self) -> Option<(&[u8], Self::MetaData)> {
        let _ = src;
        None
    }

    /// Says whether views can be made from `data` and `metadata`: called once at every claim, before there is a handle,
    /// because both come from another process. It checks the metadata against the length of the data, and the content
    /// if the type has invalid bit patterns.
    ///
    /// By default everything whose token has the right MAC is good enough. For values in files without a header that is what
    /// somebody says who can read the file: a type that is opened there should check all that its views rely on.
    ///
    /// ```
    /// use commonage::ShmemBacked;
    ///
    /// let bytes = "§".as_bytes();
    /// assert!(str::check(bytes, &2).is_ok());
    /// assert_eq!(str::check(bytes, &3).unwrap_err().to_string(), "3 elements of 1 bytes do not fit into 2 bytes");
    /// assert!(str::check(bytes, &1).is_err()); // half a character
    /// ```
    ///
    /// # Errors
    ///
    /// [`CheckError::metadata`] or [`CheckError::content`], which the claim answers as [`Error::Metadata`] or
    /// [`Error::Content`].
    fn check(data: &[u8], metadata: &Self::MetaData) -> Result<(), CheckError> {
        let _ = (data, metadata);
        Ok(())
    }

    /// Whether the clones of a handle share its metadata, by one more `Arc`, because a copy of them would cost more than
    /// that. By default, if they own anything that has to be dropped.
    fn shares_metadata(metadata: &Self::MetaData) -> bool {
        let _ = metadata;
        needs_drop::<Self::MetaData>()
    }

    /// A number that is different for different types and the same for one type in all programs that share it: a token
    /// claimed as a type with another fingerprint is an [`Error::WrongType`].
    ///
    /// By default it is made from the full name of the type and from the size and alignment of its metadata. Two programs
    /// agree on the name if the type comes from the same module of the same crate.
    #[inline]
    fn fingerprint() -> u64 {
        fingerprint_of(type_name::<Self>(), size_of::<Self::MetaData>(), align_of::<Self::MetaData>())
    }
}

/// A type whose [`check`](ShmemBacked::check) is complete, so that it can come from a process that is not trusted at all. What
/// a pool's processes send each other is trusted further: see the [table](crate#who-is-trusted-with-what).
///
/// Slices, strings, arrays and [`Value`]s are such types, whatever plain elements they have.
///
/// ```
/// use commonage::{CheckError, ShmemBacked, ShmemChecked, ShmemView};
///
/// /// Sixteen bits for each sample, one channel after the other.
/// struct Sound(Vec<u8>);
///
/// // SAFETY: the views are of bytes, and find what the metadata does not fit.
/// unsafe impl ShmemBacked for Sound {
///     type NewArg = usize;
///     type MetaData = u16;
/// #   fn required_memory_arg(samples: &usize) -> usize {
/// #       samples * 2
/// #   }
/// #   fn required_memory_src(src: &Self) -> usize {
/// #       src.0.len()
/// #   }
/// #   fn new(_: &mut [u8], _: &usize) -> u16 {
/// #       1
/// #   }
/// #   fn new_from_src(data: &mut [u8], src: &Self) -> u16 {
/// #       data.copy_from_slice(&src.0);
/// #       1
/// #   }
///     // ...
///     fn check(data: &[u8], channels: &u16) -> Result<(), CheckError> {
///         match data.len().checked_rem(2 * usize::from(*channels)) {
///             Some(0) => Ok(()),
///             _ => Err(CheckError::metadata(format!("{channels} channels can't have {} bytes", data.len()))),
///         }
///     }
/// }
///
/// // SAFETY: `check` accepts whole samples for each of at least one channel, which is all that the views rely on.
/// unsafe impl ShmemChecked for Sound {}
/// ```
///
/// # Safety
///
/// The implementor promises: whatever bytes and metadata pass [`check`](ShmemBacked::check), whoever wrote them and to
/// whatever end, views of them are sound. `check` reads nothing but what it is given, and neither it nor the metadata's
/// `Deserialize` has undefined behaviour on any input.
pub unsafe trait ShmemChecked: ShmemBacked {}

/// How a value in shared memory is looked at.
pub trait ShmemView<'a>: ShmemBacked {
    /// What a user reads through.
    type View;

    /// Looks at `data` as `metadata` says.
    ///
    /// This is a safe function that can be called with any bytes. Where a view of arbitrary bytes would not be sound, it
    /// checks (the implementations of this crate panic if [`check`](ShmemBacked::check) refuses), and
    /// [`view_unchecked`](Self::view_unchecked) does not.
    fn view(data: &'a [u8], metadata: &'a <Self as ShmemBacked>::MetaData) -> Self::View;

    /// [`view`](Self::view) without its checks; the wrappers call this one, each time that a value is looked at.
    ///
    /// # Safety
    ///
    /// `data` and `metadata` must have been made by this type's `new` or `new_from_src` (and since then written to only
    /// through this type's views), or have passed [`check`](ShmemBacked::check).
    #[inline]
    unsafe fn view_unchecked(data: &'a [u8], metadata: &'a <Self as ShmemBacked>::MetaData) -> Self::View {
        Self::view(data, metadata)
    }
}

/// How a value in shared memory is written to.
pub trait ShmemViewMut<'a>: ShmemBacked {
    /// What a user writes through.
    type View;

    /// Looks at `data` as `metadata` says, for writing. What is said at [`ShmemView::view`] holds here too.
    fn view_mut(data: &'a mut [u8], metadata: &'a mut <Self as ShmemBacked>::MetaData) -> Self::View;

    /// [`view_mut`](Self::view_mut) without its checks.
    ///
    /// # Safety
    ///
    /// As for [`ShmemView::view_unchecked`].
    #[inline]
    unsafe fn view_mut_unchecked(data: &'a mut [u8], metadata: &'a mut <Self as ShmemBacked>::MetaData) -> Self::View {
        Self::view_mut(data, metadata)
    }
}

/// Why [`ShmemBacked::check`] refuses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckError {
    fault: Fault,
    reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    Metadata,
    Content,
}

impl CheckError {
    /// The metadata does not fit the data, or means nothing.
    pub fn metadata(reason: impl Into<String>) -> Self {
        CheckError { fault: Fault::Metadata, reason: reason.into() }
    }

    /// The data holds a bit pattern that is no value of the type.
    pub fn content(reason: impl Into<String>) -> Self {
        CheckError { fault: Fault::Content, reason: reason.into() }
    }

    /// The error of a claim as a `T`.
    pub(crate) fn into_error<T: ?Sized>(self) -> Error {
        let (type_name, reason) = (type_name::<T>(), self.reason);
        match self.fault {
            Fault::Metadata => Error::Metadata { type_name, reason },
            Fault::Content => Error::Content { type_name, reason },
        }
    }

    /// What a safe `view` of a `T` does with bytes that are none.
    #[cold]
    #[track_caller]
    fn refuse<T: ?Sized>(self) -> ! {
        panic!("these bytes are no valid `{}`: {}", type_name::<T>(), self.reason)
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for CheckError {}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::fingerprint::fingerprint_with;

    /// Bytes at an address that is a multiple of 16, for any element that these tests use.
    #[derive(Clone)]
    pub(super) struct Buffer(Vec<u128>, usize);

    impl Buffer {
        /// `len` bytes of no particular value, as recycled memory has them.
        pub(super) fn dirty(len: usize) -> Self {
            let mut buffer = Buffer(vec![0; len.div_ceil(16)], len);
            buffer.bytes_mut().iter_mut().zip((0..=u8::MAX).rev().cycle()).for_each(|(byte, value)| *byte = value);
            buffer
        }

        pub(super) fn of<T: bytemuck::NoUninit>(elements: &[T]) -> Self {
            let mut buffer = Buffer::dirty(size_of_val(elements));
            buffer.bytes_mut().copy_from_slice(bytemuck::cast_slice(elements));
            buffer
        }

        pub(super) fn bytes(&self) -> &[u8] {
            &bytemuck::cast_slice(&self.0)[..self.1]
        }

        pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
            &mut bytemuck::cast_slice_mut(&mut self.0)[..self.1]
        }
    }

    /// A copy of `src` in bytes, as the wrappers make it.
    pub(super) fn copy_of<T: ShmemBacked + ?Sized>(src: &T) -> (Buffer, T::MetaData) {
        let mut buffer = Buffer::dirty(T::required_memory_src(src));
        let metadata = T::new_from_src(buffer.bytes_mut(), src);
        assert_eq!(T::check(buffer.bytes(), &metadata), Ok(()));
        (buffer, metadata)
    }

    /// The value made from `arg` in bytes, as the wrappers make it.
    pub(super) fn made_from<T: ShmemBacked + ?Sized>(arg: &T::NewArg) -> (Buffer, T::MetaData) {
        let mut buffer = Buffer::dirty(T::required_memory_arg(arg));
        let metadata = T::new(buffer.bytes_mut(), arg);
        assert_eq!(T::check(buffer.bytes(), &metadata), Ok(()));
        (buffer, metadata)
    }

    /// What `f` panics with.
    #[track_caller]
    pub(super) fn panic_of<R>(f: impl FnOnce() -> R) -> String {
        match catch_unwind(AssertUnwindSafe(f)) {
            Ok(_) => panic!("there was no panic"),
            Err(payload) => match payload.downcast::<String>() {
                Ok(text) => *text,
                Err(payload) => payload.downcast::<&str>().map(|text| text.to_string()).unwrap_or_default(),
            },
        }
    }

    /// Checks that metadata survive postcard, in which they travel.
    pub(super) fn assert_travels<T: ShmemBacked + ?Sized>(metadata: &T::MetaData)
    where
        T::MetaData: PartialEq + fmt::Debug,
    {
        let bytes = postcard::to_allocvec(metadata).unwrap();
        assert_eq!(&postcard::from_bytes::<T::MetaData>(&bytes).unwrap(), metadata);
    }

    // sharify's documented example, unchanged.
    struct ImageStack {
        data: Vec<u8>,
        shape: [u16; 2],
    }

    // SAFETY: any bytes and any shape make a sound view.
    unsafe impl ShmemBacked for ImageStack {
        type NewArg = ([u16; 2], usize, u8);
        type MetaData = [u16; 2];

        fn required_memory_arg((shape, n_images, _init): &Self::NewArg) -> usize {
            shape.iter().product::<u16>() as usize * n_images
        }
        fn required_memory_src(src: &Self) -> usize {
            src.data.len()
        }
        fn new(data: &mut [u8], (shape, _n_images, init): &Self::NewArg) -> Self::MetaData {
            data.fill(*init);
            *shape
        }
        fn new_from_src(data: &mut [u8], src: &Self) -> Self::MetaData {
            data.copy_from_slice(&src.data);
            src.shape
        }
    }

    struct ImageStackView<'a> {
        data: &'a [u8],
        shape: [u16; 2],
    }

    impl<'a> ShmemView<'a> for ImageStack {
        type View = ImageStackView<'a>;
        fn view(data: &'a [u8], shape: &'a <Self as ShmemBacked>::MetaData) -> Self::View {
            ImageStackView { data, shape: *shape }
        }
    }

    #[test]
    fn sharifys_image_stack() {
        let (buffer, shape) = made_from::<ImageStack>(&([3, 4], 5, 9));
        let view = ImageStack::view(buffer.bytes(), &shape);
        assert_eq!((view.data, view.shape), (&[9; 60][..], [3, 4]));

        let (buffer, shape) = copy_of(&ImageStack { data: vec![7; 24], shape: [3, 4] });
        // SAFETY: made by `new_from_src`.
        let view = unsafe { ImageStack::view_unchecked(buffer.bytes(), &shape) };
        assert_eq!((view.data, view.shape), (&[7; 24][..], [3, 4]));
    }

    #[test]
    fn defaults() {
        assert_eq!(ImageStack::ALIGNMENT, 128);
        const { assert!(ImageStack::NEEDS_ZEROED) };
        assert_eq!(ImageStack::check(&[], &[9, 9]), Ok(()));
        assert_eq!(ImageStack::fingerprint(), fingerprint_of(type_name::<ImageStack>(), 4, 2));
    }

    #[test]
    fn fingerprints_differ() {
        let mut prints = vec![
            <[u8]>::fingerprint(),
            <[i8]>::fingerprint(),
            <[bool]>::fingerprint(),
            <[u64]>::fingerprint(),
            <[f64]>::fingerprint(),
            <[[u64; 2]]>::fingerprint(),
            str::fingerprint(),
            Value::<u8>::fingerprint(),
            Value::<u64>::fingerprint(),
            Value::<[u64; 2]>::fingerprint(),
            ImageStack::fingerprint(),
        ];
        prints.extend(of_arrays());
        let all = prints.len();
        prints.sort_unstable();
        prints.dedup();
        assert_eq!(prints.len(), all);
    }

    /// Processes with different versions of a program, or of this crate, compare fingerprints: they must not change.
    #[test]
    fn fingerprints_are_as_ever() {
        assert_eq!(fingerprint_of("", 0, 0), 0xdf24_08cf_aafd_22b0);
        assert_eq!(fingerprint_of("a name of more than sixteen letters", 8, 4), 0xb18a_e92b_ea3a_7f4c);
        assert_eq!(<[u64]>::fingerprint(), 0xe67d_00b7_812c_47bc);
        assert_eq!(str::fingerprint(), 0xce8e_07f3_30e2_6c22);
    }

    #[cfg(feature = "ndarray")]
    #[test]
    fn fingerprints_of_arrays_are_as_ever() {
        assert_eq!(::ndarray::Array2::<f32>::fingerprint(), 0x2465_27e0_abe3_719c);
    }

    #[cfg(feature = "ndarray")]
    fn of_arrays() -> Vec<u64> {
        use ::ndarray::{Array, Array0, Array1, Array2, IxDyn};
        vec![
            Array0::<u8>::fingerprint(),
            Array1::<u8>::fingerprint(),
            Array2::<u8>::fingerprint(),
            Array2::<u64>::fingerprint(),
            Array::<u8, IxDyn>::fingerprint(),
        ]
    }

    #[cfg(not(feature = "ndarray"))]
    fn of_arrays() -> Vec<u64> {
        Vec::new()
    }

    #[test]
    fn every_part_of_a_fingerprint_counts() {
        assert_ne!(fingerprint_with(b"family a", "", 1, 1, 0), fingerprint_with(b"family b", "", 1, 1, 0));
        assert_ne!(fingerprint_with(b"family a", "", 1, 2, 3), fingerprint_with(b"family a", "", 1, 3, 2));
        assert_ne!(fingerprint_with(b"family a", "", 1, 2, 3), fingerprint_with(b"family a", "", 2, 1, 3));
    }

    /// Names as they are, which differ in little, with sizes that differ in little.
    #[test]
    fn fingerprints_of_many_names_differ() {
        let modules = ["", "shapes::", "crate_of_somebody::shapes::", "crate_of_somebody::shapes::v2::"];
        let mut prints = Vec::new();
        for (module, n) in modules.iter().flat_map(|module| (0..20_000).map(move |n| (module, n))) {
            let name = format!("{module}Shape{n}<f{}>", n % 7);
            prints.extend([(1, 1), (8, 8), (16, 8)].map(|(size, align)| fingerprint_of(&name, size, align)));
        }
        prints.extend((0..=64).map(|len| fingerprint_of(&"\0".repeat(len), 0, 0)));
        // Of so many random numbers, hardly any two share so many bits.
        for bits in [0..54, 10..64] {
            let mut cut: Vec<_> = prints.iter().map(|print| print << (64 - bits.end) >> (64 - bits.len())).collect();
            cut.sort_unstable();
            cut.dedup();
            assert_eq!(cut.len(), prints.len(), "the bits {bits:?} alone");
        }
        // Each bit is set in half of them.
        for bit in 0..64 {
            let (all, set) = (prints.len(), prints.iter().filter(|&print| print >> bit & 1 == 1).count());
            assert!((all * 49 / 100..=all * 51 / 100).contains(&set), "bit {bit} is set in {set} of {all}");
        }
    }

    #[test]
    fn a_check_error_becomes_the_error_of_its_cause() {
        let error = CheckError::metadata("the one").into_error::<str>();
        assert!(matches!(error, Error::Metadata { type_name: "str", reason } if reason == "the one"));
        let error = CheckError::content("the other").into_error::<str>();
        assert!(matches!(error, Error::Content { type_name: "str", reason } if reason == "the other"));
        assert_eq!(CheckError::content("the other").to_string(), "the other");
        assert_eq!(
            panic_of(|| CheckError::content("it is empty").refuse::<str>()),
            "these bytes are no valid `str`: it is empty"
        );
    }
}

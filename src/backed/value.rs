//! `Value<T>`: a single plain value, without metadata.

// Bytes get their type here: length, alignment and content are checked by `check`, and the unsafe blocks cite it.
#![allow(unsafe_code)]

use std::{
    fmt,
    ops::{Deref, DerefMut},
    slice,
};

use bytemuck::{CheckedBitPattern, NoUninit};

use super::{
    CheckError, ShmemBacked, ShmemChecked, ShmemView, ShmemViewMut,
    slice::{alignment_of, start_of, start_of_mut, write_elements},
};
use crate::fingerprint::fingerprint_of_family;

/// A single plain value: a view of a `Shared<Value<T>>` is a `&T`, one of a `SharedMut<Value<T>>` a `&mut T`.
///
/// It is a newtype because an implementation of [`ShmemBacked`] for every plain `T` would collide with those for arrays
/// and for types of your own.
///
/// ```
/// use commonage::{
///     SharedMut, Value,
///     bytemuck::{Pod, Zeroable},
/// };
///
/// #[derive(Clone, Copy, PartialEq, Debug, Pod, Zeroable)]
/// #[bytemuck(crate = "commonage::bytemuck")] // or depend on bytemuck, with its feature `derive`
/// #[repr(C)]
/// struct Settings {
///     gain: f32,
///     verbose: u32,
/// }
///
/// let mut settings = SharedMut::copy_from(&Value(Settings { gain: 1.0, verbose: 0 }))?;
/// settings.as_view_mut().gain = 2.5;
/// assert_eq!(*settings.as_view(), Settings { gain: 2.5, verbose: 0 });
/// # Ok::<(), commonage::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct Value<T>(pub T);

impl<T> From<T> for Value<T> {
    fn from(value: T) -> Self {
        Value(value)
    }
}

impl<T> Deref for Value<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Value<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: fmt::Display> fmt::Display for Value<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// SAFETY: `new` and `new_from_src` write one `T` (or panic), which is what `required_memory_*` asked room for; `check`
// accepts only an aligned, valid `T` within the data; `T: NoUninit` holds no addresses, and writing a `T` leaves a valid `T`.
unsafe impl<T: NoUninit + CheckedBitPattern> ShmemBacked for Value<T> {
    /// The value.
    type NewArg = T;
    type MetaData = ();

    const ALIGNMENT: usize = alignment_of::<T>();
    const NEEDS_ZEROED: bool = false;

    fn required_memory_arg(_: &T) -> usize {
        size_of::<T>()
    }

    fn required_memory_src(_: &Self) -> usize {
        size_of::<T>()
    }

    /// # Panics
    ///
    /// If `data` is shorter than a `T`.
    fn new(data: &mut [u8], arg: &T) {
        write_elements(data, slice::from_ref(arg));
    }

    /// # Panics
    ///
    /// If `data` is shorter than a `T`.
    fn new_from_src(data: &mut [u8], src: &Self) {
        Self::new(data, &src.0);
    }

    fn plain_bytes(src: &Self) -> Option<(&[u8], ())> {
        Some((bytemuck::bytes_of(&src.0), ()))
    }

    fn check(data: &[u8], (): &()) -> Result<(), CheckError> {
        <[T]>::check(data, &1)
    }

    fn fingerprint() -> u64 {
        fingerprint_of_family::<T>(b"value   ", 0)
    }
}

// SAFETY: `check` accepts only an aligned, valid `T` within the data; there are no metadata.
unsafe impl<T: NoUninit + CheckedBitPattern> ShmemChecked for Value<T> {}

impl<'a, T: NoUninit + CheckedBitPattern> ShmemView<'a> for Value<T> {
    type View = &'a T;

    /// # Panics
    ///
    /// If [`check`](ShmemBacked::check) refuses: `data` is too short, not aligned, or holds an invalid bit pattern.
    fn view(data: &'a [u8], metadata: &'a ()) -> &'a T {
        if let Err(error) = Self::check(data, metadata) {
            error.refuse::<Self>()
        }
        // SAFETY: `check` has accepted.
        unsafe { Self::view_unchecked(data, metadata) }
    }

    #[inline]
    unsafe fn view_unchecked(data: &'a [u8], (): &'a ()) -> &'a T {
        // SAFETY: the caller says that `new` made this or `check` accepted it: an aligned, valid `T` is within `data`,
        // which is borrowed for as long as the result.
        unsafe { &*start_of(data) }
    }
}

impl<'a, T: NoUninit + CheckedBitPattern> ShmemViewMut<'a> for Value<T> {
    type View = &'a mut T;

    /// # Panics
    ///
    /// If [`check`](ShmemBacked::check) refuses: `data` is too short, not aligned, or holds an invalid bit pattern.
    fn view_mut(data: &'a mut [u8], metadata: &'a mut ()) -> &'a mut T {
        if let Err(error) = Self::check(data, metadata) {
            error.refuse::<Self>()
        }
        // SAFETY: `check` has accepted.
        unsafe { Self::view_mut_unchecked(data, metadata) }
    }

    #[inline]
    unsafe fn view_mut_unchecked(data: &'a mut [u8], (): &'a mut ()) -> &'a mut T {
        // SAFETY: as in `view_unchecked`; `data` is borrowed exclusively, and `T: NoUninit` can write no uninitialized
        // byte into it.
        unsafe { &mut *start_of_mut(data) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backed::tests::{Buffer, assert_travels, copy_of, made_from, panic_of};

    #[test]
    fn a_value_comes_back() {
        let (mut buffer, mut metadata) = copy_of(&Value([1.5f32, 2.5]));
        assert_eq!(buffer.bytes().len(), 8);
        assert_travels::<Value<[f32; 2]>>(&metadata);
        Value::<[f32; 2]>::view_mut(buffer.bytes_mut(), &mut metadata)[0] = 3.5;
        assert_eq!(Value::<[f32; 2]>::view(buffer.bytes(), &metadata), &[3.5, 2.5]);

        let (buffer, metadata) = made_from::<Value<char>>(&'§');
        assert_eq!(*Value::<char>::view(buffer.bytes(), &metadata), '§');
        // SAFETY: made by `new`.
        assert_eq!(*unsafe { Value::<char>::view_unchecked(buffer.bytes(), &metadata) }, '§');

        let (mut buffer, mut metadata) = made_from::<Value<()>>(&());
        assert_eq!(Value::<()>::view(buffer.bytes(), &metadata), &());
        assert_eq!(Value::<()>::view_mut(buffer.bytes_mut(), &mut metadata), &());
    }

    #[test]
    fn bytes_that_are_no_value_are_refused() {
        let mut buffer = Buffer::of(&[0u8, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(Value::<bool>::check(buffer.bytes(), &()), Ok(()));
        assert!(Value::<bool>::check(&buffer.bytes()[2..], &()).is_err());
        assert!(Value::<u128>::check(buffer.bytes(), &()).is_err());
        assert!(Value::<u32>::check(&buffer.bytes()[1..], &()).is_err());
        assert!(Value::<u8>::check(&[], &()).is_err());
        assert!(panic_of(|| Value::<u64>::view(&buffer.bytes()[4..], &())).contains("Value<u64>"));
        assert!(
            panic_of(|| Value::<u64>::view_mut(&mut buffer.bytes_mut()[4..], &mut ()).count_ones())
                .contains("do not fit")
        );
        assert!(panic_of(|| Value::<u128>::new(buffer.bytes_mut(), &0)).contains("do not fit"));
    }

    #[test]
    fn a_value_is_looked_at_as_what_it_holds() {
        let mut value = Value::from(2.0f64);
        *value += 1.0;
        assert_eq!(value.sqrt(), 3f64.sqrt());
        assert_eq!(value.to_string(), "3");
        assert_eq!(Value::<u8>::default(), Value(0));
    }
}

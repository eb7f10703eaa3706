//! `[T]`: the elements one after the other; the metadata is their number.

// Bytes get their type here: length, alignment and content are checked by `check`, and the unsafe blocks cite it.
#![allow(unsafe_code)]

use std::{any::TypeId, mem::MaybeUninit, ptr::NonNull, slice};

use bytemuck::{CheckedBitPattern, NoUninit};

use super::{CheckError, ShmemBacked, ShmemChecked, ShmemView, ShmemViewMut};
use crate::fingerprint::fingerprint_of_family;

/// The alignment of blocks that hold `T`s: the default's, or more if `T` asks for more.
pub(super) const fn alignment_of<T>() -> usize {
    const DEFAULT: usize = 128;
    if align_of::<T>() > DEFAULT { align_of::<T>() } else { DEFAULT }
}

/// Whether every bit pattern is a `T`. True if and only if `T: AnyBitPattern`: `Bits` always is, so a `T` that is its own
/// `Bits` is too; and the blanket implementation makes every `AnyBitPattern` its own `Bits`. Known when compiling, so that
/// a claim of plain numbers does not look at the data at all, however long they are.
pub(super) fn any_bit_pattern<T: NoUninit + CheckedBitPattern>() -> bool {
    TypeId::of::<T::Bits>() == TypeId::of::<T>()
}

/// Whether all of these are `T`s. Within a chunk all are looked at, so that the compiler can use vector instructions.
pub(super) fn all_valid<T: NoUninit + CheckedBitPattern>(bits: &[T::Bits]) -> bool {
    bits.chunks(1024).all(|chunk| chunk.iter().fold(true, |valid, bits| valid & T::is_valid_bit_pattern(bits)))
}

/// Whether `data` begins with room for `len` aligned `T`s.
pub(super) fn fits<T>(data: &[u8], len: usize) -> Result<(), CheckError> {
    if len.checked_mul(size_of::<T>()).is_none_or(|bytes| bytes > data.len()) {
        return Err(CheckError::metadata(format!(
            "{len} elements of {} bytes do not fit into {} bytes",
            size_of::<T>(),
            data.len()
        )));
    }
    if !data.is_empty() && !data.as_ptr().cast::<T>().is_aligned() {
        return Err(CheckError::metadata(format!("the data is not aligned to {} bytes", align_of::<T>())));
    }
    Ok(())
}

/// Where the `T`s in `data` begin: aligned, if [`fits`] has accepted `data` (or it is empty).
#[inline]
pub(super) fn start_of<T>(data: &[u8]) -> *const T {
    if data.is_empty() { NonNull::dangling().as_ptr() } else { data.as_ptr().cast() }
}

/// [`start_of`], for writing.
#[inline]
pub(super) fn start_of_mut<T>(data: &mut [u8]) -> *mut T {
    if data.is_empty() { NonNull::dangling().as_ptr() } else { data.as_mut_ptr().cast() }
}

/// The room for `len` `T`s at the beginning of `data`, to be written to. Callers write whole `T`s and nothing else: they
/// have no uninitialized bytes, so that `data` stays bytes.
///
/// Panics if `data` is too short or not aligned.
#[track_caller]
pub(crate) fn room_for<T: NoUninit>(data: &mut [u8], len: usize) -> &mut [MaybeUninit<T>] {
    if let Err(error) = fits::<T>(data, len) {
        error.refuse::<[T]>()
    }
    // SAFETY: `fits` says that `len` elements are within `data`, which is borrowed for as long as the result, and that
    // they are aligned; any bytes are `MaybeUninit`s.
    unsafe { slice::from_raw_parts_mut(start_of_mut(data), len) }
}

/// Copies `src` to the beginning of `data`.
///
/// Panics if `data` is too short.
#[track_caller]
pub(crate) fn write_elements<T: NoUninit>(data: &mut [u8], src: &[T]) {
    let src: &[u8] = bytemuck::cast_slice(src);
    assert!(src.len() <= data.len(), "{} bytes do not fit into {} bytes", src.len(), data.len());
    data[..src.len()].copy_from_slice(src);
}

// SAFETY: `new` and `new_from_src` write as many `T`s as the metadata says (or panic), which is what `required_memory_*`
// asked room for; `check` accepts only aligned, valid `T`s within the data; `T: NoUninit` holds no addresses, and
// writing `T`s leaves valid `T`s.
unsafe impl<T: NoUninit + CheckedBitPattern> ShmemBacked for [T] {
    /// The value of every element, and their number.
    type NewArg = (T, usize);
    /// The number of elements.
    type MetaData = usize;

    const ALIGNMENT: usize = alignment_of::<T>();
    const NEEDS_ZEROED: bool = false;

    fn required_memory_arg((_, len): &Self::NewArg) -> usize {
        len.saturating_mul(size_of::<T>())
    }

    fn required_memory_src(src: &Self) -> usize {
        size_of_val(src)
    }

    /// # Panics
    ///
    /// If `data` is shorter than `required_memory_arg` says, or not aligned for `T`.
    fn new(data: &mut [u8], (value, len): &Self::NewArg) -> usize {
        // Elements without bytes are there already, however many.
        if size_of::<T>() != 0 {
            room_for(data, *len).fill(MaybeUninit::new(*value));
        }
        *len
    }

    /// # Panics
    ///
    /// If `data` is shorter than `src`.
    fn new_from_src(data: &mut [u8], src: &Self) -> usize {
        write_elements(data, src);
        src.len()
    }

    fn plain_bytes(src: &Self) -> Option<(&[u8], usize)> {
        Some((bytemuck::cast_slice(src), src.len()))
    }

    fn check(data: &[u8], len: &usize) -> Result<(), CheckError> {
        fits::<T>(data, *len)?;
        if any_bit_pattern::<T>() {
            return Ok(());
        }
        // One zero-sized element is as good as all, and `len` may be any number then.
        let len = if size_of::<T>() == 0 { (*len).min(1) } else { *len };
        // SAFETY: `Bits` has the size and alignment of `T`, so `fits` says that `len` of them are within `data` and
        // aligned; any bytes are `Bits`.
        let bits: &[T::Bits] = unsafe { slice::from_raw_parts(start_of(data), len) };
        if all_valid::<T>(bits) {
            return Ok(());
        }
        let at = bits.iter().take_while(|bits| T::is_valid_bit_pattern(bits)).count();
        Err(CheckError::content(format!("element {at} of {len} has an invalid bit pattern")))
    }

    fn fingerprint() -> u64 {
        fingerprint_of_family::<T>(b"slice   ", 0)
    }
}

// SAFETY: `check` accepts only aligned, valid `T`s within the data, by their number; the metadata is that number.
unsafe impl<T: NoUninit + CheckedBitPattern> ShmemChecked for [T] {}

impl<'a, T: NoUninit + CheckedBitPattern> ShmemView<'a> for [T] {
    type View = &'a [T];

    /// # Panics
    ///
    /// If [`check`](ShmemBacked::check) refuses: `data` is too short, not aligned, or holds an invalid bit pattern.
    fn view(data: &'a [u8], len: &'a usize) -> &'a [T] {
        if let Err(error) = Self::check(data, len) {
            error.refuse::<Self>()
        }
        // SAFETY: `check` has accepted.
        unsafe { Self::view_unchecked(data, len) }
    }

    #[inline]
    unsafe fn view_unchecked(data: &'a [u8], len: &'a usize) -> &'a [T] {
        // SAFETY: the caller says that `new` made these or `check` accepted them: `len` aligned, valid elements are
        // within `data`, which is borrowed for as long as the result.
        unsafe { slice::from_raw_parts(start_of(data), *len) }
    }
}

impl<'a, T: NoUninit + CheckedBitPattern> ShmemViewMut<'a> for [T] {
    type View = &'a mut [T];

    /// # Panics
    ///
    /// If [`check`](ShmemBacked::check) refuses: `data` is too short, not aligned, or holds an invalid bit pattern.
    fn view_mut(data: &'a mut [u8], len: &'a mut usize) -> &'a mut [T] {
        if let Err(error) = Self::check(data, len) {
            error.refuse::<Self>()
        }
        // SAFETY: `check` has accepted.
        unsafe { Self::view_mut_unchecked(data, len) }
    }

    #[inline]
    unsafe fn view_mut_unchecked(data: &'a mut [u8], len: &'a mut usize) -> &'a mut [T] {
        // SAFETY: as in `view_unchecked`; `data` is borrowed exclusively, and `T: NoUninit` can write no uninitialized
        // byte into it.
        unsafe { slice::from_raw_parts_mut(start_of_mut(data), *len) }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;

    use super::*;
    use crate::backed::tests::{Buffer, assert_travels, copy_of, made_from, panic_of};

    #[derive(Clone, Copy, PartialEq, Debug, bytemuck::NoUninit, bytemuck::CheckedBitPattern)]
    #[repr(u8)]
    enum Answer {
        No = 3,
        Yes = 7,
    }

    #[derive(Clone, Copy, PartialEq, Debug, bytemuck::NoUninit, bytemuck::CheckedBitPattern)]
    #[repr(C)]
    struct Record {
        name: [u8; 8],
        weight: f32,
        known: bool,
        answer: Answer,
        rest: u16,
    }

    #[derive(Clone, Copy, PartialEq, Debug, bytemuck::Pod, bytemuck::Zeroable)]
    #[repr(C, align(256))]
    struct Wide([u8; 256]);

    fn round_trip<T: NoUninit + CheckedBitPattern + PartialEq + Debug>(elements: &[T]) {
        let (mut buffer, mut len) = copy_of(elements);
        assert_eq!(buffer.bytes().len(), size_of_val(elements));
        assert_eq!(len, elements.len());
        assert_travels::<[T]>(&len);
        assert_eq!(<[T]>::view(buffer.bytes(), &len), elements);
        assert_eq!(<[T]>::view_mut(buffer.bytes_mut(), &mut len), elements);
        // SAFETY: made by `new_from_src`.
        assert_eq!(unsafe { <[T]>::view_unchecked(buffer.bytes(), &len) }, elements);
        // SAFETY: made by `new_from_src`.
        assert_eq!(unsafe { <[T]>::view_mut_unchecked(buffer.bytes_mut(), &mut len) }, elements);

        if let Some(&value) = elements.first() {
            let (buffer, len) = made_from::<[T]>(&(value, 7));
            assert_eq!(<[T]>::view(buffer.bytes(), &len), [value; 7]);
        }
    }

    #[test]
    fn elements_come_back() {
        round_trip(&[1u8, 2, 3]);
        round_trip(&[1usize, 2, 3, 4, 5]);
        round_trip(&[1i16, -2, 3, -4, 5]);
        round_trip(&[1.0f64, f64::INFINITY, -0.0]);
        round_trip(&[u128::MAX]);
        round_trip(&[true, false, true]);
        round_trip(&['a', '§', char::MAX]);
        round_trip(&[[1u16, 2, 3], [4, 5, 6]]);
        round_trip(&[Answer::Yes, Answer::No]);
        round_trip(&[Record { name: *b"sextans ", weight: 1.5, known: true, answer: Answer::No, rest: 9 }]);
        round_trip(&[(), (), ()]);
        round_trip::<u64>(&[]);
        round_trip::<bool>(&[]);
    }

    #[test]
    fn writing_through_the_view_changes_the_data() {
        let (mut buffer, mut len) = made_from::<[u32]>(&(0, 3));
        <[u32]>::view_mut(buffer.bytes_mut(), &mut len).copy_from_slice(&[1, 2, 3]);
        assert_eq!(<[u32]>::view(buffer.bytes(), &len), [1, 2, 3]);
    }

    #[test]
    fn nothing_at_all_is_a_valid_slice() {
        assert_eq!(<[u64]>::view(&[], &0), [0u64; 0]);
        assert_eq!(<[u64]>::view_mut(&mut [], &mut 0), [0u64; 0]);
        assert_eq!(<[()]>::view(&[], &3), [(); 3]);
        let empty: &[u64] = <[u64]>::view(&[], &0);
        assert!(empty.as_ptr().is_aligned());
    }

    #[test]
    fn required_memory_saturates() {
        assert_eq!(<[u64]>::required_memory_arg(&(0, usize::MAX)), usize::MAX);
        assert_eq!(<[u64]>::required_memory_arg(&(0, usize::MAX / 8 + 1)), usize::MAX);
        assert_eq!(<[u64]>::required_memory_arg(&(0, 5)), 40);
        assert_eq!(<[()]>::required_memory_arg(&((), usize::MAX)), 0);
    }

    #[test]
    fn alignment_is_that_of_the_widest() {
        assert_eq!(<[u8]>::ALIGNMENT, 128);
        assert_eq!(<[u128]>::ALIGNMENT, 128);
        assert_eq!(<[Wide]>::ALIGNMENT, 256);
    }

    #[test]
    fn only_types_with_invalid_bit_patterns_are_looked_at() {
        assert!(any_bit_pattern::<u8>());
        assert!(any_bit_pattern::<[f64; 3]>());
        assert!(any_bit_pattern::<Wide>());
        assert!(!any_bit_pattern::<bool>());
        assert!(!any_bit_pattern::<char>());
        assert!(!any_bit_pattern::<Record>());
    }

    #[test]
    fn a_hostile_length_is_refused() {
        let buffer = Buffer::dirty(64);
        for len in [9, 1 << 61, (1 << 61) + 1, usize::MAX / 8, usize::MAX] {
            let error = <[u64]>::check(buffer.bytes(), &len).unwrap_err();
            assert!(matches!(error.into_error::<[u64]>(), crate::Error::Metadata { .. }));
            assert!(panic_of(|| <[u64]>::view(buffer.bytes(), &len)).contains("do not fit into 64 bytes"));
        }
        for len in [0, 1, 8] {
            assert_eq!(<[u64]>::check(buffer.bytes(), &len), Ok(()));
        }
        // Quickly, and without reading anything.
        assert_eq!(<[()]>::check(&[], &usize::MAX), Ok(()));
    }

    #[test]
    fn misaligned_data_are_refused() {
        let mut buffer = Buffer::dirty(64);
        let error = <[u32]>::check(&buffer.bytes()[1..], &1).unwrap_err();
        assert!(matches!(error.into_error::<[u32]>(), crate::Error::Metadata { .. }));
        assert!(panic_of(|| <[u32]>::view(&buffer.bytes()[2..], &1)).contains("not aligned to 4 bytes"));
        assert!(panic_of(|| <[u32]>::view_mut(&mut buffer.bytes_mut()[2..], &mut 1).len()).contains("not aligned"));
        assert!(panic_of(|| <[u32]>::new(&mut buffer.bytes_mut()[3..], &(0, 2))).contains("not aligned"));
        assert_eq!(<[u32]>::check(&buffer.bytes()[4..], &1), Ok(()));
        assert_eq!(<[u8]>::check(&buffer.bytes()[1..], &1), Ok(()));
    }

    #[test]
    fn writing_into_too_few_bytes_panics() {
        let mut buffer = Buffer::dirty(16);
        assert!(panic_of(|| <[u64]>::new(buffer.bytes_mut(), &(0, 3))).contains("do not fit"));
        assert!(panic_of(|| <[u64]>::new(buffer.bytes_mut(), &(0, usize::MAX))).contains("do not fit"));
        assert!(panic_of(|| <[u64]>::new_from_src(buffer.bytes_mut(), &[1, 2, 3])).contains("do not fit"));
    }

    #[test]
    fn invalid_content_is_refused() {
        let mut buffer = Buffer::of(&[1u8, 0, 1, 2, 1]);
        let error = <[bool]>::check(buffer.bytes(), &5).unwrap_err();
        assert_eq!(error.to_string(), "element 3 of 5 has an invalid bit pattern");
        assert!(matches!(error.into_error::<[bool]>(), crate::Error::Content { .. }));
        assert!(panic_of(|| <[bool]>::view(buffer.bytes(), &5)).contains("element 3"));
        assert!(panic_of(|| <[bool]>::view_mut(buffer.bytes_mut(), &mut 5).len()).contains("element 3"));
        assert_eq!(<[bool]>::view(buffer.bytes(), &3), [true, false, true]);

        let buffer = Buffer::of(&['a' as u32, 0xd800, 0x110000]);
        assert!(<[char]>::check(buffer.bytes(), &3).is_err());
        assert_eq!(<[char]>::view(buffer.bytes(), &1), ['a']);

        let (mut buffer, len) =
            copy_of(&[Record { name: *b"sextans ", weight: 1.5, known: true, answer: Answer::No, rest: 9 }][..]);
        buffer.bytes_mut()[13] = 4;
        assert!(<[Record]>::check(buffer.bytes(), &len).is_err());
    }

    proptest! {
        #[test]
        fn what_check_accepts_can_be_viewed(
            bytes in proptest::collection::vec(0u8..4, 0..64),
            skip in 0usize..64,
            len in prop_oneof![0usize..80, any::<usize>()],
        ) {
            let buffer = Buffer::of(&bytes);
            let data = &buffer.bytes()[skip.min(bytes.len())..];
            prop_assert_eq!(<[u8]>::check(data, &len).is_ok(), len <= data.len());
            if <[bool]>::check(data, &len).is_ok() {
                prop_assert!(data[..len].iter().all(|&byte| byte < 2));
                prop_assert_eq!(<[bool]>::view(data, &len).len(), len);
            }
            if <[char]>::check(data, &len).is_ok() {
                let text: String = <[char]>::view(data, &len).iter().collect();
                prop_assert_eq!(text.chars().count(), len);
            }
            if <[u32]>::check(data, &len).is_ok() {
                let native: Vec<u32> =
                    data[..4 * len].chunks_exact(4).map(|bytes| u32::from_ne_bytes(bytes.try_into().unwrap())).collect();
                prop_assert_eq!(<[u32]>::view(data, &len), native);
            } else {
                prop_assert!(len > data.len() / 4 || !data.as_ptr().cast::<u32>().is_aligned());
            }
        }
    }
}

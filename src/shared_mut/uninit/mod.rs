//! Memory for a value that is still to be written.

// Whether all of it has been written is what the caller says, or what a closure has done.
#![allow(unsafe_code)]

use std::{fmt, marker::PhantomData, mem::MaybeUninit};

use bytemuck::{AnyBitPattern, CheckedBitPattern, NoUninit};

use super::SharedMut;
use crate::{
    Error, Kind, ShmemBacked,
    backed::{room_for, write_elements},
    part::Part,
    shared::{debug, make},
};

#[cfg(feature = "ndarray")]
mod arrays;

/// Memory for a slice or an array that is still to be written: nothing has been zeroed, and nothing will be copied.
///
/// Made by `SharedMut::new_uninit`. A closure fills it, as in [`fill_with`](Self::fill_with); or it is written through
/// `as_view_mut`, and [`assume_init`](Self::assume_init), which is unsafe, says that all of it has been. Whoever wants to write
/// through an ordinary view without saying so takes `SharedMut::unzeroed`, for elements of which every bit pattern is one.
///
/// ```
/// use commonage::SharedMut;
///
/// let mut room = SharedMut::<[u64]>::new_uninit(1000)?;
/// for (index, room) in room.as_view_mut().iter_mut().enumerate() {
///     room.write(3 * index as u64);
/// }
/// // SAFETY: all elements have been written.
/// let threes = unsafe { room.assume_init() };
/// assert_eq!(threes[999], 2997);
/// # Ok::<(), commonage::Error>(())
/// ```
#[must_use = "the memory is given back if it is dropped"]
pub struct SharedUninit<T>
where
    T: ShmemBacked + ?Sized,
{
    /// INVARIANT: of an exclusive block that was allocated here, and its only handle anywhere.
    part: Part,
    /// What a value in it will have.
    metadata: T::MetaData,
    of: PhantomData<Box<T>>,
}

impl<T> SharedUninit<T>
where
    T: ShmemBacked + ?Sized,
{
    /// Memory of `bytes` bytes for a value with the metadata that `describe` makes.
    fn new(bytes: usize, describe: impl FnOnce() -> T::MetaData) -> Result<Self, Error> {
        let (part, metadata) = make::<T>(Kind::SharedMut, bytes, false, |_| describe())?;
        Ok(SharedUninit { part, metadata, of: PhantomData })
    }

    /// All of the memory, and the metadata.
    fn room(&mut self) -> (&mut [u8], &T::MetaData) {
        // SAFETY: by the invariant of `part`, which is borrowed, nobody else reads or writes there, and what a process
        // allocates is writable in it.
        (unsafe { self.part.bytes_mut() }, &self.metadata)
    }

    /// The value.
    ///
    /// # Safety
    ///
    /// Every element has been written.
    pub unsafe fn assume_init(self) -> SharedMut<T> {
        SharedMut::from_parts(self.part, self.metadata)
    }
}

impl<E: NoUninit + CheckedBitPattern> SharedUninit<[E]> {
    /// The elements, to be written.
    pub fn as_view_mut(&mut self) -> &mut [MaybeUninit<E>] {
        let (data, &len) = self.room();
        room_for(data, len)
    }

    /// Calls `f` for each element, in order. If `f` panics, the memory is given back.
    ///
    /// ```
    /// use commonage::SharedMut;
    /// let mut next = 1;
    /// let powers = SharedMut::<[u32]>::new_uninit(10)?.fill_with(|| {
    ///     next *= 2;
    ///     next
    /// });
    /// assert_eq!(powers[9], 1024);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    pub fn fill_with(mut self, mut f: impl FnMut() -> E) -> SharedMut<[E]> {
        for room in self.as_view_mut() {
            room.write(f());
        }
        // SAFETY: all of them, just now.
        unsafe { self.assume_init() }
    }

    /// Copies the elements of `src`.
    ///
    /// # Panics
    ///
    /// If `src` has another length.
    #[track_caller]
    pub fn copy_from_slice(mut self, src: &[E]) -> SharedMut<[E]> {
        let (data, &len) = self.room();
        assert!(src.len() == len, "{} elements are not copied from a slice of {}", len, src.len());
        write_elements(data, src);
        // SAFETY: `src` has as many as there is room for, and all have been copied.
        unsafe { self.assume_init() }
    }
}

impl<E: NoUninit + CheckedBitPattern> SharedMut<[E]> {
    /// Memory for a slice of `len` elements, which are still to be written.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn new_uninit(len: usize) -> Result<SharedUninit<[E]>, Error> {
        SharedUninit::new(len.saturating_mul(size_of::<E>()), || len)
    }
}

impl<E: NoUninit + AnyBitPattern> SharedMut<[E]> {
    /// A slice of `len` elements of any values: of what the memory held before, zeros or not. For what is written next in
    /// any case, by a reader say, this is [`zeroed`](Self::zeroed) without the zeros.
    ///
    /// ```
    /// use std::io::Read;
    ///
    /// use commonage::SharedSliceMut;
    /// # let mut socket = &[7; 4096][..];
    ///
    /// let mut frame = SharedSliceMut::<u8>::unzeroed(4096)?;
    /// socket.read_exact(&mut frame)?;
    /// assert_eq!(frame[4095], 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn unzeroed(len: usize) -> Result<Self, Error> {
        let room = Self::new_uninit(len)?;
        // SAFETY: shared memory's bytes have values, if only those that somebody left, and every value is an element's.
        Ok(unsafe { room.assume_init() })
    }
}

/// The type and where the memory is.
impl<T> fmt::Debug for SharedUninit<T>
where
    T: ShmemBacked + ?Sized,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::<T>(f, "SharedUninit", &self.part)
    }
}

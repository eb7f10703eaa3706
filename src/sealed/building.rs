//! Slices that are written where they stay.

// Functions that make a value of options have the names that they have in the type.
#![allow(clippy::wrong_self_convention)]

use bytemuck::{AnyBitPattern, CheckedBitPattern, NoUninit};

use super::{Options, Sealed, making::make};
use crate::{Error, ShmemViewMut, backed::room_for};

impl<E: NoUninit + CheckedBitPattern> Sealed<[E]> {
    /// The slice of `len` elements whose elements `f` makes of their indices, in order. Each is written where it stays. If `f`
    /// panics, the memory is given back.
    ///
    /// ```
    /// use commonage::Sealed;
    /// let squares = Sealed::<[u64]>::from_fn(1000, |index| (index * index) as u64)?;
    /// assert_eq!(squares[30], 900);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_fn(len: usize, f: impl FnMut(usize) -> E) -> Result<Self, Error> {
        Self::options().from_fn(len, f)
    }

    /// The slice of what an iterator gives that knows how much that is. Each element is written where it stays.
    ///
    /// One that is wrong about its length gives a slice of the elements that came, and of no more than it had promised.
    ///
    /// ```
    /// use commonage::Sealed;
    /// let lengths = Sealed::<[usize]>::from_exact_iter(["one", "three", "five"].iter().map(|word| word.len()))?;
    /// assert_eq!(lengths, [3, 5, 4]);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_exact_iter<I>(elements: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item = E, IntoIter: ExactSizeIterator>,
    {
        Self::options().from_exact_iter(elements)
    }
}

impl<E: NoUninit + AnyBitPattern> Sealed<[E]> {
    /// A slice of `len` elements that `fill` writes where it stays, and that nobody writes afterwards. `fill` finds zeroes
    /// there.
    ///
    /// ```
    /// use commonage::Sealed;
    /// # let mut file: &[u8] = &[7; 4096];
    /// use std::io::Read;
    ///
    /// let mut read = Ok(());
    /// let block = Sealed::<[u8]>::build(4096, |bytes| read = file.read_exact(bytes))?;
    /// read?;
    /// assert_eq!(block[4095], 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn build(len: usize, fill: impl FnOnce(&mut [E])) -> Result<Self, Error> {
        Self::options().build(len, fill)
    }
}

impl<E: NoUninit + CheckedBitPattern> Options<[E]> {
    /// [`Sealed::from_fn`] with these options.
    ///
    /// # Errors
    ///
    /// As [`Sealed::new`].
    pub fn from_fn(&self, len: usize, mut f: impl FnMut(usize) -> E) -> Result<Sealed<[E]>, Error> {
        make(self, len.saturating_mul(size_of::<E>()), |data| {
            for (index, room) in room_for(data, len).iter_mut().enumerate() {
                room.write(f(index));
            }
            len
        })
    }

    /// [`Sealed::from_exact_iter`] with these options.
    ///
    /// # Errors
    ///
    /// As [`Sealed::new`].
    pub fn from_exact_iter<I>(&self, elements: I) -> Result<Sealed<[E]>, Error>
    where
        I: IntoIterator<Item = E, IntoIter: ExactSizeIterator>,
    {
        let elements = elements.into_iter();
        let promised = elements.len();
        make(self, promised.saturating_mul(size_of::<E>()), |data| {
            let mut came = 0;
            // The room comes first: when it is full, no element is asked for.
            for (room, element) in room_for(data, promised).iter_mut().zip(elements) {
                room.write(element);
                came += 1;
            }
            came
        })
    }
}

impl<E: NoUninit + AnyBitPattern> Options<[E]> {
    /// [`Sealed::build`] with these options.
    ///
    /// # Errors
    ///
    /// As [`Sealed::new`].
    pub fn build(&self, len: usize, fill: impl FnOnce(&mut [E])) -> Result<Sealed<[E]>, Error> {
        make(self, len.saturating_mul(size_of::<E>()), |data| {
            let mut metadata = len;
            fill(<[E]>::view_mut(data, &mut metadata));
            metadata
        })
    }
}

//! The side that pops.

use std::{fmt, ptr::NonNull};

use bytemuck::{AnyBitPattern, NoUninit};

use super::{
    ReadChunk, RingError,
    indices::{Indices, Popping},
    layout::Area,
    told::Told,
};
use crate::Error;

/// The side of a ring that pops, over memory that the caller has: see [`split`](super::split) and
/// [`attach`](Self::attach).
///
/// It never waits, allocates, or makes a system call. Dropping it closes the ring: the producer gets
/// [`RingError::Closed`] when it next finds the ring full.
pub struct Consumer<'m, T: AnyBitPattern + NoUninit> {
    pub(super) area: Area<'m, T>,
    pub(super) indices: Indices,
}

impl<'m, T: AnyBitPattern + NoUninit> Consumer<'m, T> {
    /// The consumer of a ring in memory that the caller supplies: see
    /// [`Producer::attach`](super::Producer::attach).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Safety
    ///
    /// As there.
    pub unsafe fn attach(memory: NonNull<[u8]>) -> Result<Self, Error> {
        // SAFETY: the caller's promise.
        Self::over(unsafe { Area::over(memory) }?)
    }

    pub(super) fn over(area: Area<'m, T>) -> Result<Self, Error> {
        let head = area.head();
        let indices = Indices::attach::<Popping, _>(&head.consumer.0, &head.producer.0, area.capacity(), area.kind())?;
        Ok(Consumer { area, indices })
    }

    /// How many elements the ring has room for.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.area.capacity()
    }

    /// How many elements can be popped now.
    ///
    /// # Errors
    ///
    /// [`RingError::Closed`] if there are none and the producer has ended; [`RingError::Corrupt`].
    #[inline]
    pub fn slots(&mut self) -> Result<usize, RingError> {
        self.indices.look::<Popping, _>(&self.area.head().producer.0)
    }

    /// Has the producer ended? There may be elements left. Another can attach to the memory.
    #[inline]
    pub fn is_closed(&self) -> bool {
        Indices::is_closed(&self.area.head().producer.0)
    }

    /// At least `wanted` slots, or as many as there are.
    #[inline(always)]
    pub(super) fn at_least(&mut self, wanted: usize) -> Result<usize, RingError> {
        match self.indices.known::<Popping>() {
            known if known >= wanted => Ok(known),
            _ => self.slots(),
        }
    }

    #[inline(always)]
    pub(super) fn publish(&mut self, count: usize) {
        self.indices.publish(&self.area.head().consumer.0, count);
    }

    /// Pops one element.
    ///
    /// # Errors
    ///
    /// [`RingError::Empty`]; [`RingError::Closed`] if the producer has ended, too; [`RingError::Corrupt`].
    #[inline]
    pub fn try_pop(&mut self) -> Result<T, RingError> {
        if self.at_least(1)? == 0 {
            return Err(RingError::Empty);
        }
        let value = self.area.read(self.indices.own());
        self.publish(1);
        Ok(value)
    }

    /// Pops as many elements as there are and fit into `into`, at least one, and returns how many; zero if none fits.
    ///
    /// # Errors
    ///
    /// As [`try_pop`](Self::try_pop).
    #[inline]
    pub fn try_pop_slice(&mut self, into: &mut [T]) -> Result<usize, RingError> {
        if into.is_empty() {
            return Ok(0);
        }
        let count = self.at_least(into.len())?.min(into.len());
        if count == 0 {
            return Err(RingError::Empty);
        }
        // SAFETY: `into` has room for at least so many.
        unsafe { self.area.read_all(self.indices.own(), into.as_mut_ptr(), count) };
        self.publish(count);
        Ok(count)
    }

    /// `len` elements to be read, and then committed: only then their slots are free.
    ///
    /// ```
    /// # let mut memory = vec![0; 2048];
    /// let (mut producer, mut consumer) = commonage::ring::split::<u16>(&mut memory)?;
    /// producer.try_push_slice(&[1, 2, 3, 4])?;
    /// let chunk = consumer.read_chunk(3)?;
    /// assert_eq!(chunk.iter().sum::<u16>(), 6);
    /// chunk.commit(2); // 3 and 4 stay
    /// assert_eq!(consumer.try_pop()?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`try_pop`](Self::try_pop) if there are fewer; [`RingError::TooMany`] for more than the capacity.
    #[inline]
    pub fn read_chunk(&mut self, len: usize) -> Result<ReadChunk<'_, T>, RingError> {
        ReadChunk::new(self.area.again(), &mut self.indices, len, Told::nobody())
    }
}

impl<T: AnyBitPattern + NoUninit> Drop for Consumer<'_, T> {
    fn drop(&mut self) {
        Indices::close(&self.area.head().consumer.0);
    }
}

impl<T: AnyBitPattern + NoUninit> fmt::Debug for Consumer<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

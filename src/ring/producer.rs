//! The side that pushes.

use std::{fmt, ptr::NonNull};

use bytemuck::{AnyBitPattern, NoUninit};

use super::{
    RingError, WriteChunk,
    indices::{Indices, Pushing},
    layout::Area,
    told::Told,
};
use crate::Error;

/// The side of a ring that pushes, over memory that the caller has: see [`split`](super::split) and
/// [`attach`](Self::attach).
///
/// It never waits, allocates, or makes a system call. While it is there the consumer finds it open; dropping it closes the
/// ring: the consumer pops what is there, and then gets [`RingError::Closed`].
pub struct Producer<'m, T: AnyBitPattern + NoUninit> {
    pub(super) area: Area<'m, T>,
    pub(super) indices: Indices,
}

impl<'m, T: AnyBitPattern + NoUninit> Producer<'m, T> {
    /// The producer of a ring in memory that the caller supplies, and that others may have mapped, too: zeroed, or with a
    /// ring in it, which then goes on where it is.
    ///
    /// The capacity is the largest power of two for which there is room; both sides must attach to as much memory.
    ///
    /// ```
    /// use commonage::{Link, link::ReadWrite, ring::{Consumer, Producer}};
    /// use std::{ptr::NonNull, sync::atomic::AtomicU8};
    ///
    /// # let name = format!("doc-ring-attach-{}", std::process::id());
    /// // Any memory will do that both processes have mapped. Here, a link; raw, because it is page-aligned then.
    /// // SAFETY: nobody else uses this name for anything.
    /// let link: Link<[AtomicU8; 8192], ReadWrite> = unsafe { Link::named(&name).raw() }.create()?;
    /// let memory = NonNull::from(&*link);
    /// let memory = NonNull::slice_from_raw_parts(memory.cast::<u8>(), 8192);
    ///
    /// // SAFETY: the link outlives both, and nobody else attaches.
    /// let mut producer = unsafe { Producer::<u32>::attach(memory) }?;
    /// let mut consumer = unsafe { Consumer::<u32>::attach(memory) }?; // in another process, as a rule
    /// assert_eq!(producer.capacity(), 1024);
    /// producer.try_push(7)?;
    /// assert_eq!(consumer.try_pop()?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Ring`]: the memory is too short, or misaligned; the consumer has attached to it as another ring; what
    /// stands there are no indices. [`Error::Alignment`] for elements that are aligned to more than
    /// [`ALIGNMENT`](super::ALIGNMENT).
    ///
    /// # Safety
    ///
    /// For `'m` the memory can be read and written, and this program accesses it by no other means than one producer and
    /// one consumer. What other *processes* do to it can do no harm to this one: they may write anything at any time.
    pub unsafe fn attach(memory: NonNull<[u8]>) -> Result<Self, Error> {
        // SAFETY: the caller's promise.
        Self::over(unsafe { Area::over(memory) }?)
    }

    pub(super) fn over(area: Area<'m, T>) -> Result<Self, Error> {
        let head = area.head();
        let indices = Indices::attach::<Pushing, _>(&head.producer.0, &head.consumer.0, area.capacity(), area.kind())?;
        Ok(Producer { area, indices })
    }

    /// How many elements the ring has room for.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.area.capacity()
    }

    /// How many elements can be pushed now.
    ///
    /// # Errors
    ///
    /// [`RingError::Closed`], [`RingError::Corrupt`].
    #[inline]
    pub fn slots(&mut self) -> Result<usize, RingError> {
        self.indices.look::<Pushing, _>(&self.area.head().consumer.0)
    }

    /// Has the consumer ended? Another can attach to the memory.
    #[inline]
    pub fn is_closed(&self) -> bool {
        Indices::is_closed(&self.area.head().consumer.0)
    }

    /// At least `wanted` slots, or as many as there are.
    #[inline(always)]
    pub(super) fn at_least(&mut self, wanted: usize) -> Result<usize, RingError> {
        match self.indices.known::<Pushing>() {
            known if known >= wanted => Ok(known),
            _ => self.slots(),
        }
    }

    #[inline(always)]
    pub(super) fn publish(&mut self, count: usize) {
        self.indices.publish(&self.area.head().producer.0, count);
    }

    /// Pushes one element.
    ///
    /// # Errors
    ///
    /// [`RingError::Full`]; [`RingError::Closed`], which is noticed when the ring seems to be full;
    /// [`RingError::Corrupt`].
    #[inline]
    pub fn try_push(&mut self, value: T) -> Result<(), RingError> {
        if self.at_least(1)? == 0 {
            return Err(RingError::Full);
        }
        self.area.write(self.indices.own(), value);
        self.publish(1);
        Ok(())
    }

    /// Pushes as many of the elements as there is room for, at least one, and returns how many; zero if there are none.
    ///
    /// # Errors
    ///
    /// As [`try_push`](Self::try_push).
    #[inline]
    pub fn try_push_slice(&mut self, values: &[T]) -> Result<usize, RingError> {
        let count = self.at_least(values.len())?.min(values.len());
        if count == 0 && !values.is_empty() {
            return Err(RingError::Full);
        }
        self.area.write_all(self.indices.own(), &values[..count]);
        self.publish(count);
        Ok(count)
    }

    /// `len` slots to be written to, and then committed.
    ///
    /// ```
    /// # let mut memory = vec![0; 2048];
    /// let (mut producer, mut consumer) = commonage::ring::split::<f32>(&mut memory)?;
    /// let mut frame = producer.write_chunk(128)?;
    /// for i in 0..frame.len() {
    ///     frame.set(i, i as f32);
    /// }
    /// frame.commit_all();
    /// assert_eq!(consumer.slots()?, 128);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`try_push`](Self::try_push) if there are fewer; [`RingError::TooMany`] for more than the capacity.
    #[inline]
    pub fn write_chunk(&mut self, len: usize) -> Result<WriteChunk<'_, T>, RingError> {
        WriteChunk::new(self.area.again(), &mut self.indices, len, Told::nobody())
    }
}

impl<T: AnyBitPattern + NoUninit> Drop for Producer<'_, T> {
    fn drop(&mut self) {
        Indices::close(&self.area.head().producer.0);
    }
}

impl<T: AnyBitPattern + NoUninit> fmt::Debug for Producer<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

//! Slots that are written to before they are handed over.

use std::{fmt, mem::MaybeUninit, slice};

use bytemuck::{AnyBitPattern, NoUninit};

use super::{
    RingError,
    indices::{Indices, Pushing},
    layout::Area,
    told::Told,
};

/// Slots of a ring that elements are written to, one after the other or all at once, and that the consumer gets when they
/// are committed. Dropped, it commits nothing.
///
/// What is not written to before that is whatever the slot held: some bytes, and so some element.
#[must_use = "nothing is pushed until it is committed"]
pub struct WriteChunk<'a, T: AnyBitPattern + NoUninit> {
    area: Area<'a, T>,
    indices: &'a mut Indices,
    /// No more than are this side's.
    len: usize,
    told: Told<'a>,
}

impl<'a, T: AnyBitPattern + NoUninit> WriteChunk<'a, T> {
    #[inline(always)]
    pub(super) fn new(
        area: Area<'a, T>,
        indices: &'a mut Indices,
        len: usize,
        told: Told<'a>,
    ) -> Result<Self, RingError> {
        if indices.known::<Pushing>() < len {
            indices.has::<Pushing, _>(len, area.capacity(), &area.head().consumer.0)?;
        }
        Ok(WriteChunk { area, indices, len, told })
    }

    /// How many slots there are.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "it is as long as was asked for")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Writes to one of them.
    ///
    /// # Panics
    ///
    /// If there is no slot `at`.
    #[inline]
    pub fn set(&mut self, at: usize, value: T) {
        assert!(at < self.len, "there are {} slots, and none is number {at}", self.len);
        self.area.write(self.indices.own().wrapping_add(at as u64), value);
    }

    /// Writes to all of them.
    ///
    /// # Panics
    ///
    /// If `values` are not as many as there are slots.
    #[inline]
    pub fn copy_from_slice(&mut self, values: &[T]) {
        assert_eq!(values.len(), self.len, "as many elements as slots");
        self.area.write_all(self.indices.own(), values);
    }

    /// Writes what an iterator yields, until it ends or there are no more slots, and commits that: how many were.
    #[inline]
    pub fn fill_from_iter(self, values: impl IntoIterator<Item = T>) -> usize {
        let own = self.indices.own();
        let mut count = 0;
        // The slots come first: when there are no more, no element is asked for.
        for (at, value) in (0..self.len).zip(values) {
            self.area.write(own.wrapping_add(at as u64), value);
            count = at + 1;
        }
        self.commit(count);
        count
    }

    /// The slots themselves, to be written to in place: up to the end of the ring, and from its beginning.
    ///
    /// # Safety
    ///
    /// As long as the slices are used, nobody else writes there: the caller trusts the consumer's process, and whoever else
    /// has the memory mapped, to follow the protocol. All bytes that are written are initialised: those of an element.
    #[inline]
    pub unsafe fn as_mut_slices(&mut self) -> (&mut [MaybeUninit<T>], &mut [MaybeUninit<T>]) {
        let [(first, count), (second, rest)] = self.area.parts(self.indices.own(), self.len);
        // SAFETY: slots of this side alone, by the indices and by the caller's promise.
        let first = unsafe { slice::from_raw_parts_mut(first.cast().as_ptr(), count) };
        // SAFETY: as above, others.
        let second = unsafe { slice::from_raw_parts_mut(second.cast().as_ptr(), rest) };
        (first, second)
    }

    /// Hands the first `count` of the slots over to the consumer, and wakes it if it sleeps until then.
    ///
    /// Only a [channel](super)'s consumer sleeps, and only then is this a system call: see
    /// [`commit_quietly`](Self::commit_quietly).
    ///
    /// # Panics
    ///
    /// If there are fewer.
    #[inline]
    pub fn commit(self, count: usize) {
        let told = self.told;
        if told.may_publish() {
            told.of(self.publish(count));
        }
    }

    /// Hands all of the slots over to the consumer: see [`commit`](Self::commit).
    #[inline]
    pub fn commit_all(self) {
        let len = self.len;
        self.commit(len);
    }

    /// [`commit`](Self::commit), but for the waking: never a system call. A consumer that sleeps finds the elements when it
    /// is woken by something else.
    ///
    /// # Panics
    ///
    /// If there are fewer slots.
    #[inline]
    pub fn commit_quietly(self, count: usize) {
        if self.told.may_publish() {
            self.publish(count);
        }
    }

    #[inline(always)]
    fn publish(self, count: usize) -> u64 {
        assert!(count <= self.len, "there are {} slots, not {count}", self.len);
        self.indices.publish(&self.area.head().producer.0, count);
        self.indices.own()
    }
}

impl<T: AnyBitPattern + NoUninit> fmt::Debug for WriteChunk<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteChunk").field("len", &self.len).finish_non_exhaustive()
    }
}

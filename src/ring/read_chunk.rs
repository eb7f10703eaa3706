//! Elements that are read before their slots are given back.

use std::{fmt, mem::MaybeUninit, slice};

use bytemuck::{AnyBitPattern, NoUninit};

use super::{
    RingError,
    indices::{Indices, Popping},
    layout::Area,
    told::Told,
};

/// Elements of a ring that are read, one after the other or all at once, and whose slots the producer gets back when they are
/// committed. Dropped, it commits nothing: the elements are still there.
///
/// Each reading is a copy. A producer that breaks the protocol can change an element between two of them.
#[must_use = "nothing is popped until it is committed"]
pub struct ReadChunk<'a, T: AnyBitPattern + NoUninit> {
    area: Area<'a, T>,
    indices: &'a mut Indices,
    /// No more than are this side's.
    len: usize,
    told: Told<'a>,
}

impl<'a, T: AnyBitPattern + NoUninit> ReadChunk<'a, T> {
    #[inline(always)]
    pub(super) fn new(
        area: Area<'a, T>,
        indices: &'a mut Indices,
        len: usize,
        told: Told<'a>,
    ) -> Result<Self, RingError> {
        if indices.known::<Popping>() < len {
            indices.has::<Popping, _>(len, area.capacity(), &area.head().producer.0)?;
        }
        Ok(ReadChunk { area, indices, len, told })
    }

    /// How many elements there are.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "it is as long as was asked for")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// A copy of one of them; none if there is no element `at`.
    #[inline]
    pub fn get(&self, at: usize) -> Option<T> {
        (at < self.len).then(|| self.area.read(self.indices.own().wrapping_add(at as u64)))
    }

    /// Copies of all of them, one after the other.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = T> {
        let own = self.indices.own();
        (0..self.len).map(move |at| self.area.read(own.wrapping_add(at as u64)))
    }

    /// Copies all of them.
    ///
    /// # Panics
    ///
    /// If `into` has not as many.
    #[inline]
    pub fn copy_to_slice(&self, into: &mut [T]) {
        assert_eq!(into.len(), self.len, "as many elements as the chunk has");
        // SAFETY: there is room for so many.
        unsafe { self.area.read_all(self.indices.own(), into.as_mut_ptr(), self.len) };
    }

    /// Copies all of them to memory that holds nothing yet.
    ///
    /// # Panics
    ///
    /// If `into` has not as many.
    #[inline]
    pub fn copy_to_uninit<'b>(&self, into: &'b mut [MaybeUninit<T>]) -> &'b mut [T] {
        assert_eq!(into.len(), self.len, "as many elements as the chunk has");
        let into = into.as_mut_ptr().cast::<T>();
        // SAFETY: there is room for so many.
        unsafe { self.area.read_all(self.indices.own(), into, self.len) };
        // SAFETY: so many have been written there.
        unsafe { slice::from_raw_parts_mut(into, self.len) }
    }

    /// The elements themselves, in place: up to the end of the ring, and from its beginning.
    ///
    /// # Safety
    ///
    /// As long as the slices are used, nobody writes there: the caller trusts the producer's process, and whoever else has
    /// the memory mapped, to follow the protocol.
    #[inline]
    pub unsafe fn as_slices(&self) -> (&[T], &[T]) {
        let [(first, count), (second, rest)] = self.area.parts(self.indices.own(), self.len);
        // SAFETY: elements of this side, which by the caller's promise nobody writes to.
        let first = unsafe { slice::from_raw_parts(first.as_ptr(), count) };
        // SAFETY: as above, others.
        let second = unsafe { slice::from_raw_parts(second.as_ptr(), rest) };
        (first, second)
    }

    /// Gives the slots of the first `count` elements back to the producer, and wakes it if it sleeps until then.
    ///
    /// Only a [channel](super)'s producer sleeps, and only then is this a system call: see
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

    /// Gives all of the slots back to the producer: see [`commit`](Self::commit).
    #[inline]
    pub fn commit_all(self) {
        let len = self.len;
        self.commit(len);
    }

    /// [`commit`](Self::commit), but for the waking: never a system call. A producer that sleeps finds the slots when it is
    /// woken by something else.
    ///
    /// # Panics
    ///
    /// If there are fewer elements.
    #[inline]
    pub fn commit_quietly(self, count: usize) {
        if self.told.may_publish() {
            self.publish(count);
        }
    }

    #[inline(always)]
    fn publish(self, count: usize) -> u64 {
        assert!(count <= self.len, "there are {} elements, not {count}", self.len);
        self.indices.publish(&self.area.head().consumer.0, count);
        self.indices.own()
    }
}

impl<T: AnyBitPattern + NoUninit> fmt::Debug for ReadChunk<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadChunk").field("len", &self.len).finish_non_exhaustive()
    }
}

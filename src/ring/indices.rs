//! Which slots are whose.
//!
//! The producer's index, *tail*, counts what has been pushed, the consumer's, *head*, what has been popped; both begin at
//! zero and wrap after 2^64. The slots from head to tail are the consumer's, the others the producer's.
//!
//! | word | written by | Release there | Acquire by | so that |
//! |---|---|---|---|---|
//! | tail | the producer | `publish`, after the slots were written | the consumer's `look` | what is read there was written before |
//! | head | the consumer | `publish`, after the slots were read | the producer's `look` | what is written there was read before |
//! | closed | each its own | `close`, after the last `publish` | the other's `look` | an index that is read after that is the last |
//!
//! Each side knows its own index by itself and never reads it back: only what it attaches to is believed, if it can be. The
//! other's is loaded when what is known of it is not enough, and checked: it lies between what was known and what is
//! possible, or the ring is corrupt, for good.

use std::sync::atomic::Ordering;

use super::{RingError, layout::End};
use crate::{RingFault, sync::atoms::Atom};

/// What one side knows.
pub(super) struct Indices {
    /// This side's index.
    own: u64,
    /// The other side's when it was last looked at.
    seen: u64,
    capacity: u64,
    /// Once the other side has been found to lie.
    fault: Option<RingError>,
}

/// The side that an index is of: how far it may be from the other's.
pub(super) trait Side {
    /// How many slots are this side's, if it is at `own` and the other at `seen`: at the same index, what an empty ring has.
    fn slots(own: u64, seen: u64, capacity: u64) -> u64;
    /// What there is too little of.
    const LACK: RingError;
}

/// The side that pushes: `own` is tail, `seen` is head.
pub(super) struct Pushing;
/// The side that pops: `own` is head, `seen` is tail.
pub(super) struct Popping;

impl Side for Pushing {
    #[inline(always)]
    fn slots(own: u64, seen: u64, capacity: u64) -> u64 {
        capacity.wrapping_sub(own.wrapping_sub(seen))
    }
    const LACK: RingError = RingError::Full;
}

impl Side for Popping {
    #[inline(always)]
    fn slots(own: u64, seen: u64, _: u64) -> u64 {
        seen.wrapping_sub(own)
    }
    const LACK: RingError = RingError::Empty;
}

impl Indices {
    /// Attaches to what stands there.
    pub(super) fn attach<S: Side, W: Atom<Value = u64>>(
        mine: &End<W>,
        other: &End<W>,
        capacity: usize,
        kind: u64,
    ) -> Result<Self, RingFault> {
        let capacity = capacity as u64;
        mine.kind.store(kind, Ordering::Relaxed);
        // SeqCst: of two sides that attach at the same time, at least one finds the other's kind.
        W::fence(Ordering::SeqCst);
        let found = other.kind.load(Ordering::Relaxed);
        // Relaxed: whoever had this end before has ended, and that happened before somebody else attaches to it.
        let own = mine.index.load(Ordering::Relaxed);
        // Acquire: as in `look`.
        let seen = other.index.load(Ordering::Acquire);
        let fault = if found != 0 && found != kind {
            RingFault::Kind { expected: kind, found }
        } else if S::slots(own, seen, capacity) > capacity {
            let (head, tail) = if S::LACK == RingError::Full { (seen, own) } else { (own, seen) };
            RingFault::Indices { head, tail, capacity }
        } else {
            mine.closed.store(0, Ordering::Relaxed);
            return Ok(Indices { own, seen, capacity, fault: None });
        };
        mine.kind.store(0, Ordering::Relaxed);
        Err(fault)
    }

    /// This side has ended.
    pub(super) fn close<W: Atom<Value = u64>>(mine: &End<W>) {
        mine.kind.store(0, Ordering::Relaxed);
        // Release: with the Acquire in `look`.
        mine.closed.store(1, Ordering::Release);
    }

    /// This side's index.
    #[inline(always)]
    pub(super) fn own(&self) -> u64 {
        self.own
    }

    /// How many slots are known to be this side's.
    #[inline(always)]
    pub(super) fn known<S: Side>(&self) -> usize {
        S::slots(self.own, self.seen, self.capacity) as usize
    }

    /// Looks how many slots are this side's.
    ///
    /// # Errors
    ///
    /// [`RingError::Corrupt`]; [`RingError::Closed`] if the other side has ended, but for a consumer only when nothing is
    /// left.
    pub(super) fn look<S: Side, W: Atom<Value = u64>>(&mut self, other: &End<W>) -> Result<usize, RingError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let closed = Self::is_closed(other);
        // What was pushed before the end is still to be had; what would be pushed after it, nobody pops.
        if closed && S::LACK == RingError::Full {
            return Err(RingError::Closed);
        }
        match self.look_at::<S, W>(&other.index)? {
            0 if closed => Err(RingError::Closed),
            slots => Ok(slots),
        }
    }

    /// Looks whether at least `wanted` slots are this side's.
    ///
    /// # Errors
    ///
    /// As for `look`; what there is too little of; [`RingError::TooMany`].
    #[cold]
    pub(super) fn has<S: Side, W: Atom<Value = u64>>(
        &mut self,
        wanted: usize,
        capacity: usize,
        other: &End<W>,
    ) -> Result<(), RingError> {
        if wanted > capacity {
            return Err(RingError::TooMany { capacity });
        }
        let closed = Self::is_closed(other);
        match self.look::<S, W>(other)? {
            slots if slots >= wanted => Ok(()),
            // What is too little at the end is so for ever.
            _ if closed => Err(RingError::Closed),
            _ => Err(S::LACK),
        }
    }

    /// The index that the other side's has to reach for `wanted` slots to be this side's, no more than the capacity.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only who has a channel sleeps"))]
    pub(super) fn awaited<S: Side>(&self, wanted: usize) -> u64 {
        self.own.wrapping_add(wanted as u64).wrapping_sub(S::slots(0, 0, self.capacity))
    }

    /// Has the other side ended? If it has, an index that is loaded after that is its last.
    pub(super) fn is_closed<W: Atom<Value = u64>>(other: &End<W>) -> bool {
        // Acquire: with the Release in `close`.
        other.closed.load(Ordering::Acquire) != 0
    }

    fn look_at<S: Side, W: Atom<Value = u64>>(&mut self, index: &W) -> Result<usize, RingError> {
        // Acquire: with the Release in the other's `publish`.
        let found = index.load(Ordering::Acquire);
        let slots = S::slots(self.own, found, self.capacity);
        // The other side only goes forward, and what it does only ever gives slots to this one.
        if slots < S::slots(self.own, self.seen, self.capacity) || slots > self.capacity {
            return Err(self.corrupt::<S>(found));
        }
        self.seen = found;
        Ok(slots as usize)
    }

    #[cold]
    fn corrupt<S: Side>(&mut self, found: u64) -> RingError {
        // A producer can be popped up to its own index; a consumer be pushed a whole ring ahead of it.
        let ahead = if S::LACK == RingError::Full { 0 } else { self.capacity };
        let (least, most) = (self.seen, self.own.wrapping_add(ahead));
        // As if nothing were this side's: each call looks, and finds the fault.
        self.seen = self.own.wrapping_sub(if S::LACK == RingError::Full { self.capacity } else { 0 });
        *self.fault.insert(RingError::Corrupt { found, least, most })
    }

    /// Hands slots over to the other side: no more than are known to be this one's.
    #[inline(always)]
    pub(super) fn publish<W: Atom<Value = u64>>(&mut self, mine: &End<W>, count: usize) {
        self.own = self.own.wrapping_add(count as u64);
        // Release: with the Acquire in the other's `look`.
        mine.index.store(self.own, Ordering::Release);
    }
}

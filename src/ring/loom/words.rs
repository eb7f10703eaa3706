//! A small ring over words of the checker.

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::{
    RingError, RingFault,
    indices::{Indices, Popping, Pushing, Side},
    layout::End,
};
use crate::sync::loom::words::{Cell, Guarded};

pub(super) const KIND: u64 = 5;

/// A slot: the checker is told of each access, and sees a race between two of them.
struct Slot {
    guard: Guarded,
    value: AtomicU64,
}

pub(super) struct Ring {
    pub(super) producer: End<Cell<u64>>,
    pub(super) consumer: End<Cell<u64>>,
    slots: Vec<Slot>,
}

fn end(index: u64) -> End<Cell<u64>> {
    let word = |value| Cell::new(value, None);
    End { index: word(index), kind: word(0), closed: word(0) }
}

impl Ring {
    /// A ring whose indices begin where they will soon wrap.
    pub(super) fn new(capacity: usize) -> Self {
        let slot = |_| Slot { guard: Guarded::new(), value: AtomicU64::new(0) };
        let first = 0_u64.wrapping_sub(capacity as u64);
        Ring { producer: end(first), consumer: end(first), slots: (0..capacity).map(slot).collect() }
    }

    pub(super) fn attach<S: Side>(&self, kind: u64) -> Result<Indices, RingFault> {
        let ends = (&self.producer, &self.consumer);
        let (mine, other) = if S::LACK == RingError::Full { ends } else { (ends.1, ends.0) };
        Indices::attach::<S, _>(mine, other, self.slots.len(), kind)
    }

    pub(super) fn producer(&self) -> Indices {
        self.attach::<Pushing>(KIND).unwrap()
    }

    pub(super) fn consumer(&self) -> Indices {
        self.attach::<Popping>(KIND).unwrap()
    }

    fn slot(&self, index: u64) -> &Slot {
        &self.slots[index as usize % self.slots.len()]
    }

    /// As [`Producer::try_push`](super::super::Producer::try_push).
    pub(super) fn try_push(&self, indices: &mut Indices, value: u64) -> Result<(), RingError> {
        if indices.known::<Pushing>() == 0 && indices.look::<Pushing, _>(&self.consumer)? == 0 {
            return Err(RingError::Full);
        }
        self.write(indices.own(), value);
        indices.publish(&self.producer, 1);
        Ok(())
    }

    /// As [`Consumer::try_pop`](super::super::Consumer::try_pop).
    pub(super) fn try_pop(&self, indices: &mut Indices) -> Result<u64, RingError> {
        if indices.known::<Popping>() == 0 && indices.look::<Popping, _>(&self.producer)? == 0 {
            return Err(RingError::Empty);
        }
        let value = self.read(indices.own());
        indices.publish(&self.consumer, 1);
        Ok(value)
    }

    pub(super) fn write(&self, index: u64, value: u64) {
        let slot = self.slot(index);
        slot.guard.write();
        slot.value.store(value, Ordering::Relaxed);
    }

    pub(super) fn read(&self, index: u64) -> u64 {
        let slot = self.slot(index);
        slot.guard.read();
        slot.value.load(Ordering::Relaxed)
    }
}

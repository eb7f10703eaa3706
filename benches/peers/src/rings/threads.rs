//! The limits: queues between two threads, which trust each other and never sleep.

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;
use rtrb::{Consumer, Producer, RingBuffer};

use super::{Ends, Items, Payloads, Polled, spin};
use crate::{
    Outcome,
    peers::{CROSSBEAM, RTRB, sum},
};

/// A wait-free ring, read in place.
pub(crate) struct Rtrb;

impl Ends for Rtrb {
    const NAME: &'static str = RTRB;
    type In = Producer<u64>;
    type Out = Consumer<u64>;

    fn ends(room: usize) -> Outcome<(Self::In, Self::Out)> {
        Ok(RingBuffer::new(room))
    }
}

impl Payloads for Rtrb {
    fn give(end: &mut Self::In, payload: &[u64]) -> Outcome {
        spin(|| Ok(end.push_entire_slice(payload).ok()))
    }

    fn take(end: &mut Self::Out, buffer: &mut [u64]) -> Outcome<u64> {
        spin(|| {
            let Ok(chunk) = end.read_chunk(buffer.len()) else { return Ok(None) };
            let (first, second) = chunk.as_slices();
            let total = sum(first).wrapping_add(if second.is_empty() { 0 } else { sum(second) });
            chunk.commit_all();
            Ok(Some(total))
        })
    }
}

impl Items for Rtrb {
    fn push(end: &mut Self::In, item: u64) -> Outcome {
        spin(|| Ok(end.push(item).ok()))
    }

    fn pop(end: &mut Self::Out) -> Outcome<u64> {
        spin(|| Self::try_pop(end))
    }
}

impl Polled for Rtrb {
    fn try_pop(end: &mut Self::Out) -> Outcome<Option<u64>> {
        Ok(end.pop().ok())
    }
}

/// crossbeam's queue of single items, which any number of threads may use.
pub(crate) struct Queue;

impl Ends for Queue {
    const NAME: &'static str = CROSSBEAM;
    type In = Arc<ArrayQueue<u64>>;
    type Out = Arc<ArrayQueue<u64>>;

    fn ends(room: usize) -> Outcome<(Self::In, Self::Out)> {
        let queue = Arc::new(ArrayQueue::new(room));
        Ok((Arc::clone(&queue), queue))
    }
}

impl Items for Queue {
    fn push(end: &mut Self::In, item: u64) -> Outcome {
        spin(|| Ok(end.push(item).ok()))
    }

    fn pop(end: &mut Self::Out) -> Outcome<u64> {
        spin(|| Self::try_pop(end))
    }
}

impl Polled for Queue {
    fn try_pop(end: &mut Self::Out) -> Outcome<Option<u64>> {
        Ok(end.pop())
    }
}

/// The same queue with each payload in a box of its own.
pub(crate) struct Boxes;

impl Boxes {
    /// At most so many boxes lie in the queue.
    const MOST: usize = 64;
}

impl Ends for Boxes {
    const NAME: &'static str = CROSSBEAM;
    type In = Arc<ArrayQueue<Box<[u64]>>>;
    type Out = Arc<ArrayQueue<Box<[u64]>>>;

    fn ends(_: usize) -> Outcome<(Self::In, Self::Out)> {
        let queue = Arc::new(ArrayQueue::new(Self::MOST));
        Ok((Arc::clone(&queue), queue))
    }
}

impl Payloads for Boxes {
    fn give(end: &mut Self::In, payload: &[u64]) -> Outcome {
        let mut payload: Option<Box<[u64]>> = Some(payload.into());
        spin(|| {
            payload = payload.take().and_then(|payload| end.push(payload).err());
            Ok(payload.is_none().then_some(()))
        })
    }

    fn take(end: &mut Self::Out, _: &mut [u64]) -> Outcome<u64> {
        spin(|| Ok(end.pop().map(|payload| sum(&payload))))
    }
}

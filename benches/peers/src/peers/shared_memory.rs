//! What one writes with the crate `shared_memory` and nothing else.
#![allow(unsafe_code)] // the crate's views of a segment are unsafe

use shared_memory::{Shmem, ShmemConf};

use super::{Peer, Place};
use crate::Outcome;

/// Its segments are made, filled, and opened elsewhere by name; whoever has made one unlinks it.
pub(crate) struct ByHand;

/// A segment, and how many numbers it holds: its own length is rounded up to pages.
pub(crate) struct Segment {
    memory: Shmem,
    length: usize,
}

impl Segment {
    fn open(name: &str, length: usize) -> Outcome<Self> {
        let memory = ShmemConf::new().os_id(name).size(length * 8).open()?;
        if memory.len() < length * 8 {
            return Err("the segment is too short".into());
        }
        Ok(Segment { memory, length })
    }

    fn numbers(&self) -> &[u64] {
        // SAFETY: a mapping starts at a page, is as long as was asked for when it was made and checked when it was opened,
        // and nobody writes to it once its name has been handed on.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().cast(), self.length) }
    }
}

impl Peer for ByHand {
    const NAME: &'static str = "shared_memory";
    type Value = Segment;
    type Message = (String, u64);
    type Kept = Segment;
    type Received = Segment;

    fn new(_: Place) -> Outcome<Self> {
        Ok(ByHand)
    }

    fn make(&self, source: &[u64]) -> Outcome<Self::Value> {
        let memory = ShmemConf::new().size(size_of_val(source)).create()?;
        // SAFETY: the segment is new, at least as long as the source, and no other process knows its name.
        unsafe { std::ptr::copy_nonoverlapping(source.as_ptr(), memory.as_ptr().cast(), source.len()) };
        Ok(Segment { memory, length: source.len() })
    }

    fn made(value: &Self::Value) -> &[u64] {
        value.numbers()
    }

    fn message(&self, value: Self::Value) -> Outcome<(Self::Message, Segment)> {
        Ok(((value.memory.get_os_id().to_owned(), value.length as u64), value))
    }

    fn open(&self, (name, length): Self::Message) -> Outcome<Self::Received> {
        Segment::open(&name, length as usize)
    }

    fn received(value: &Self::Received) -> &[u64] {
        value.numbers()
    }

    fn forward(&self, value: Self::Received) -> Outcome<Self::Message> {
        Ok((value.memory.get_os_id().to_owned(), value.length as u64))
    }
}

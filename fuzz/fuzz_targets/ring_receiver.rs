//! A hostile receiver: the producer's side of a ring, while whatever stands in the memory changes between its calls.
#![no_main]
#![allow(unsafe_code)] // A ring is attached to memory.

mod ring;
mod side;

use std::ptr::NonNull;

use arbitrary::Arbitrary;
use commonage::{
    Error,
    bytemuck::{self, AnyBitPattern},
    ring::{Producer, RingError},
};
use libfuzzer_sys::fuzz_target;

use ring::{Knowledge, Memory, PRODUCER, bytes};
use side::{Element, Input, Of, Side, run};

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Call {
    Push(u8),
    PushSlice(u8, u8),
    Slots,
    Closed,
    Chunk { len: u8, fill: Fill, by: u8, commit: Option<u8>, quietly: bool },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Fill {
    Nothing,
    Each,
    All,
    /// An iterator, which ends after so many: that commits.
    Iterator(u8),
}

fuzz_target!(|input: Input<Call>| match input.of {
    Of::Byte => run::<u8, Producer<u8>>(&input),
    Of::Three => run::<[u16; 3], Producer<[u16; 3]>>(&input),
    Of::Word => run::<u64, Producer<u64>>(&input),
    Of::Many => run::<[u8; 24], Producer<[u8; 24]>>(&input),
});

impl<T: Element> Side<T> for Producer<'static, T> {
    type Call = Call;
    const END: usize = PRODUCER;
    const LACK: RingError = RingError::Full;

    unsafe fn attach(memory: NonNull<[u8]>) -> Result<Self, Error> {
        // SAFETY: the caller's promise.
        unsafe { Producer::attach(memory) }
    }

    fn capacity(&self) -> usize {
        self.capacity()
    }

    fn call(&mut self, call: Call, memory: &mut Memory, knows: &mut Knowledge) {
        let (own, capacity) = (knows.own, self.capacity());
        let written = |memory: &mut Memory, values: &[T]| {
            for (at, value) in values.iter().enumerate() {
                memory.slot::<T>(capacity, own.wrapping_add(at as u64)).copy_from_slice(bytes(value));
            }
        };
        match call {
            Call::Push(byte) => {
                let result = self.try_push(value(byte));
                assert_eq!(result.map(|()| 1), knows.some(memory, 1));
                if result.is_ok() {
                    written(memory, &[value(byte)]);
                    knows.give(memory, 1);
                }
            }
            Call::PushSlice(len, by) => {
                let values = values::<T>(len.into(), by);
                let pushed = self.try_push_slice(&values);
                assert_eq!(pushed.map(|count| count as u64), knows.some(memory, len.into()));
                if let Ok(count) = pushed {
                    written(memory, &values[..count]);
                    knows.give(memory, count as u64);
                }
            }
            Call::Slots => assert_eq!(self.slots().map(|slots| slots as u64), knows.look(memory)),
            Call::Closed => assert_eq!(self.is_closed(), memory.word(memory.other + ring::CLOSED) != 0),
            Call::Chunk { len, fill, by, commit, quietly } => {
                let len = usize::from(len);
                let chunk = self.write_chunk(len);
                let found = chunk.as_ref().map(|chunk| chunk.len() as u64).map_err(|error| *error);
                assert_eq!(found, knows.all(memory, len as u64));
                let Ok(mut chunk) = chunk else { return };
                let values = values::<T>(len, by);
                match fill {
                    Fill::Nothing => {}
                    Fill::Each => values.iter().enumerate().rev().for_each(|(at, value)| chunk.set(at, *value)),
                    Fill::All => chunk.copy_from_slice(&values),
                    Fill::Iterator(more) => {
                        let count = usize::from(more).min(len);
                        assert_eq!(chunk.fill_from_iter(values.iter().copied().take(more.into())), count);
                        written(memory, &values[..count]);
                        return knows.give(memory, count as u64);
                    }
                }
                if !matches!(fill, Fill::Nothing) {
                    written(memory, &values);
                }
                match commit.map(|count| usize::from(count).min(len)) {
                    None => drop(chunk),
                    Some(count) => {
                        if quietly {
                            chunk.commit_quietly(count)
                        } else {
                            chunk.commit(count)
                        }
                        knows.give(memory, count as u64);
                    }
                }
            }
        }
    }
}

/// An element of which each byte is the same.
fn value<T: AnyBitPattern>(byte: u8) -> T {
    bytemuck::pod_read_unaligned(&vec![byte; size_of::<T>()])
}

fn values<T: AnyBitPattern>(len: usize, by: u8) -> Vec<T> {
    (0..len).map(|at| value((at as u8).wrapping_mul(by))).collect()
}

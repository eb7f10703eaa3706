//! A hostile sender: the consumer's side of a ring, while whatever stands in the memory changes between its calls.
#![no_main]
#![allow(unsafe_code)] // A ring is attached to memory.

mod ring;
mod side;

use std::ptr::NonNull;

use arbitrary::Arbitrary;
use commonage::{
    Error,
    ring::{Consumer, RingError},
};
use libfuzzer_sys::fuzz_target;

use ring::{CONSUMER, Knowledge, Memory, bytes};
use side::{Element, Input, Of, Side, run};

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Call {
    Pop,
    PopSlice(u8),
    Slots,
    Closed,
    Chunk { len: u8, at: u8, commit: Option<u8>, quietly: bool },
}

fuzz_target!(|input: Input<Call>| match input.of {
    Of::Byte => run::<u8, Consumer<u8>>(&input),
    Of::Three => run::<[u16; 3], Consumer<[u16; 3]>>(&input),
    Of::Word => run::<u64, Consumer<u64>>(&input),
    Of::Many => run::<[u8; 24], Consumer<[u8; 24]>>(&input),
});

impl<T: Element> Side<T> for Consumer<'static, T> {
    type Call = Call;
    const END: usize = CONSUMER;
    const LACK: RingError = RingError::Empty;

    unsafe fn attach(memory: NonNull<[u8]>) -> Result<Self, Error> {
        // SAFETY: the caller's promise.
        unsafe { Consumer::attach(memory) }
    }

    fn capacity(&self) -> usize {
        self.capacity()
    }

    fn call(&mut self, call: Call, memory: &mut Memory, knows: &mut Knowledge) {
        let (own, capacity) = (knows.own, self.capacity());
        let assert_read = |memory: &mut Memory, at: usize, value: &T| {
            assert_eq!(bytes(value), memory.slot::<T>(capacity, own.wrapping_add(at as u64)), "what lay there");
        };
        match call {
            Call::Pop => {
                let popped = self.try_pop();
                assert_eq!(popped.map(|_| 1), knows.some(memory, 1));
                if let Ok(value) = popped {
                    assert_read(memory, 0, &value);
                    knows.give(memory, 1);
                }
            }
            Call::PopSlice(len) => {
                let mut into = vec![T::zeroed(); len.into()];
                let popped = self.try_pop_slice(&mut into);
                assert_eq!(popped.map(|count| count as u64), knows.some(memory, len.into()));
                let count = popped.unwrap_or(0);
                into[..count].iter().enumerate().for_each(|(at, value)| assert_read(memory, at, value));
                assert!(into[count..].iter().all(|value| *value == T::zeroed()), "no more than it says");
                if count > 0 {
                    knows.give(memory, count as u64);
                }
            }
            Call::Slots => assert_eq!(self.slots().map(|slots| slots as u64), knows.look(memory)),
            Call::Closed => assert_eq!(self.is_closed(), memory.word(memory.other + ring::CLOSED) != 0),
            Call::Chunk { len, at, commit, quietly } => {
                let (len, at) = (usize::from(len), usize::from(at));
                let chunk = self.read_chunk(len);
                let found = chunk.as_ref().map(|chunk| chunk.len() as u64).map_err(|error| *error);
                assert_eq!(found, knows.all(memory, len as u64));
                let Ok(chunk) = chunk else { return };
                let (mut all, mut uninit) = (vec![T::zeroed(); len], Box::new_uninit_slice(len));
                chunk.copy_to_slice(&mut all);
                assert_eq!(chunk.copy_to_uninit(&mut uninit), &all);
                assert!(chunk.iter().eq(all.iter().copied()));
                assert_eq!(chunk.get(at).as_ref(), all.get(at));
                all.iter().enumerate().for_each(|(at, value)| assert_read(memory, at, value));
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

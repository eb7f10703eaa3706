//! A hostile sender: the consumer's side of a ring, while whatever stands in the memory changes between its calls.
#![no_main]
#![allow(unsafe_code)] // A ring is attached to memory.

mod ring;

use arbitrary::Arbitrary;
use commonage::{
    bytemuck::{AnyBitPattern, NoUninit},
    ring::{Consumer, RingError},
};
use libfuzzer_sys::fuzz_target;

use ring::{CONSUMER, Knowledge, Memory, Noise, Ring, bytes};

#[derive(Arbitrary, Debug)]
enum Of {
    Byte,
    Three,
    Word,
    Many,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    Noise(Noise),
    Pop,
    PopSlice(u8),
    Slots,
    Closed,
    Chunk { len: u8, at: u8, commit: Option<u8>, quietly: bool },
    Reattach,
}

#[derive(Arbitrary, Debug)]
struct Input {
    of: Of,
    ring: Ring,
    steps: Vec<Step>,
}

fuzz_target!(|input: Input| match input.of {
    Of::Byte => run::<u8>(&input),
    Of::Three => run::<[u16; 3]>(&input),
    Of::Word => run::<u64>(&input),
    Of::Many => run::<[u8; 24]>(&input),
});

fn run<T: AnyBitPattern + NoUninit + PartialEq + std::fmt::Debug>(input: &Input) {
    let (mut memory, mut kind) = (Memory::new::<T>(input.ring, CONSUMER), None);
    let mut scene = scene::<T>(&mut memory, &mut kind);
    for step in &input.steps {
        let Some((consumer, knows)) = &mut scene else { break };
        match step {
            Step::Noise(noise) => memory.disturb(*noise, knows.own),
            Step::Reattach => {
                drop(scene.take());
                memory.closed();
                memory.assert_as_expected();
                scene = self::scene::<T>(&mut memory, &mut kind);
            }
            step => take(*step, consumer, &mut memory, knows),
        }
        memory.assert_as_expected();
    }
}

fn scene<T: AnyBitPattern + NoUninit>(
    memory: &mut Memory,
    kind: &mut Option<u64>,
) -> Option<(Consumer<'static, T>, Knowledge)> {
    // SAFETY: the memory is dropped after it, and there is one thread.
    let result = unsafe { Consumer::attach(memory.ring()) };
    let consumer = memory.attached::<T, _>(result, kind)?;
    assert_eq!(consumer.capacity(), memory.capacity::<T>());
    let knows = Knowledge::new(memory, consumer.capacity(), RingError::Empty);
    Some((consumer, knows))
}

fn take<T: AnyBitPattern + NoUninit + PartialEq + std::fmt::Debug>(
    step: Step,
    consumer: &mut Consumer<'static, T>,
    memory: &mut Memory,
    knows: &mut Knowledge,
) {
    let (own, capacity) = (knows.own, consumer.capacity());
    let assert_read = |memory: &mut Memory, at: usize, value: &T| {
        assert_eq!(bytes(value), memory.slot::<T>(capacity, own.wrapping_add(at as u64)), "what lay there");
    };
    match step {
        Step::Pop => {
            let popped = consumer.try_pop();
            assert_eq!(popped.map(|_| 1), knows.some(memory, 1));
            if let Ok(value) = popped {
                assert_read(memory, 0, &value);
                knows.give(memory, 1);
            }
        }
        Step::PopSlice(len) => {
            let mut into = vec![T::zeroed(); len.into()];
            let popped = consumer.try_pop_slice(&mut into);
            assert_eq!(popped.map(|count| count as u64), knows.some(memory, len.into()));
            let count = popped.unwrap_or(0);
            into[..count].iter().enumerate().for_each(|(at, value)| assert_read(memory, at, value));
            assert!(into[count..].iter().all(|value| *value == T::zeroed()), "no more than it says");
            if count > 0 {
                knows.give(memory, count as u64);
            }
        }
        Step::Slots => assert_eq!(consumer.slots().map(|slots| slots as u64), knows.look(memory)),
        Step::Closed => assert_eq!(consumer.is_closed(), memory.word(memory.other + ring::CLOSED) != 0),
        Step::Chunk { len, at, commit, quietly } => {
            let (len, at) = (usize::from(len), usize::from(at));
            let chunk = consumer.read_chunk(len);
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
        Step::Noise(_) | Step::Reattach => unreachable!("these are for the scene"),
    }
}

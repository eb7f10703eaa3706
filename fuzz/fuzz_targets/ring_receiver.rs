//! A hostile receiver: the producer's side of a ring, while whatever stands in the memory changes between its calls.
#![no_main]
#![allow(unsafe_code)] // A ring is attached to memory.

mod ring;

use arbitrary::Arbitrary;
use commonage::{
    bytemuck::{self, AnyBitPattern, NoUninit},
    ring::{Producer, RingError},
};
use libfuzzer_sys::fuzz_target;

use ring::{Knowledge, Memory, Noise, PRODUCER, Ring, bytes};

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
    Push(u8),
    PushSlice(u8, u8),
    Slots,
    Closed,
    Chunk { len: u8, fill: Fill, by: u8, commit: Option<u8>, quietly: bool },
    Reattach,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Fill {
    Nothing,
    Each,
    All,
    /// An iterator, which ends after so many: that commits.
    Iterator(u8),
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
    let (mut memory, mut kind) = (Memory::new::<T>(input.ring, PRODUCER), None);
    let mut scene = scene::<T>(&mut memory, &mut kind);
    for step in &input.steps {
        let Some((producer, knows)) = &mut scene else { break };
        match step {
            Step::Noise(noise) => memory.disturb(*noise, knows.own),
            Step::Reattach => {
                drop(scene.take());
                memory.closed();
                memory.assert_as_expected();
                scene = self::scene::<T>(&mut memory, &mut kind);
            }
            step => take(*step, producer, &mut memory, knows),
        }
        memory.assert_as_expected();
    }
}

fn scene<T: AnyBitPattern + NoUninit>(
    memory: &mut Memory,
    kind: &mut Option<u64>,
) -> Option<(Producer<'static, T>, Knowledge)> {
    // SAFETY: the memory is dropped after it, and there is one thread.
    let result = unsafe { Producer::attach(memory.ring()) };
    let producer = memory.attached::<T, _>(result, kind)?;
    assert_eq!(producer.capacity(), memory.capacity::<T>());
    let knows = Knowledge::new(memory, producer.capacity(), RingError::Full);
    Some((producer, knows))
}

/// An element of which each byte is the same.
fn value<T: AnyBitPattern>(byte: u8) -> T {
    bytemuck::pod_read_unaligned(&vec![byte; size_of::<T>()])
}

fn take<T: AnyBitPattern + NoUninit + PartialEq + std::fmt::Debug>(
    step: Step,
    producer: &mut Producer<'static, T>,
    memory: &mut Memory,
    knows: &mut Knowledge,
) {
    let (own, capacity) = (knows.own, producer.capacity());
    let written = |memory: &mut Memory, values: &[T]| {
        for (at, value) in values.iter().enumerate() {
            memory.slot::<T>(capacity, own.wrapping_add(at as u64)).copy_from_slice(bytes(value));
        }
    };
    match step {
        Step::Push(byte) => {
            let result = producer.try_push(value(byte));
            assert_eq!(result.map(|()| 1), knows.some(memory, 1));
            if result.is_ok() {
                written(memory, &[value(byte)]);
                knows.give(memory, 1);
            }
        }
        Step::PushSlice(len, by) => {
            let values = values::<T>(len.into(), by);
            let pushed = producer.try_push_slice(&values);
            assert_eq!(pushed.map(|count| count as u64), knows.some(memory, len.into()));
            if let Ok(count) = pushed {
                written(memory, &values[..count]);
                knows.give(memory, count as u64);
            }
        }
        Step::Slots => assert_eq!(producer.slots().map(|slots| slots as u64), knows.look(memory)),
        Step::Closed => assert_eq!(producer.is_closed(), memory.word(memory.other + ring::CLOSED) != 0),
        Step::Chunk { len, fill, by, commit, quietly } => {
            let len = usize::from(len);
            let chunk = producer.write_chunk(len);
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
        Step::Noise(_) | Step::Reattach => unreachable!("these are for the scene"),
    }
}

fn values<T: AnyBitPattern>(len: usize, by: u8) -> Vec<T> {
    (0..len).map(|at| value((at as u8).wrapping_mul(by))).collect()
}

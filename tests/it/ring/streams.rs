//! Two threads, as fast as they can.

use std::thread;

use commonage::ring::{self, Consumer, Producer, RingError};

use super::memory::{Element, Frame, Memory};

/// Pushes numbers in all ways.
pub(super) fn push_all<T: Element>(producer: &mut Producer<'_, T>, numbers: std::ops::Range<u64>) {
    let mut next = numbers.start;
    while next < numbers.end {
        let at_most = numbers.end - next;
        let pushed = match next % 3 {
            0 => producer.try_push(T::of(next)).map(|()| 1),
            1 => {
                let values: Vec<_> = (0..at_most.min(1 + next % 50)).map(|n| T::of(next + n)).collect();
                producer.try_push_slice(&values)
            }
            _ => producer.slots().and_then(|slots| match slots.min(at_most as usize) {
                0 => Err(RingError::Full),
                len => Ok(producer.write_chunk(len)?.fill_from_iter((next..).map(T::of))),
            }),
        };
        match pushed {
            Ok(count) => next += count as u64,
            Err(RingError::Full) => thread::yield_now(),
            Err(error) => panic!("after {next}: {error}"),
        }
    }
}

/// Pops numbers in all ways, until the end: the one that would be next.
pub(super) fn pop_all<T: Element>(consumer: &mut Consumer<'_, T>, mut next: u64) -> u64 {
    let mut into = vec![T::zeroed(); 40];
    loop {
        let popped = match next % 3 {
            0 => consumer.try_pop().map(|value| {
                into[0] = value;
                1
            }),
            1 => consumer.try_pop_slice(&mut into),
            _ => consumer.slots().and_then(|slots| {
                let chunk = consumer.read_chunk(slots.min(into.len()))?;
                let len = chunk.len();
                chunk.copy_to_slice(&mut into[..len]);
                chunk.commit_all();
                if len == 0 { Err(RingError::Empty) } else { Ok(len) }
            }),
        };
        match popped {
            Ok(count) => {
                for value in &into[..count] {
                    assert_eq!(*value, T::of(next));
                    next += 1;
                }
            }
            Err(RingError::Empty) => thread::yield_now(),
            Err(RingError::Closed) => return next,
            Err(error) => panic!("after {next}: {error}"),
        }
    }
}

fn stream<T: Element>(capacity: usize, count: u64) {
    let mut memory = Memory::of::<T>(capacity).beginning_at(0_u64.wrapping_sub(count / 2));
    let (mut producer, mut consumer) = memory.both::<T>();
    thread::scope(|threads| {
        threads.spawn(move || push_all(&mut producer, 0..count));
        assert_eq!(pop_all(&mut consumer, 0), count);
    });
    memory.assert_guarded();
}

#[test]
fn a_million_elements_arrive_in_another_thread() {
    stream::<u64>(1024, 1_000_000);
}

#[test]
fn elements_of_each_size_arrive_in_another_thread_through_rings_of_each_size() {
    for power in 0..6 {
        stream::<u8>(1 << power, 3_000);
        stream::<[u16; 3]>(1 << power, 3_000);
        stream::<[u8; 24]>(1 << power, 3_000);
        stream::<Frame>(1 << power, 3_000);
    }
}

#[test]
fn sides_can_be_sent_to_other_threads() {
    let mut memory = vec![0; ring::required_memory::<u64>(16) + ring::ALIGNMENT];
    let (mut producer, mut consumer) = ring::split::<u64>(&mut memory).unwrap();
    thread::scope(|threads| {
        let popped = threads.spawn(move || pop_all(&mut consumer, 0));
        threads.spawn(move || push_all(&mut producer, 0..10_000));
        assert_eq!(popped.join().unwrap(), 10_000);
    });
}

//! Whatever is done to a ring is what it would be to a queue.

use std::collections::VecDeque;

use commonage::ring::{Consumer, Producer, RingError};
use proptest::{collection::vec, prelude::*};

use super::memory::{Element, Frame, HEAD, Memory, TAIL};

#[derive(Clone, Copy, Debug)]
enum Fill {
    Nothing,
    Each,
    All,
    Iterator(usize),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push,
    PushSlice(usize),
    Pop,
    PopSlice(usize),
    Slots,
    Write { len: usize, fill: Fill, commit: Option<usize>, quietly: bool },
    Read { len: usize, commit: Option<usize>, quietly: bool },
    AnotherProducer,
    AnotherConsumer,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let len = 0..20_usize;
    let fill =
        prop_oneof![Just(Fill::Nothing), Just(Fill::Each), Just(Fill::All), len.clone().prop_map(Fill::Iterator)];
    let commit = proptest::option::of(len.clone());
    let step = prop_oneof![
        4 => Just(Step::Push),
        4 => len.clone().prop_map(Step::PushSlice),
        4 => Just(Step::Pop),
        4 => len.clone().prop_map(Step::PopSlice),
        1 => Just(Step::Slots),
        6 => (len.clone(), fill, commit.clone(), any::<bool>())
            .prop_map(|(len, fill, commit, quietly)| Step::Write { len, fill, commit, quietly }),
        6 => (len, commit, any::<bool>()).prop_map(|(len, commit, quietly)| Step::Read { len, commit, quietly }),
        1 => Just(Step::AnotherProducer),
        1 => Just(Step::AnotherConsumer),
    ];
    vec(step, 0..80)
}

struct Scene<T: Element> {
    producer: Option<Producer<'static, T>>,
    consumer: Option<Consumer<'static, T>>,
    /// What is in it.
    queue: VecDeque<T>,
    /// What was written to a slot when it was last written to: it stays there until it is overwritten.
    slots: Vec<T>,
    first: u64,
    pushed: u64,
    made: u64,
    /// Dropped last.
    memory: Memory,
}

impl<T: Element> Scene<T> {
    fn new(capacity: usize, first: u64) -> Self {
        let mut memory = Memory::of::<T>(capacity).beginning_at(first);
        let (producer, consumer) = memory.both();
        let (queue, slots) = (VecDeque::new(), vec![T::zeroed(); capacity]);
        Scene { producer: Some(producer), consumer: Some(consumer), queue, slots, first, pushed: 0, made: 0, memory }
    }

    fn capacity(&self) -> usize {
        self.slots.len()
    }

    fn free(&self) -> usize {
        self.capacity() - self.queue.len()
    }

    fn make(&mut self, len: usize) -> Vec<T> {
        self.made += len as u64;
        (self.made - len as u64..self.made).map(|n| T::of(n.wrapping_mul(37))).collect()
    }

    fn written(&mut self, at: usize, values: &[T]) {
        for (place, value) in values.iter().enumerate() {
            let index = self.first.wrapping_add(self.pushed + (at + place) as u64);
            let capacity = self.capacity();
            self.slots[index as usize % capacity] = *value;
        }
    }

    fn committed(&mut self, count: usize) {
        for _ in 0..count {
            let index = self.first.wrapping_add(self.pushed) as usize % self.capacity();
            self.queue.push_back(self.slots[index]);
            self.pushed += 1;
        }
    }

    fn take(&mut self, step: Step) {
        let (producer, consumer) = (self.producer.as_mut().unwrap(), self.consumer.as_mut().unwrap());
        assert!(!producer.is_closed() && !consumer.is_closed());
        let (free, used, capacity) = (self.slots.len() - self.queue.len(), self.queue.len(), self.slots.len());
        let some = |wanted: usize, there: usize, lack| {
            if wanted > 0 && there == 0 { Err(lack) } else { Ok(wanted.min(there)) }
        };
        let all = |wanted: usize, there: usize, lack| match wanted {
            _ if wanted > capacity => Err(RingError::TooMany { capacity }),
            _ if wanted > there => Err(lack),
            _ => Ok(wanted),
        };
        match step {
            Step::Push => {
                let value = self.make(1)[0];
                let pushed = self.producer.as_mut().unwrap().try_push(value);
                assert_eq!(pushed.map(|()| 1), some(1, free, RingError::Full));
                if pushed.is_ok() {
                    self.written(0, &[value]);
                    self.committed(1);
                }
            }
            Step::PushSlice(len) => {
                let values = self.make(len);
                let pushed = self.producer.as_mut().unwrap().try_push_slice(&values);
                assert_eq!(pushed, some(len, free, RingError::Full));
                let count = pushed.unwrap_or(0);
                self.written(0, &values[..count]);
                self.committed(count);
            }
            Step::Pop => assert_eq!(consumer.try_pop(), self.queue.pop_front().ok_or(RingError::Empty)),
            Step::PopSlice(len) => {
                let mut into = vec![T::zeroed(); len];
                let popped = consumer.try_pop_slice(&mut into);
                assert_eq!(popped, some(len, used, RingError::Empty));
                let count = popped.unwrap_or(0);
                assert!(into[..count].iter().copied().eq(self.queue.drain(..count)));
                assert!(into[count..].iter().all(|value| *value == T::zeroed()), "no more than it says");
            }
            Step::Slots => assert_eq!((producer.slots(), consumer.slots()), (Ok(free), Ok(used))),
            Step::Write { len, fill, commit, quietly } => {
                self.write(len, fill, commit, quietly, all(len, free, RingError::Full))
            }
            Step::Read { len, commit, quietly } => {
                let chunk = consumer.read_chunk(len);
                assert_eq!(
                    chunk.as_ref().map(|chunk| chunk.len()).map_err(|error| *error),
                    all(len, used, RingError::Empty)
                );
                let Ok(chunk) = chunk else { return };
                let expected: Vec<_> = self.queue.iter().copied().take(len).collect();
                let (mut copy, mut uninit) = (vec![T::zeroed(); len], Box::new_uninit_slice(len));
                chunk.copy_to_slice(&mut copy);
                assert_eq!(copy, expected);
                assert_eq!(chunk.copy_to_uninit(&mut uninit), expected);
                assert!(chunk.iter().eq(expected.iter().copied()));
                assert_eq!([chunk.get(0), chunk.get(len)], [expected.first().copied(), None]);
                // SAFETY: nobody writes to the memory.
                let (first, second) = unsafe { chunk.as_slices() };
                assert_eq!([first, second].concat(), expected);
                if let Some(count) = commit.map(|count| count.min(len)) {
                    if quietly {
                        chunk.commit_quietly(count)
                    } else {
                        chunk.commit(count)
                    }
                    self.queue.drain(..count);
                }
            }
            Step::AnotherProducer => {
                drop(self.producer.take());
                assert!(self.consumer.as_ref().unwrap().is_closed());
                self.producer = Some(self.memory.producer().unwrap());
            }
            Step::AnotherConsumer => {
                drop(self.consumer.take());
                assert_eq!(self.producer.as_mut().unwrap().slots(), Err(RingError::Closed));
                self.consumer = Some(self.memory.consumer().unwrap());
            }
        }
    }

    fn write(
        &mut self,
        len: usize,
        fill: Fill,
        commit: Option<usize>,
        quietly: bool,
        expected: Result<usize, RingError>,
    ) {
        let values = self.make(len);
        let mut producer = self.producer.take().unwrap();
        let chunk = producer.write_chunk(len);
        assert_eq!(chunk.as_ref().map(|chunk| chunk.len()).map_err(|error| *error), expected);
        if let Ok(mut chunk) = chunk {
            let mut yields = None;
            match fill {
                Fill::Nothing => {}
                Fill::Each => values.iter().enumerate().rev().for_each(|(at, value)| chunk.set(at, *value)),
                Fill::All if quietly => chunk.copy_from_slice(&values),
                Fill::All => {
                    // SAFETY: nobody else writes to the memory.
                    let (first, second) = unsafe { chunk.as_mut_slices() };
                    assert_eq!(first.len() + second.len(), len);
                    for (slot, value) in first.iter_mut().chain(second).zip(&values) {
                        slot.write(*value);
                    }
                }
                Fill::Iterator(count) => yields = Some(count),
            }
            let given = match yields {
                Some(more) => {
                    let count = chunk.fill_from_iter(values.iter().copied().take(more));
                    assert_eq!(count, more.min(len));
                    self.written(0, &values[..count]);
                    count
                }
                None => {
                    if !matches!(fill, Fill::Nothing) {
                        self.written(0, &values);
                    }
                    match commit.map(|count| count.min(len)) {
                        None => 0,
                        Some(count) if quietly => {
                            chunk.commit_quietly(count);
                            count
                        }
                        Some(count) => {
                            chunk.commit(count);
                            count
                        }
                    }
                }
            };
            self.committed(given);
        }
        self.producer = Some(producer);
    }

    fn assert_as_the_queue(&mut self) {
        assert_eq!(self.free() + self.queue.len(), self.capacity());
        let tail = self.first.wrapping_add(self.pushed);
        assert_eq!(self.memory.word(TAIL), tail);
        assert_eq!(self.memory.word(HEAD), tail.wrapping_sub(self.queue.len() as u64));
        self.memory.assert_guarded();
    }
}

fn is_a_queue<T: Element>(power: u32, before_the_end: u64, steps: &[Step]) {
    let mut scene = Scene::<T>::new(1 << power, 0_u64.wrapping_sub(before_the_end));
    for step in steps {
        scene.take(*step);
        scene.assert_as_the_queue();
    }
}

proptest! {
    #[test]
    fn a_ring_is_a_queue(power in 0..5_u32, before_the_end in 0..100_u64, steps in steps()) {
        is_a_queue::<u8>(power, before_the_end, &steps);
        is_a_queue::<[u16; 3]>(power, before_the_end, &steps);
        is_a_queue::<u64>(power, before_the_end, &steps);
        is_a_queue::<[u8; 24]>(power, before_the_end, &steps);
        is_a_queue::<Frame>(power, before_the_end, &steps);
    }
}

#[test]
fn what_goes_around_the_end_of_a_ring_arrives_whole_from_each_offset() {
    fn arrives<T: Element>() {
        for first in 0..16 {
            for len in 1..=8 {
                let mut memory = Memory::of::<T>(8).beginning_at(0_u64.wrapping_sub(8).wrapping_add(first));
                let (mut producer, mut consumer) = memory.both::<T>();
                let values: Vec<_> = (0..len).map(|n| T::of(first * 8 + n + 1)).collect();
                let mut into = vec![T::zeroed(); values.len()];
                assert_eq!(producer.try_push_slice(&values), Ok(values.len()));
                assert_eq!(consumer.try_pop_slice(&mut into), Ok(values.len()));
                assert_eq!(into, values);
                memory.assert_guarded();
            }
        }
    }
    arrives::<u8>();
    arrives::<[u16; 3]>();
    arrives::<u64>();
    arrives::<[u8; 24]>();
    arrives::<Frame>();
}

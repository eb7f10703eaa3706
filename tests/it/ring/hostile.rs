//! A process that writes whatever it wants over all of a ring, at any time: errors and values of no meaning, and no more.

use std::{
    sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use commonage::{
    Error, RingFault,
    ring::{Consumer, Producer, RingError},
};

use super::{
    memory::{Element, Frame, HEAD, Memory, SLOTS, TAIL},
    peers::{Place, RING, of},
};
use crate::{
    named::Name,
    support::{Running, WATCHDOG, role},
};

/// Numbers of no meaning.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// Writes over all of the ring, until it is killed: the indices most of all, often to what they could be.
fn disturb(bytes: &[AtomicU8], seed: u64) -> ! {
    let (before, words, _) =
        // SAFETY: both are atomics, and this process accesses the memory in no other way.
        unsafe { bytes.align_to::<AtomicU64>() };
    assert!(before.is_empty() && words.len() == RING / 8);
    let mut noise = Noise(seed | 1);
    loop {
        let word = match noise.below(10) {
            0 => 0,
            1 => noise.next(),
            2 => noise.next() % 4096,
            // As an index that goes on.
            _ => words[[TAIL, HEAD][noise.below(2)] / 8].load(Relaxed).wrapping_add(noise.next() % 8),
        };
        let at = match noise.below(8) {
            0 => noise.below(words.len()),
            1 => noise.below(SLOTS / 8),
            2 | 3 => HEAD / 8,
            4 | 5 => TAIL / 8,
            6 => SLOTS / 8 + noise.below(64),
            _ => (HEAD + 8) / 8 + noise.below(2),
        };
        words[at].store(word, Relaxed);
    }
}

/// What happened to whoever was disturbed.
#[derive(Debug, Default)]
struct Seen {
    attached: u64,
    refused: u64,
    done: u64,
    lacked: u64,
    closed: u64,
    corrupt: u64,
}

impl Seen {
    fn is_enough(&self) -> bool {
        self.attached.min(self.refused).min(self.done).min(self.lacked).min(self.corrupt) > 20 && self.done > 5_000
    }

    fn refused(&mut self, error: &Error) {
        assert!(matches!(error, Error::Ring(RingFault::Kind { .. } | RingFault::Indices { .. })), "{error:?}");
        self.refused += 1;
    }

    /// False if it is of no use any more.
    fn goes_on(&mut self, result: Result<usize, RingError>, capacity: usize) -> bool {
        match result {
            Ok(count) => {
                assert!(count <= capacity, "{count} of {capacity}");
                self.done += 1;
            }
            Err(RingError::Full | RingError::Empty) => self.lacked += 1,
            Err(RingError::Closed) => self.closed += 1,
            Err(RingError::Corrupt { .. }) => {
                self.corrupt += 1;
                return false;
            }
            Err(error) => panic!("{error}"),
        }
        true
    }
}

fn pops<T: Element>(consumer: &mut Consumer<'_, T>, noise: &mut Noise) -> Result<usize, RingError> {
    let capacity = consumer.capacity();
    let len = 1 + noise.below(capacity);
    match noise.below(4) {
        0 => consumer.try_pop().map(|_| 1),
        1 => {
            let mut into = vec![T::zeroed(); 2 * capacity];
            let count = consumer.try_pop_slice(&mut into)?;
            let copy = into.clone();
            let _ = consumer.slots();
            assert!(into == copy && into[count..].iter().all(|value| *value == T::zeroed()), "a copy has changed");
            Ok(count)
        }
        2 => consumer.slots(),
        _ => {
            let chunk = consumer.read_chunk(len)?;
            assert_eq!(chunk.iter().count(), len);
            let mut into = vec![T::zeroed(); len];
            chunk.copy_to_slice(&mut into);
            chunk.commit(noise.below(len + 1));
            Ok(len)
        }
    }
}

fn pushes<T: Element>(producer: &mut Producer<'_, T>, noise: &mut Noise) -> Result<usize, RingError> {
    let capacity = producer.capacity();
    let len = 1 + noise.below(capacity);
    let value = T::of(noise.next());
    match noise.below(4) {
        0 => producer.try_push(value).map(|()| 1),
        1 => producer.try_push_slice(&vec![value; 2 * capacity]),
        2 => producer.slots(),
        _ => {
            let mut chunk = producer.write_chunk(len)?;
            chunk.set(noise.below(len), value);
            chunk.copy_from_slice(&vec![value; len]);
            chunk.commit(noise.below(len + 1));
            Ok(len)
        }
    }
}

/// Runs `body` for each kind of element until it has seen enough, while another process writes over the ring.
fn disturbed(test: &str, mut body: impl FnMut(&Place, &mut Noise, &mut Seen)) {
    if role().is_some() {
        disturb(Place::given().words(), u64::from(std::process::id()));
    }
    let name = Name::new();
    let place = Place::make(&name);
    let enemy: Running = of(&name, test, "disturbs").spawn();
    let (mut noise, mut seen) = (Noise(0x9e37_79b9_7f4a_7c15), Seen::default());
    // Two that share a processor, in long turns, see little of each other.
    let began = Instant::now();
    while !seen.is_enough() && began.elapsed() < WATCHDOG / 6 {
        for _ in 0..50 {
            body(&place, &mut noise, &mut seen);
        }
    }
    place.assert_guarded();
    assert!(seen.attached > 0 && seen.corrupt + seen.refused > 0, "nothing was disturbed: {seen:?}");
    println!("{seen:?}");
    enemy.kill();
}

fn consumes<T: Element>(place: &Place, noise: &mut Noise, seen: &mut Seen) {
    let mut consumer = match place.consumer::<T>() {
        Ok(consumer) => consumer,
        Err(error) => return seen.refused(&error),
    };
    seen.attached += 1;
    for _ in 0..1000 {
        let result = pops(&mut consumer, noise);
        if !seen.goes_on(result, consumer.capacity()) {
            let fault = consumer.slots().unwrap_err();
            assert_eq!([(); 3].map(|()| consumer.try_pop().unwrap_err()), [fault; 3], "for good");
            return assert_eq!(consumer.read_chunk(1).err(), Some(fault));
        }
    }
}

fn produces<T: Element>(place: &Place, noise: &mut Noise, seen: &mut Seen) {
    let mut producer = match place.producer::<T>() {
        Ok(producer) => producer,
        Err(error) => return seen.refused(&error),
    };
    seen.attached += 1;
    for _ in 0..1000 {
        let result = pushes(&mut producer, noise);
        if !seen.goes_on(result, producer.capacity()) {
            let fault = producer.slots().unwrap_err();
            assert_eq!([(); 3].map(|()| producer.try_push(T::of(1)).unwrap_err()), [fault; 3], "for good");
            return assert_eq!(producer.write_chunk(1).err(), Some(fault));
        }
    }
}

#[test]
fn a_consumer_survives_a_process_that_writes_anything_anywhere() {
    const TEST: &str = "ring::hostile::a_consumer_survives_a_process_that_writes_anything_anywhere";
    disturbed(TEST, |place, noise, seen| match noise.below(4) {
        0 => consumes::<u8>(place, noise, seen),
        1 => consumes::<[u16; 3]>(place, noise, seen),
        2 => consumes::<u64>(place, noise, seen),
        _ => consumes::<Frame>(place, noise, seen),
    });
}

#[test]
fn a_producer_survives_a_process_that_writes_anything_anywhere() {
    const TEST: &str = "ring::hostile::a_producer_survives_a_process_that_writes_anything_anywhere";
    disturbed(TEST, |place, noise, seen| match noise.below(4) {
        0 => produces::<u8>(place, noise, seen),
        1 => produces::<[u16; 3]>(place, noise, seen),
        2 => produces::<u64>(place, noise, seen),
        _ => produces::<Frame>(place, noise, seen),
    });
}

#[test]
fn an_index_that_goes_backwards_or_out_of_range_is_corrupt_for_good() {
    for first in [0, 1000, u64::MAX - 3] {
        for by in [-1, -8, 9, 100, i64::MAX, i64::MIN] {
            let mut memory = Memory::of::<u64>(8).beginning_at(first);
            let (producer, mut consumer) = memory.both::<u64>();
            let found = first.wrapping_add_signed(by);
            memory.set(TAIL, found);
            let corrupt = RingError::Corrupt { found, least: first, most: first.wrapping_add(8) };
            assert_eq!(consumer.slots(), Err(corrupt));
            memory.set(TAIL, first.wrapping_add(1));
            assert_eq!(consumer.try_pop(), Err(corrupt));
            assert_eq!(consumer.try_pop_slice(&mut [0; 3]), Err(corrupt));
            assert_eq!(consumer.read_chunk(1).err(), Some(corrupt));
            drop((producer, consumer));
            // Whoever attaches anew believes what is there now.
            assert_eq!(memory.consumer::<u64>().unwrap().slots(), Ok(1));
        }
        // A consumer pops nothing that was not pushed, and gives nothing back twice.
        for by in [-1, -8, 6, 100, i64::MAX, i64::MIN] {
            let mut memory = Memory::of::<u64>(8).beginning_at(first);
            let (mut producer, consumer) = memory.both::<u64>();
            assert_eq!(producer.try_push_slice(&[1; 5]), Ok(5));
            let found = first.wrapping_add_signed(by);
            memory.set(HEAD, found);
            let corrupt = RingError::Corrupt { found, least: first, most: first.wrapping_add(5) };
            assert_eq!(producer.slots(), Err(corrupt));
            memory.set(HEAD, first.wrapping_add(1));
            assert_eq!(producer.try_push(1), Err(corrupt));
            assert_eq!(producer.try_push_slice(&[1; 3]), Err(corrupt));
            assert_eq!(producer.write_chunk(1).err(), Some(corrupt));
            drop((producer, consumer));
            memory.assert_guarded();
        }
    }
}

#[test]
fn what_a_side_has_published_itself_is_not_believed_again() {
    let mut memory = Memory::of::<u64>(8);
    let (mut producer, mut consumer) = memory.both::<u64>();
    producer.try_push_slice(&[1, 2, 3]).unwrap();
    memory.set(TAIL, 1 << 40);
    producer.try_push(4).unwrap();
    assert_eq!(memory.word(TAIL), 4);
    memory.set(HEAD, u64::MAX);
    let mut into = [0; 8];
    assert_eq!(consumer.try_pop_slice(&mut into), Ok(4));
    assert_eq!((into, memory.word(HEAD)), ([1, 2, 3, 4, 0, 0, 0, 0], 4));
    assert_eq!(producer.slots(), Ok(8));
}

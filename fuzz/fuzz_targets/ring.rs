//! A ring between guard bytes, of which one side is under test and the other's process writes whatever it wants, anywhere.
#![allow(unsafe_code)] // A ring is attached to memory, which its enemy writes to.

use std::ptr::NonNull;

use arbitrary::Arbitrary;
use commonage::{
    Error, RingFault,
    bytemuck::{self, NoUninit},
    ring::{ALIGNMENT, RingError},
};

/// Where the slots begin.
pub const SLOTS: usize = 512;
const GUARD: usize = 256;
const GUARDS: u8 = 0xa5;

/// Words of an end, by their offsets in it.
pub const INDEX: usize = 0;
pub const KIND: usize = 8;
pub const CLOSED: usize = 16;

/// The ends, by their offsets.
pub const PRODUCER: usize = 0;
pub const CONSUMER: usize = 128;

#[derive(Clone, Copy)]
#[repr(C, align(128))]
struct Line([u8; ALIGNMENT]);

/// How the ring is when it is attached to.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Ring {
    pub head: u64,
    pub used: i8,
    /// How many slots there are is the power of two below.
    pub slots: u8,
    /// And so many bytes more.
    pub more: u8,
    pub filled: u8,
}

/// What is written by whoever is not under test.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Noise {
    /// The other side's index, so far from that of the one under test.
    Index(i8),
    AnyIndex(u64),
    /// The index of the one under test.
    Own(u64),
    Closed(bool),
    Kind {
        own: bool,
        kind: u64,
    },
    Word {
        at: u8,
        word: u64,
    },
    Bytes {
        at: u16,
        byte: u8,
        count: u16,
    },
}

/// Memory with a ring in it, and what must stand in it.
pub struct Memory {
    lines: Vec<Line>,
    len: usize,
    pub expected: Vec<u8>,
    /// The end of the side under test, and the other.
    pub own: usize,
    pub other: usize,
}

impl Memory {
    pub fn new<T>(ring: Ring, own: usize) -> Self {
        let slots = 1 + usize::from(ring.slots % 40);
        let len = SLOTS + slots * size_of::<T>() + usize::from(ring.more) % size_of::<T>();
        let lines = vec![Line([GUARDS; ALIGNMENT]); (2 * GUARD + len).div_ceil(ALIGNMENT)];
        let mut memory = Memory { lines, len, expected: vec![ring.filled; len], own, other: PRODUCER ^ CONSUMER ^ own };
        memory.expected[..SLOTS].fill(0);
        memory.set(CONSUMER + INDEX, ring.head);
        memory.set(PRODUCER + INDEX, ring.head.wrapping_add_signed(ring.used.into()));
        let (at, expected) = (memory.start(), memory.expected.as_ptr());
        // SAFETY: so many bytes are between the guards.
        unsafe { expected.copy_to_nonoverlapping(at, len) };
        memory
    }

    fn start(&mut self) -> *mut u8 {
        // SAFETY: the guard before it is there.
        unsafe { self.lines.as_mut_ptr().cast::<u8>().add(GUARD) }
    }

    /// What a side attaches to.
    pub fn ring(&mut self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(NonNull::new(self.start()).expect("it is there"), self.len)
    }

    /// What must stand there from now on.
    pub fn set(&mut self, at: usize, word: u64) {
        self.expected[at..][..8].copy_from_slice(&word.to_ne_bytes());
    }

    pub fn word(&self, at: usize) -> u64 {
        u64::from_ne_bytes(self.expected[at..][..8].try_into().expect("eight bytes"))
    }

    /// The slot of an index.
    pub fn slot<T>(&mut self, capacity: usize, index: u64) -> &mut [u8] {
        &mut self.expected[SLOTS + index as usize % capacity * size_of::<T>()..][..size_of::<T>()]
    }

    /// The other process writes; `own` is the index of the side under test.
    pub fn disturb(&mut self, noise: Noise, own: u64) {
        let ends = (self.own, self.other);
        match noise {
            Noise::Index(by) => self.write(ends.1 + INDEX, own.wrapping_add_signed(by.into())),
            Noise::AnyIndex(index) => self.write(ends.1 + INDEX, index),
            Noise::Own(index) => self.write(ends.0 + INDEX, index),
            Noise::Closed(closed) => self.write(ends.1 + CLOSED, closed.into()),
            Noise::Kind { own, kind } => self.write(if own { ends.0 } else { ends.1 } + KIND, kind),
            Noise::Word { at, word } => self.write(usize::from(at % 64) * 8, word),
            Noise::Bytes { at, byte, count } => {
                let at = usize::from(at) % self.len;
                let count = usize::from(count).min(self.len - at);
                self.expected[at..][..count].fill(byte);
                // SAFETY: they are between the guards.
                let from = unsafe { self.start().add(at) };
                // SAFETY: the same.
                unsafe { from.write_bytes(byte, count) };
            }
        }
    }

    fn write(&mut self, at: usize, word: u64) {
        self.set(at, word);
        // SAFETY: it is between the guards.
        let to = unsafe { self.start().add(at) };
        // SAFETY: the same, and a multiple of eight.
        unsafe { to.cast::<u64>().write(word) };
    }

    /// Nothing has been written but what is expected.
    pub fn assert_as_expected(&self) {
        let bytes = self.bytes();
        let (before, rest) = bytes.split_at(GUARD);
        let (ring, after) = rest.split_at(self.len);
        assert!(before.iter().chain(after).all(|byte| *byte == GUARDS), "written beside the ring");
        assert!(ring == self.expected, "written where nothing was to be written");
    }

    pub fn bytes(&self) -> &[u8] {
        let (at, len) = (self.lines.as_ptr().cast(), size_of_val(&*self.lines));
        // SAFETY: it is all initialised, and nobody writes while it is looked at: there is one thread.
        unsafe { std::slice::from_raw_parts(at, len) }
    }

    pub fn capacity<T>(&self) -> usize {
        1 << ((self.len - SLOTS) / size_of::<T>()).ilog2()
    }

    /// How far tail is before head.
    pub fn between(&self) -> u64 {
        self.word(PRODUCER + INDEX).wrapping_sub(self.word(CONSUMER + INDEX))
    }

    /// What an attachment came to, which it has written of.
    pub fn attached<T, S>(&mut self, result: Result<S, Error>, kind: &mut Option<u64>) -> Option<S> {
        let found = u64::from_ne_bytes(self.bytes()[GUARD + self.own + KIND..][..8].try_into().expect("eight bytes"));
        let (other, between) = (self.word(self.other + KIND), self.between());
        let possible = between <= self.capacity::<T>() as u64;
        match result {
            Ok(side) => {
                assert!(possible, "indices that can't be");
                assert_ne!(found, 0, "it says what it takes the ring for");
                assert_eq!(*kind.get_or_insert(found), found, "that does not change");
                assert!(other == 0 || other == found, "another kind of ring");
                self.set(self.own + KIND, found);
                self.set(self.own + CLOSED, 0);
                Some(side)
            }
            Err(Error::Ring(RingFault::Kind { expected, found })) => {
                assert!(found == other && other != 0 && expected != other);
                self.set(self.own + KIND, 0);
                None
            }
            Err(Error::Ring(RingFault::Indices { .. })) => {
                assert!(!possible, "indices that can be");
                self.set(self.own + KIND, 0);
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// It has been dropped.
    pub fn closed(&mut self) {
        self.set(self.own + KIND, 0);
        self.set(self.own + CLOSED, 1);
    }
}

/// What one side must know, worked out again in wider numbers.
pub struct Knowledge {
    pub own: u64,
    /// Slots that have been found to be this side's.
    pub slots: u64,
    pub capacity: u64,
    pub fault: Option<RingError>,
    pub lack: RingError,
}

impl Knowledge {
    pub fn new(memory: &Memory, capacity: usize, lack: RingError) -> Self {
        let (capacity, own) = (capacity as u64, memory.word(memory.own + INDEX));
        let slots = if lack == RingError::Full { capacity - memory.between() } else { memory.between() };
        Knowledge { own, slots, capacity, fault: None, lack }
    }

    fn pushes(&self) -> bool {
        self.lack == RingError::Full
    }

    fn is_closed(memory: &Memory) -> bool {
        memory.word(memory.other + CLOSED) != 0
    }

    /// What a look at the other side comes to.
    pub fn look(&mut self, memory: &Memory) -> Result<u64, RingError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.pushes() && Self::is_closed(memory) {
            return Err(RingError::Closed);
        }
        // The index at which this side has no slots.
        let none = i128::from(self.own) - if self.pushes() { i128::from(self.capacity) } else { 0 };
        let found = memory.word(memory.other + INDEX);
        let slots = (i128::from(found) - none).rem_euclid(1 << 64);
        if slots < self.slots.into() || slots > self.capacity.into() {
            let word = |index: i128| index.rem_euclid(1 << 64) as u64;
            let (least, most) = (word(none + i128::from(self.slots)), word(none + i128::from(self.capacity)));
            self.slots = 0;
            return Err(*self.fault.insert(RingError::Corrupt { found, least, most }));
        }
        self.slots = slots as u64;
        if slots == 0 && Self::is_closed(memory) { Err(RingError::Closed) } else { Ok(self.slots) }
    }

    /// How many of `wanted` slots there are, at least one.
    pub fn some(&mut self, memory: &Memory, wanted: u64) -> Result<u64, RingError> {
        let slots = if self.slots >= wanted { self.slots } else { self.look(memory)? };
        if slots == 0 && wanted > 0 { Err(self.lack) } else { Ok(slots.min(wanted)) }
    }

    /// All of `wanted` slots.
    pub fn all(&mut self, memory: &Memory, wanted: u64) -> Result<u64, RingError> {
        if wanted > self.capacity {
            return Err(RingError::TooMany { capacity: self.capacity as usize });
        }
        if self.slots < wanted && self.look(memory)? < wanted {
            return Err(if Self::is_closed(memory) { RingError::Closed } else { self.lack });
        }
        Ok(wanted)
    }

    /// Slots have been given to the other side.
    pub fn give(&mut self, memory: &mut Memory, count: u64) {
        assert!(count <= self.slots, "{count} given, {} had", self.slots);
        self.slots -= count;
        self.own = self.own.wrapping_add(count);
        memory.set(memory.own + INDEX, self.own);
    }
}

pub fn bytes<T: NoUninit>(value: &T) -> &[u8] {
    bytemuck::bytes_of(value)
}

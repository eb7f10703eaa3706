//! Memory for rings, between guard bytes; elements of several kinds.

use std::{fmt::Debug, ptr::NonNull};

use commonage::{
    bytemuck::{self, AnyBitPattern, NoUninit},
    ring::{ALIGNMENT, Consumer, Producer},
};

/// Where words stand.
pub(super) const TAIL: usize = 0;
pub(super) const PRODUCER_KIND: usize = 8;
pub(super) const PRODUCER_CLOSED: usize = 16;
pub(super) const HEAD: usize = 128;
pub(super) const CONSUMER_KIND: usize = 136;
pub(super) const SLOTS: usize = 512;

const GUARD: usize = 256;
const GUARDS: u8 = 0xa5;

#[derive(Clone, Copy)]
#[repr(C, align(128))]
struct Line([u8; ALIGNMENT]);

/// Zeroed memory for a ring.
pub(super) struct Memory {
    lines: Vec<Line>,
    len: usize,
}

impl Memory {
    pub(super) fn new(len: usize) -> Self {
        let lines = vec![Line([GUARDS; ALIGNMENT]); (2 * GUARD + len).div_ceil(ALIGNMENT)];
        let mut memory = Memory { lines, len };
        // SAFETY: it lies between the guards.
        unsafe { memory.at(0).write_bytes(0, len) };
        memory
    }

    /// For so many elements.
    pub(super) fn of<T>(capacity: usize) -> Self {
        Self::new(SLOTS + capacity * size_of::<T>())
    }

    /// As if so many had been pushed and popped before.
    pub(super) fn beginning_at(mut self, index: u64) -> Self {
        self.set(TAIL, index);
        self.set(HEAD, index);
        self
    }

    pub(super) fn at(&mut self, offset: usize) -> *mut u8 {
        assert!(offset <= self.len);
        // SAFETY: so many are there.
        unsafe { self.lines.as_mut_ptr().cast::<u8>().add(GUARD + offset) }
    }

    pub(super) fn bytes(&mut self) -> NonNull<[u8]> {
        self.from(0)
    }

    /// What begins at an offset.
    pub(super) fn from(&mut self, offset: usize) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(NonNull::new(self.at(offset)).unwrap(), self.len - offset)
    }

    pub(super) fn set(&mut self, offset: usize, word: u64) {
        assert!(offset + 8 <= self.len);
        // SAFETY: it is there, and aligned.
        unsafe { self.at(offset).cast::<u64>().write(word) };
    }

    pub(super) fn word(&mut self, offset: usize) -> u64 {
        assert!(offset + 8 <= self.len);
        // SAFETY: it is there, and aligned.
        unsafe { self.at(offset).cast::<u64>().read() }
    }

    pub(super) fn producer<T: AnyBitPattern + NoUninit>(&mut self) -> Result<Producer<'static, T>, commonage::Error> {
        // SAFETY: each test drops the memory last, and accesses it when nobody else does.
        unsafe { Producer::attach(self.bytes()) }
    }

    pub(super) fn consumer<T: AnyBitPattern + NoUninit>(&mut self) -> Result<Consumer<'static, T>, commonage::Error> {
        // SAFETY: as above.
        unsafe { Consumer::attach(self.bytes()) }
    }

    pub(super) fn both<T: AnyBitPattern + NoUninit>(&mut self) -> (Producer<'static, T>, Consumer<'static, T>) {
        (self.producer().unwrap(), self.consumer().unwrap())
    }

    pub(super) fn assert_guarded(&self) {
        // SAFETY: all of it is initialised, and nobody writes now.
        let bytes: &[u8] = unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), size_of_val(&*self.lines)) };
        let (before, after) = (&bytes[..GUARD], &bytes[GUARD + self.len..]);
        assert!(before.iter().chain(after).all(|byte| *byte == GUARDS), "something was written beside the ring");
    }
}

/// What goes through rings here.
pub(super) trait Element: AnyBitPattern + NoUninit + PartialEq + Debug + Send {
    /// One of 256, at least.
    fn of(number: u64) -> Self {
        let mut bytes = vec![0; size_of::<Self>()];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = number.to_le_bytes()[at % 8].wrapping_add(at as u8 / 8);
        }
        bytemuck::pod_read_unaligned(&bytes)
    }
}

/// Two samples, and when they were taken.
#[derive(Clone, Copy, PartialEq, Debug, AnyBitPattern, NoUninit)]
#[bytemuck(crate = "commonage::bytemuck")]
#[repr(C)]
pub(super) struct Frame {
    samples: [i16; 2],
    channel: u32,
    taken: u64,
}

impl Element for u8 {}
impl Element for u64 {}
impl Element for [u16; 3] {}
impl Element for [u8; 24] {}
impl Element for Frame {}

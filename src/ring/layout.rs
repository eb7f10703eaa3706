//! How a ring lies in memory.
//!
//! ```text
//!    0  the producer's end    index (tail), kind, closed        written by the producer
//!  128  the consumer's end    index (head), kind, closed        written by the consumer
//!  256  what the producer waits for                             written by both
//!  384  what the consumer waits for                             written by both
//!  512  the slots
//! ```
//!
//! Zeroed memory is a ring that is empty. How long it is stands nowhere in it: both sides derive the capacity from the
//! length of the memory, so no peer can lie about it.

use std::{marker::PhantomData, ptr::NonNull, sync::atomic::AtomicU64};

use crate::{Error, RingFault, fingerprint::fingerprint_of_family};

/// What the address of a ring is a multiple of, in bytes.
pub const ALIGNMENT: usize = 128;

/// A line of its own for what one side writes: two of the processor's, which fetches them in pairs.
#[repr(C, align(128))]
pub(super) struct Line<T>(pub(super) T);

/// What one side tells of itself. Each word is `u64`, and is written by nobody else, if all are honest.
#[repr(C)]
pub(super) struct End<W = AtomicU64> {
    /// How many elements it has pushed, or popped, since the ring began: only ever more, until it wraps.
    pub(super) index: W,
    /// What it takes the ring for; zero if it has not attached.
    pub(super) kind: W,
    /// Anything but zero if it has ended.
    pub(super) closed: W,
}

/// What stands before the slots.
#[repr(C)]
pub(super) struct Head {
    pub(super) producer: Line<End>,
    pub(super) consumer: Line<End>,
    /// See `handshake`.
    pub(super) producer_waits: Line<AtomicU64>,
    /// See `handshake`.
    pub(super) consumer_waits: Line<AtomicU64>,
}

const SLOTS: usize = size_of::<Head>();

const _: () = assert!(SLOTS == 512 && align_of::<Head>() == ALIGNMENT);
const _: () = assert!(std::mem::offset_of!(Head, consumer) == 128);
const _: () = assert!(std::mem::offset_of!(Head, producer_waits) == 256);
const _: () = assert!(std::mem::offset_of!(Head, consumer_waits) == 384);

/// Bytes that a ring of at least `capacity` elements needs, at an address that is a multiple of [`ALIGNMENT`];
/// `usize::MAX` if no memory is as large.
///
/// ```
/// use commonage::ring::required_memory;
///
/// assert_eq!(required_memory::<u64>(1000), 512 + 1024 * 8); // the next power of two
/// ```
pub const fn required_memory<T>(capacity: usize) -> usize {
    let capacity = if capacity == 0 { 1 } else { capacity };
    match capacity.checked_next_power_of_two() {
        Some(slots) => slots.saturating_mul(size_of::<T>()).saturating_add(SLOTS),
        None => usize::MAX,
    }
}

/// A ring in memory, which others may write to at any time.
pub(super) struct Area<'m, T> {
    /// INVARIANT: for `'m`, the head can be read and written there, and after it as many slots as a power of two says,
    /// aligned for `T`. None of it is accessed by references but for the words of the head.
    head: NonNull<Head>,
    /// One less than the number of slots, which is a power of two.
    mask: usize,
    memory: PhantomData<(&'m Head, *mut T)>,
}

impl<'m, T> Area<'m, T> {
    /// Nothing is read or written.
    ///
    /// # Errors
    ///
    /// [`Error::Ring`], [`Error::Alignment`].
    ///
    /// # Safety
    ///
    /// For `'m` the memory can be read and written.
    pub(super) unsafe fn over(memory: NonNull<[u8]>) -> Result<Self, Error> {
        const { assert!(size_of::<T>() > 0, "an element has at least one byte") };
        if align_of::<T>() > ALIGNMENT {
            return Err(Error::Alignment { requested: align_of::<T>(), limit: ALIGNMENT });
        }
        let (address, found) = (memory.cast::<u8>().addr().get(), memory.len());
        if !address.is_multiple_of(ALIGNMENT) {
            return Err(RingFault::Misaligned { address, alignment: ALIGNMENT }.into());
        }
        let slots = found.saturating_sub(SLOTS) / size_of::<T>();
        let Some(power) = slots.checked_ilog2() else {
            return Err(RingFault::TooShort { found, needed: required_memory::<T>(1) }.into());
        };
        Ok(Area { head: memory.cast(), mask: (1 << power) - 1, memory: PhantomData })
    }

    /// A second one, over the same memory.
    pub(super) fn again(&self) -> Self {
        Area { head: self.head, mask: self.mask, memory: PhantomData }
    }

    #[inline(always)]
    pub(super) fn head(&self) -> &'m Head {
        // SAFETY: by the invariant it is there for `'m`; all of it are atomics.
        unsafe { self.head.as_ref() }
    }

    #[inline(always)]
    pub(super) fn capacity(&self) -> usize {
        self.mask + 1
    }

    /// What both sides must agree on: this layout, in its version 1, the element, and the capacity.
    pub(super) fn kind(&self) -> u64 {
        fingerprint_of_family::<T>(b"ring, v1", self.capacity() as u64).max(1)
    }

    /// The slot of an index.
    #[inline(always)]
    pub(super) fn slot(&self, index: u64) -> NonNull<T> {
        // SAFETY: the slots begin where the head ends, by the invariant.
        let first = unsafe { self.head.add(1) }.cast::<T>();
        // SAFETY: the mask leaves an index below the number of slots.
        unsafe { first.add(index as usize & self.mask) }
    }

    /// Where `count` slots are from an index on, no more than there are: up to the last one, and from the first one.
    #[inline(always)]
    pub(super) fn parts(&self, index: u64, count: usize) -> [(NonNull<T>, usize); 2] {
        let count = count.min(self.capacity());
        let first = count.min(self.capacity() - (index as usize & self.mask));
        [(self.slot(index), first), (self.slot(0), count - first)]
    }
}

// SAFETY: of the memory only atomics are referred to, and slots are copied to and from by whoever owns an end of the ring.
unsafe impl<T: Send> Send for Area<'_, T> {}

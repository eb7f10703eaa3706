//! A value that is read without a lock.

use std::{
    fmt, hint,
    mem::{self, MaybeUninit},
    panic::{RefUnwindSafe, UnwindSafe},
    sync::atomic::{AtomicU64, Ordering, fence},
    time::{Duration, Instant},
};

use bytemuck::{CheckedBitPattern, NoUninit, Zeroable};

use super::{
    atoms::Atom,
    patience::Patience,
    payload::Slot,
    raw_lock::{Found, RawLock},
};
use crate::{
    fingerprint::fingerprint_with,
    shareable::{Shareable, Synchronized},
};

/// How long [`SeqLock::read`] tries.
const READ_FOR: Duration = Duration::from_secs(1);
/// How often a read is tried before the clock is looked at.
const TRIES: u64 = 32;

/// A value that any number of processes read while others write it: readers write nothing, wait for nobody, and never
/// see a half of one value and a half of another.
///
/// There is room for two values: the one that is read, and the one that is being written. So readers are not in a
/// writer's way, and a writer that dies half-way leaves the last value to be read; the next who writes overwrites its
/// half. Only a reader that is overtaken by two writers begins again. Writers take turns.
///
/// ```
/// use commonage::sync::SeqLock;
///
/// static POSITION: SeqLock<[f64; 3]> = SeqLock::new([0.0; 3]);
/// POSITION.write([1.0, 2.0, 0.5]);
/// POSITION.update(|position| position[2] += 0.5)?;
/// assert_eq!(POSITION.read()?, [1.0, 2.0, 1.0]);
/// assert_eq!(POSITION.version(), 2);
/// # Ok::<(), commonage::sync::Unread>(())
/// ```
///
/// Zeroed memory is version 0, with a zeroed value. The value is copied; for large ones that costs its time, and the
/// read has to be done before the next but one write is.
#[repr(C)]
pub struct SeqLock<T> {
    /// Held by whoever writes.
    writers: RawLock,
    /// How many values have been written. The last one is in the slot of the same parity.
    ///
    /// | is | the slot `is & 1` | the other slot | becomes | by |
    /// |---|---|---|---|---|
    /// | n | holds value n | holds value n - 1, or parts of n + 1 | n + 1 | whoever writes (Release), after the other slot |
    ///
    /// A writer's fence (Release), after it took the lock and before it touches a slot, has as its partner the reader's
    /// fence (Acquire) after it copied that slot: a reader that copied any word of value n + 2 finds that n is over.
    /// The writer's store (Release) has as its partner the reader's fence (Acquire) before it copies: a reader that
    /// finds n finds all of value n.
    sequence: AtomicU64,
    slots: [Slot<T>; 2],
}

/// Why a value was not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unread {
    /// It was overwritten all the while: at each try, two writers were faster.
    #[error("a value was overwritten each time that it was being read, for {waited:?}")]
    Overtaken {
        /// How long it was tried.
        waited: Duration,
    },
    /// What is there is no value of the type.
    #[error("the content is not a valid value of its type")]
    Invalid,
}

// SAFETY: zeros are a lock that nobody has, version 0, and a value.
unsafe impl<T: Zeroable> Zeroable for SeqLock<T> {}

// A panic half-way publishes nothing.
impl<T> UnwindSafe for SeqLock<T> {}
impl<T> RefUnwindSafe for SeqLock<T> {}

// SAFETY: `repr(C)`, two words and two shareable values; the version stands for what the words mean. It has a lock, and
// says so.
unsafe impl<T: Shareable> Shareable for SeqLock<T> {
    const FINGERPRINT: u64 =
        fingerprint_with(b"fixed   ", "SeqLock, version 1", size_of::<Self>(), align_of::<Self>(), T::FINGERPRINT);
    const LOCKS: bool = true;
}

// SAFETY: all accesses to the words and the slots are atomic; what is copied is checked, and is no value before that.
unsafe impl<T: Shareable + NoUninit + CheckedBitPattern + Send> Synchronized for SeqLock<T> {}

impl<T: NoUninit + CheckedBitPattern> SeqLock<T> {
    /// Version 0 is this value.
    pub const fn new(value: T) -> Self {
        let slots = [Slot::new(value), Slot::new(value)];
        SeqLock { writers: RawLock::new(), sequence: AtomicU64::new(0), slots }
    }

    /// The last value that was written. It tries for a second; only writers that never pause keep it from it so long.
    ///
    /// # Errors
    ///
    /// [`Unread::Overtaken`]; [`Unread::Invalid`], which only who does not write through this type can bring about.
    #[inline]
    pub fn read(&self) -> Result<T, Unread> {
        self.read_within(READ_FOR)
    }

    /// As [`read`](Self::read), but for so long; it always tries a few times, before it looks at the clock.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    #[inline]
    pub fn read_within(&self, timeout: Duration) -> Result<T, Unread> {
        // Nothing but Relaxed loads and fences: a read-only mapping allows no more.
        match self.try_load() {
            Some(bits) => checked(bits),
            // By itself to the end: the bits of the first try stay in registers where there are enough of them.
            None => checked(self.load_within(timeout)?),
        }
    }

    /// How many values have been written.
    #[inline]
    pub fn version(&self) -> u64 {
        let version = self.sequence.load(Ordering::Relaxed);
        // With the release of the writer: a read that follows finds this value or a later one.
        fence(Ordering::Acquire);
        version
    }

    /// Writes a value, after whoever is writing.
    ///
    /// # Panics
    ///
    /// In a forked child that could not make itself known to others: see the [module](super#fork).
    #[inline]
    pub fn write(&self, value: T) {
        self.writers.lock();
        Writing(&self.writers).publish(&self.sequence, &self.slots, &value);
    }

    /// Writes a value, after whoever is writing, but waits not much longer than that. Has it been written?
    ///
    /// # Panics
    ///
    /// As [`write`](Self::write).
    #[inline]
    #[must_use = "it says whether the value was written"]
    pub fn write_timeout(&self, value: T, timeout: Duration) -> bool {
        let had = self.writers.lock_within(|| Patience::of(timeout)).is_some();
        if had {
            Writing(&self.writers).publish(&self.sequence, &self.slots, &value);
        }
        had
    }

    /// Reads the last value, has it changed, and writes it, with no other writer in between. If `change` panics nothing
    /// is written. It must not write to this lock itself: it would wait for itself.
    ///
    /// # Errors
    ///
    /// [`Unread::Invalid`]; nothing has been changed.
    ///
    /// # Panics
    ///
    /// As [`write`](Self::write).
    #[inline]
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R, Unread> {
        self.writers.lock();
        let writing = Writing(&self.writers);
        // Nobody else writes.
        let last = slot_of(self.sequence.load(Ordering::Acquire));
        let mut value = checked(self.slots[last].load())?;
        let result = change(&mut value);
        writing.publish(&self.sequence, &self.slots, &value);
        Ok(result)
    }

    #[inline(always)]
    fn try_load(&self) -> Option<MaybeUninit<T::Bits>> {
        try_read(&self.sequence, |slot| self.slots[slot].load())
    }

    #[cold]
    fn load_within(&self, timeout: Duration) -> Result<MaybeUninit<T::Bits>, Unread> {
        again(timeout, || self.try_load())
    }
}

/// Tries until something comes of it, or the time is over.
pub(super) fn again<R>(timeout: Duration, mut attempt: impl FnMut() -> Option<R>) -> Result<R, Unread> {
    let began = Instant::now();
    for tries in 1_u64.. {
        hint::spin_loop();
        if let Some(result) = attempt() {
            return Ok(result);
        }
        if tries >= TRIES && began.elapsed() >= timeout {
            break;
        }
    }
    Err(Unread::Overtaken { waited: began.elapsed() })
}

/// Bytes that have all been copied, as the value that they are.
#[inline(always)]
fn checked<T: CheckedBitPattern>(bits: MaybeUninit<T::Bits>) -> Result<T, Unread> {
    // SAFETY: all bytes were copied, and any will do.
    let bits = unsafe { bits.assume_init() };
    if T::is_valid_bit_pattern(&bits) {
        // SAFETY: a value, as its type has just said, which has as many bytes: see `Slot::load`.
        Ok(unsafe { mem::transmute_copy::<T::Bits, T>(&bits) })
    } else {
        Err(Unread::Invalid)
    }
}

/// The turn of a writer, which has the lock.
struct Writing<'a>(&'a RawLock);

impl Writing<'_> {
    #[inline(always)]
    fn publish<T: NoUninit>(self, sequence: &AtomicU64, slots: &[Slot<T>; 2], value: &T) {
        publish(sequence, |slot| slots[slot].store(value));
    }
}

impl Drop for Writing<'_> {
    #[inline]
    fn drop(&mut self) {
        // Whatever was half-written is overwritten by the next.
        self.0.unlock(Found::Clean);
    }
}

/// The slot of a version.
#[inline(always)]
fn slot_of(version: u64) -> usize {
    (version & 1) as usize
}

/// Writes the slot that nobody should be reading, and then says so. The caller has the lock.
#[inline(always)]
pub(super) fn publish<A: Atom<Value = u64>>(sequence: &A, write: impl FnOnce(usize)) {
    // Acquire: with the store below of a writer that died before it let go of the lock.
    let next = sequence.load(Ordering::Acquire).wrapping_add(1);
    // Its partner is the second fence of `try_read`.
    A::fence(Ordering::Release);
    write(slot_of(next));
    // Its partner is the first fence of `try_read`.
    sequence.store(next, Ordering::Release);
}

/// Copies the slot of the last version; none if that is over before the copy is made.
#[inline(always)]
pub(super) fn try_read<A: Atom<Value = u64>, R>(sequence: &A, copy: impl FnOnce(usize) -> R) -> Option<R> {
    let version = sequence.load(Ordering::Relaxed);
    A::fence(Ordering::Acquire);
    let copied = copy(slot_of(version));
    A::fence(Ordering::Acquire);
    (sequence.load(Ordering::Relaxed) == version).then_some(copied)
}

impl<T: NoUninit + CheckedBitPattern + Default> Default for SeqLock<T> {
    fn default() -> Self {
        SeqLock::new(T::default())
    }
}

impl<T: NoUninit + CheckedBitPattern> From<T> for SeqLock<T> {
    fn from(value: T) -> Self {
        SeqLock::new(value)
    }
}

impl<T: NoUninit + CheckedBitPattern + fmt::Debug> fmt::Debug for SeqLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("SeqLock");
        debug.field("version", &self.version());
        match self.read_within(Duration::ZERO) {
            Ok(value) => debug.field("value", &value),
            Err(unread) => debug.field("value", &format_args!("<{unread}>")),
        };
        debug.finish()
    }
}

//! A flag that can be waited for.

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use bytemuck::Zeroable;

use super::{
    atoms::WakeAll,
    patience::{Patience, pause},
};
use crate::{
    fingerprint::fingerprint_with,
    shareable::{Shareable, Synchronized},
};

/// It has happened.
const SET: u32 = 1;
/// It has not, and somebody sleeps, or has slept, until it does.
const WAITERS: u32 = 2;

/// Something that happens in one process and that others wait for: it is set, or not, and stays so until it is
/// [reset](Self::reset) or [taken](Self::take).
///
/// What was stored before it was set can be seen by whoever finds it set.
///
/// ```
/// use commonage::sync::Event;
/// use std::{thread, time::Duration};
///
/// static READY: Event = Event::new();
/// thread::scope(|threads| {
///     threads.spawn(|| READY.set());
///     READY.wait();
/// });
/// assert!(READY.take_timeout(Duration::ZERO));
/// assert!(!READY.is_set());
/// ```
///
/// Zeroed memory is an event that is not set.
#[repr(transparent)]
#[derive(Zeroable)]
pub struct Event {
    state: State,
}

/// The word of an event.
#[repr(transparent)]
pub(super) struct State<W = AtomicU32> {
    /// | is | means | becomes | by |
    /// |---|---|---|---|
    /// | `0` | not set | `SET` | `set` (Release) |
    /// | | | `WAITERS` | who is about to sleep |
    /// | `WAITERS` | not set, and others sleep | `SET` | `set` (Release), which wakes all |
    /// | `SET` | set | `0` | `reset`, or one `take` (Acquire) |
    /// | | | `SET` | `set` (Release) |
    ///
    /// Each Acquire, and the fence after a Relaxed load that found it set, finds the Release of `set`.
    word: W,
}

// SAFETY: a word of zeros is an event that is not set.
unsafe impl Zeroable for State {}

// SAFETY: `repr(transparent)`, a word; the version stands for what it means.
unsafe impl Shareable for Event {
    const FINGERPRINT: u64 =
        fingerprint_with(b"fixed   ", "Event, version 1", size_of::<Self>(), align_of::<Self>(), 0);
    const LOCKS: bool = false;
}

// SAFETY: all that can be done to it are atomic accesses, whichever address they go by.
unsafe impl Synchronized for Event {}

impl Event {
    /// An event that is not set.
    pub const fn new() -> Self {
        Event { state: State { word: AtomicU32::new(0) } }
    }

    /// Sets it, and wakes whoever waits. It stays set.
    #[inline]
    pub fn set(&self) {
        self.state.set();
    }

    /// Makes it one that has not happened.
    #[inline]
    pub fn reset(&self) {
        self.state.take();
    }

    /// Is it set?
    #[inline]
    pub fn is_set(&self) -> bool {
        // A read-only mapping allows no other accesses than this load and the fence.
        self.state.is_set()
    }

    /// Waits until it is set.
    #[inline]
    pub fn wait(&self) {
        while !self.state.wait(Patience::Endless) {}
    }

    /// Waits until it is set, but not much longer than that. Is it?
    #[inline]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.state.is_set() || self.state.wait(Patience::of(timeout))
    }

    /// Waits until it is set, and resets it: of all who take it, one gets each `set`; if it is set again before that,
    /// both are one.
    #[inline]
    pub fn take(&self) {
        while !self.state.wait_and_take(Patience::Endless) {}
    }

    /// As [`take`](Self::take), but waits not much longer than that. Has it been taken?
    #[inline]
    #[must_use = "it says whether the event was taken"]
    pub fn take_timeout(&self, timeout: Duration) -> bool {
        self.state.take() || self.state.wait_and_take(Patience::of(timeout))
    }
}

impl Default for Event {
    fn default() -> Self {
        Event::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("set", &self.is_set()).finish()
    }
}

impl<W: WakeAll<Value = u32>> State<W> {
    #[cfg(test)]
    pub(super) fn over(word: W) -> Self {
        State { word }
    }

    #[inline]
    pub(super) fn is_set(&self) -> bool {
        let set = self.word.load(Ordering::Relaxed) == SET;
        W::fence(Ordering::Acquire);
        set
    }

    #[inline]
    pub(super) fn set(&self) {
        if self.word.swap(SET, Ordering::Release) == WAITERS {
            self.word.wake_all();
        }
    }

    /// Resets it, if it is set. Was it?
    #[inline]
    pub(super) fn take(&self) -> bool {
        // Loaded first: who looks again and again does not take the word from whoever is to set it.
        self.word.load(Ordering::Relaxed) == SET
            && self.word.compare_exchange(SET, 0, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Is it set before the patience ends?
    pub(super) fn wait(&self, patience: Patience) -> bool {
        self.wait_for(patience, || self.word.load(Ordering::Acquire) == SET)
    }

    /// Is it set, and had by nobody else, before the patience ends?
    pub(super) fn wait_and_take(&self, patience: Patience) -> bool {
        self.wait_for(patience, || self.take())
    }

    fn wait_for(&self, patience: Patience, done: impl Fn() -> bool) -> bool {
        let spins = if matches!(patience, Patience::Without) { 0 } else { W::SPINS };
        for turn in 0..spins {
            if done() {
                return true;
            }
            pause(turn);
        }
        loop {
            if done() {
                return true;
            }
            let Some(slice) = patience.slice() else { return false };
            match self.word.compare_exchange(0, WAITERS, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => self.word.wait(WAITERS, slice),
                Err(SET) => {}
                // Whatever else stands there, what no event stores too: not set.
                Err(other) => self.word.wait(other, slice),
            }
        }
    }
}

//! What this process has of the blocks of a segment, in stripes, each behind a lock of its own.
//!
//! Every change of a block takes its stripe's lock, for some tens of nanoseconds, and hardly ever finds it taken. So the lock
//! is made for that: taking it is one swap, and letting go of it a store, where a mutex has a swap at both ends.
#![allow(unsafe_code)] // What the lock guards is reached through its guard.

use std::{
    cell::UnsafeCell,
    hint,
    marker::PhantomData,
    mem,
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use crate::{
    pool::{
        hold::{Held, Registered},
        layout::STRIPES,
    },
    sys,
};

/// What this process has of one block.
#[derive(Default)]
pub(crate) enum Known {
    #[default]
    Nothing,
    /// No hold, but the memory of the last one, of a block of this process's own pool that is on its way or elsewhere: the
    /// next claim is likely to be of the same value.
    Kept(Box<Held>),
    /// Handles.
    Held(Registered),
}

impl Known {
    #[inline]
    pub(crate) fn is_held(&self) -> bool {
        matches!(self, Known::Held(_))
    }

    /// The memory of the last hold, if there is no other.
    pub(crate) fn take_kept(&mut self) -> Option<Box<Held>> {
        match mem::take(self) {
            Known::Kept(held) => Some(held),
            known => {
                *self = known;
                None
            }
        }
    }
}

/// What this process has of the blocks of one stripe, by block number ÷ `STRIPES`: private, under the stripe lock.
///
/// INVARIANT: this process's hold bit of a block is set exactly while a hold is registered here.
#[derive(Default)]
pub(crate) struct Stripe(Vec<Known>);

impl Stripe {
    pub(crate) fn holds_nothing(&self) -> bool {
        !self.0.iter().any(Known::is_held)
    }

    /// See [`Attachment::forget_kept`](crate::pool::attachment::Attachment::forget_kept).
    #[cfg(fuzzing)]
    pub(crate) fn forget_kept(&mut self) {
        self.0.iter_mut().for_each(|known| drop(known.take_kept()));
    }

    #[inline]
    pub(crate) fn known(&mut self, block: u32) -> &mut Known {
        let at = block as usize / STRIPES;
        if self.0.len() <= at {
            self.0.resize_with(at + 1, Known::default);
        }
        &mut self.0[at]
    }
}

const FREE: u32 = 0;
const TAKEN: u32 = 1;

/// How often a thread looks at a lock that is taken before it sleeps.
const SPINS: u32 = 100;
/// How long it sleeps at most, before it looks again.
const NAP: Duration = Duration::from_millis(1);

/// A stripe and its lock, on a cache line of their own.
///
/// | word | by | partner |
/// |---|---|---|
/// | free to taken | one thread, whose swap acquires | what the last one that had it did before its release |
/// | taken to free | that thread, by a store that releases | the next one's swap |
///
/// Who lets go looks for sleepers before, and wakes them after: of the lock nothing is read once it is free, because whoever
/// has it next may be about to free its memory. A thread that lies down in between is not woken: it sleeps for a short
/// while only.
#[repr(align(64))]
#[derive(Default)]
pub(crate) struct StripeLock {
    word: AtomicU32,
    sleepers: AtomicU32,
    stripe: UnsafeCell<Stripe>,
}

// SAFETY: the stripe, which is `Send`, is reached by one thread at a time, through the guard.
unsafe impl Sync for StripeLock {}

impl StripeLock {
    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_> {
        if !self.take() {
            self.wait();
        }
        Guard { lock: self, not_send: PhantomData }
    }

    #[inline]
    fn take(&self) -> bool {
        self.word.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    fn wait(&self) {
        loop {
            for _ in 0..SPINS {
                if self.word.load(Ordering::Relaxed) == FREE && self.take() {
                    return;
                }
                hint::spin_loop();
            }
            self.sleepers.fetch_add(1, Ordering::Relaxed);
            sys::wait(&self.word, TAKEN, NAP);
            self.sleepers.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A stripe that is locked.
pub(crate) struct Guard<'a> {
    lock: &'a StripeLock,
    /// As a mutex's: unlocked where it was locked.
    not_send: PhantomData<*const ()>,
}

impl Deref for Guard<'_> {
    type Target = Stripe;

    #[inline]
    fn deref(&self) -> &Stripe {
        // SAFETY: this thread has the lock.
        unsafe { &*self.lock.stripe.get() }
    }
}

impl DerefMut for Guard<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Stripe {
        // SAFETY: this thread has the lock, and this guard is borrowed.
        unsafe { &mut *self.lock.stripe.get() }
    }
}

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        let sleepers = self.lock.sleepers.load(Ordering::Relaxed);
        self.lock.word.store(FREE, Ordering::Release);
        if sleepers > 0 {
            // By its address alone.
            sys::wake_all(&self.lock.word);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Barrier, mpsc},
        thread,
    };

    use super::*;

    #[test]
    fn one_thread_at_a_time_has_the_stripe() {
        let (lock, begin) = (StripeLock::default(), Barrier::new(4));
        let (threads, rounds) = (4, 20_000);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    begin.wait();
                    for _ in 0..rounds {
                        let mut stripe = lock.lock();
                        // A loss would show: the length is read, and written.
                        let len = stripe.0.len() as u32;
                        stripe.known(len * STRIPES as u32);
                    }
                });
            }
        });
        assert_eq!(lock.lock().0.len(), threads * rounds);
    }

    #[test]
    fn a_thread_that_sleeps_has_it_when_it_is_free() {
        let lock = StripeLock::default();
        let guard = lock.lock();
        let (say, heard) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                let _guard = lock.lock();
                say.send(()).unwrap();
            });
            while lock.sleepers.load(Ordering::Relaxed) == 0 {
                thread::yield_now();
            }
            assert!(heard.try_recv().is_err());
            drop(guard);
            heard.recv_timeout(Duration::from_secs(30)).unwrap();
        });
    }
}

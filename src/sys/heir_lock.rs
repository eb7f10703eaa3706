//! A lock that a forked child does not inherit locked.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use crate::sys;

/// A lock of this process's threads. A child that was forked while a thread of its parent had it takes it over: so what it
/// guards is whole at every moment, not only while nobody has it.
pub(crate) struct HeirLock {
    /// The number of the process that has it, or zero.
    ///
    /// | is | becomes | by |
    /// |---|---|---|
    /// | zero | this process's number | a thread that takes it |
    /// | another process's number | this process's number | the child that inherited it so |
    /// | this process's number | zero | the thread that has it |
    holder: AtomicU32,
}

impl HeirLock {
    pub(crate) const fn new() -> Self {
        HeirLock { holder: AtomicU32::new(0) }
    }

    /// Waits until no other thread of this process has the lock. `process` is its number, which those that it was forked
    /// from have not had. Only what a signal handler may do, too.
    pub(crate) fn take(&self, process: u32) {
        for tries in 0_u64.. {
            let found = self.holder.load(Ordering::Relaxed);
            // Acquire: with the release of whoever had it.
            if found != process
                && self.holder.compare_exchange(found, process, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                break;
            }
            if tries < 100 {
                thread::yield_now();
            } else {
                // Nobody wakes it: whoever has the lock is soon done, unless it does not get to run.
                sys::wait(&self.holder, process, Duration::from_millis(1));
            }
        }
    }

    /// Lets go of the lock, which this thread has.
    pub(crate) fn release(&self) {
        self.holder.store(0, Ordering::Release);
    }
}

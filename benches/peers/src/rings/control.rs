//! What both sides know of the work, beside what goes through.

use std::{
    hint,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use super::spin;
use crate::Outcome;

/// On cache lines of its own.
#[derive(Default)]
#[repr(C, align(128))]
struct Apart<T>(T);

/// Zero at first.
#[derive(Default)]
#[repr(C)]
pub(super) struct Control {
    /// Whether anything is to be done. Written by who measures.
    wanted: Apart<AtomicU32>,
    /// Whether it is awake. Written by who works.
    working: Apart<AtomicU32>,
    /// How often it is to be done, since the beginning. Written by who measures.
    asked: Apart<AtomicU64>,
    /// How often it has been done. Written by who works.
    done: Apart<AtomicU64>,
    /// The sum of all that was read, before `done` says so. Written by who works.
    sum: Apart<AtomicU64>,
}

impl Control {
    /// Wakes who works, or lets it sleep.
    pub(super) fn stir(&self, on: bool, tell: impl FnOnce() -> Outcome) -> Outcome {
        self.wanted.0.store(on.into(), Ordering::Release);
        if on {
            tell()?;
        }
        spin(|| Ok((self.working.0.load(Ordering::Acquire) == u32::from(on)).then_some(())))
    }

    /// It is to be done so many times more.
    pub(super) fn ask(&self, times: u64) {
        self.asked.0.fetch_add(times, Ordering::Release);
    }

    /// Waits until all has been done: the sum of all that was ever read.
    pub(super) fn finished(&self) -> Outcome<u64> {
        let asked = self.asked.0.load(Ordering::Relaxed);
        spin(|| Ok((self.done.0.load(Ordering::Acquire) == asked).then_some(())))?;
        Ok(self.sum.0.load(Ordering::Relaxed))
    }

    /// Does as often as was asked what says a sum, until nothing is wanted.
    pub(super) fn work(&self, mut once: impl FnMut() -> Outcome<u64>) -> Outcome {
        let mut done = self.done.0.load(Ordering::Relaxed);
        let mut sum = self.sum.0.load(Ordering::Relaxed);
        self.idle(|| {
            let asked = self.asked.0.load(Ordering::Acquire);
            if asked == done {
                return Ok(false);
            }
            while done < asked {
                sum = sum.wrapping_add(once()?);
                done += 1;
            }
            self.sum.0.store(sum, Ordering::Relaxed);
            self.done.0.store(done, Ordering::Release);
            Ok(true)
        })
    }

    /// Is awake, and tries again and again to find something to do, until nothing is wanted.
    pub(super) fn idle(&self, mut attempt: impl FnMut() -> Outcome<bool>) -> Outcome {
        self.working.0.store(1, Ordering::Release);
        loop {
            if !attempt()? {
                if self.wanted.0.load(Ordering::Relaxed) == 0 {
                    break;
                }
                hint::spin_loop();
            }
        }
        self.working.0.store(0, Ordering::Release);
        Ok(())
    }

    /// Is awake, and does it without an end.
    pub(super) fn forever(&self, mut once: impl FnMut() -> Outcome) -> Outcome {
        self.working.0.store(1, Ordering::Release);
        loop {
            once()?;
        }
    }
}

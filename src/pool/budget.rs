//! Asking before reserving: a memfd has no limit of its own, and without the question the first to say no is the system's
//! out-of-memory killer.

#[cfg(target_os = "linux")]
use std::sync::Mutex;

use crate::{Error, segment::Segment, sys};

/// The most that is handed out between two questions, in bytes.
const LARGEST_GRANT: u64 = 256 << 20;
/// What is left to the rest of the machine, in bytes.
const MARGIN: u64 = 32 << 20;

/// How much may be reserved before the system is asked again.
pub(crate) struct Budget {
    left: u64,
    available: u64,
}

impl Budget {
    pub(crate) const fn new() -> Self {
        Budget { left: 0, available: 0 }
    }

    /// Bytes that were available when last asked.
    pub(crate) fn available(&self) -> u64 {
        self.available
    }

    /// Leave to reserve `bytes` in `segment`.
    pub(crate) fn take(&mut self, bytes: u64, segment: Option<&Segment>) -> Result<(), Error> {
        if bytes > self.left {
            let limit = segment.map_or(u64::MAX, Segment::available);
            self.available = sys::available_memory().min(limit);
            let usable = self.available.saturating_sub(MARGIN.min(self.available / 16));
            if bytes > usable {
                self.left = 0;
                return Err(Error::NoSpace { requested: bytes, available: usable });
            }
            self.left = bytes + ((usable - bytes) / 8).min(LARGEST_GRANT);
        }
        self.left -= bytes;
        Ok(())
    }
}

/// Leave to have `bytes` that no segment has.
#[cfg(target_os = "linux")]
pub(crate) fn leave_to_have(bytes: u64) -> Result<(), Error> {
    static BUDGET: Mutex<Budget> = Mutex::new(Budget::new());
    match BUDGET.try_lock() {
        Ok(mut budget) => budget.take(bytes, None),
        // Nobody waits, a forked child least of all, whose parent had it.
        Err(_) => Budget::new().take(bytes, None),
    }
}

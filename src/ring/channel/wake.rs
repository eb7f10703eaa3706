//! How one side wakes the other.

use std::{
    ptr::NonNull,
    sync::atomic::{AtomicBool, AtomicU64, Ordering, fence},
};

use crate::{
    ring::handshake::{self, ALWAYS, Fences},
    sys::{self, Bell, barrier},
};

/// The other side, as it is to be woken. In a forked child this does nothing.
pub(in crate::ring) struct Wake {
    /// What the other side waits for: in memory that is mapped for as long as this value is used.
    theirs: NonNull<AtomicU64>,
    bell: Bell,
    fences: Fences,
    /// Whose side this is: see `sys::lineage`.
    lineage: u32,
    /// Its process id.
    process: u32,
    /// The other side has ended, as its word or the bell has told. A consumer may find elements of it yet.
    gone: AtomicBool,
}

// SAFETY: the word is an atomic, and nothing else is referred to.
unsafe impl Send for Wake {}
// SAFETY: the same.
unsafe impl Sync for Wake {}

impl Wake {
    /// # Safety
    ///
    /// `theirs` can be read and written for as long as the value is used.
    pub(in crate::ring) unsafe fn new(theirs: NonNull<AtomicU64>, bell: Bell) -> Self {
        Wake {
            theirs,
            bell,
            fences: if barrier::register() { Fences::Asleep } else { Fences::Always },
            lineage: sys::lineage(),
            process: sys::process_id(),
            gone: AtomicBool::new(false),
        }
    }

    /// Is it this process's? A forked child has a copy, which is of no use.
    #[inline(always)]
    pub(in crate::ring) fn is_ours(&self) -> bool {
        sys::lineage() == self.lineage
    }

    /// The process that it is of.
    pub(in crate::ring) fn process(&self) -> u32 {
        self.process
    }

    /// This side's index is now `index`: wakes the other, if it sleeps until then.
    #[inline(always)]
    pub(in crate::ring) fn after(&self, index: u64) {
        if handshake::reaches(self.theirs(), index, self.fences) {
            self.reached();
        }
    }

    #[cold]
    fn reached(&self) {
        if self.theirs().load(Ordering::Relaxed) == ALWAYS { self.set_gone() } else { self.bell.ring() }
    }

    /// This side has ended: wakes the other, whatever it waits for.
    pub(in crate::ring) fn at_the_end(&self) {
        if self.theirs().load(Ordering::Relaxed) != ALWAYS {
            self.bell.ring();
        }
    }

    pub(in crate::ring) fn bell(&self) -> &Bell {
        &self.bell
    }

    pub(in crate::ring) fn into_bell(self) -> Bell {
        self.bell
    }

    pub(in crate::ring) fn set_gone(&self) {
        // Acquire: what the other side did before it ended is found by whoever finds it gone.
        fence(Ordering::Acquire);
        self.gone.store(true, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(in crate::ring) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn theirs(&self) -> &AtomicU64 {
        // SAFETY: by `new` it is there.
        unsafe { self.theirs.as_ref() }
    }
}

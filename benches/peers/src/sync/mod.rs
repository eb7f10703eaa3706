//! Who else can keep a value of 64 bytes where several processes reach it, lock it, and wake each other.

mod bare;
pub(crate) mod beside;
mod by_raw_sync;
mod commonage;
mod linked;
mod pthread;
mod region;

pub(crate) use self::{
    bare::{Eventfds, Futexes, PlainCopy},
    by_raw_sync::{RawEvents, RawMutex, RawRwLock},
    commonage::{Events, Guarded, Observing, Sequenced},
    linked::{Linked, LockedLink, PlainLink, RawCalls, SharedMemory, ShmemBind},
    pthread::Robust,
    region::Region,
};

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::Outcome;

/// What is read, written and locked.
pub(crate) type Value = [u64; 8];

/// Where two processes can reach it, under a name. Whoever has created it takes the name away.
pub(crate) trait Kept: Sized + 'static {
    const NAME: &'static str;

    fn create(name: &str) -> Outcome<Self>;
    fn open(name: &str) -> Outcome<Self>;
}

/// A value that is read and written whole.
pub(crate) trait Whole: Kept {
    fn read(&self) -> Value;
    fn write(&self, value: Value);
}

/// A value that one at a time changes.
pub(crate) trait Locked: Kept {
    fn with<R>(&self, change: impl FnOnce(&mut Value) -> R) -> R;
}

/// Two events, each of which one process waits for and the other sets.
pub(crate) trait Signals: Kept {
    fn set(&self, which: usize);
    /// Waits until it is set, and takes it.
    fn take(&self, which: usize);
}

/// A name that nobody has.
pub(crate) fn new_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("peers-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

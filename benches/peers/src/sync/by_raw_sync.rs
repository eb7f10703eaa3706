//! What one writes with the crate `raw_sync`: pthread locks and conditions that processes share.
#![allow(unsafe_code)] // its constructors are unsafe, and its locks give pointers

use raw_sync::{
    Timeout,
    events::{Event, EventImpl, EventInit, EventState},
    locks::{LockImpl, LockInit, Mutex, RwLock},
};

use super::{Kept, Locked, Region, Signals, Value, Whole};
use crate::Outcome;

const LEN: usize = 4096;
/// Where the value is: behind the lock, on cache lines of its own.
const VALUE: usize = 128;

/// A lock in named memory, and the value behind it. What is dropped first is declared first.
struct Lock {
    lock: Box<dyn LockImpl>,
    _region: Region,
}

impl Lock {
    fn create<L: LockInit>(name: &str) -> Outcome<Self> {
        let region = Region::create(name, LEN)?;
        // SAFETY: both lie within the region, which is kept beside the lock, and nobody else uses it yet.
        let (lock, used) = unsafe { L::new(region.base(), region.base().add(VALUE)) }?;
        assert!(used <= VALUE);
        Ok(Lock { lock, _region: region })
    }

    fn open<L: LockInit>(name: &str) -> Outcome<Self> {
        let region = Region::open(name, LEN, true)?;
        // SAFETY: as above, and the lock was made by whoever has said the name.
        let (lock, _) = unsafe { L::from_existing(region.base(), region.base().add(VALUE)) }?;
        Ok(Lock { lock, _region: region })
    }

    fn read(&self) -> Value {
        let guard = self.lock.rlock().expect("a lock");
        // SAFETY: a value lies there, and while the guard is kept nobody changes it.
        unsafe { guard.cast::<Value>().read() }
    }

    fn with<R>(&self, change: impl FnOnce(&mut Value) -> R) -> R {
        let guard = self.lock.lock().expect("a lock");
        // SAFETY: a value lies there, and while the guard is kept nobody else uses it.
        change(unsafe { &mut *guard.cast::<Value>() })
    }
}

pub(crate) struct RawMutex(Lock);

impl Kept for RawMutex {
    const NAME: &'static str = "raw_sync Mutex";

    fn create(name: &str) -> Outcome<Self> {
        Ok(RawMutex(Lock::create::<Mutex>(name)?))
    }

    fn open(name: &str) -> Outcome<Self> {
        Ok(RawMutex(Lock::open::<Mutex>(name)?))
    }
}

impl Whole for RawMutex {
    fn read(&self) -> Value {
        self.0.read()
    }

    fn write(&self, value: Value) {
        self.0.with(|place| *place = value);
    }
}

impl Locked for RawMutex {
    fn with<R>(&self, change: impl FnOnce(&mut Value) -> R) -> R {
        self.0.with(change)
    }
}

pub(crate) struct RawRwLock(Lock);

impl Kept for RawRwLock {
    const NAME: &'static str = "raw_sync RwLock";

    fn create(name: &str) -> Outcome<Self> {
        Ok(RawRwLock(Lock::create::<RwLock>(name)?))
    }

    fn open(name: &str) -> Outcome<Self> {
        Ok(RawRwLock(Lock::open::<RwLock>(name)?))
    }
}

impl Whole for RawRwLock {
    fn read(&self) -> Value {
        self.0.read()
    }

    fn write(&self, value: Value) {
        self.0.with(|place| *place = value);
    }
}

/// Two events that are reset by whoever has waited.
pub(crate) struct RawEvents {
    events: [Box<dyn EventImpl>; 2],
    _region: Region,
}

impl RawEvents {
    const SECOND: usize = LEN / 2;
}

impl Kept for RawEvents {
    const NAME: &'static str = "raw_sync Event";

    fn create(name: &str) -> Outcome<Self> {
        let region = Region::create(name, LEN)?;
        // SAFETY: lies within the region, which is kept beside the event, and nobody else uses it yet.
        let (first, used) = unsafe { Event::new(region.base(), true) }?;
        assert!(used <= Self::SECOND);
        // SAFETY: the same.
        let (second, _) = unsafe { Event::new(region.base().add(Self::SECOND), true) }?;
        Ok(RawEvents { events: [first, second], _region: region })
    }

    fn open(name: &str) -> Outcome<Self> {
        let region = Region::open(name, LEN, true)?;
        // SAFETY: as above, and the event was made by whoever has said the name.
        let (first, _) = unsafe { Event::from_existing(region.base()) }?;
        // SAFETY: the same.
        let (second, _) = unsafe { Event::from_existing(region.base().add(Self::SECOND)) }?;
        Ok(RawEvents { events: [first, second], _region: region })
    }
}

impl Signals for RawEvents {
    fn set(&self, which: usize) {
        self.events[which].set(EventState::Signaled).expect("an event");
    }

    fn take(&self, which: usize) {
        self.events[which].wait(Timeout::Infinite).expect("an event");
    }
}

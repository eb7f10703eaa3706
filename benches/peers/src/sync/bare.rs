//! What bounds the others: memory without a lock, and calls to the kernel without anything around them.
#![allow(unsafe_code)] // memory that several processes have, and descriptors by their numbers

use std::{
    os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use rustix::{
    event::{EventfdFlags, eventfd},
    io::{read, write},
    thread::futex,
};

use super::{Kept, Region, Signals, Value, Whole};
use crate::Outcome;

/// A copy of 64 bytes, word by word, torn as it may be.
pub(crate) struct PlainCopy(Region);

impl PlainCopy {
    fn words(&self) -> &[AtomicU64; 8] {
        // SAFETY: the region is as long, any bytes are numbers, and they are only accessed as atomics.
        unsafe { &*self.0.base().cast() }
    }
}

impl Kept for PlainCopy {
    const NAME: &'static str = "64-byte copy";

    fn create(name: &str) -> Outcome<Self> {
        Ok(PlainCopy(Region::create(name, size_of::<Value>())?))
    }

    fn open(name: &str) -> Outcome<Self> {
        Ok(PlainCopy(Region::open(name, size_of::<Value>(), true)?))
    }
}

impl Whole for PlainCopy {
    fn read(&self) -> Value {
        self.words().each_ref().map(|word| word.load(Ordering::Relaxed))
    }

    fn write(&self, value: Value) {
        for (word, value) in self.words().iter().zip(value) {
            word.store(value, Ordering::Relaxed);
        }
    }
}

/// Two words, and the calls that wait on them.
pub(crate) struct Futexes(Region);

impl Futexes {
    fn words(&self) -> &[AtomicU32; 2] {
        // SAFETY: the region is as long, any bytes are numbers, and they are only accessed as atomics.
        unsafe { &*self.0.base().cast() }
    }
}

impl Kept for Futexes {
    const NAME: &'static str = "futex";

    fn create(name: &str) -> Outcome<Self> {
        Ok(Futexes(Region::create(name, 8)?))
    }

    fn open(name: &str) -> Outcome<Self> {
        Ok(Futexes(Region::open(name, 8, true)?))
    }
}

impl Signals for Futexes {
    fn set(&self, which: usize) {
        self.words()[which].store(1, Ordering::Release);
        let _ = futex::wake(&self.words()[which], futex::Flags::empty(), 1);
    }

    fn take(&self, which: usize) {
        while self.words()[which].swap(0, Ordering::Acquire) == 0 {
            let _ = futex::wait(&self.words()[which], futex::Flags::empty(), 0, None);
        }
    }
}

/// Two descriptors, which the other process inherits: its name is their numbers.
pub(crate) struct Eventfds {
    numbers: [RawFd; 2],
    _created: Option<[OwnedFd; 2]>,
}

impl Eventfds {
    /// What the other process is to be told.
    pub(crate) fn name(&self) -> String {
        let [first, second] = self.numbers;
        format!("{first},{second}")
    }

    fn fd(&self, which: usize) -> BorrowedFd<'_> {
        // SAFETY: kept open by this value, or inherited and never closed.
        unsafe { BorrowedFd::borrow_raw(self.numbers[which]) }
    }
}

impl Kept for Eventfds {
    const NAME: &'static str = "eventfd";

    fn create(_: &str) -> Outcome<Self> {
        let created = [eventfd(0, EventfdFlags::empty())?, eventfd(0, EventfdFlags::empty())?];
        Ok(Eventfds { numbers: created.each_ref().map(|fd| fd.as_raw_fd()), _created: Some(created) })
    }

    fn open(name: &str) -> Outcome<Self> {
        let (first, second) = name.split_once(',').ok_or("two numbers")?;
        Ok(Eventfds { numbers: [first.parse()?, second.parse()?], _created: None })
    }
}

impl Signals for Eventfds {
    fn set(&self, which: usize) {
        write(self.fd(which), &1_u64.to_ne_bytes()).expect("an eventfd");
    }

    fn take(&self, which: usize) {
        read(self.fd(which), &mut [0; 8]).expect("an eventfd");
    }
}

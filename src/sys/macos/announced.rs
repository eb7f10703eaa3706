//! A process that has made itself known, so that others can ask whether it lives.
//!
//! Objects of shared memory have no locks here, so its id carries the id that the system has given it, and others ask for
//! a process with that. One that has been given to another process meanwhile makes the death of the first go unnoticed.

use std::{
    io,
    os::fd::RawFd,
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

use crate::sys::{Place, boot_time, process_id, random_u64};

/// How many bits of an id are random. Above them is the system's id of the process.
const RANDOM: u32 = 30;

/// See `own_id`.
static OWN: AtomicU64 = AtomicU64::new(0);

/// An id that no other process has.
pub(crate) fn new_id() -> u64 {
    let random = random_u64().unwrap_or_else(|_| boot_time());
    u64::from(process_id()) << RANDOM | random & ((1 << RANDOM) - 1)
}

/// The id by which others know that this process lives (see [`new_id`]), as it was set last; zero if it has not been since
/// this process began, in a forked child too.
#[inline]
pub(crate) fn own_id() -> u64 {
    let id = OWN.load(Ordering::Relaxed);
    if id >> RANDOM == u64::from(process_id()) { id } else { 0 }
}

/// Sets what `own_id` says.
pub(crate) fn set_own_id(id: u64) {
    OWN.store(id, Ordering::Relaxed);
}

/// A place at which this process is known.
#[derive(Debug)]
pub(crate) struct Announced(());

impl Announced {
    /// Nothing needs to be opened.
    pub(crate) fn open(_place: &Place) -> io::Result<Self> {
        Ok(Announced(()))
    }

    /// Nothing: the id says all.
    pub(crate) fn announce(&self, _id: u64) -> io::Result<()> {
        Ok(())
    }

    /// Is there a process that has this id, or was given the system's id of the one that had it?
    pub(crate) fn has(&self, id: u64) -> io::Result<bool> {
        let pid = i32::try_from(id >> RANDOM).ok().filter(|pid| *pid > 0).and_then(Pid::from_raw);
        match pid.map(test_kill_process) {
            None | Some(Err(Errno::SRCH)) => Ok(false),
            Some(Ok(()) | Err(Errno::PERM)) => Ok(true),
            Some(Err(error)) => Err(error.into()),
        }
    }
}

/// Not possible here, nor needed.
pub(crate) fn renew(_number: RawFd) -> rustix::io::Result<()> {
    Err(Errno::NOTSUP)
}

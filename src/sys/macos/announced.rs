//! A process that has made itself known, so that others can ask whether it lives.
//!
//! Objects of shared memory have no locks here, so its id carries the id that the system has given it, and something of
//! when it was started: others ask the system for a process with both. What is asked for is the process, not whether it has
//! the memory still; and another program that it has become by `exec` is the same process.

use std::{
    io,
    os::fd::RawFd,
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::io::Errno;

use super::process::{self, Process};
use crate::sys::{Place, boot_time, process_id, random_u64};

/// How many bits of an id are random: a process that has become another program has another id.
const RANDOM: u32 = 20;
/// How many bits above them come from the time at which the process was started; zero if nobody says. Above those is the
/// system's id of the process: so far it is less than 100,000, and there are 22 bits.
const START: u32 = 20;

/// See `own_id`.
static OWN: AtomicU64 = AtomicU64::new(0);

/// An id that no other process has.
pub(crate) fn new_id() -> u64 {
    let pid = process_id();
    let random = random_u64().unwrap_or_else(|_| boot_time()) & ((1 << RANDOM) - 1);
    let start = match process::find(pid) {
        Process::Since(start) => start_in_id(start),
        _ => 0,
    };
    u64::from(pid) << (START + RANDOM) | start << RANDOM | random
}

/// What an id says of the time at which its process was started: never zero.
fn start_in_id(start: u64) -> u64 {
    start % ((1 << START) - 1) + 1
}

/// The system's id of the process that has, or had, this id.
fn pid_of(id: u64) -> u32 {
    (id >> (START + RANDOM)) as u32
}

/// The id by which others know that this process lives (see [`new_id`]), as it was set last; zero if it has not been since
/// this process began, in a forked child too.
#[inline]
pub(crate) fn own_id() -> u64 {
    let id = OWN.load(Ordering::Relaxed);
    if pid_of(id) == process_id() { id } else { 0 }
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

    /// Is there the process that has this id?
    pub(crate) fn has(&self, id: u64) -> io::Result<bool> {
        let started = id >> RANDOM & ((1 << START) - 1);
        Ok(match process::find(pid_of(id)) {
            Process::Gone => false,
            Process::There => true,
            Process::Since(start) => started == 0 || started == start_in_id(start),
        })
    }
}

/// Not possible here, nor needed.
pub(crate) fn renew(_number: RawFd) -> rustix::io::Result<()> {
    Err(Errno::NOTSUP)
}

/// See Linux: nothing is to be replaced here.
pub(crate) fn replace(_number: RawFd) -> rustix::io::Result<()> {
    Err(Errno::NOTSUP)
}

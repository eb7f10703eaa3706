//! A process that has made itself known in a file, so that others can ask whether it lives.
//!
//! It holds a lock on the byte of the file whose offset is its own id. Nothing need be written there, nor need the file be
//! that long. The kernel lets go of the lock when the process ends, however it does, and whoever has the file open can ask
//! for it; so neither the id that the system has given it, nor its PID namespace, nor the time matter.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
};

use rustix::{
    event::{EventfdFlags, eventfd},
    fs::{Mode, OFlags, open},
    io::{Errno, fcntl_dupfd_cloexec, retry_on_intr},
    path::DecInt,
};

use super::super::unix::range_lock;
use crate::sys::{Place, Uninherited, boot_time, process_id, random_u64, unix::above_standard};

/// Ids are offsets of bytes, and two bits of a word are left for others.
const IDS: u64 = min(libc::off_t::MAX as u64, (1 << 62) - 1);

const fn min(a: u64, b: u64) -> u64 {
    if a < b { a } else { b }
}

/// An id that no other process has.
pub(crate) fn new_id() -> u64 {
    // It has to differ from others, not to be a secret: without random numbers (before Linux 3.17) this will do.
    let random = random_u64().unwrap_or_else(|_| u64::from(process_id()) << 40 ^ boot_time());
    (random & IDS).max(1)
}

/// A file by which this process is known, through a description of its own that is never mapped: a mapping would pin it,
/// in a forked child too, and the lock with it.
#[derive(Debug)]
pub(crate) struct Announced(Uninherited<OwnedFd>);

impl Announced {
    /// Opens the file once more. Nobody is announced yet.
    ///
    /// Without `/proc` there is no way to a new description. The place's own will do, but for a forked child: as long as
    /// it has the mapping, its parent seems to live.
    pub(crate) fn open(place: &Place) -> io::Result<Self> {
        let number = place.as_fd().as_raw_fd();
        let open = || match reopen(number) {
            Err(Errno::NOENT | Errno::NOTDIR) => fcntl_dupfd_cloexec(place, 3),
            opened => opened.and_then(above_standard),
        };
        Ok(Announced(Uninherited::renewed(open)?))
    }

    /// Makes this process known by its id, until this value is dropped or the process ends. A forked child is not.
    pub(crate) fn announce(&self, id: u64) -> io::Result<()> {
        // A lock for reading: several links of one process can have it.
        Ok(range_lock(self.0.get()?, libc::F_OFD_SETLK, libc::F_RDLCK, id, 1).map(drop)?)
    }

    /// Does another description of the file make a process with this id known? If none does, the process is dead, or has
    /// the file no more.
    pub(crate) fn has(&self, id: u64) -> io::Result<bool> {
        let found = range_lock(self.0.get()?, libc::F_OFD_GETLK, libc::F_WRLCK, id, 1)?;
        let had = !found.is(libc::F_UNLCK);
        // A program that closes what it has not opened has something else under that number by now, which knows of nobody.
        if had || self.0.is_intact() { Ok(had) } else { Err(Errno::BADF.into()) }
    }
}

/// In a forked child: puts a description of the child's own under the number of one that it has inherited, for the same
/// file. Only calls that a signal handler may make, too; after an error the number is as it was.
pub(crate) fn renew(number: RawFd) -> rustix::io::Result<()> {
    let new = reopen(number)?;
    // SAFETY: what has this number is inherited, and this replaces it in one step; whoever wraps it goes on to own it.
    let answer = unsafe { libc::dup3(new.as_raw_fd(), number, libc::O_CLOEXEC) };
    if answer == -1 { Err(last_error()) } else { Ok(()) }
}

/// In a forked child: puts something of the child's own under a number that it has inherited, which can always be read from.
/// Only calls that a signal handler may make, too; after an error the number is as it was.
pub(crate) fn replace(number: RawFd) -> rustix::io::Result<()> {
    let new = eventfd(1, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    // SAFETY: as in `renew`.
    let answer = unsafe { libc::dup3(new.as_raw_fd(), number, libc::O_CLOEXEC) };
    if answer == -1 { Err(last_error()) } else { Ok(()) }
}

/// A new description of what is open under a number, for reading, without memory from a heap.
fn reopen(number: RawFd) -> rustix::io::Result<OwnedFd> {
    let path = link_to(number);
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::NAMETOOLONG)?;
    retry_on_intr(|| open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty()))
}

/// `/proc/self/fd/N`, with a zero at its end.
fn link_to(number: RawFd) -> [u8; 32] {
    const START: &[u8] = b"/proc/self/fd/";
    let digits = DecInt::new(number);
    let digits = digits.as_bytes();
    let mut path = [0; 32];
    path[..START.len()].copy_from_slice(START);
    path[START.len()..START.len() + digits.len()].copy_from_slice(digits);
    path
}

fn last_error() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_digits_of_the_number() {
        for number in [0, 3, 9, 10, 99, 100, 1234, i32::MAX] {
            let path = link_to(number);
            let text = std::ffi::CStr::from_bytes_until_nul(&path).unwrap();
            assert_eq!(text.to_str().unwrap(), format!("/proc/self/fd/{number}"));
        }
    }
}

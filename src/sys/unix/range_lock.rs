//! Locks that belong to an open file description: of a range of bytes, which need not be there.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

use rustix::io::{Errno, retry_on_intr};

/// A lock that was found, or left: what kind of one, and the process whose it is: of those that belong to one.
pub(crate) struct RangeLock {
    kind: i32,
    pub(crate) process: i32,
}

impl RangeLock {
    /// Whether it is of this kind: the constants have other types on other platforms.
    pub(crate) fn is(&self, kind: impl Into<i32>) -> bool {
        self.kind == kind.into()
    }
}

/// Takes, lets go of, or asks for a lock of `len` bytes; of all from `start` on, if that is zero. `command` and `kind` are
/// those of `fcntl`.
pub(crate) fn range_lock(
    fd: impl AsFd,
    command: i32,
    kind: impl Into<i32>,
    start: u64,
    len: u64,
) -> rustix::io::Result<RangeLock> {
    // SAFETY: `flock` is a struct of integers, for which zero is a value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    // The constants have other types than the fields on some platforms; their values are small.
    lock.l_type = kind.into() as _;
    lock.l_whence = libc::SEEK_SET as _;
    lock.l_start = start.try_into().map_err(|_| Errno::OVERFLOW)?;
    lock.l_len = len.try_into().map_err(|_| Errno::OVERFLOW)?;
    retry_on_intr(|| {
        // SAFETY: the descriptor is open, and these commands read and write one `flock`.
        let answer = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), command, &raw mut lock) };
        if answer == -1 {
            return Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO));
        }
        Ok(RangeLock { kind: i32::from(lock.l_type), process: lock.l_pid })
    })
}

//! Locks of single bytes that belong to an open file description.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

use rustix::io::{Errno, retry_on_intr};

/// Takes, lets go of, or asks for a lock of one byte: `command` and `kind` are those of `fcntl`. What kind of lock it found,
/// or left.
pub(super) fn byte_lock(fd: impl AsFd, command: i32, kind: i32, byte: u64) -> rustix::io::Result<i32> {
    // SAFETY: `flock` is a struct of integers, for which zero is a value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    // The constants have other types than the fields on some platforms; their values are 0, 1 and 2.
    lock.l_type = kind as _;
    lock.l_whence = libc::SEEK_SET as _;
    lock.l_start = byte.try_into().map_err(|_| Errno::OVERFLOW)?;
    lock.l_len = 1;
    retry_on_intr(|| {
        // SAFETY: the descriptor is open, and these commands read and write one `flock`.
        let answer = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), command, &raw mut lock) };
        if answer == -1 {
            return Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO));
        }
        Ok(i32::from(lock.l_type))
    })
}

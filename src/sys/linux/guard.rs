//! What keeps everybody from changing a file.

use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::{AtFlags, SealFlags, StatxAttributes, StatxFlags, fcntl_get_seals, statx};

/// What is missing for the system itself to keep everybody from changing an open file.
///
/// # Errors
///
/// What is missing.
pub(crate) fn guard(fd: impl AsFd) -> Result<(), &'static str> {
    let found = statx(&fd, "", AtFlags::EMPTY_PATH, StatxFlags::empty());
    let kept = found.map_or(StatxAttributes::empty(), |found| found.stx_attributes);
    if kept.contains(StatxAttributes::VERITY) {
        return Ok(());
    }
    if kept.contains(StatxAttributes::IMMUTABLE) {
        // On some file systems (tmpfs) it binds only who opens it from then on.
        return match is_had_by_no_writer(&fd) {
            true => Ok(()),
            false => {
                Err("it is immutable, but may be open or mapped to be written from before (only its owner can ask)")
            }
        };
    }
    let sealed = SealFlags::WRITE | SealFlags::SHRINK;
    if fcntl_get_seals(&fd).is_ok_and(|seals| seals.contains(sealed)) {
        return Ok(());
    }
    Err("it is neither immutable (chattr +i), nor under fs-verity, nor sealed memory")
}

/// Whether nobody has it open to be written, nor a mapping that was made so: then the kernel gives a lease for reading. The
/// descriptor itself is one for reading.
fn is_had_by_no_writer(fd: impl AsFd) -> bool {
    let lease = |kind: libc::c_int| {
        // SAFETY: the descriptor is open, and the command takes a number.
        unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_SETLEASE, kind) == 0 }
    };
    lease(libc::F_RDLCK) && lease(libc::F_UNLCK)
}

//! What keeps everybody from changing a file.

use std::os::fd::AsFd;

use rustix::fs::{AtFlags, SealFlags, StatxAttributes, StatxFlags, fcntl_get_seals, statx};

/// What is missing for the system itself to keep everybody from changing an open file.
///
/// # Errors
///
/// What is missing.
pub(crate) fn guard(fd: impl AsFd) -> Result<(), &'static str> {
    let kept = StatxAttributes::IMMUTABLE | StatxAttributes::VERITY;
    let found = statx(&fd, "", AtFlags::EMPTY_PATH, StatxFlags::empty());
    if found.is_ok_and(|found| found.stx_attributes.intersects(kept)) {
        return Ok(());
    }
    let sealed = SealFlags::WRITE | SealFlags::SHRINK;
    if fcntl_get_seals(&fd).is_ok_and(|seals| seals.contains(sealed)) {
        return Ok(());
    }
    Err("it is neither immutable (chattr +i), nor under fs-verity, nor sealed memory")
}

//! Files that hold values: there are none without a name, and nothing keeps everybody from changing one.

use std::{
    ops::Range,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    ptr::NonNull,
};

use rustix::{fs::fstatvfs, io::Errno};

use super::super::unix::place::{set_len, write_zeros};
use crate::sys::{Facts, PlaceError};

/// None: there are no such files.
///
/// # Errors
///
/// None; see Linux.
pub(crate) fn open_nameless(_directory: &Path) -> Result<Option<OwnedFd>, PlaceError> {
    Ok(None)
}

/// Not possible: there are no such files.
///
/// # Errors
///
/// That it is not.
pub(crate) fn link_nameless(_fd: impl AsFd, _path: &Path) -> rustix::io::Result<()> {
    Err(Errno::NOTSUP)
}

/// Makes a file of `more.start` bytes as long as `more.end`, all zero and with something behind each byte.
///
/// # Errors
///
/// [`PlaceError::NoSpace`], [`PlaceError::Failed`].
#[allow(clippy::unnecessary_cast, reason = "these are other types on other platforms")]
pub(crate) fn extend(fd: impl AsFd, more: Range<u64>) -> Result<(), PlaceError> {
    let requested = more.end - more.start;
    let available = match fstatvfs(&fd) {
        Ok(stat) if stat.f_blocks != 0 => (stat.f_bavail as u64).saturating_mul(stat.f_frsize as u64),
        _ => u64::MAX,
    };
    if requested > available {
        return Err(PlaceError::NoSpace { requested, available });
    }
    set_len(&fd, more.end)?;
    write_zeros(&fd, more)
}

/// False: nothing can be done about it, see [`back_bytes`].
pub(crate) fn has_hole(_fd: impl AsFd, _facts: &Facts, _bytes: &Range<u64>, _writable: bool) -> bool {
    false
}

/// Nothing: there is no call for it.
///
/// # Errors
///
/// None; see Linux.
pub(crate) fn back_bytes(
    _fd: impl AsFd,
    _missing: u64,
    _mapping: NonNull<u8>,
    _bytes: Range<u64>,
    _writable: bool,
) -> Result<(), PlaceError> {
    Ok(())
}

/// What is missing for the system itself to keep everybody from changing an open file.
///
/// # Errors
///
/// What is missing.
pub(crate) fn guard(_fd: impl AsFd) -> Result<(), &'static str> {
    Err("macOS has nothing that would")
}

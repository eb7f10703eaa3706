//! The system takes a name away with the last process that has it open. What denies access is a file.

use std::{fs::File, os::windows::io::AsRawHandle};

use commonage::{Error, LinkFault};
use windows_sys::Win32::Storage::FileSystem::{FILE_STANDARD_INFO, FileStandardInfo, GetFileInformationByHandleEx};

pub(super) use super::apart::{AND_NEW_ONES, make_read_only, make_writable, sparse_ones_are_refused};

/// Whether a name that its owner has dropped can still be found: the error is of who makes one of the same name.
pub(super) fn may_still_be_there(error: &Error) -> bool {
    matches!(error, Error::Link { fault: LinkFault::Exists, .. })
}

/// Bytes that a file takes of its file system.
pub(super) fn taken(file: &File) -> u64 {
    let mut info = FILE_STANDARD_INFO::default();
    let (at, size) = ((&raw mut info).cast(), size_of_val(&info) as u32);
    // SAFETY: the file is open; fills in the struct, whose size it is told.
    assert_ne!(unsafe { GetFileInformationByHandleEx(file.as_raw_handle(), FileStandardInfo, at, size) }, 0);
    info.AllocationSize.cast_unsigned()
}

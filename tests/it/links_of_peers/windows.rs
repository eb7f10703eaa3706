//! The system takes a name away with the last process that has it open. What denies access is a file.

use std::{
    fs::File,
    os::windows::io::AsRawHandle,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use commonage::{Error, Link, LinkFault, link::LinkBuilder};
use windows_sys::Win32::{
    Storage::FileSystem::{FILE_STANDARD_INFO, FileStandardInfo, GetFileInformationByHandleEx},
    System::Memory::{FILE_MAP_READ, FILE_MAP_WRITE, MapViewOfFile, UnmapViewOfFile},
};

pub(super) use super::apart::{AND_NEW_ONES, make_read_only, make_writable, sparse_ones_are_refused};
use crate::{named::Name, win_shared_memory::errors::restricted};

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

/// A mapping that another program has made, without a header.
pub(super) fn at<A>(name: &str) -> LinkBuilder<AtomicU64, A> {
    // SAFETY: any bytes are a number.
    unsafe { Link::named(name).raw() }
}

/// Looks at two mappings by which their maker lets this user do as much as another user: nothing, and read the 3 in it.
pub(super) fn as_another_user(look: impl FnOnce(&str, &str)) {
    let (name, open) = (Name::new(), Name::new());
    let _made = restricted(&name.0, 0);
    let made = restricted(&open.0, FILE_MAP_READ);
    // SAFETY: the handle is open, and its maker may do all; a new view, at an address that the system chooses.
    let view = unsafe { MapViewOfFile(made.as_raw_handle(), FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0) };
    assert!(!view.Value.is_null());
    // SAFETY: the view has a page, and nobody else writes to it.
    unsafe { AtomicU64::from_ptr(view.Value.cast()) }.store(3, Relaxed);
    // SAFETY: nothing refers into it any more.
    assert_ne!(unsafe { UnmapViewOfFile(view) }, 0);
    look(&name.0, &open.0);
}

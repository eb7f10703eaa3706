//! Mappings, by `memmap2`.

use std::{fs::File, io, ptr::NonNull};

use memmap2::{MmapOptions, MmapRaw};

use super::Access;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use self::unix::{advise, lock};
#[cfg(windows)]
pub(super) use self::windows::{advise, lock};

/// Maps bytes of a file that are there.
pub(super) fn map(file: &File, offset: u64, len: usize, access: Access, populate: bool) -> io::Result<MmapRaw> {
    let mut options = MmapOptions::new();
    options.offset(offset).len(len).no_probe_handle();
    if populate {
        options.populate();
    }
    match access {
        Access::Read => options.map_raw_read_only(file),
        Access::Write => options.map_raw(file),
        // SAFETY: it becomes a raw mapping, and nobody has a slice of it by that.
        Access::Private => unsafe { options.map_copy(file) }.map(MmapRaw::from),
    }
}

/// Memory without a file.
pub(super) fn anonymous(len: usize, populate: bool) -> io::Result<MmapRaw> {
    let mut options = MmapOptions::new();
    options.len(len);
    if populate {
        options.populate();
    }
    options.map_anon().map(MmapRaw::from)
}

pub(super) fn start(map: &MmapRaw) -> NonNull<u8> {
    // No mapping begins at zero.
    NonNull::new(map.as_mut_ptr()).unwrap_or(NonNull::dangling())
}

//! The operating system: one contract, one whole file per platform.
//!
//! What stands in `unix.rs` is the same on every Unix. An [`Object`] is a shared memory object of the system, as this
//! process has it open; on Linux it is also a memfd, and can be locked byte by byte.

// Allowed here: system calls take addresses, and answer for them only as far as their manual pages say.
#![allow(unsafe_code)]

mod disk_file;
#[cfg(test)]
#[cfg_attr(target_os = "macos", allow(dead_code, reason = "the crash matrix is not played there"))]
pub(crate) mod ending;
mod heir_lock;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(all(unix, not(target_os = "linux")))]
mod macos;
mod per_process;
mod place;
#[cfg(test)]
#[cfg_attr(all(windows, target_arch = "x86_64"), path = "windows/stacks.rs")]
#[cfg_attr(not(all(windows, target_arch = "x86_64")), path = "stacks_elsewhere.rs")]
mod stacks;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::{
    io,
    path::PathBuf,
    ptr::NonNull,
    sync::atomic::{AtomicU8, Ordering},
};

pub(crate) use self::{
    disk_file::Facts,
    heir_lock::HeirLock,
    per_process::PerProcess,
    place::{Address, Mapping, PlaceError},
};

#[cfg(test)]
pub(crate) use self::stacks::with_other_stacks;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(all(unix, not(target_os = "linux")))]
use macos as platform;
#[cfg(not(target_os = "linux"))]
pub(crate) use platform::LockFile;
pub(crate) use platform::{
    Announced, DiskFile, Draft, FLUSH_REACHES_DISK, Identity, NewFile, Object, PUNCHES, Place, SYNC_INCLUDES_MAPPINGS,
    Uninherited, age, anonymous_works, at_exit, available_memory, back_named, boot_time, create_private,
    exclude_from_core_dumps, is_in_view, is_no_space, is_removed, largest_file, lineage, may_be_looked_into,
    named_directories, named_directory, new_id, open_private, own_id, page_size, process_id, process_lives, protect,
    read_at, remove_file, remove_place, rename_file, reserve_file, room_for_named, set_own_id, sync_file,
    threads_have_ended, try_lock, try_lock_shared, unlink_named, wait, wait_on, wake_all, wake_one, whereabouts_of,
    write_at, write_from,
};
#[cfg(target_os = "linux")]
pub(crate) use platform::{
    Bell, Beside, NotABell, ReadOnlyMapping, RingMemory, SealedMemfd, UnsealedMemfd, Waking, barrier,
    kind_of_descriptor, pid_namespace, proc_is_our_own, unmap,
};
#[cfg(unix)]
use platform::{renew, replace};
#[cfg(target_os = "linux")]
pub(crate) use unix::above_standard;
#[cfg(unix)]
pub(crate) use unix::{StandardTaken, path_in};
#[cfg(windows)]
use windows as platform;
#[cfg(windows)]
pub(crate) use windows::{StandardTaken, lock_pages, path_in};

use crate::Error;

/// Why an object can't be had.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is no such process, descriptor or name.
    Absent,
    /// It is there, but not for this process.
    Forbidden(io::Error),
    /// Something else is there: what.
    Foreign(String),
    /// A call failed: which, and how.
    Failed(&'static str, io::Error),
}

/// What any program opens to map an object of the system.
#[derive(Debug)]
pub(crate) enum Whereabouts {
    Path(PathBuf),
    /// What `shm_open` is given.
    #[cfg_attr(not(target_os = "macos"), expect(dead_code, reason = "such names are paths here"))]
    Name(String),
}

/// Puts memory under a mapping, so that no later access waits for it. What it holds stays as it is.
///
/// # Safety
///
/// `start..start + len` is mapped and writable, and what others do to it meanwhile are atomic accesses, if any.
pub(crate) unsafe fn prefault(start: NonNull<u8>, len: usize) {
    // SAFETY: the caller's mapping.
    if unsafe { platform::populate(start, len) } {
        return;
    }
    // Page by page, by writing to each what it holds.
    for offset in (0..len).step_by(page_size()) {
        // SAFETY: within the caller's range.
        let byte = unsafe { start.add(offset) };
        // SAFETY: mapped and writable, by the caller; a byte is always aligned.
        let byte = unsafe { AtomicU8::from_ptr(byte.as_ptr()) };
        let now = byte.load(Ordering::Relaxed);
        let _ = byte.compare_exchange(now, now, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// 64 bits that nobody can guess.
pub(crate) fn random_u64() -> Result<u64, Error> {
    getrandom::u64().map_err(|error| Error::os("getrandom", error))
}

#[cfg(test)]
pub(crate) mod tests;

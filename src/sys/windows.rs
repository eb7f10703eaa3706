//! Windows.
//!
//! What has a name outlives the processes that have it open only if it is a file: so named segments, wills and what processes
//! are known by are files in the user's own directory of temporary files (`%TEMP%`, see [`named_directory`]), as they are
//! in `/dev/shm` on Linux. The names of links are those of file mappings, and go with their last handle.
//!
//! A process that ends by other ways than by returning from `main`, `std::process::exit` among them, runs nothing that was
//! registered with `atexit`: what it leaves is what a killed one leaves. The system then closes its handles, and lets go of
//! its locks, before anybody can know that it has ended.

mod announced;
mod disk_file;
mod files;
mod new_file;
mod object;
mod owner;
mod place;

use std::{
    ffi::c_void,
    fs::File,
    io, mem,
    path::{Component, Path, Prefix},
    process,
    ptr::NonNull,
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use windows_sys::Win32::System::{
    Memory::{PAGE_READONLY, PAGE_READWRITE, VirtualProtect},
    SystemInformation::{GetSystemInfo, GetTickCount64, GlobalMemoryStatusEx, MEMORYSTATUSEX, SYSTEM_INFO},
};

pub(crate) use self::{
    announced::{Announced, new_id, own_id, set_own_id},
    disk_file::{DiskFile, lock_pages},
    files::{
        LockFile, Uninherited, create_private, is_in_view, is_no_space, is_removed, open_private, read_at, remove_file,
        rename_file, reserve_file, try_lock, try_lock_shared, write_at, write_from,
    },
    new_file::NewFile,
    object::{Object, back_named, named_directories, named_directory, room_for_named, unlink_named, whereabouts_of},
    place::{Draft, Identity, NAMES_APPEAR_UNREADY, Place, check_name, process_lives, remove_place, unmap},
};
use crate::Error;

// SAFETY: the C runtime's function, as the C standard has it.
unsafe extern "C" {
    fn atexit(f: extern "C" fn()) -> i32;
}

/// Bytes in a page: what `protect` goes by.
pub(crate) fn page_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| {
        let mut info = SYSTEM_INFO::default();
        // SAFETY: fills in the struct that it is given.
        unsafe { GetSystemInfo(&raw mut info) };
        info.dwPageSize as usize
    })
}

/// The path that these bytes, which came from elsewhere, are: absolute, on one of this machine's drives (no pipe, no device, no
/// server that would be told who this user is), and such that the system takes it for all of it.
pub(crate) fn path_in(bytes: &[u8]) -> Option<&Path> {
    let path = Path::new(str::from_utf8(bytes).ok()?);
    let Some(Component::Prefix(prefix)) = path.components().next() else { return None };
    let on_a_drive = matches!(prefix.kind(), Prefix::Disk(_) | Prefix::VerbatimDisk(_));
    (on_a_drive && path.is_absolute() && !bytes.contains(&0)).then_some(path)
}

/// What was written through a mapping need not be on the disk when the file has been synced.
pub(crate) const SYNC_INCLUDES_MAPPINGS: bool = false;

/// What was written through a mapping is on the disk when the mapping has been flushed.
pub(crate) const FLUSH_REACHES_DISK: bool = true;

/// Has what was written to a file be on the disk.
pub(crate) fn sync_file(file: &File) -> io::Result<()> {
    file.sync_all()
}

/// Memory can't be taken out of the middle of an object.
pub(crate) const PUNCHES: bool = false;

/// The id of this process.
pub(crate) fn process_id() -> u32 {
    process::id()
}

/// A number that tells this process from those that it was forked from: here the id that the system has given it.
pub(crate) fn lineage() -> u32 {
    process_id()
}

/// Nanoseconds since the machine was started, time asleep included, to 16 ms.
pub(crate) fn boot_time() -> u64 {
    // SAFETY: asks for a number.
    unsafe { GetTickCount64() }.wrapping_mul(1_000_000)
}

/// How long before `now` something was, both in boot time. What is yet to come was before the machine was started last: files
/// are there longer.
pub(crate) fn age(then: u64, now: u64) -> Duration {
    match now.checked_sub(then) {
        Some(age) => Duration::from_nanos(age),
        // Or it has come since the caller looked at the time.
        None if then <= boot_time() => Duration::ZERO,
        None => Duration::MAX,
    }
}

/// Bytes that may be used before something fails for it; `u64::MAX` where nobody says.
pub(crate) fn available_memory() -> u64 {
    let mut status = MEMORYSTATUSEX { dwLength: mem::size_of::<MEMORYSTATUSEX>() as u32, ..Default::default() };
    // SAFETY: fills in the struct that it is given, whose size it has been told.
    if unsafe { GlobalMemoryStatusEx(&raw mut status) } == 0 {
        return u64::MAX;
    }
    status.ullAvailPhys.max(status.ullAvailPageFile)
}

/// Sleeps for a moment if `word` is `expected`: there is no call that waits across processes.
pub(crate) fn wait(word: &AtomicU32, expected: u32, at_most: Duration) {
    if word.load(Ordering::Acquire) == expected {
        thread::sleep(at_most.min(Duration::from_millis(1)));
    }
}

/// As `wait`, on a word of 64 bits.
pub(crate) fn wait_on(word: &AtomicU64, expected: u64, at_most: Duration) {
    if word.load(Ordering::Acquire) == expected {
        thread::sleep(at_most.min(Duration::from_millis(1)));
    }
}

/// Nothing: those who wait look again by themselves.
pub(crate) fn wake_all(_word: &AtomicU32) {}

/// Nothing, as `wake_all`.
pub(crate) fn wake_one(_word: &AtomicU64) {}

/// Has `f` called when `main` returns; `std::process::exit` does not call it. False if the table of such calls is full.
pub(crate) fn at_exit(f: extern "C" fn()) -> bool {
    // SAFETY: `f` is a function without captures, so it is there as long as the code of the program is.
    unsafe { atexit(f) == 0 }
}

// SAFETY: the system's function, as its libraries call it: no arguments, a number of one byte.
#[link(name = "ntdll")]
unsafe extern "system" {
    fn RtlDllShutdownInProgress() -> u8;
}

/// Whether the system has ended all other threads of this process, wherever they were: so it does before it tells libraries
/// that the process exits, and in a library that is when `atexit` calls. What those threads had locked stays locked.
pub(crate) fn threads_have_ended() -> bool {
    // SAFETY: asks for a number.
    unsafe { RtlDllShutdownInProgress() != 0 }
}

/// Sets what this process may do with mapped pages: read, or read and write.
///
/// # Safety
///
/// `start..start + len` are whole pages of one mapping of the caller's, and nothing that goes on needs more than is
/// allowed from now on.
pub(crate) unsafe fn protect(start: NonNull<u8>, len: usize, writable: bool) -> Result<(), Error> {
    let access = if writable { PAGE_READWRITE } else { PAGE_READONLY };
    let mut before = 0;
    // SAFETY: the caller's mapping, and its promise.
    if unsafe { VirtualProtect(start.as_ptr().cast::<c_void>(), len, access, &raw mut before) } == 0 {
        return Err(Error::os("VirtualProtect", io::Error::last_os_error()));
    }
    Ok(())
}

/// Nothing: views of files are not in dumps unless they are asked for.
///
/// # Safety
///
/// None needed; see Linux.
pub(crate) unsafe fn exclude_from_core_dumps(_start: NonNull<u8>, _len: usize) {}

/// False: there is no call for it.
///
/// # Safety
///
/// None needed; see Linux.
pub(crate) unsafe fn populate(_start: NonNull<u8>, _len: usize) -> bool {
    false
}

/// Nothing: no program takes a handle for its standard input or output that it has not set as that.
pub(crate) struct StandardTaken;

impl StandardTaken {
    pub(crate) fn new() -> Self {
        StandardTaken
    }
}

/// There is nothing to look into.
pub(crate) fn may_be_looked_into() -> bool {
    false
}

/// There is no memory without a name that another process could reach by a number.
pub(crate) fn anonymous_works() -> bool {
    false
}

/// Bytes of the largest file that this process may make.
pub(crate) fn largest_file() -> u64 {
    u64::MAX
}

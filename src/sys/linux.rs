//! Linux.

mod announced;
mod barred;
pub(crate) mod barrier;
mod bell;
mod beside;
mod descriptors;
mod guard;
mod memfd;
mod memory;
mod object;
mod place;
mod ring_memory;
mod sealed_memfd;
mod unsealed_memfd;

use std::{
    cell::Cell,
    ffi::c_void,
    fs::File,
    io,
    path::PathBuf,
    ptr::{self, NonNull},
    sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use rustix::{
    io::Errno,
    mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap},
    process::{DumpableBehavior, dumpable_behavior, getpid},
    thread::futex,
    time::{ClockId, Timespec, clock_gettime},
};

pub(crate) use self::{
    announced::{Announced, new_id, renew, replace},
    barred::{pid_namespace, proc_is_our_own},
    bell::{Bell, NotABell, Waking},
    beside::Beside,
    descriptors::kind_of_descriptor,
    guard::guard,
    memory::available_memory,
    object::{Object, unlink_named},
    place::{
        Draft, Identity, NAMES_APPEAR_UNREADY, Place, back, back_bytes, check_name, extend, has_hole, identity_at,
        link_nameless, open_nameless, process_lives, remove_place, unlink,
    },
    ring_memory::RingMemory,
    sealed_memfd::{ReadOnlyMapping, SealedMemfd},
    unsealed_memfd::UnsealedMemfd,
};
use super::unix::close_inherited;
pub(crate) use super::unix::{
    DiskFile, NewFile, Uninherited, age, at_exit, back_named, create_private, is_in_view, is_no_space, is_removed,
    largest_file, named_directories, open_private, page_size, protect, read_at, remove_file, rename_file,
    room_for_named, threads_have_ended, try_lock, try_lock_shared, write_at, write_from,
};
use crate::{Error, sys::Whereabouts};

/// What was written through a mapping is on the disk when the file has been synced.
pub(crate) const SYNC_INCLUDES_MAPPINGS: bool = true;

/// What was written through a mapping is on the disk when the mapping has been flushed.
pub(crate) const FLUSH_REACHES_DISK: bool = true;

/// Has what was written to a file be on the disk.
pub(crate) fn sync_file(file: &File) -> io::Result<()> {
    file.sync_all()
}

/// Memory can be taken out of the middle of an object.
pub(crate) const PUNCHES: bool = true;

/// What a forked child finds zero (`MADV_WIPEONFORK`). Zero is also what has not been asked for yet.
#[repr(C)]
struct Own {
    /// The id that the system has given this process.
    pid: AtomicU32,
    /// See `lineage`.
    lineage: AtomicU32,
    /// The id by which others know that it lives: see `own_id`.
    id: AtomicU64,
}

/// The words of this process's own; null until they are made.
static OWN: AtomicPtr<Own> = AtomicPtr::new(ptr::null_mut());

#[inline]
fn own() -> Option<&'static Own> {
    // Acquire: with the release of whoever stored it, in `process_id_slowly`.
    // SAFETY: what is stored there is never unmapped, and only accessed as atomics.
    unsafe { OWN.load(Ordering::Acquire).as_ref() }
}

/// The id of this process, right in a forked child too, without a system call but for the first.
#[inline]
pub(crate) fn process_id() -> u32 {
    if let Some(own) = own() {
        let pid = own.pid.load(Ordering::Relaxed);
        if pid != 0 {
            return pid;
        }
    }
    process_id_slowly()
}

#[cold]
fn process_id_slowly() -> u32 {
    let pid = getpid().as_raw_nonzero().get().cast_unsigned();
    close_inherited(pid); // a forked child gets here, and one that no handler was run in
    if own().is_none() {
        let Ok(made) = words_that_a_fork_wipes() else { return pid };
        // Release: whoever finds the words finds them mapped and wiped on fork.
        if OWN.compare_exchange(ptr::null_mut(), made.as_ptr(), Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: `made` was mapped above and nobody else knows of it.
            unsafe { unmap(made.cast(), page_size()) };
        }
    }
    if let Some(own) = own() {
        own.pid.store(pid, Ordering::Relaxed);
    }
    pid
}

/// A number that none of the processes has had that this one was forked from. The id that the system has given to one of
/// them can be this one's too: when that has ended, or in a PID namespace of its own.
#[inline]
pub(crate) fn lineage() -> u32 {
    match own().map(|own| own.lineage.load(Ordering::Relaxed)) {
        None | Some(0) => lineage_slowly(),
        Some(number) => number,
    }
}

#[cold]
fn lineage_slowly() -> u32 {
    /// The last number that one of those processes, or this one, was given.
    static LAST: AtomicU32 = AtomicU32::new(0);
    let pid = process_id(); // makes the words
    let Some(own) = own() else { return pid }; // the best there is, where nothing is wiped on fork
    let next = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    own.lineage.compare_exchange(0, next, Ordering::Relaxed, Ordering::Relaxed).map_or_else(|given| given, |_| next)
}

/// The id by which others know that this process lives (see [`new_id`]), as it was set last; zero if it has not been since
/// this process began, in a forked child too.
#[inline]
pub(crate) fn own_id() -> u64 {
    own().map_or(0, |own| own.id.load(Ordering::Relaxed))
}

/// Sets what `own_id` says. Where nothing is wiped on fork (before Linux 4.14) it goes on to say zero.
pub(crate) fn set_own_id(id: u64) {
    process_id(); // makes the words
    if let Some(own) = own() {
        own.id.store(id, Ordering::Relaxed);
    }
}

fn words_that_a_fork_wipes() -> rustix::io::Result<NonNull<Own>> {
    let len = page_size();
    // SAFETY: a new private mapping, at an address that the kernel chooses.
    let page = unsafe { mmap_anonymous(ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) }?;
    // SAFETY: the page was mapped above; the advice changes nothing in this process.
    if let Err(error) = unsafe { madvise(page, len, Advice::LinuxWipeOnFork) } {
        // SAFETY: the page was mapped above and nobody else knows of it.
        let _ = unsafe { munmap(page, len) };
        return Err(error);
    }
    NonNull::new(page.cast()).ok_or(rustix::io::Errno::NOMEM)
}

/// Nanoseconds since the machine was started, time asleep included, to a tick of the kernel's clock (at most 10 ms): the
/// same clock in every process.
pub(crate) fn boot_time() -> u64 {
    thread_local! {
        /// The tick of the last call, and its time.
        static LAST: Cell<(u64, u64)> = const { Cell::new((u64::MAX, 0)) };
    }
    let now = |clock| {
        let now = clock_gettime(clock);
        now.tv_sec.cast_unsigned().wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec.cast_unsigned())
    };
    // Asking for the tick costs an eighth of asking for the time: every ticket asks.
    let tick = now(ClockId::MonotonicCoarse);
    let (last, time) = LAST.get();
    if tick == last {
        return time;
    }
    let time = now(ClockId::Boottime);
    LAST.set((tick, time));
    time
}

/// Sleeps while `word` is `expected`: until a `wake_all` by any process, at most that long, possibly for no reason less.
pub(crate) fn wait(word: &AtomicU32, expected: u32, at_most: Duration) {
    let Ok(timeout) = Timespec::try_from(at_most) else { return };
    // Not PRIVATE: the kernel then finds the waiters by the page of the object, not by this process's address.
    // However it ends (woken, changed before, timed out, interrupted), the caller looks again.
    let _ = futex::wait(word, futex::Flags::empty(), expected, Some(&timeout));
}

/// Wakes all who wait on the word, in any process.
pub(crate) fn wake_all(word: &AtomicU32) {
    let _ = futex::wake(word, futex::Flags::empty(), i32::MAX.cast_unsigned());
}

/// As `wait`, on a word of 64 bits, half of which the kernel looks at: until a `wake_one`, too.
pub(crate) fn wait_on(word: &AtomicU64, expected: u64, at_most: Duration) {
    wait(low_half(word), expected as u32, at_most);
}

/// Wakes one who waits on the word, in any process.
pub(crate) fn wake_one(word: &AtomicU64) {
    let _ = futex::wake(low_half(word), futex::Flags::empty(), 1);
}

/// Only for the kernel to look at: a program must not mix accesses of two sizes.
fn low_half(word: &AtomicU64) -> &AtomicU32 {
    let half = usize::from(cfg!(target_endian = "big"));
    // SAFETY: one of the two halves of the word, which is aligned for more.
    let low = unsafe { word.as_ptr().cast::<u32>().add(half) };
    // SAFETY: it lives as long as the word, and nobody but the kernel reads it as a half.
    unsafe { AtomicU32::from_ptr(low) }
}

/// Puts memory under a mapping; false if this kernel can't (before 5.14).
///
/// # Safety
///
/// `start..start + len` is mapped.
pub(crate) unsafe fn populate(start: NonNull<u8>, len: usize) -> bool {
    let within = start.as_ptr() as usize % page_size();
    // SAFETY: back to the start of the page, in the same mapping.
    let page = unsafe { start.sub(within) };
    // SAFETY: the advice changes nothing but what is resident.
    unsafe { madvise(page.as_ptr().cast::<c_void>(), len + within, Advice::LinuxPopulateWrite) }.is_ok()
}

/// Takes away what was mapped.
///
/// # Safety
///
/// `start..start + len` is a whole mapping of the caller's, and nothing refers into it.
pub(crate) unsafe fn unmap(start: NonNull<u8>, len: usize) {
    // SAFETY: the caller's promise. It only fails for addresses that are no pages.
    let _ = unsafe { munmap(start.as_ptr().cast::<c_void>(), len) };
}

/// Keeps the pages out of core dumps: writing a sparse mapping would make all of it resident.
///
/// # Safety
///
/// `start..start + len` are whole pages of one mapping of the caller's.
pub(crate) unsafe fn exclude_from_core_dumps(start: NonNull<u8>, len: usize) {
    // SAFETY: the caller's mapping; the advice does not change what is in it. A kernel that knows no such advice dumps.
    let _ = unsafe { madvise(start.as_ptr().cast::<c_void>(), len, Advice::LinuxDontDump) };
}

/// Can other processes of this user reach a memfd of this one, and can this one reopen its own?
pub(crate) fn anonymous_works() -> bool {
    let reopens = || -> io::Result<()> { Object::anonymous(page_size() as u64)?.reopen().map(drop) };
    // Want of descriptors or memory says nothing of the system: whoever asked will be told of that.
    let passing = |error: &io::Error| {
        matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EINTR))
    };
    may_be_looked_into() && reopens().as_ref().err().is_none_or(passing)
}

/// May other processes of this user look at this one's descriptors, by the number that this one knows itself by?
pub(crate) fn may_be_looked_into() -> bool {
    matches!(dumpable_behavior(), Ok(DumpableBehavior::Dumpable)) && proc_is_our_own()
}

/// Reserves room for the first bytes of a file. A file system that can't will say in the middle of a write that it is full.
///
/// # Errors
///
/// [`Error::NoSpace`], [`Error::Os`].
pub(crate) fn reserve_file(file: &File, len: u64) -> Result<(), Error> {
    let available = object::available(file);
    if len > available {
        return Err(Error::NoSpace { requested: len, available }); // and nothing has been taken from others for it
    }
    match object::reserve(file, 0..len) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(Errno::NOSPC | Errno::DQUOT | Errno::NOMEM) => Err(Error::NoSpace { requested: len, available: 0 }),
        Err(error) => Err(Error::os("fallocate", error)),
    }
}

/// Where the named object with this name is.
pub(crate) fn whereabouts_of(name: &str) -> Whereabouts {
    Whereabouts::Path(named_directory().join(name.trim_start_matches('/')))
}

/// Where files lie that last as long as named segments do.
pub(crate) fn named_directory() -> PathBuf {
    PathBuf::from("/dev/shm")
}

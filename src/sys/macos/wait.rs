//! Waiting on a word of shared memory, across processes.
//!
//! macOS has calls for that since 14.4 (`<os/os_sync_wait_on_address.h>`). They are looked up when they are first needed, so
//! that a program runs on an older system, too: there, who waits looks once a millisecond, and who wakes does nothing.

use std::{
    ffi::{c_int, c_void},
    io, mem, ptr,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use libc::{
    ETIMEDOUT, OS_CLOCK_MACH_ABSOLUTE_TIME, OS_SYNC_WAIT_ON_ADDRESS_SHARED, OS_SYNC_WAKE_BY_ADDRESS_SHARED,
    os_clockid_t, os_sync_wait_on_address_flags_t, os_sync_wake_by_address_flags_t,
};

/// Between two looks, where nobody wakes who waits.
const LOOK: Duration = Duration::from_millis(1);
/// After so long, who waits looks again, whatever the system says.
const LONGEST: Duration = Duration::from_millis(100);

/// `os_sync_wait_on_address_with_timeout`: address, value, its size, flags, clock, nanoseconds from now on, at least one.
type Wait = unsafe extern "C" fn(*mut c_void, u64, usize, os_sync_wait_on_address_flags_t, os_clockid_t, u64) -> c_int;
/// `os_sync_wake_by_address_all`, and `_any`: address, size of the value, flags.
type Wake = unsafe extern "C" fn(*mut c_void, usize, os_sync_wake_by_address_flags_t) -> c_int;

/// Calls of this system.
#[derive(Clone, Copy)]
struct Calls {
    wait: Wait,
    wake_all: Wake,
    wake_one: Wake,
}

/// The addresses of the calls, and whether they have been looked up. Threads that look at once find the same; and a child
/// that was forked in between looks for itself. Null, all of them, where the system has not all.
static WAIT: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static WAKE_ALL: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static WAKE_ONE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static LOOKED: AtomicBool = AtomicBool::new(false);

/// The calls of this system, if it has them.
fn calls() -> Option<Calls> {
    // Acquire: with the release of whoever looked.
    if !LOOKED.load(Ordering::Acquire) {
        look_up();
    }
    let [wait, wake_all, wake_one] = [&WAIT, &WAKE_ALL, &WAKE_ONE].map(|found| found.load(Ordering::Relaxed));
    if wait.is_null() {
        return None;
    }
    Some(Calls {
        // SAFETY: the function of this name, as the system's header declares it.
        wait: unsafe { mem::transmute::<*mut c_void, Wait>(wait) },
        // SAFETY: as above; none of them is null if one is not.
        wake_all: unsafe { mem::transmute::<*mut c_void, Wake>(wake_all) },
        // SAFETY: as above.
        wake_one: unsafe { mem::transmute::<*mut c_void, Wake>(wake_one) },
    })
}

#[cold]
fn look_up() {
    let names =
        [c"os_sync_wait_on_address_with_timeout", c"os_sync_wake_by_address_all", c"os_sync_wake_by_address_any"];
    // SAFETY: the name ends in a zero, and lives longer than the call.
    let found = names.map(|name| unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) });
    if found.iter().all(|found| !found.is_null()) {
        WAIT.store(found[0], Ordering::Relaxed);
        WAKE_ALL.store(found[1], Ordering::Relaxed);
        WAKE_ONE.store(found[2], Ordering::Relaxed);
    }
    LOOKED.store(true, Ordering::Release);
}

/// Sleeps while `word` is `expected`: until a `wake_all` by any process, at most that long, possibly for no reason less.
pub(crate) fn wait(word: &AtomicU32, expected: u32, at_most: Duration) {
    match calls() {
        Some(calls) => calls.wait(word.as_ptr().cast(), expected.into(), size_of::<u32>(), at_most),
        None if word.load(Ordering::Acquire) == expected => thread::sleep(at_most.min(LOOK)),
        None => {}
    }
}

/// Wakes all who wait on the word, in any process.
pub(crate) fn wake_all(word: &AtomicU32) {
    if let Some(calls) = calls() {
        // SAFETY: an aligned address of this process's. The call does not look at what is there; that nobody waits is an
        // error, and none here.
        unsafe { (calls.wake_all)(word.as_ptr().cast(), size_of::<u32>(), OS_SYNC_WAKE_BY_ADDRESS_SHARED) };
    }
}

/// As `wait`, on a word of 64 bits: until a `wake_one`, too.
pub(crate) fn wait_on(word: &AtomicU64, expected: u64, at_most: Duration) {
    match calls() {
        Some(calls) => calls.wait(word.as_ptr().cast(), expected, size_of::<u64>(), at_most),
        None if word.load(Ordering::Acquire) == expected => thread::sleep(at_most.min(LOOK)),
        None => {}
    }
}

/// Wakes one who waits on the word, in any process.
pub(crate) fn wake_one(word: &AtomicU64) {
    if let Some(calls) = calls() {
        // SAFETY: as in `wake_all`.
        unsafe { (calls.wake_one)(word.as_ptr().cast(), size_of::<u64>(), OS_SYNC_WAKE_BY_ADDRESS_SHARED) };
    }
}

impl Calls {
    /// Waits on an atomic word of `size` bytes that is at this address.
    fn wait(&self, at: *mut c_void, expected: u64, size: usize, at_most: Duration) {
        let Ok(nanoseconds @ 1..) = u64::try_from(at_most.min(LONGEST).as_nanos()) else { return };
        // Shared: the system then finds the waiters by the memory, not by this process's address.
        // SAFETY: an aligned address of this process's, where an atomic word is; the call only loads it.
        let woken = unsafe {
            (self.wait)(at, expected, size, OS_SYNC_WAIT_ON_ADDRESS_SHARED, OS_CLOCK_MACH_ABSOLUTE_TIME, nanoseconds)
        };
        // Woken, changed before, timed out: the caller looks again. After anything else (no memory, a page that is not there
        // yet, a signal) not at once, should it be for ever.
        if woken < 0 && io::Error::last_os_error().raw_os_error() != Some(ETIMEDOUT) {
            thread::sleep(at_most.min(LOOK));
        }
    }
}

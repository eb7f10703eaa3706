//! What a thread has used.

use std::time::Duration;

use windows_sys::Win32::{
    Foundation::FILETIME,
    System::Threading::{GetCurrentThread, GetThreadTimes},
};

/// Time that this thread has had on a processor.
pub(super) fn cpu_time() -> Duration {
    let [mut made, mut ended, mut system, mut user] = [FILETIME::default(); 4];
    // SAFETY: asks for a number.
    let this = unsafe { GetCurrentThread() };
    // SAFETY: fills in the four.
    let known = unsafe { GetThreadTimes(this, &raw mut made, &raw mut ended, &raw mut system, &raw mut user) };
    assert_ne!(known, 0);
    let parts = |time: FILETIME| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    // In parts of 100 ns.
    Duration::from_nanos((parts(system) + parts(user)) * 100)
}

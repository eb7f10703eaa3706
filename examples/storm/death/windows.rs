//! Deaths on Windows, where whoever ends a process says what its status is.

use std::process::ExitStatus;

use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};

/// The status of a process that has killed itself.
const KILLED: u32 = 137;

pub(super) fn kill() {
    // SAFETY: asks for a number.
    let this = unsafe { GetCurrentProcess() };
    // SAFETY: nothing comes after it.
    unsafe { TerminateProcess(this, KILLED) };
}

/// There are none unless the user has asked for them.
pub(super) fn leave_no_core() {}

pub(super) fn was_killed(status: ExitStatus) -> bool {
    status.code() == Some(KILLED.cast_signed())
}

pub(super) fn has_aborted(status: ExitStatus) -> bool {
    !status.success() && status.code() != Some(101) && !was_killed(status)
}

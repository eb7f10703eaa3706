//! Other processes, and whether they live.

use std::{ffi::c_int, io};

use crate::sys::unix::place::process_exists;

/// What the system knows of a process.
pub(super) enum Process {
    /// It runs, and has been running since then: microseconds of the system's clock.
    Since(u64),
    /// It is there, but nobody says since when: it is another user's, or this process is confined.
    There,
    /// There is none; or it has ended, and its parent has not asked for its status.
    Gone,
}

/// The process that has this id now.
pub(super) fn find(pid: u32) -> Process {
    let Some(pid) = i32::try_from(pid).ok().filter(|pid| *pid > 0) else { return Process::Gone };
    // SAFETY: numbers and characters, which may all be zero.
    let mut info: libc::proc_bsdinfo = unsafe { std::mem::zeroed() };
    let size = size_of_val(&info) as c_int;
    // SAFETY: as many bytes may be written to there. A last argument of zero leaves out those that have ended.
    let wrote = unsafe { libc::proc_pidinfo(pid, libc::PROC_PIDTBSDINFO, 0, (&raw mut info).cast(), size) };
    if wrote == size {
        let since = info.pbi_start_tvsec.wrapping_mul(1_000_000).wrapping_add(info.pbi_start_tvusec);
        return if info.pbi_status == libc::SZOMB { Process::Gone } else { Process::Since(since) };
    }
    if io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH) {
        return Process::Gone;
    }
    if process_exists(pid.cast_unsigned()) { Process::There } else { Process::Gone }
}

/// False if there is surely no such process.
pub(crate) fn process_lives(pid: u32) -> bool {
    pid == 0 || !matches!(find(pid), Process::Gone) // zero: nobody has said which
}

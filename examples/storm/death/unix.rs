//! Deaths on Unix, where most of them are signals.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

use rustix::process::{Resource, Rlimit, Signal, getpid, kill_process, setrlimit};

pub(super) fn kill() {
    // It can't be refused, and nothing comes after it.
    let _ = kill_process(getpid(), Signal::KILL);
}

pub(super) fn leave_no_core() {
    // If it is refused there are core dumps.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

pub(super) fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::KILL.as_raw())
}

pub(super) fn has_aborted(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::ABORT.as_raw())
}

//! What is the same on every Unix: signals, and what is called at the end of a process.

use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus},
};

/// What ends a process, whoever waits for it.
pub(super) struct Killer(u32);

impl Killer {
    pub(super) fn of(child: &Child) -> Self {
        Killer(child.id())
    }

    pub(super) fn kill(self) {
        kill(self.0);
    }
}

fn signal(pid: u32, signal: i32) -> bool {
    // SAFETY: sends a signal; the process is a child of this test's, or what one of them has started.
    unsafe { libc::kill(pid.cast_signed(), signal) == 0 }
}

/// Ends a process as `kill -9` does.
pub(crate) fn kill(pid: u32) {
    signal(pid, libc::SIGKILL);
}

/// Is there such a process?
pub(crate) fn lives(pid: u32) -> bool {
    signal(pid, 0)
}

/// Stops a process, until it is resumed.
pub(crate) fn suspend(pid: u32) {
    assert!(signal(pid, libc::SIGSTOP));
}

/// Lets a process go on that has been stopped.
pub(crate) fn resume(pid: u32) {
    assert!(signal(pid, libc::SIGCONT));
}

/// Has it ended by `abort`?
pub(crate) fn has_aborted(status: ExitStatus) -> bool {
    status.code().is_none()
}

/// This process is about to write where it may not: nothing is to be done for that.
pub(crate) fn will_trap() {}

/// Becomes another program, with the same process id.
pub(crate) fn become_another_program() -> ! {
    panic!("{}", Command::new("sleep").arg("30").exec())
}

/// Has `then` called at the end of this process, before what has been registered already.
pub(crate) fn at_exit(then: extern "C" fn()) {
    // SAFETY: the function is there as long as the program.
    assert_eq!(unsafe { libc::atexit(then) }, 0);
}

/// Ends this process; nothing more is called.
pub(crate) fn end_at_once(code: i32) -> ! {
    // SAFETY: no handler runs after it; nothing is left to be done.
    unsafe { libc::_exit(code) }
}

/// Page faults of this process so far.
pub(crate) fn faults() -> u64 {
    // SAFETY: numbers, for which zero will do.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: fills in the struct that it is given.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) }, 0);
    usage.ru_minflt.cast_unsigned()
}

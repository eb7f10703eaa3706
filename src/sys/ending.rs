//! How the processes of tests end.

use std::process::ExitStatus;

/// This process ends as one that is killed does: nothing of it runs any more.
#[cfg(unix)]
pub(crate) fn die() -> ! {
    loop {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Whether a process has ended by [`die`].
#[cfg(unix)]
pub(crate) fn has_died(status: ExitStatus) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&status) == Some(9)
}

/// This process ends as one does that returns from `main`: what is registered with `atexit` is run.
#[cfg(unix)]
pub(crate) fn exit() -> ! {
    std::process::exit(0)
}

/// What a process that dies says of itself.
#[cfg(windows)]
const DEAD: u32 = 0xdead;

/// This process ends as one that is killed does: nothing of it runs any more.
#[cfg(windows)]
pub(crate) fn die() -> ! {
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};
    loop {
        // SAFETY: asks for a number.
        let this = unsafe { GetCurrentProcess() };
        // SAFETY: it is this process.
        unsafe { TerminateProcess(this, DEAD) };
    }
}

/// Whether a process has ended by [`die`].
#[cfg(windows)]
pub(crate) fn has_died(status: ExitStatus) -> bool {
    status.code().map(i32::cast_unsigned) == Some(DEAD)
}

/// This process ends as one does that returns from `main`: what is registered with `atexit` is run.
#[cfg(windows)]
pub(crate) fn exit() -> ! {
    // SAFETY: the C runtime's function, as the C standard has it.
    unsafe extern "C" {
        fn exit(status: i32) -> !;
    }
    // SAFETY: what is registered is run in this thread; the others go on meanwhile, as they do when `main` returns.
    unsafe { exit(0) }
}

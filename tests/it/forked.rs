//! Children of a test's process by `fork`: another process with the same memory.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// How a child ends.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum End {
    /// With the handlers that are registered for that.
    Exit,
    /// Without them.
    UnderscoreExit,
}

pub(crate) const ENDS: [End; 2] = [End::Exit, End::UnderscoreExit];

/// A child of this process, by `fork`.
pub(crate) struct Forked(pub(crate) libc::pid_t);

impl Forked {
    pub(crate) fn new(end: End, body: impl FnOnce()) -> Self {
        // SAFETY: the child does what this crate says that a child may do, and what the test harness leaves possible.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid > 0 {
            return Forked(pid);
        }
        // SAFETY: no child that hangs lives for ever.
        unsafe { libc::alarm(30) };
        let code = i32::from(catch_unwind(AssertUnwindSafe(body)).is_err());
        match end {
            // SAFETY: no other thread of the child runs.
            End::Exit => unsafe { libc::exit(code) },
            // SAFETY: ends the process, and nothing else.
            End::UnderscoreExit => unsafe { libc::_exit(code) },
        }
    }

    /// Waits for its end: the status that it should have is 0.
    #[track_caller]
    pub(crate) fn success(self) {
        let mut status = 0;
        // SAFETY: the status is this function's own.
        let waited = unsafe { libc::waitpid(self.0, &mut status, 0) };
        assert_eq!(waited, self.0);
        assert_eq!(status, 0, "a forked child has failed, or was ended by its alarm");
    }
}

//! The ways in which a process ends.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::{
    fmt,
    process::{self, ExitStatus},
    str::FromStr,
};

#[cfg(unix)]
use self::unix as platform;
#[cfg(windows)]
use self::windows as platform;
use crate::random::Random;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Death {
    /// `kill -9`.
    Kill,
    /// `abort`.
    Abort,
    /// A panic in `main`, which drops what it has.
    Panic,
    /// `process::exit`, in the middle of what another thread does.
    Exit,
    /// A return from `main`.
    Return,
}

impl Death {
    pub(crate) const ALL: [Death; 5] = [Death::Kill, Death::Abort, Death::Panic, Death::Exit, Death::Return];

    /// Two in five are killed.
    pub(crate) fn draw(random: &mut Random) -> Self {
        Self::ALL.get(random.below(7)).copied().unwrap_or(Death::Kill)
    }

    /// It runs nothing of what a process runs when it exits.
    pub(crate) fn is_crash(self) -> bool {
        matches!(self, Death::Kill | Death::Abort)
    }

    /// Whether a process that ended so has this status.
    pub(crate) fn shows_as(self, status: ExitStatus) -> bool {
        match self {
            Death::Kill => platform::was_killed(status),
            Death::Abort => platform::has_aborted(status),
            Death::Panic => status.code() == Some(101),
            Death::Exit | Death::Return => status.success(),
        }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Death::Kill => "kill",
            Death::Abort => "abort",
            Death::Panic => "panic",
            Death::Exit => "exit",
            Death::Return => "return",
        })
    }
}

impl FromStr for Death {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|death| death.to_string() == name).ok_or(())
    }
}

/// Ends this process as `kill -9` does.
pub(crate) fn kill() -> ! {
    platform::kill();
    process::abort()
}

/// Lets an abort leave no core dump.
pub(crate) fn leave_no_core() {
    platform::leave_no_core();
}

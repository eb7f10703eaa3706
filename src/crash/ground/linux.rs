//! A `/dev/shm` that is nobody else's, if the system allows it.

use std::{
    env,
    process::{Command, Stdio},
};

/// Set where a world shares `/dev/shm` with others.
const SHARED: &str = "COMMONAGE_CRASH_SHARED";

/// How a program gets a `/dev/shm` of its own: as root, and else as root of a user namespace.
const ISOLATED: [&str; 2] = ["-m", "-rm"];

/// Where one world is. What is left there goes when its last process has ended.
pub(in super::super) struct Ground(());

impl Ground {
    /// Whether each of several worlds can have one of its own.
    pub(in super::super) fn can_be_had() -> bool {
        isolation().is_some()
    }

    /// One of its own, or the one that all have in common.
    pub(in super::super) fn new() -> Ground {
        Ground(())
    }

    /// The start of a command that runs this program there.
    pub(in super::super) fn command(&self) -> Command {
        isolation().unwrap_or_else(|| {
            let mut command = Command::new(env::current_exe().unwrap());
            command.env(SHARED, "");
            command
        })
    }
}

/// Whether others are where this world is.
pub(in super::super) fn is_shared() -> bool {
    env::var_os(SHARED).is_some()
}

/// The start of a command that does so, if there is one.
fn isolation() -> Option<Command> {
    let mount = "mount -t tmpfs tmpfs /dev/shm";
    let works = |flags: &&&str| {
        let tried = Command::new("unshare").args([flags, "sh", "-c", mount]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let flags = ISOLATED.iter().find(works)?;
    let mut command = Command::new("unshare");
    let then = format!("{mount} && exec \"$0\" \"$@\"");
    command.args([flags, "sh", "-c", &then]).arg(env::current_exe().ok()?);
    Some(command)
}

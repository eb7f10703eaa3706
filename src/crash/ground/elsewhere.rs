//! A directory of temporary files that is nobody else's.

use std::{env, fs, path::PathBuf, process::Command};

use crate::sys;

/// Where one world is; removed on drop.
pub(in super::super) struct Ground(PathBuf);

impl Ground {
    /// Whether each of several worlds can have one of its own.
    pub(in super::super) fn can_be_had() -> bool {
        true
    }

    /// One of its own.
    pub(in super::super) fn new() -> Ground {
        let path = env::temp_dir().join(format!("commonage-crash-{:016x}", sys::random_u64().unwrap()));
        fs::create_dir(&path).unwrap();
        Ground(path)
    }

    /// The start of a command that runs this program there.
    pub(in super::super) fn command(&self) -> Command {
        let mut command = Command::new(env::current_exe().unwrap());
        command.envs(["TMP", "TEMP", "TMPDIR"].map(|name| (name, &self.0)));
        command
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether others are where this world is.
pub(in super::super) fn is_shared() -> bool {
    false
}

//! Where the names are of a child that can't take them away, because its own control area is full of noise.

use std::process::Command;

/// Where there is memory without a name, nothing needs to be done.
#[cfg(target_os = "linux")]
pub(super) struct Alone(());

#[cfg(target_os = "linux")]
impl Alone {
    pub(super) fn new() -> Self {
        Alone(())
    }

    /// Has a child's names there.
    pub(super) fn put<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
    }
}

/// A directory of temporary files of its own, removed on drop.
#[cfg(not(target_os = "linux"))]
pub(super) struct Alone(std::path::PathBuf);

#[cfg(not(target_os = "linux"))]
impl Alone {
    pub(super) fn new() -> Self {
        let name = format!("commonage-forged-{:016x}", crate::sys::random_u64().unwrap());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Alone(path)
    }

    /// Has a child's names there.
    pub(super) fn put<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(["TMP", "TEMP", "TMPDIR"].map(|name| (name, &self.0)))
    }
}

#[cfg(not(target_os = "linux"))]
impl Drop for Alone {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

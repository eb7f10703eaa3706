//! Locks by name, where there are none on an object.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use super::{Uninherited, is_in_view, private};

/// A locked file, removed on drop. What a process leaves behind that dies with it is unlocked.
#[derive(Debug)]
pub(crate) struct LockFile {
    path: PathBuf,
    file: Uninherited<File>,
}

impl LockFile {
    /// Takes the lock with this name; none if another process has it, or it can't be had.
    pub(crate) fn take(path: PathBuf) -> Option<LockFile> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        let file = Uninherited::open(|| private(&mut options, &path)).ok()?;
        let taken = file.get().is_ok_and(|file| file.try_lock().is_ok() && is_in_view(file, &path));
        taken.then(|| LockFile { path, file })
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        if self.file.get().is_ok() {
            // Out of view first, and only then unlocked.
            let _ = fs::remove_file(&self.path);
        }
    }
}

//! Where the files are.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::Outcome;

/// A new directory, below the one for temporary files; removed, with what is in it, when this is dropped.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Outcome<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("peers-files-{}-{number}", process::id()));
        fs::create_dir(&path)?;
        Ok(Directory(path))
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("numbers")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("peers: {}: {error}", self.0.display());
        }
    }
}

/// Brings what has changed in the directory of a file to the disk.
pub(super) fn sync_directory_of(path: &Path) -> Outcome {
    Ok(fs::File::open(path.parent().ok_or("a file without a directory")?)?.sync_all()?)
}

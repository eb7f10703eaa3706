//! Where the files are that these tests make, read and remove behind the crate's back.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use super::*;

/// Where the identity file with this number is.
pub(super) fn of_identity(number: u64) -> PathBuf {
    sys::named_directory().join(format!("commonage-id-{number:016x}"))
}

/// Where the segment is. Not on macOS: there it is no file.
#[cfg(any(target_os = "linux", windows))]
pub(super) fn of_segment(id: SegmentId) -> PathBuf {
    let directories = sys::named_directories();
    directories.last().unwrap().join(&named::name_of(id)[1..])
}

/// A file that goes with the test, however it ends.
pub(super) struct Left(pub(super) PathBuf);

impl Left {
    /// A new one, in the directory of identity files.
    pub(super) fn new(name: &str, content: &str) -> Left {
        Left::at(sys::named_directory().join(name), content)
    }

    /// A new one.
    pub(super) fn at(path: PathBuf, content: &str) -> Left {
        let left = Left(path);
        let mut file = sys::create_private(&left.0).unwrap();
        file.write_all(content.as_bytes()).unwrap();
        left
    }

    #[cfg(any(target_os = "linux", windows))]
    pub(super) fn exists(&self) -> bool {
        fs::symlink_metadata(&self.0).is_ok()
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes a symbolic link to a file; false if the system has none, or does not let this user make one.
#[cfg(unix)]
pub(super) fn symlink(to: &Path, at: &Path) -> bool {
    std::os::unix::fs::symlink(to, at).unwrap();
    true
}

/// Makes a symbolic link to a file; false if the system has none, or does not let this user make one.
#[cfg(windows)]
pub(super) fn symlink(to: &Path, at: &Path) -> bool {
    // Some say that they have made one, and have not.
    std::os::windows::fs::symlink_file(to, at).is_ok() && fs::symlink_metadata(at).is_ok_and(|made| made.is_symlink())
}

/// Bytes that the file has, and blocks that the system has taken for them.
#[cfg(target_os = "linux")]
pub(super) fn taken(path: &Path) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).unwrap();
    (metadata.len(), metadata.blocks())
}

/// Bytes that the file has. All are there from the beginning: no block is taken later.
#[cfg(windows)]
pub(super) fn taken(path: &Path) -> (u64, u64) {
    (fs::metadata(path).unwrap().len(), 0)
}

/// Lets others read a file; false if the system has it that its directory says who may.
#[cfg(target_os = "linux")]
pub(super) fn open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, PermissionsExt::from_mode(0o640)).unwrap();
    true
}

/// Lets others read a file; false if the system has it that its directory says who may.
#[cfg(windows)]
pub(super) fn open_to_others(_path: &Path) -> bool {
    false
}

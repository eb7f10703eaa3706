//! What is the same where a name is no file.

use std::{
    fs::{self, OpenOptions},
    path::Path,
};

/// A file that is only to be read keeps nobody from making another beside it.
pub(super) const AND_NEW_ONES: bool = false;

/// Lets a file be read, and nothing else: false if this user may write to it all the same.
pub(super) fn make_read_only(_directory: &Path, file: &Path) -> bool {
    set_read_only(file, true);
    OpenOptions::new().write(true).open(file).is_err()
}

/// Takes that back.
pub(super) fn make_writable(_directory: &Path, file: &Path) {
    set_read_only(file, false);
}

fn set_read_only(file: &Path, yes: bool) {
    let mut permissions = fs::metadata(file).unwrap().permissions();
    permissions.set_readonly(yes);
    fs::set_permissions(file, permissions).unwrap();
}

/// Nothing: who has made a sparse file knows it.
pub(super) fn sparse_ones_are_refused() {}

//! A process that is alone where what has a name lies in the directory for temporary files: it has another one.

use std::{env, fs::File, path::PathBuf, process::Command};

use super::{ALONE, Directory, platform};

/// The backings of this platform.
pub(crate) const BOTH: &[&str] = &["named"];

/// Memory is not taken out of a segment that is left.
pub(crate) const PUNCHES: bool = false;

/// Where the identity files are, and wills.
pub(crate) fn named_directory() -> PathBuf {
    env::temp_dir()
}

/// May a process have a place of its own for what has a name?
pub(crate) fn can_be_alone() -> bool {
    true
}

/// With a directory of its own, which is removed when the process has ended. It has as many bytes as the file system.
pub(super) fn apart(mut command: Command, _bytes: u64) -> (Command, Option<Directory>) {
    let directory = Directory::new();
    for name in platform::TEMPORARY {
        command.env(name, &directory.0);
    }
    command.env(ALONE, "yes");
    (command, Some(directory))
}

/// A file that was removed while it was open can't be told from others.
pub(super) fn in_view(_file: &File) -> bool {
    true
}

//! Values in files.

mod damage;
mod drafts;
mod kills;
#[cfg(target_os = "linux")]
mod linux;
mod options;
mod peers;
mod puppet;
mod raw;
mod room;
mod threads;
mod types;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::path::{Path, PathBuf};

use commonage::{Error, FileFault, SharedSlice, SharedSliceMut, file};

#[cfg(unix)]
use self::unix as platform;
#[cfg(windows)]
use self::windows as platform;
use crate::support::Directory;

/// A directory for one file; it goes with all that is in it.
struct Place(Directory);

impl Place {
    fn new() -> Self {
        Place(Directory::new())
    }

    /// Where the file is to be.
    fn path(&self) -> PathBuf {
        self.file("value")
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::new(&self.0.0).join(name)
    }

    /// What is there.
    fn names(&self) -> Vec<String> {
        crate::support::listing(&self.0.0)
    }
}

/// Maps numbers to be read.
#[track_caller]
fn open(path: &Path) -> SharedSlice<u64> {
    try_open(path).unwrap_or_else(|error| panic!("{error}"))
}

fn try_open(path: &Path) -> Result<SharedSlice<u64>, Error> {
    // SAFETY: nobody changes the file but through the crate.
    unsafe { file::open(path) }
}

/// Maps numbers to be written.
#[track_caller]
fn open_mut(path: &Path) -> SharedSliceMut<u64> {
    try_open_mut(path).unwrap_or_else(|error| panic!("{error}"))
}

fn try_open_mut(path: &Path) -> Result<SharedSliceMut<u64>, Error> {
    // SAFETY: nobody changes the file but through the crate.
    unsafe { file::open_mut(path) }
}

/// Numbers, in a file that is in view.
fn create(path: &Path, numbers: &[u64]) -> SharedSliceMut<u64> {
    // SAFETY: nobody changes the file but through the crate.
    unsafe { file::create_from(path, numbers) }.unwrap_or_else(|error| panic!("{error}"))
}

/// The fault in an error that must be of a file at this path.
#[track_caller]
fn fault<T>(path: &Path, result: Result<T, impl Into<Error>>) -> FileFault {
    match result.map_err(Into::into) {
        Err(Error::File { path: found, fault }) => {
            assert_eq!(found, path, "{fault}");
            fault
        }
        Err(error) => panic!("an error of the file expected, found {error:?}"),
        Ok(_) => panic!("an error of the file expected, and there is none"),
    }
}

/// What is said of it, behind the path.
#[track_caller]
fn text<T>(path: &Path, result: Result<T, impl Into<Error>>) -> String {
    match result.map_err(Into::into) {
        Err(error) => {
            let text = error.to_string();
            let rest = text.strip_prefix(&format!("file {}: ", path.display()));
            rest.unwrap_or_else(|| panic!("an error of the file expected: {text}")).to_owned()
        }
        Ok(_) => panic!("an error of the file expected, and there is none"),
    }
}

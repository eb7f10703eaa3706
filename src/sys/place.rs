//! Where links are: what the platforms have in common. Each of them has a `Place`, a `Draft` and an `Identity` of its own.
//!
//! ```text
//! Draft::new ── publish ──> Place, Mapping      what is made: not in view before it is whole, where the platform can
//! Place::open ── map ─────> Mapping             what is there
//! Place::identity, then the mapping is all that is kept; Identity::remove takes the name away
//! ```

use std::{
    fmt, io,
    path::{Path, PathBuf, absolute},
    ptr::NonNull,
};

use super::platform;

/// Where a link is: by name, or by path.
///
/// A name of up to 30 bytes of letters, digits, `-`, `_` and `.` works everywhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Address {
    /// In the system's own space of names, without the slash that it may have been given with.
    Name(String),
    /// A file; the path is absolute.
    Path(PathBuf),
}

impl Address {
    /// A name; or why it is none on this platform. One leading slash, as `shm_open` wants it, is dropped.
    pub(crate) fn name(name: &str) -> Result<Address, &'static str> {
        let name = name.strip_prefix('/').unwrap_or(name);
        if name.is_empty() {
            return Err("it is empty");
        }
        if name == "." || name == ".." {
            return Err("it is the name of a directory");
        }
        if name.bytes().any(|byte| byte == 0) {
            return Err("it has a NUL in it");
        }
        if name.bytes().any(|byte| byte == b'/') {
            return Err("it has a slash in it, other than one at its beginning");
        }
        platform::check_name(name)?;
        Ok(Address::Name(name.to_owned()))
    }

    /// Whether others see what is made there before it is ready.
    pub(crate) fn appears_unready(&self) -> bool {
        platform::NAMES_APPEAR_UNREADY && matches!(self, Address::Name(_))
    }

    /// Whether an [`Identity`](super::Identity) tells what is there from what comes to be there later. Objects with a name
    /// have no numbers on macOS.
    pub(crate) fn has_identities(&self) -> bool {
        cfg!(not(target_os = "macos")) || matches!(self, Address::Path(_))
    }

    /// A path; or why it can be none of a file. What it means does not change with the current directory.
    pub(crate) fn path(path: &Path) -> Result<Address, &'static str> {
        if path.as_os_str().is_empty() {
            return Err("the path is empty");
        }
        if path.as_os_str().as_encoded_bytes().contains(&0) {
            return Err("the path has a NUL in it");
        }
        if path.file_name().is_none() {
            return Err("the path has no file name at its end");
        }
        absolute(path).map(Address::Path).map_err(|_| "the path is relative, and the current directory is not known")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Name(name) => f.write_str(name),
            Address::Path(path) => path.display().fmt(f),
        }
    }
}

/// Why a place can't be had.
#[derive(Debug)]
pub(crate) enum PlaceError {
    /// Something has the name.
    Exists,
    /// Nothing has the name.
    Absent,
    /// There is no directory for it.
    NoDirectory,
    /// The system denies access.
    Denied(io::Error),
    /// Something else has the name: what.
    NotAFile(&'static str),
    /// There is no room.
    NoSpace {
        /// Bytes that were to be had.
        requested: u64,
        /// Bytes that there are, as far as anybody says.
        available: u64,
    },
    /// A call failed: which, and how.
    Failed(&'static str, io::Error),
}

/// A mapping of the first bytes of a place. It stays when the place goes, and is unmapped on drop.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// A whole mapping of this value's own, of as many bytes.
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: an address and a length; the bytes there belong to no thread, and who accesses them answers for it.
unsafe impl Send for Mapping {}
// SAFETY: the same.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// # Safety
    ///
    /// `base..base + len` is a whole mapping, or view, and the caller's alone.
    pub(super) unsafe fn new(base: NonNull<u8>, len: usize) -> Mapping {
        Mapping { base, len }
    }

    /// Where it is: at the beginning of a page, at least.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Bytes that it has.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and who borrowed it is done.
        unsafe { platform::unmap(self.base, self.len) };
    }
}

#[cfg(test)]
pub(crate) mod tests;

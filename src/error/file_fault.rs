//! What stands between a process and a value in a file.

use std::{fmt, io, time::Duration};

/// What a process wants to do with a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FileAccess {
    /// To read it, as many may at the same time.
    Read,
    /// To write it, as one may, and nobody else reads it then.
    Write,
}

impl fmt::Display for FileAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileAccess::Read => "read",
            FileAccess::Write => "write",
        })
    }
}

/// Why a value in a [`file`](crate::file) can't be had. It comes in an [`Error::File`](crate::Error::File), beside the
/// file's path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileFault {
    /// It was to be new, and is there.
    #[error("it exists")]
    Exists,
    /// It was to be opened, and is not there.
    #[error("it does not exist")]
    Absent,
    /// It was to be created, in a directory that is not there.
    #[error("its directory does not exist")]
    NoDirectory,
    /// The system denies access.
    #[error("access is denied: {0}")]
    Denied(#[source] io::Error),
    /// The path can be none of a file.
    #[error("it is no path of a file: {0}")]
    Path(
        /// Why not.
        &'static str,
    ),
    /// Something else is there: a directory, a pipe, a device.
    #[error("it is no file, but {0}")]
    NotAFile(
        /// What it is.
        &'static str,
    ),
    /// Others have the file in a way that leaves no room for this process.
    #[error("process {process} can't {wanted} it: {}", Holder(*wanted, *by))]
    Locked {
        /// What this process wanted.
        wanted: FileAccess,
        /// This process.
        process: u32,
        /// The process that writes the file, if the file says so.
        by: Option<u32>,
    },
    /// The sender of a `SharedMut` has serialized it, but has not dropped it. The token can be claimed later.
    #[error("its sender, or who has claimed it before, still has it after {waited:?}")]
    StillHeld {
        /// How long the claim has waited.
        waited: Duration,
    },
    /// The token of a `SharedMut` has been claimed before, or another process has opened the file for writing since.
    #[error("the token that leads to it has been claimed before, or the file has had another writer since")]
    AlreadyClaimed,
    /// It is not as it was when the token was made: written to, or replaced.
    #[error("it is not what the token was made for: {what} is {found:#x}, {expected:#x} expected")]
    Changed {
        /// What is not the same.
        what: &'static str,
        /// As the token says.
        expected: u64,
        /// As it is.
        found: u64,
    },
    /// The token that leads to it is not as it was sent: its MAC is not that of its bytes. Of a file without a header it is
    /// also that the value begins with other bytes than when the token was made.
    #[error("the token that leads to it is not as it was sent: its MAC differs")]
    Altered,
    /// Its writer has ended in the middle: it was killed, or panicked. What is there may be half written.
    #[error("process {process}, which was writing it, ended before it had finished")]
    Unfinished {
        /// The process.
        process: u32,
    },
    /// There are fewer bytes than there have to be.
    #[error("it is too short: {expected} bytes expected, {found} found")]
    TooShort {
        /// The least number of bytes that would do.
        expected: u64,
        /// The number of bytes there are.
        found: u64,
    },
    /// It does not begin with this crate's header. Foreign files are opened with [`raw`](crate::file::Options::raw).
    #[error("it does not begin as files of values do (found {found:#018x})")]
    NoHeader {
        /// What stands there, little-endian.
        found: u64,
    },
    /// It was made by a version of the crate with another header.
    #[error("its header has version {found}; this program has {expected}")]
    Version {
        /// The version of this program.
        expected: u32,
        /// The version of the file.
        found: u32,
    },
    /// Something in its header can't be as it is.
    #[error("in its header, {what} can't be {found:#x}")]
    Header {
        /// What was read.
        what: &'static str,
        /// What it was.
        found: u64,
    },
    /// Its value is of another type.
    #[error("its value is no `{type_name}`: fingerprint {expected:016x} expected, {found:016x} found")]
    Type {
        /// The name of the type that was asked for.
        type_name: &'static str,
        /// The fingerprint of that type.
        expected: u64,
        /// The fingerprint of the value's type.
        found: u64,
    },
    /// The value does not lie at an address of its type.
    #[error("offset {offset} is no multiple of {alignment}, the alignment of `{type_name}`")]
    Misaligned {
        /// The name of the type.
        type_name: &'static str,
        /// The offset in the file, in bytes.
        offset: u64,
        /// The alignment that the type needs, in bytes.
        alignment: u64,
    },
    /// What is left of the file from the offset on is not whole elements.
    #[error("{size} bytes are not whole elements of {element} bytes")]
    NotWholeElements {
        /// Bytes there are.
        size: u64,
        /// Bytes of an element.
        element: usize,
    },
    /// It is no `.npy` file, or not of this array type.
    #[error("as an .npy file: {what} is {found}, {expected} expected")]
    Npy {
        /// What was looked at.
        what: &'static str,
        /// What it should have been.
        expected: String,
        /// What it was.
        found: String,
    },
    /// Nothing keeps others from changing the file or cutting it while it is mapped, so that it can only be opened by an
    /// unsafe function, or copied. So it always is on Windows and on macOS.
    #[error("nothing keeps others from changing it while it is mapped: {why}")]
    Unguarded {
        /// What is missing.
        why: &'static str,
    },
    /// A token leads to a file that any user, or its owner who is another, could cut while it is mapped.
    #[error("a token leads to it, but it is no file of this user or of root, or all users can write it: {found}")]
    Owner {
        /// Whose it is, or who can write it.
        found: String,
    },
    /// This kind of handle can't be sent.
    #[error("this handle can't be sent: {why}")]
    NotSent {
        /// Why not, and what can be sent.
        why: &'static str,
    },
    /// The file was opened for reading, so its value can't become a `SharedMut`.
    #[error("it was opened for reading: a value to be written is had by opening it for writing")]
    ReadOnly,
    /// A call to the operating system failed.
    #[error("{operation} failed: {source}")]
    Failed {
        /// What was tried.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Who has it, in a sentence.
struct Holder(FileAccess, Option<u32>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder(_, Some(process)) => write!(f, "process {process} writes it"),
            Holder(FileAccess::Read, None) => f.write_str("another process writes it"),
            Holder(FileAccess::Write, None) => f.write_str("others read or write it"),
        }
    }
}

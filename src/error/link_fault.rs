//! What stands between a process and a link.

use std::{io, time::Duration};

/// Why a [`Link`](crate::Link) can't be had. It comes in an [`Error::Link`](crate::Error::Link), beside the link's name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkFault {
    /// It was to be created, and is there.
    #[error("it exists")]
    Exists,
    /// It was to be opened or removed, and is not there.
    #[error("it does not exist")]
    Absent,
    /// It was to be created, in a directory that is not there.
    #[error("its directory does not exist")]
    NoDirectory,
    /// The system denies access.
    #[error("access is denied: {0}")]
    Denied(#[source] io::Error),
    /// The platform can't hold this name.
    #[error("it is no name for a link here: {0}")]
    Name(
        /// Why not.
        &'static str,
    ),
    /// A call to the operating system failed.
    #[error("{operation} failed: {source}")]
    Failed {
        /// What was tried.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Something else has the name: a directory, a pipe, a device.
    #[error("it is no file, but {0}")]
    NotAFile(
        /// What it is.
        &'static str,
    ),
    /// There are fewer bytes than the value needs.
    #[error("it is too short: {expected} bytes expected, {found} found")]
    TooShort {
        /// The least number of bytes that would do, header and offset included.
        expected: u64,
        /// The number of bytes there are.
        found: u64,
    },
    /// It does not begin with a link's header. Raw memory is opened with [`LinkBuilder::raw`](crate::link::LinkBuilder::raw).
    #[error("it does not begin as links do (found {found:#018x})")]
    NoHeader {
        /// What stands there, little-endian.
        found: u64,
    },
    /// It was made by a version of the crate with another layout.
    #[error("it has ABI version {found}; this program has {expected}")]
    Abi {
        /// The version of this program.
        expected: u32,
        /// The version of the link.
        found: u32,
    },
    /// Its value has another size.
    #[error("its value has {found} bytes, a `{type_name}` has {expected}")]
    Size {
        /// The name of the type that was asked for.
        type_name: &'static str,
        /// The size of that type, in bytes.
        expected: u64,
        /// The size of the value, in bytes.
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
    /// The process that created it ended before the value was ready. It can be removed and created again.
    #[error("process {process}, which created it, ended before the value was ready")]
    Abandoned {
        /// The process.
        process: u32,
    },
    /// The process that created it has not made the value ready yet.
    #[error("process {process}, which created it, has not made the value ready within {waited:?}")]
    NotReady {
        /// The process; zero if it has not said yet who it is.
        process: u32,
        /// How long it was waited for.
        waited: Duration,
    },
    /// Its owner has run the value's `Drop`, and was about to remove the name. If it stays, its owner has died meanwhile:
    /// it can be removed and created again. On Windows it stays until nobody has it open any more.
    #[error("its owner has been dropped, and the value with it")]
    Over,
    /// The type does not lie at this offset.
    #[error("offset {offset} is no multiple of {alignment}, the alignment of `{type_name}`")]
    Misaligned {
        /// The name of the type.
        type_name: &'static str,
        /// The offset, in bytes.
        offset: u64,
        /// The alignment of the type, in bytes.
        alignment: u64,
    },
}

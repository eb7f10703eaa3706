//! A name stays until somebody takes it away, and is no file.

use std::{fs::File, os::unix::fs::MetadataExt};

pub(super) use super::{
    apart::{AND_NEW_ONES, make_read_only, make_writable, sparse_ones_are_refused},
    unix::may_still_be_there,
};

/// Bytes that a file takes of its file system.
pub(super) fn taken(file: &File) -> u64 {
    file.metadata().unwrap().blocks() * 512
}

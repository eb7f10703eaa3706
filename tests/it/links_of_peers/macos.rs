//! A name stays until somebody takes it away, and is no file.

use std::{fs::File, os::unix::fs::MetadataExt, sync::atomic::AtomicU64};

use commonage::{Link, link::LinkBuilder};

pub(super) use super::{
    apart::{AND_NEW_ONES, make_read_only, make_writable, sparse_ones_are_refused},
    unix::may_still_be_there,
};

/// Bytes that a file takes of its file system.
pub(super) fn taken(file: &File) -> u64 {
    file.metadata().unwrap().blocks() * 512
}

/// A link as its users know it.
pub(super) fn at<A>(name: &str) -> LinkBuilder<AtomicU64, A> {
    Link::named(name)
}

/// Nothing: a forked child may not do much there.
pub(super) fn as_another_user(_look: impl FnOnce(&str, &str)) {
    println!("skipped: nobody becomes another user here");
}

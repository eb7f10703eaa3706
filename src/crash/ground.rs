//! Where a world is: what its processes name, nobody else's do, if the system allows it.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

use std::{collections::BTreeSet, fs, path::PathBuf};

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::{Ground, is_shared};
#[cfg(target_os = "linux")]
pub(super) use linux::{Ground, is_shared};

use crate::sys;

/// The files there that have a name of ours.
pub(super) fn names() -> BTreeSet<PathBuf> {
    let entries = sys::named_directories().into_iter().flat_map(fs::read_dir).flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("commonage"))
        .map(|entry| entry.path())
        .collect()
}

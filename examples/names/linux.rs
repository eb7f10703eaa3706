//! What has a name, on Linux: segments, identity files and wills, in the directory of POSIX shared memory.

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt};

use commonage::Backing;

/// Those of this platform.
pub(crate) const BACKINGS: &[Backing] = &[Backing::Anonymous, Backing::Named];

/// Where they are, for whoever reads it.
pub(crate) const PLACE: &str = "/dev/shm";

/// Those of this crate.
pub(crate) fn names() -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(PLACE) else { return BTreeSet::new() };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains("commonage")).collect()
}

/// The memory that these have.
pub(crate) fn bytes(names: &[String]) -> u64 {
    let of = |metadata: fs::Metadata| metadata.blocks() * 512;
    names.iter().filter_map(|name| fs::metadata(format!("{PLACE}/{name}")).ok()).map(of).sum()
}

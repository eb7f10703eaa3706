//! What has a name, on Windows: identity files and wills, in the directory of temporary files, and below it the files that
//! the `shared_memory` crate has for segments.

use std::{collections::BTreeSet, env, fs};

use commonage::Backing;

/// Those of this platform.
pub(crate) const BACKINGS: &[Backing] = &[Backing::Named];

/// Where they are, for whoever reads it.
pub(crate) const PLACE: &str = "%TEMP%";

/// Those of this crate, as they are called from there.
pub(crate) fn names() -> BTreeSet<String> {
    let of = |directory: &str| {
        let entries = fs::read_dir(env::temp_dir().join(directory)).into_iter().flatten().flatten();
        let names = entries.map(|entry| format!("{directory}{}", entry.file_name().to_string_lossy()));
        names.filter(|name| name.contains("commonage")).collect::<Vec<_>>()
    };
    ["", "shared_memory-rs\\"].into_iter().flat_map(of).collect()
}

/// The bytes of these: of a file, all that it may take.
pub(crate) fn bytes(names: &[String]) -> u64 {
    let of = |name: &String| fs::metadata(env::temp_dir().join(name)).map_or(0, |metadata| metadata.len());
    names.iter().map(of).sum()
}

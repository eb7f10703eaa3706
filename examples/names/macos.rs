//! What has a name, on macOS: identity files and wills, in the directory of temporary files. Segments can't be listed there.

use std::{collections::BTreeSet, env, fs};

use commonage::Backing;

/// Those of this platform.
pub(crate) const BACKINGS: &[Backing] = &[Backing::Named];

/// Where they are, for whoever reads it.
pub(crate) const PLACE: &str = "$TMPDIR";

/// Those of this crate.
pub(crate) fn names() -> BTreeSet<String> {
    let entries = fs::read_dir(env::temp_dir()).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains("commonage")).collect()
}

/// The bytes of these.
pub(crate) fn bytes(names: &[String]) -> u64 {
    let of = |name: &String| fs::metadata(env::temp_dir().join(name)).map_or(0, |metadata| metadata.len());
    names.iter().map(of).sum()
}

//! A directory for temporary files that is none.

use std::{fs, path::Path};

use super::*;
use crate::support::named_directory;

/// Bytes of a file system with room for a few values.
pub(super) const SMALL: u64 = 4 << 20;

/// With a directory for temporary files that is not there, and with one that is a file.
pub(super) fn without_names(test: &'static str) -> Vec<Unnamed> {
    let (missing, file) = (named_directory().join("missing"), named_directory().join("file"));
    fs::write(&file, "").unwrap();
    let unnamed = |path: &Path| {
        let path = path.to_string_lossy().into_owned();
        Unnamed {
            place: path.escape_debug().to_string(),
            start: Box::new(move || Puppet::start(child(test, OBEY).env("TEMP", &path).env("TMP", &path))),
            unclaimed: "Gone",
        }
    };
    vec![unnamed(&missing), unnamed(&file)]
}

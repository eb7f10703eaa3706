//! A directory for temporary files that is none.

use std::{env, fs, path::Path, ptr};

use windows_sys::Win32::{
    Foundation::CloseHandle,
    System::Console::{FreeConsole, GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, SetStdHandle},
};

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

const STANDARD: [u32; 3] = [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE];

/// As a service is started: no console, nothing to read or write, no environment but where temporary files are.
pub(super) fn become_daemon() {
    // SAFETY: this child of a test needs none; it fails where there is none.
    unsafe { FreeConsole() };
    for which in STANDARD {
        // SAFETY: asks for a handle.
        let handle = unsafe { GetStdHandle(which) };
        // SAFETY: whatever of this process still writes there finds nothing.
        assert_ne!(unsafe { SetStdHandle(which, ptr::null_mut()) }, 0);
        // SAFETY: it was this process's, and nobody knows of it any more.
        assert_ne!(unsafe { CloseHandle(handle) }, 0);
    }
    env::set_current_dir("C:\\").unwrap();
    let mut names: Vec<_> = env::vars_os().map(|(name, _)| name).collect();
    names.retain(|name| !["TEMP", "TMP"].iter().any(|kept| name.eq_ignore_ascii_case(kept)));
    // SAFETY: the system's calls for this may be called at any time.
    names.into_iter().for_each(|name| unsafe { env::remove_var(name) });
}

/// A new file is what its directory says.
pub(super) fn with_file_mode(make: impl FnOnce()) {
    make();
}

/// Nothing: this user is one.
pub(super) fn become_ordinary(_place: &Path) {}

/// Nothing is standard input or output.
pub(super) fn assert_no_standard() {
    for which in STANDARD {
        // SAFETY: asks for a handle.
        let handle = unsafe { GetStdHandle(which) };
        assert!(handle.is_null(), "{which} is {handle:?}");
    }
}

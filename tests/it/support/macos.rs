//! macOS: objects with a name can't be listed, and which of them are mapped can't be seen.

use std::{
    ffi::CString, fmt::Debug, fs, ops::RangeBounds, os::unix::process::ExitStatusExt, path::PathBuf,
    process::ExitStatus,
};

pub(crate) use super::apart::{BOTH, PUNCHES, can_be_alone, can_be_in, named_directory};
pub(super) use super::apart::{apart, apart_in, in_view};

/// How many times as long a test may take.
pub(super) const SLOWNESS: u64 = 1;

/// Where a process is told of the directory for temporary files.
pub(super) const TEMPORARY: &[&str] = &["TMPDIR"];

/// The identity files, and those of the segments that they list which are there.
pub(super) fn all_named() -> Vec<String> {
    let mut names = super::listing(named_directory());
    let lists = names.iter().filter(|name| name.starts_with("commonage-id-"));
    let lists = lists.filter_map(|name| fs::read_to_string(named_directory().join(name)).ok());
    let segments: Vec<String> = lists.flat_map(|list| list.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let there = segments.into_iter().filter(|name| is_there(name));
    names.extend(there.map(|name| name.trim_start_matches('/').to_owned()));
    names.sort();
    names.dedup();
    names
}

/// There is no file behind a segment; this is where it would be.
pub(crate) fn named_file(name: &str) -> PathBuf {
    named_directory().join(name.trim_start_matches('/'))
}

fn is_there(name: &str) -> bool {
    let Ok(name) = CString::new(name) else { return false };
    // SAFETY: the name ends in a zero, and lives longer than the call.
    let object = unsafe { libc::shm_open(name.as_ptr(), libc::O_RDONLY) };
    // SAFETY: opened above, and nobody else's.
    object >= 0 && unsafe { libc::close(object) } == 0
}

/// Takes the name of a segment away.
pub(super) fn remove_named(name: &str) {
    if let Ok(name) = CString::new(name) {
        // SAFETY: the name ends in a zero, and lives longer than the call.
        unsafe { libc::shm_unlink(name.as_ptr()) };
    }
}

/// Has it ended because it wrote where it may not?
pub(crate) fn has_trapped(status: ExitStatus) -> bool {
    matches!(status.signal(), Some(libc::SIGBUS | libc::SIGSEGV))
}

/// The most bytes that this process has had in memory.
pub(crate) fn touched() -> u64 {
    // SAFETY: numbers, for which zero will do.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: fills in the struct that it is given.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) }, 0);
    usage.ru_maxrss.cast_unsigned()
}

/// Nobody sees it: it is believed.
pub(crate) fn maps(_pid: u32, _segments: usize) -> bool {
    true
}

/// Nothing: no memory is taken out of a segment that is left.
pub(crate) fn assert_resident(_pid: u32, _expected: impl RangeBounds<u64> + Debug) {}

//! Linux: both backings, and a `/dev/shm` of one's own where that is permitted.

use std::{
    fmt::Debug,
    fs,
    ops::RangeBounds,
    os::unix::{fs::MetadataExt, process::ExitStatusExt},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    sync::OnceLock,
};

use super::{ALONE, Apart};

/// How many times as long a test may take.
pub(super) const SLOWNESS: u64 = 1;

/// The backings of this platform.
pub(crate) const BOTH: &[&str] = &["anonymous", "named"];
pub(crate) const ANONYMOUS: &[&str] = &["anonymous"];

/// Memory that nobody needs is taken out of a segment that is left.
pub(crate) const PUNCHES: bool = true;

/// Where the identity files are, and wills.
pub(crate) fn named_directory() -> PathBuf {
    "/dev/shm".into()
}

/// The file behind the segment, or link, with this name.
pub(crate) fn named_file(name: &str) -> PathBuf {
    named_directory().join(name.trim_start_matches('/'))
}

/// What has been created with a name, by anybody.
pub(super) fn all_named() -> Vec<String> {
    super::listing(named_directory())
}

/// Takes the name of a segment away.
pub(super) fn remove_named(name: &str) {
    let _ = fs::remove_file(named_file(name));
}

/// Has nobody removed the file?
pub(super) fn in_view(file: &fs::File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
}

/// How `unshare` is to be called for a `/dev/shm` of one's own; none where that is not permitted.
pub(crate) fn alone() -> Option<&'static str> {
    static FLAGS: OnceLock<Option<&str>> = OnceLock::new();
    *FLAGS.get_or_init(|| {
        let works = |flags: &&str| {
            let mut command = Command::new("unshare");
            command.args([flags, "sh", "-c", "mount -t tmpfs tmpfs /dev/shm"]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        ["-m", "-rm"].into_iter().find(works)
    })
}

/// May a process have a place of its own for what has a name?
pub(crate) fn can_be_alone() -> bool {
    alone().is_some()
}

/// With a `/dev/shm` of its own, of so many bytes, where that is permitted. It and all in it go with the last process that
/// has it.
pub(super) fn apart(command: Command, bytes: u64) -> (Command, Option<Apart>) {
    let Some(flags) = alone() else { return (command, None) };
    let mut unshared = Command::new("unshare");
    let script = format!("mount -t tmpfs -o size={bytes} tmpfs /dev/shm && exec \"$@\"");
    unshared.args([flags, "sh", "-c", &script, "sh"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => unshared.env(name, value),
            None => unshared.env_remove(name),
        };
    }
    unshared.env(ALONE, "yes");
    (unshared, None)
}

/// As [`apart`].
pub(super) fn apart_in(command: Command, bytes: u64) -> (Command, Option<Apart>) {
    apart(command, bytes)
}

/// May a process have a place of its own of just so many bytes?
pub(crate) fn can_be_in(_bytes: u64) -> bool {
    can_be_alone()
}

/// Has it ended because it wrote where it may not?
pub(crate) fn has_trapped(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGSEGV)
}

/// Bytes of shared memory that this process has touched and that are still there.
pub(crate) fn touched() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("this process's status");
    let line = status.lines().find_map(|line| line.strip_prefix("RssShmem:")).expect("shared memory is counted");
    line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).expect("a number") * 1024
}

/// Segments that a process has mapped: the inodes of their mappings.
pub(crate) fn mapped(pid: u32) -> Vec<u64> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("the mappings of a process");
    let of_segments = maps.lines().filter(|line| is_segment(line));
    let mut inodes: Vec<u64> = of_segments.filter_map(|line| line.split_whitespace().nth(4)?.parse().ok()).collect();
    inodes.sort_unstable();
    inodes.dedup();
    inodes
}

/// Has a process so many segments mapped?
pub(crate) fn maps(pid: u32, segments: usize) -> bool {
    mapped(pid).len() == segments
}

fn is_segment(place: &str) -> bool {
    place.contains("/memfd:commonage") || place.contains("/dev/shm/commonage")
}

/// Bytes that have memory in the segments that a process has.
pub(crate) fn resident(pid: u32) -> u64 {
    let segments = mapped(pid);
    let mut found = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("the descriptors of a process").flatten() {
        let (Ok(metadata), Ok(link)) = (fs::metadata(entry.path()), fs::read_link(entry.path())) else { continue };
        if is_segment(&link.to_string_lossy()) && segments.contains(&metadata.ino()) {
            found.push((metadata.ino(), metadata.blocks() * 512));
        }
    }
    found.sort_unstable();
    found.dedup_by_key(|(inode, _)| *inode);
    assert_eq!(found.len(), segments.len(), "a segment that is mapped is open");
    found.into_iter().map(|(_, bytes)| bytes).sum()
}

/// Fails unless as many bytes have memory in the segments that a process has.
#[track_caller]
pub(crate) fn assert_resident(pid: u32, expected: impl RangeBounds<u64> + Debug) {
    let resident = resident(pid);
    assert!(expected.contains(&resident), "{resident} bytes are resident, {expected:?} expected");
}

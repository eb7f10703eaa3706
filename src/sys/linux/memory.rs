//! How much memory there is to have: what the machine says, and what this process's control groups leave.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Bytes that may be used before something is killed for it; `u64::MAX` where nobody says. Some 100 µs.
pub(crate) fn available_memory() -> u64 {
    let machine = read("/proc/meminfo").ok().and_then(|text| field(&text, "MemAvailable:"));
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let machine = machine.map_or(u64::MAX, |kibibytes| kibibytes.saturating_mul(1024));
    machine.min(left_by_groups(&groups, Path::new("/sys/fs/cgroup")))
}

/// A file of the system's, as text: with room for it, because each of many small reads would have it written anew.
fn read(path: impl AsRef<Path>) -> io::Result<String> {
    let mut text = String::with_capacity(8192);
    File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// The files of one version of control groups.
struct Version {
    limit: &'static str,
    usage: &'static str,
    /// What can be taken back from the page cache, in `memory.stat`.
    reclaimable: &'static str,
}

const FIRST: Version =
    Version { limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", reclaimable: "total_inactive_file" };
const SECOND: Version = Version { limit: "memory.max", usage: "memory.current", reclaimable: "inactive_file" };

/// The least that a group of this process, or one of that group's parents, leaves. `groups` is `/proc/self/cgroup`: a line
/// `number:controllers:path` for each hierarchy, in version 2 `0::path`.
fn left_by_groups(groups: &str, root: &Path) -> u64 {
    let mut left = u64::MAX;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(number), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let (version, mount) = if controllers.split(',').any(|name| name == "memory") {
            (&FIRST, root.join("memory"))
        } else if number == "0" && controllers.is_empty() {
            (&SECOND, root.to_owned())
        } else {
            continue;
        };
        left = left.min(left_on_path(version, &mount, path));
    }
    left
}

fn left_on_path(version: &Version, mount: &Path, path: &str) -> u64 {
    // In a container the path may lead out of what is mounted (`/../…`, or a directory that is not there): what can't be
    // seen is skipped, and the mount point itself is asked in any case.
    let inside = Path::new(path.trim_start_matches('/'));
    let clean = inside.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    let mut at: PathBuf = if clean { mount.join(inside) } else { mount.to_owned() };
    let mut left = u64::MAX;
    loop {
        left = left.min(left_in(version, &at));
        if at == mount || !at.pop() {
            return left;
        }
    }
}

fn left_in(version: &Version, group: &Path) -> u64 {
    let read = |name: &str| read(group.join(name)).ok();
    // `max`, and no such file, are no limit; version 1 says something near 2^63.
    let Some(limit) = read(version.limit).and_then(|text| text.trim().parse::<u64>().ok()) else { return u64::MAX };
    if limit >= i64::MAX as u64 - 0xffff {
        return u64::MAX;
    }
    let Some(usage) = read(version.usage).and_then(|text| text.trim().parse::<u64>().ok()) else { return u64::MAX };
    let reclaimable = read("memory.stat").and_then(|text| field(&text, version.reclaimable)).unwrap_or(0);
    limit.saturating_sub(usage.saturating_sub(reclaimable))
}

/// The number after a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.split_ascii_whitespace().next() == Some(name))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_tightest_group_above_counts() {
        let root = std::env::temp_dir().join(format!("commonage-test-groups-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("a/memory.max", "1000\n");
        write("a/memory.current", "900\n");
        write("a/memory.stat", "anon 5\ninactive_file 200\n");
        write("a/b/memory.max", "max\n");
        write("a/b/memory.current", "100\n");
        write("memory/c/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/c/memory.usage_in_bytes", "7\n");
        write("memory/memory.limit_in_bytes", "500\n");
        write("memory/memory.usage_in_bytes", "600\n");
        assert_eq!(left_by_groups("0::/a/b\n", &root), 300);
        assert_eq!(left_by_groups("0::/nowhere\n", &root), u64::MAX);
        assert_eq!(left_by_groups("0::/../a\n", &root), u64::MAX);
        assert_eq!(left_by_groups("4:memory:/c\n0::/a/b\n", &root), 0);
        assert_eq!(left_by_groups("4:cpu,memory:/elsewhere\n", &root), 0);
        assert_eq!(left_by_groups("rubbish\n3:cpu:/\n", &root), u64::MAX);
        fs::remove_dir_all(&root).unwrap();
    }
}

//! Control groups that leave little memory: an error before the system kills.

use std::{fs, path::PathBuf, process};

use commonage::{Error, Shared, SharedSlice};

use super::*;
use crate::scene::{BOTH, scene};

const MIB: u64 = 1 << 20;

/// Values of one mebibyte until there is no space for another: how many. They are dropped, and then there is.
fn fill_up() -> usize {
    let mut values: Vec<SharedSlice<u8>> = Vec::new();
    let error = loop {
        match Shared::new(&(values.len() as u8, 1 << 20)) {
            Ok(value) => values.push(value),
            Err(error) => break error,
        }
        assert!(values.len() < 1000, "there is no end of it");
    };
    assert!(matches!(error, Error::NoSpace { requested, available } if requested > available), "{error}");
    assert!(values.iter().enumerate().all(|(at, value)| value.iter().all(|byte| *byte == at as u8)));
    let made = values.len();
    drop(values);
    SharedSlice::<u8>::new(&(1, 1 << 20)).unwrap();
    made
}

/// Version 2, as a container sees it whose control group has a namespace: the files are not the kernel's.
fn second_version(script: &'static str) -> Surroundings {
    Surroundings { flags: &["-m"], script }
}

/// 200 MiB, of which 136 are used and 36 can be taken back.
const AT_THE_TOP: &str = "mount -t tmpfs tmpfs /sys/fs/cgroup
    echo 0::/ > /sys/fs/cgroup/of-this
    echo 209715200 > /sys/fs/cgroup/memory.max
    echo 142606336 > /sys/fs/cgroup/memory.current
    echo inactive_file 37748736 > /sys/fs/cgroup/memory.stat
    mount --bind /sys/fs/cgroup/of-this /proc/$$/cgroup";
/// The same in the middle, where the group itself has no limit, and the one above has a looser one.
const IN_THE_MIDDLE: &str = "mount -t tmpfs tmpfs /sys/fs/cgroup
    mkdir -p /sys/fs/cgroup/pod/container/process
    echo 0::/pod/container/process > /sys/fs/cgroup/of-this
    echo 209715200 > /sys/fs/cgroup/pod/container/memory.max
    echo 142606336 > /sys/fs/cgroup/pod/container/memory.current
    echo inactive_file 37748736 > /sys/fs/cgroup/pod/container/memory.stat
    echo 409715200 > /sys/fs/cgroup/pod/memory.max
    echo 142606336 > /sys/fs/cgroup/pod/memory.current
    echo max > /sys/fs/cgroup/pod/container/process/memory.max
    echo 1 > /sys/fs/cgroup/pod/container/process/memory.current
    mount --bind /sys/fs/cgroup/of-this /proc/$$/cgroup";
/// The same where the path leads out of what can be seen.
const OUT_OF_SIGHT: &str = "mount -t tmpfs tmpfs /sys/fs/cgroup
    echo 0::/../../other > /sys/fs/cgroup/of-this
    echo 209715200 > /sys/fs/cgroup/memory.max
    echo 142606336 > /sys/fs/cgroup/memory.current
    echo inactive_file 37748736 > /sys/fs/cgroup/memory.stat
    mount --bind /sys/fs/cgroup/of-this /proc/$$/cgroup";

#[test]
fn what_a_control_group_leaves_is_asked_wherever_its_limit_stands() {
    const TEST: &str = "containers::groups::what_a_control_group_leaves_is_asked_wherever_its_limit_stands";
    let main = || {
        for script in [AT_THE_TOP, IN_THE_MIDDLE, OUT_OF_SIGHT] {
            let surroundings = second_version(script);
            if surroundings.can_be_had(TEST) {
                surroundings.child(TEST, "limited").run_to_success();
            }
        }
    };
    // What is left, 100 MiB, is not less when it has been used: the files stay as they are.
    let limited = |_: &str| {
        let large = |mib: u64| SharedSlice::<u8>::new(&(1, (mib * MIB) as usize));
        let error = large(101).unwrap_err();
        assert!(
            matches!(error, Error::NoSpace { available, .. } if available > 90 * MIB && available <= 100 * MIB),
            "{error}"
        );
        assert_eq!(large(90).unwrap()[77], 1);
    };
    scene(TEST, BOTH, main, limited);
}

/// A group below this process's own, with 96 MiB; it goes with this value. None if it can't be had.
struct Group(PathBuf);

impl Group {
    fn new() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let path = groups.lines().find_map(|line| line.split_once(":memory:").map(|(_, path)| path.to_owned()))?;
        let own = PathBuf::from(format!("/sys/fs/cgroup/memory{path}"));
        let group = Group(own.join(format!("commonage-test-{}", process::id())));
        fs::create_dir(&group.0).ok()?;
        fs::write(group.0.join("memory.limit_in_bytes"), (96 * MIB).to_string()).ok()?;
        Some(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_memory_control_group_is_no_space_and_kills_nobody() {
    const TEST: &str = "containers::groups::a_memory_control_group_is_no_space_and_kills_nobody";
    const GROUP: &str = "COMMONAGE_TEST_GROUP";
    /// In a namespace of control groups that begins at the group: the path of each process there is `/`.
    const NAMESPACE: Surroundings = Surroundings {
        flags: &["-m"],
        script: "echo $$ > \"$COMMONAGE_TEST_GROUP/cgroup.procs\"
            exec unshare -Cm sh -ec '
                umount /sys/fs/cgroup/memory
                mount -t cgroup -o memory cgroup /sys/fs/cgroup/memory
                grep -q :memory:/$ /proc/self/cgroup
                exec \"$@\"' sh \"$@\"",
    };
    let main = || {
        let Some(group) = Group::new() else {
            return println!("{TEST}: skipped, no memory control group of version 1 can be made here");
        };
        child(TEST, "joins").env(GROUP, &group.0.to_string_lossy()).run_to_success();
        NAMESPACE.child(TEST, "limited").env(GROUP, &group.0.to_string_lossy()).run_to_success();
    };
    let limited = |role: &str| {
        if role == "joins" {
            let group = PathBuf::from(crate::scene::value(GROUP));
            fs::write(group.join("cgroup.procs"), process::id().to_string()).unwrap();
        }
        let made = fill_up();
        assert!((40..96).contains(&made), "{made} MiB of 96");
    };
    scene(TEST, BOTH, main, limited);
}

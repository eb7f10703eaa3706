//! A core dump stays small.

use std::{fs, os::unix::process::ExitStatusExt};

use commonage::{Shared, SharedSlice};

use crate::{
    puppet::{Puppet, mapped},
    scene::{BOTH, nobody_else, scene, scene_alone},
    support::{Directory, child},
};

/// The flags of this process's mappings of segments, one entry each.
fn flags_of_segments() -> Vec<String> {
    let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
    let mut found = Vec::new();
    let mut is_segment = false;
    for line in smaps.lines() {
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            if is_segment {
                found.push(flags.to_owned());
            }
        } else if line.split_once(' ').is_some_and(|(range, _)| range.contains('-')) {
            is_segment = line.contains("/memfd:commonage") || line.contains("/dev/shm/commonage");
        }
    }
    found
}

#[test]
fn no_mapping_of_a_segment_is_in_a_core_dump() {
    const TEST: &str = "dumps::no_mapping_of_a_segment_is_in_a_core_dump";
    let main = || {
        let mut peer = Puppet::new(TEST);
        peer.get("make 67108864 2");
        peer.get("make_mut 1000 3");
        let shared = peer.get("copy 0");
        let exclusive = peer.get("send 1");
        let own: SharedSlice<u8> = Shared::new(&(1, 64 << 20)).unwrap();
        let theirs = SharedSlice::<u8>::from_token(&shared).unwrap();
        // From now on the peer's segment is writable here.
        let exclusive = commonage::SharedSliceMut::<u8>::from_token(&exclusive).unwrap();
        let flags = flags_of_segments();
        assert!(mapped(std::process::id()).len() >= 3 && flags.len() >= 3, "{flags:?}");
        for flags in flags {
            assert!(flags.split_whitespace().any(|flag| flag == "dd"), "{flags}");
        }
        drop((own, theirs, exclusive));
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_core_dump_of_a_process_with_large_values_is_small() {
    const TEST: &str = "dumps::a_core_dump_of_a_process_with_large_values_is_small";
    let main = || {
        let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
        if pattern.contains(['/', '|']) {
            println!("{TEST}: skipped, a core dump does not go where this test could find it: {pattern}");
            return;
        }
        let directory = Directory::new();
        let output = child(TEST, "aborts").env("DIRECTORY", &directory.0).spawn().output();
        let stderr = String::from_utf8_lossy(&output.stderr);
        if stderr.contains("no core dump is permitted") {
            println!("{TEST}: skipped, no core dump is permitted here");
            return;
        }
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{stderr}");
        let cores: Vec<_> = fs::read_dir(&directory.0).unwrap().flatten().collect();
        if !output.status.core_dumped() {
            println!("{TEST}: skipped, the system made no core dump");
            return;
        }
        let [core] = &cores[..] else { panic!("{cores:?}") };
        let bytes = core.metadata().unwrap().len();
        assert!(bytes > 0 && bytes < 32 << 20, "{bytes} bytes");
    };
    let role = |_: &str| {
        std::env::set_current_dir(crate::scene::value("DIRECTORY")).unwrap();
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the limit is this function's own.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_CORE, &mut limit) }, 0);
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: as above.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_CORE, &limit) }, 0);
        if limit.rlim_max < 32 << 20 {
            eprintln!("no core dump is permitted");
            return;
        }
        let values: Vec<SharedSlice<u8>> = (0..3).map(|fill| Shared::new(&(fill, 64 << 20)).unwrap()).collect();
        assert_eq!(values[2][1 << 20], 2);
        std::process::abort();
    };
    scene_alone(TEST, BOTH, main, role);
}

//! A file system that is full, and files that may not be larger.

use std::{fs, io::Write, time::Duration};

use commonage::{Error, Shared, SharedSlice, reclaim, stats, sweep, trim};

use super::{MIB, is_right_when_full, right};
use crate::{
    puppet::Puppet,
    scene::{ANONYMOUS, NAMED, nobody_else, scene, scene_in},
    support::child,
};

#[test]
fn a_full_file_system_is_no_space_and_the_next_value_is_made_when_there_is_room() {
    const TEST: &str =
        "limits_of_memory::linux::a_full_file_system_is_no_space_and_the_next_value_is_made_when_there_is_room";
    let main = || {
        for len in [100_000, 4096, 300_000] {
            is_right_when_full(len);
            trim();
        }
        for len in [64, 1000] {
            is_right_when_full(len);
        }
        // One of the size of all, after all of them: what is kept warm is given up.
        let value: SharedSlice<u8> = Shared::new(&(1, 400_000)).unwrap();
        assert_eq!(value[399_999], 1);
    };
    scene_in(MIB, TEST, NAMED, main, nobody_else);
}

#[test]
fn a_file_system_too_small_for_any_value_is_no_space() {
    const TEST: &str = "limits_of_memory::linux::a_file_system_too_small_for_any_value_is_no_space";
    let main = || {
        for _ in 0..3 {
            let error = SharedSlice::<u8>::new(&(1, 1000)).unwrap_err();
            assert!(matches!(error, Error::NoSpace { requested, available } if requested > available), "{error:?}");
        }
        assert_eq!(stats().blocks, 0);
        sweep();
        trim();
        // Nothing is left of the attempts.
        assert_eq!(crate::scene::left(), [""; 0]);
    };
    scene_in(8 << 10, TEST, NAMED, main, nobody_else);
}

/// Takes all that is left of `/dev/shm`.
fn fill_the_file_system() {
    let mut file = fs::File::create("/dev/shm/filler").unwrap();
    for len in [64 << 10, 4096, 1] {
        while file.write_all(&vec![1; len]).is_ok() {}
    }
}

#[test]
fn claims_and_sweeps_on_a_full_file_system_are_errors_or_work() {
    const TEST: &str = "limits_of_memory::linux::claims_and_sweeps_on_a_full_file_system_are_errors_or_work";
    let main = || {
        let (mut owner, mut first, mut second) = (Puppet::new(TEST), Puppet::new(TEST), Puppet::new(TEST));
        owner.get("make 5000 1");
        owner.get("make 100000 2");
        owner.get("make 70 3");
        let tokens: Vec<_> = (0..3).map(|value| owner.get(format!("copy {value}"))).collect();
        let more = owner.get("copy 0");
        first.get(format!("claim {more}"));
        let last = owner.get("copy 0");
        fill_the_file_system();
        let no_space = |result: Result<String, String>| match result {
            Ok(answer) => Some(answer),
            Err(error) => {
                assert!(error.contains("NoSpace"), "{error}");
                None
            }
        };
        // Who has the segment claims in it; who has not finds no memory for its row, or does.
        for token in &tokens[1..] {
            no_space(first.ask(format!("claim {token}")));
        }
        no_space(second.ask(format!("claim {last}")));
        no_space(second.ask("make 5000 1"));
        no_space(second.ask("make 70 1"));
        no_space(owner.ask("make 1000000 4"));
        no_space(owner.ask("make_mut 70 4"));
        for _ in 0..200 {
            no_space(owner.ask("copy 1"));
        }
        for puppet in [&mut owner, &mut first, &mut second] {
            let swept = puppet.get("sweep");
            assert!(swept.contains("participants: 0"), "{swept}");
            puppet.get("blocks");
            puppet.get("trim");
        }
        first.kill();
        let swept = owner.get("sweep");
        assert!(swept.contains("participants: 1"), "{swept}");
        assert_eq!(owner.get("counts 0").split(' ').nth(1), Some("1"));
        fs::remove_file("/dev/shm/filler").unwrap();
        owner.get("make 50000 5");
        second.get(format!("claim {}", tokens[0]));
        owner.kill();
        fill_the_file_system();
        second.get("sweep");
        second.get("drop_all");
        second.get("sweep");
        second.leave();
        // What was sent and not claimed keeps its segment until it is lost.
        reclaim(Duration::ZERO);
        assert_eq!(crate::scene::left(), [""; 0]);
    };
    scene_in(4 * MIB, TEST, NAMED, main, nobody_else);
}

#[test]
fn what_dead_owners_have_left_goes_before_a_full_file_system_is_an_error() {
    const TEST: &str = "limits_of_memory::linux::what_dead_owners_have_left_goes_before_a_full_file_system_is_an_error";
    let main = || {
        // This process has begun before they died: it finds them when it runs short.
        let value: SharedSlice<u8> = Shared::new(&(1, 100_000)).unwrap();
        let mut owner = Puppet::new(TEST);
        owner.get("make 2000000 1");
        owner.kill();
        let more: SharedSlice<u8> = Shared::new(&(2, 2_500_000)).unwrap();
        assert!(more.iter().all(|byte| *byte == 2) && value.iter().all(|byte| *byte == 1));
    };
    scene_in(4 * MIB, TEST, NAMED, main, nobody_else);
}

/// The system ends, by a signal, a process that makes a file larger than it may.
#[test]
fn a_limit_on_the_size_of_files_is_no_space() {
    const TEST: &str = "limits_of_memory::linux::a_limit_on_the_size_of_files_is_no_space";
    let main = || drop(child(TEST, "limited").run_to_success());
    let role = |_: &str| {
        let limit = libc::rlimit { rlim_cur: 64 << 20, rlim_max: 64 << 20 };
        // SAFETY: a limit of this process's own, read by the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
        let value: SharedSlice<u8> = Shared::new(&(1, 1 << 20)).unwrap();
        let error = SharedSlice::<u8>::new(&(1, 100 << 20)).unwrap_err();
        assert!(matches!(error, Error::NoSpace { .. }), "{error:?}");
        // Segments that would be larger are as large as they may be.
        let values: Vec<SharedSlice<u8>> = (0..12).map(|fill| Shared::new(&(fill, 12 << 20)).unwrap()).collect();
        assert!(right(&values) && value[77] == 1);
    };
    scene(TEST, ANONYMOUS, main, role);
}

#[test]
fn a_limit_on_the_size_of_files_that_comes_later_changes_nothing() {
    const TEST: &str = "limits_of_memory::linux::a_limit_on_the_size_of_files_that_comes_later_changes_nothing";
    let main = || drop(child(TEST, "limited").run_to_success());
    let role = |_: &str| {
        let before: SharedSlice<u8> = Shared::new(&(1, 1 << 20)).unwrap();
        let limit = libc::rlimit { rlim_cur: 4096, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: a limit of this process's own, read by the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
        // Into memory that nobody has used.
        let source = vec![2_u8; 2 << 20];
        let value: SharedSlice<u8> = Shared::copy_from(&source[..]).unwrap();
        assert!(*value == source[..] && before[77] == 1);
    };
    scene(TEST, ANONYMOUS, main, role);
}

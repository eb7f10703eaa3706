//! Memory runs out: an error, never a signal, and the next value is made once there is room.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

use std::{fs, io::Write, path::PathBuf, time::Duration};

use commonage::{Error, Shared, SharedSlice, SharedSliceMut, reclaim, stats, sweep, trim};

#[cfg(not(target_os = "linux"))]
use self::elsewhere as platform;
#[cfg(target_os = "linux")]
use self::linux as platform;
use crate::{
    puppet::Puppet,
    scene::{BOTH, NAMED, nobody_else, scene, scene_alone, scene_in},
    support::{LIMIT, LOST_AFTER, child, named_directory},
};

const MIB: u64 = 1 << 20;

/// Values until there is no room for another: they, and what was asked for and could be had then.
fn fill_up(len: usize) -> (Vec<SharedSlice<u8>>, u64, u64) {
    let mut values: Vec<SharedSlice<u8>> = Vec::new();
    loop {
        match Shared::new(&(values.len() as u8, len)) {
            Ok(value) => values.push(value),
            Err(Error::NoSpace { requested, available }) => return (values, requested, available),
            Err(error) => panic!("after {} values: {error:?}", values.len()),
        }
        assert!(values.len() < 1 << 20, "there is no end of memory");
    }
}

fn right(values: &[SharedSlice<u8>]) -> bool {
    values.iter().enumerate().all(|(at, value)| value.iter().all(|byte| *byte == at as u8))
}

/// Room for half of the values that were there is room for as many.
fn is_right_when_full(len: usize) -> usize {
    let (mut values, requested, available) = fill_up(len);
    assert!(requested > available, "{requested} bytes were asked for, {available} could be had");
    assert!(!values.is_empty() && right(&values));
    let (first, all) = (stats(), values.len());
    assert_eq!(first.blocks, all);
    let half = values.split_off(all / 2);
    let dropped = half.len();
    drop(half);
    assert_eq!(stats().blocks, all - dropped);
    for at in values.len()..all {
        values.push(Shared::new(&(at as u8, len)).unwrap_or_else(|error| panic!("value {at} of {all}: {error}")));
    }
    assert!(right(&values));
    drop(values);
    assert_eq!(stats().blocks, 0);
    all
}

/// In a process with such a limit.
fn limited(test: &'static str, limit: u64, body: impl Fn()) {
    let main = || drop(child(test, "limited").env(LIMIT, &limit.to_string()).run_to_success());
    scene(test, BOTH, main, |_| body());
}

#[test]
fn beyond_the_limit_is_no_space_and_the_next_value_is_made_when_there_is_room() {
    const TEST: &str = "limits_of_memory::beyond_the_limit_is_no_space_and_the_next_value_is_made_when_there_is_room";
    limited(TEST, 8 * MIB, || {
        assert_eq!(is_right_when_full(1 << 20), 8, "eight of them are the limit, whole");
        assert_eq!(is_right_when_full(2 << 20), 4);
        let all = is_right_when_full(4096);
        assert!(all > 1900 && all <= 2048, "{all} pages of 2048");
        let value: SharedSlice<u8> = Shared::new(&(1, 8 << 20)).unwrap();
        assert_eq!((stats().reserved, value.len()), (8 * MIB, 8 << 20));
        let error = SharedSlice::<u8>::new(&(1, 5000)).unwrap_err();
        assert!(matches!(error, Error::NoSpace { requested: 8192, available: 0 }), "{error:?}");
        drop(value);
        let error = SharedSlice::<u8>::new(&(1, (8 << 20) + 1)).unwrap_err();
        assert!(matches!(error, Error::NoSpace { requested, available } if requested > available), "{error:?}");
        let value: SharedSlice<u8> = Shared::new(&(1, 5000)).unwrap();
        assert_eq!(value[4999], 1);
    });
}

#[test]
fn small_values_keep_to_the_limit() {
    limited("limits_of_memory::small_values_keep_to_the_limit", MIB, || {
        let all = is_right_when_full(100);
        assert!(all <= 8192 && all > 4096, "{all} values of 128 bytes in 1 MiB");
        assert!(stats().reserved <= MIB);
    });
}

#[test]
fn a_limit_that_is_smaller_than_a_segment_works() {
    limited("limits_of_memory::a_limit_that_is_smaller_than_a_segment_works", 100_000, || {
        let value: SharedSlice<u8> = Shared::new(&(1, 90_000)).unwrap();
        assert!(stats().reserved <= 100_000);
        let error = SharedSlice::<u8>::new(&(1, 20_000)).unwrap_err();
        assert!(matches!(error, Error::NoSpace { requested: 20_480, available } if available <= 10_000), "{error:?}");
        drop(value);
        let values: Vec<SharedSlice<u8>> = (0..4).map(|fill| Shared::new(&(fill, 20_000)).unwrap()).collect();
        assert!(right(&values));
    });
}

#[test]
fn no_limit_at_all_leaves_room_for_nothing() {
    limited("limits_of_memory::no_limit_at_all_leaves_room_for_nothing", 0, || {
        let error = SharedSlice::<u8>::new(&(1, 100)).unwrap_err();
        assert!(matches!(error, Error::NoSpace { available: 0, .. }), "{error:?}");
        assert_eq!(stats().blocks, 0);
    });
}

#[test]
fn lost_messages_go_before_the_limit_is_an_error() {
    const TEST: &str = "limits_of_memory::lost_messages_go_before_the_limit_is_an_error";
    let main = || {
        let limited = |role| child(TEST, role).env(LIMIT, &(4 * MIB).to_string());
        limited("young").run_to_success();
        limited("old").env(LOST_AFTER, "0").run_to_success();
    };
    let role = |role: &str| {
        let lost: Vec<String> =
            (0..4).map(|_| SharedSlice::<u8>::new(&(1, 1 << 20)).unwrap().into_token().unwrap()).collect();
        let next: Result<SharedSlice<u8>, _> = Shared::new(&(2, 1 << 20));
        if role == "old" {
            assert_eq!(next.unwrap()[0], 2);
            let error = SharedSlice::<u8>::from_token(&lost[0]).unwrap_err();
            assert!(matches!(error, Error::Expired { .. }), "{error:?}");
        } else {
            assert!(matches!(next, Err(Error::NoSpace { .. })));
            let first = SharedSlice::<u8>::from_token(&lost[0]).unwrap();
            assert_eq!(first[0], 1);
        }
        reclaim(Duration::ZERO);
    };
    scene_alone(TEST, BOTH, main, role);
}

#[test]
fn a_full_file_system_is_no_space_and_the_next_value_is_made_when_there_is_room() {
    const TEST: &str = "limits_of_memory::a_full_file_system_is_no_space_and_the_next_value_is_made_when_there_is_room";
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
    scene_in(platform::SMALL, TEST, NAMED, main, nobody_else);
}

#[test]
fn a_value_that_nobody_has_written_to_yet_has_its_room() {
    const TEST: &str = "limits_of_memory::a_value_that_nobody_has_written_to_yet_has_its_room";
    let main = || {
        let zeroed = || SharedSliceMut::<u8>::zeroed(12 << 20);
        let mut first = zeroed().unwrap();
        // There is room for one of them. Were there two, the end of the second could not be written.
        let second = zeroed().map(|mut second| second.fill(1));
        assert!(matches!(second, Err(Error::NoSpace { .. })), "{second:?}");
        first.fill(2);
        assert!(first.iter().all(|byte| *byte == 2));
    };
    scene_in(22 * MIB, TEST, NAMED, main, nobody_else);
}

#[test]
fn a_file_system_too_small_for_any_value_is_no_space() {
    const TEST: &str = "limits_of_memory::a_file_system_too_small_for_any_value_is_no_space";
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

fn filler() -> PathBuf {
    named_directory().join("filler")
}

/// Takes all that is left where names are.
fn fill_the_file_system() {
    let mut file = fs::File::create(filler()).unwrap();
    for len in [64 << 10, 4096, 1] {
        while file.write_all(&vec![1; len]).is_ok() {}
    }
}

#[test]
fn claims_and_sweeps_on_a_full_file_system_are_errors_or_work() {
    const TEST: &str = "limits_of_memory::claims_and_sweeps_on_a_full_file_system_are_errors_or_work";
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
        fs::remove_file(filler()).unwrap();
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
    const TEST: &str = "limits_of_memory::what_dead_owners_have_left_goes_before_a_full_file_system_is_an_error";
    let main = || {
        // This process has begun before they died: it finds them when it runs short.
        let value: SharedSlice<u8> = Shared::new(&(1, platform::BEFORE)).unwrap();
        let mut owner = Puppet::new(TEST);
        owner.get("make 2000000 1");
        owner.kill();
        let more: SharedSlice<u8> = platform::when_freed(|| Shared::new(&(2, 2_500_000))).unwrap();
        assert!(more.iter().all(|byte| *byte == 2) && value.iter().all(|byte| *byte == 1));
    };
    scene_in(platform::FOR_ONE, TEST, NAMED, main, nobody_else);
}

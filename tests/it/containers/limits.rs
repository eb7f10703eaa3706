//! Few descriptors, little address space.

use std::{env, fs, fs::File};

use commonage::{Error, Shared, SharedSlice};

use super::*;
use crate::scene::{BOTH, scene, value};

const TOKEN: &str = "COMMONAGE_TEST_TOKEN";
const MIB: u64 = 1 << 20;

fn limit(resource: libc::__rlimit_resource_t, most: u64) {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: a limit of this process's own, read by the call.
    assert_eq!(unsafe { libc::setrlimit(resource, &limit) }, 0);
}

/// An error that names a call, for want of what is limited.
fn names_a_call(error: &Error, wanted: i32) {
    match error {
        Error::Os { operation, source } => {
            assert!(!operation.is_empty() && error.to_string().contains(operation), "{error}");
            let said =
                source.raw_os_error() == Some(wanted) || error.to_string().contains(&format!("os error {wanted}"));
            assert!(said, "{error}");
        }
        Error::NoSpace { .. } => assert_eq!(wanted, libc::ENOMEM, "{error}"),
        error => panic!("{error:?}"),
    }
}

#[test]
fn sixteen_descriptors_are_enough() {
    const TEST: &str = "containers::limits::sixteen_descriptors_are_enough";
    let main = || {
        let (mut few, mut other) = (puppet_as(TEST, "few"), Puppet::new(TEST));
        passes(&mut few, &mut other);
        passes(&mut other, &mut few);
    };
    scene(TEST, BOTH, main, changed(TEST, |_| limit(libc::RLIMIT_NOFILE, 16)));
}

#[test]
fn with_no_descriptor_left_there_are_errors_and_values_again_when_there_is_one() {
    const TEST: &str =
        "containers::limits::with_no_descriptor_left_there_are_errors_and_values_again_when_there_is_one";
    let main = || {
        let shared: SharedSlice<u8> = Shared::new(&(1, 70_000)).unwrap();
        for free in 0..8 {
            let token = shared.clone().into_token().unwrap();
            child(TEST, "none").env(TOKEN, &token).env("FREE", &free.to_string()).run_to_success();
        }
        assert_eq!(commonage::stats().blocks, 1);
    };
    let none = |_: &str| {
        limit(libc::RLIMIT_NOFILE, 64);
        let free: usize = value("FREE").parse().unwrap();
        let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        files.truncate(files.len() - free);
        let check = |result: Result<SharedSlice<u8>, Error>, fill| match result {
            Ok(value) => assert!(value.iter().all(|byte| *byte == fill)),
            Err(error) => names_a_call(&error, libc::EMFILE),
        };
        for _ in 0..2 {
            check(Shared::new(&(2, 70_000)), 2);
            check(SharedSlice::from_token(&value(TOKEN)), 1);
        }
        if free == 0 {
            assert!(SharedSlice::<u8>::new(&(2, 70_000)).is_err());
        }
        drop(files);
        let made: SharedSlice<u8> = Shared::new(&(2, 70_000)).unwrap();
        let claimed = SharedSlice::<u8>::from_token(&value(TOKEN)).unwrap();
        assert_eq!((made[69_999], claimed[69_999]), (2, 1));
    };
    scene(TEST, BOTH, main, none);
}

/// Bytes of address space that this process has taken.
fn address_space() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// The first segment has 16 MiB of data, and its control area, most of which is never touched, as many addresses again.
#[test]
fn in_a_small_address_space_segments_are_smaller_and_then_there_is_an_error() {
    const TEST: &str = "containers::limits::in_a_small_address_space_segments_are_smaller_and_then_there_is_an_error";
    let main = || {
        let shared: SharedSlice<u8> = Shared::new(&(1, 70_000)).unwrap();
        for left in [96, 26, 12, 1] {
            let token = shared.clone().into_token().unwrap();
            child(TEST, "little").env(TOKEN, &token).env("LEFT", &left.to_string()).run_to_success();
        }
        assert_eq!(shared.counts().holders, 1);
    };
    let little = |_: &str| {
        let left: u64 = value("LEFT").parse().unwrap();
        let token = value(TOKEN);
        limit(libc::RLIMIT_AS, address_space() + left * MIB);
        match SharedSlice::<u8>::new(&(2, 70_000)) {
            Ok(value) => assert!(left > 12 && value.iter().all(|byte| *byte == 2), "{left} MiB"),
            Err(error) => {
                assert!(left < 26, "{left} MiB: {error}");
                names_a_call(&error, libc::ENOMEM);
            }
        }
        match SharedSlice::<u8>::from_token(&token) {
            Ok(value) => assert!(value.iter().all(|byte| *byte == 1)),
            Err(error) => {
                assert!(left < 96, "{error}");
                names_a_call(&error, libc::ENOMEM);
            }
        }
        // More than there are addresses.
        let error = SharedSlice::<u8>::new(&(2, 100 << 20)).unwrap_err();
        names_a_call(&error, libc::ENOMEM);
    };
    scene(TEST, BOTH, main, little);
}

#[test]
fn no_locked_memory_and_no_more_processes_change_nothing() {
    const TEST: &str = "containers::limits::no_locked_memory_and_no_more_processes_change_nothing";
    let main = || {
        let (mut limited, mut other) = (puppet_as(TEST, "limited"), Puppet::new(TEST));
        passes(&mut limited, &mut other);
        passes(&mut other, &mut limited);
    };
    let change = |_: &str| {
        limit(libc::RLIMIT_MEMLOCK, 0);
        limit(libc::RLIMIT_NPROC, 0);
        limit(libc::RLIMIT_CORE, 0);
        assert!(env::var_os("PATH").is_some());
    };
    scene(TEST, BOTH, main, changed(TEST, change));
}

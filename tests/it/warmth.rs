//! Memory that is kept warm: how much of it, and what it is good for.

use std::process;

use commonage::{Error, Shared, SharedMut, SharedSlice, prefault, stats, trim};

use crate::support::{BACKING, BOTH, LIMIT, PUNCHES, RETAIN, assert_resident, child, faults, on_both_backings, role};

const MIB: u64 = 1 << 20;

fn filled(len: usize, salt: u8) -> SharedSlice<u8> {
    let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8 ^ salt).collect();
    Shared::copy_from(&bytes[..]).unwrap()
}

#[test]
fn after_a_peak_as_much_stays_warm_as_the_configuration_says() {
    const TEST: &str = "warmth::after_a_peak_as_much_stays_warm_as_the_configuration_says";
    const KEPT: u64 = 64 * MIB;
    if role().is_none() {
        for retain in [KEPT, 0] {
            child(TEST, "peak").env(BACKING, BOTH[0]).env(RETAIN, &retain.to_string()).run_to_success();
        }
        return;
    }
    let kept = if std::env::var(RETAIN).unwrap() == "0" { 0 } else { KEPT };
    // Sizes that the limit is no multiple of.
    for len in [10_000_000, 33_333_333, 700_000] {
        let source = vec![7_u8; len];
        let values: Vec<SharedSlice<u8>> =
            (0..200_000_000 / len).map(|_| Shared::copy_from(&source[..]).unwrap()).collect();
        assert!(stats().live > 190_000_000);
        assert_resident(process::id(), 190_000_000..);
        drop(values);
        let warm = stats().warm;
        let most = if PUNCHES { kept * 105 / 100 + MIB } else { 200_000_000 };
        assert!((kept * 95 / 100..=most).contains(&warm), "{len}: {warm} bytes are warm");
        // What else is resident: the control areas.
        assert_resident(process::id(), kept * 95 / 100..=kept * 105 / 100 + 2 * MIB);
    }
    trim();
    assert!(stats().warm == 0 || !PUNCHES && stats().segments == 1, "{:?}", stats());
}

#[test]
fn what_was_prefaulted_is_used_without_a_page_fault() {
    const TEST: &str = "warmth::what_was_prefaulted_is_used_without_a_page_fault";
    on_both_backings(TEST, || {
        prefault(24 << 20).unwrap();
        assert!(stats().warm >= 24 * MIB, "{:?}", stats());
        let before = faults();
        let mut values: Vec<SharedSlice<u8>> = Vec::with_capacity(20);
        // Written through the mapping: a copy into memory that nobody has used would be written by the system.
        (0..20).for_each(|_| values.push(Shared::new(&(7, 1 << 20)).unwrap()));
        let after = faults();
        // Of 5,120 pages; the rest is the heap's and the stack's.
        assert!(after - before < 100, "{} page faults", after - before);
        assert!(values.iter().all(|value| value.iter().all(|byte| *byte == 7)));
    });
}

#[test]
fn what_was_prefaulted_is_kept_until_it_is_trimmed() {
    const TEST: &str = "warmth::what_was_prefaulted_is_kept_until_it_is_trimmed";
    if role().is_none() {
        return drop(child(TEST, "body").env(BACKING, BOTH[0]).env(RETAIN, &MIB.to_string()).run_to_success());
    }
    prefault(64 << 20).unwrap();
    drop((0..6).map(|at| filled(10 << 20, at)).collect::<Vec<_>>());
    let warm = stats().warm;
    assert!((64 * MIB..=66 * MIB).contains(&warm), "{warm} bytes are warm");
    trim();
    assert!(stats().warm == 0 || !PUNCHES, "{:?}", stats());
    drop((0..6).map(|at| filled(10 << 20, at)).collect::<Vec<_>>());
    let warm = stats().warm;
    assert!(warm <= 2 * MIB || !PUNCHES, "{warm} bytes are warm");
}

#[test]
fn prefaulting_more_than_there_may_be_is_an_error_and_takes_nothing() {
    const TEST: &str = "warmth::prefaulting_more_than_there_may_be_is_an_error_and_takes_nothing";
    if role().is_none() {
        return drop(child(TEST, "body").env(BACKING, BOTH[0]).env(LIMIT, &(8 * MIB).to_string()).run_to_success());
    }
    let refused = prefault(64 << 20);
    assert!(matches!(refused, Err(Error::NoSpace { .. })), "{refused:?}");
    let refused = prefault(usize::MAX);
    assert!(matches!(refused, Err(Error::NoSpace { .. } | Error::TooLarge { .. })), "{refused:?}");
    prefault(4 << 20).unwrap();
    prefault(0).unwrap();
    assert_eq!(filled(6 << 20, 1).len(), 6 << 20);
}

#[test]
fn what_was_reserved_before_a_refusal_goes_back() {
    const TEST: &str = "warmth::what_was_reserved_before_a_refusal_goes_back";
    if role().is_none() {
        let limit = 516 * MIB;
        return drop(child(TEST, "body").env(BACKING, BOTH[0]).env(LIMIT, &limit.to_string()).run_to_success());
    }
    // One half is there, the other is not.
    let refused = prefault(1 << 30);
    assert!(matches!(refused, Err(Error::NoSpace { .. })), "{refused:?}");
    assert!(stats().reserved < MIB || !PUNCHES, "{:?}", stats());
}

#[test]
fn what_was_prefaulted_is_kept_after_a_peak() {
    const TEST: &str = "warmth::what_was_prefaulted_is_kept_after_a_peak";
    if role().is_none() {
        return drop(child(TEST, "body").env(BACKING, BOTH[0]).env(RETAIN, &MIB.to_string()).run_to_success());
    }
    prefault(64 << 20).unwrap();
    drop((0..9).map(|at| filled(10 << 20, at)).collect::<Vec<_>>());
    let warm = stats().warm;
    assert!((64 * MIB..=66 * MIB).contains(&warm), "{warm} bytes are warm");
}

#[test]
fn a_copy_into_memory_that_nobody_has_used_is_whole_and_so_is_one_into_used_memory() {
    const TEST: &str = "warmth::a_copy_into_memory_that_nobody_has_used_is_whole_and_so_is_one_into_used_memory";
    on_both_backings(TEST, || {
        let sizes = [1, 127, 4095, 4096, 4097, 65_536, 300_001, 5_000_000];
        for round in 0..3 {
            for size in sizes {
                let expected: Vec<u8> = (0..size).map(|at| (at % 251) as u8 ^ round).collect();
                let value = filled(size, round);
                assert!(*value == expected[..], "{size} bytes, round {round}");
                drop(value);
                // Zeros, whatever has been there.
                let zeroed = SharedMut::<[u8]>::zeroed(size).unwrap();
                assert!(zeroed.iter().all(|byte| *byte == 0), "{size} bytes, round {round}");
            }
            let text = "häufig ".repeat(10_000);
            assert_eq!(*Shared::<str>::copy_from(&text).unwrap(), *text);
            if round == 1 {
                trim();
            }
        }
    });
}

#[test]
fn what_is_idle_goes_before_what_is_used_again_and_again() {
    const TEST: &str = "warmth::what_is_idle_goes_before_what_is_used_again_and_again";
    if role().is_none() {
        for backing in BOTH {
            child(TEST, "body").env(BACKING, backing).env(RETAIN, &(64 * MIB).to_string()).run_to_success();
        }
        return;
    }
    // The small values' segment, and as much as is kept in another one, all of it idle from now on.
    drop(SharedSlice::<u8>::new(&(1, 1)).unwrap());
    drop(SharedSlice::<u8>::new(&(7, 64 << 20)).unwrap());
    assert!(stats().segments == 2 && stats().warm >= 64 * MIB, "{:?}", stats());
    let again = |times: usize| {
        let before = faults();
        for _ in 0..times {
            // Written through the mapping: a copy into memory that nobody has used would be written by the system.
            assert_eq!(SharedSlice::<u8>::new(&(9, 2 << 20)).unwrap().len(), 2 << 20);
        }
        faults() - before
    };
    again(2);
    // Else each has its 512 pages faulted in.
    let faults = again(40);
    assert!(faults < 1000, "{faults} page faults");
}

//! `SeqLock`, by threads.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, AtomicU8, Ordering},
    thread,
    time::{Duration, Instant},
};

use bytemuck::Zeroable;

use crate::{
    Shareable,
    sync::{SeqLock, Unread, seqlock::again},
};

/// Values of any size are read as they were written.
fn round_trip<T: bytemuck::NoUninit + bytemuck::CheckedBitPattern + PartialEq + std::fmt::Debug>(values: &[T]) {
    let lock = SeqLock::new(values[0]);
    assert_eq!(lock.read().unwrap(), values[0]);
    for (number, value) in values.iter().enumerate() {
        lock.write(*value);
        assert_eq!(lock.read().unwrap(), *value);
        assert_eq!(lock.version(), number as u64 + 1);
    }
}

#[test]
fn values_of_any_size_come_back() {
    round_trip(&[(), ()]);
    round_trip(&[1_u8, 2, 3]);
    round_trip(&[true, false, true]);
    round_trip(&['a', '\u{10ffff}']);
    round_trip(&[u128::MAX, 1 << 64, 3]);
    round_trip(&[[1_u8, 2, 3], [4, 5, 6]]);
    round_trip(&[[1_u16; 3], [2; 3], [3; 3]]);
    round_trip(&[[1.5_f32; 5], [2.5; 5]]);
    macro_rules! sizes {
        ($($size:literal)*) => { $(round_trip(&[[1_u8; $size], std::array::from_fn(|at| at as u8), [7; $size]]);)* };
    }
    sizes!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 31 63 64 65 255 4096);
}

#[test]
fn a_read_is_never_of_two_values() {
    torn(Duration::from_millis(300));
}

#[test]
#[ignore = "takes a minute"]
fn a_read_is_never_of_two_values_for_a_minute() {
    torn(Duration::from_secs(60));
}

fn torn(time: Duration) {
    let lock = SeqLock::new([0_u64; 9]);
    let done = AtomicBool::new(false);
    thread::scope(|threads| {
        for id in 1..=2 {
            let (lock, done) = (&lock, &done);
            threads.spawn(move || {
                for number in 0_u64.. {
                    lock.write([number << 2 | id; 9]);
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        let reads = threads.spawn(|| {
            let (mut reads, mut version) = (0_u64, 0);
            while !done.load(Ordering::Relaxed) {
                let value = lock.read().unwrap();
                assert!(value.iter().all(|word| *word == value[0]), "{value:?}");
                let now = lock.version();
                assert!(now >= version);
                (reads, version) = (reads + 1, now);
            }
            reads
        });
        let end = Instant::now() + time;
        while Instant::now() < end && !reads.is_finished() {
            thread::sleep(Duration::from_millis(10));
        }
        done.store(true, Ordering::Relaxed);
        assert!(reads.join().unwrap() > 0);
    });
}

#[test]
fn who_changes_the_value_sees_the_last_one() {
    const TURNS: u64 = 5_000;
    let lock = SeqLock::new([0_u64; 2]);
    thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                for _ in 0..TURNS {
                    lock.update(|value| *value = value.map(|word| word + 1)).unwrap();
                }
            });
        }
    });
    assert_eq!(lock.read(), Ok([3 * TURNS; 2]));
    assert_eq!(lock.update(|value| value[0]), Ok(3 * TURNS));
}

#[test]
fn a_panic_publishes_nothing() {
    let lock = SeqLock::new(1_u32);
    let panics = || {
        let _: Result<(), _> = lock.update(|value| {
            *value = 2;
            panic!("half-way");
        });
    };
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!((lock.read(), lock.version()), (Ok(1), 0));
    lock.write(3);
    assert_eq!((lock.read(), lock.version()), (Ok(3), 1));
}

#[test]
fn a_writer_waits_for_another_but_not_for_ever() {
    let lock = SeqLock::new(1_u32);
    lock.update(|value| {
        assert!(!lock.write_timeout(5, Duration::ZERO));
        assert!(!lock.write_timeout(5, Duration::from_millis(30)));
        assert_eq!(lock.read(), Ok(1), "readers wait for nobody");
        *value = 2;
    })
    .unwrap();
    assert!(lock.write_timeout(5, Duration::ZERO));
    assert!(lock.write_timeout(6, Duration::MAX));
    assert_eq!(lock.read(), Ok(6));
}

#[test]
fn content_that_is_no_value_is_told() {
    let lock = SeqLock::new(true);
    // As a program in another language could do it.
    let bytes = (&raw const lock).cast::<u8>().cast_mut();
    // SAFETY: `SeqLock` is `repr(C)`: after two words comes the slot of even versions.
    let byte = unsafe { bytes.add(16) };
    // SAFETY: it lives as long as the lock, which makes only atomic accesses to it.
    let byte = unsafe { AtomicU8::from_ptr(byte) };
    byte.store(2, Ordering::Relaxed);
    assert_eq!(lock.read(), Err(Unread::Invalid));
    assert_eq!(lock.update(|value| *value = true), Err(Unread::Invalid));
    assert!(format!("{lock:?}").contains("not a valid value"));
    lock.write(true);
    assert_eq!(lock.read(), Ok(true));
}

#[test]
fn a_reader_that_is_overtaken_all_the_while_gives_up() {
    for timeout in [Duration::ZERO, Duration::from_millis(20)] {
        let mut tries = 0;
        let unread: Result<(), _> = again(timeout, || {
            tries += 1;
            None
        });
        let Err(Unread::Overtaken { waited }) = unread else { panic!("{unread:?}") };
        assert!(waited >= timeout && tries > 10);
    }
    for timeout in [Duration::ZERO, Duration::MAX] {
        let mut tries = 0;
        let read = again(timeout, || {
            tries += 1;
            (tries == 9).then_some(7)
        });
        assert_eq!((read, tries), (Ok(7), 9));
    }
}

#[test]
fn zeroed_memory_is_version_zero_of_a_zeroed_value() {
    let lock: SeqLock<[u16; 3]> = Zeroable::zeroed();
    assert_eq!((lock.read(), lock.version()), (Ok([0; 3]), 0));
    assert_eq!(format!("{lock:?}"), "SeqLock { version: 0, value: [0, 0, 0] }");
    assert_eq!(SeqLock::from(5_u8).read(), Ok(5));
    assert_eq!(SeqLock::<u8>::default().read(), Ok(0));
}

#[test]
fn the_layout_is_fixed_and_told_apart() {
    const { assert!(SeqLock::<u8>::LOCKS) };
    assert_eq!(size_of::<SeqLock<u8>>(), 32);
    assert_eq!(size_of::<SeqLock<[u64; 8]>>(), 16 + 2 * 64);
    assert_ne!(SeqLock::<u64>::FINGERPRINT, SeqLock::<i64>::FINGERPRINT);
}

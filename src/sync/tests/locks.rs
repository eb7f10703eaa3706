//! `Mutex`, by threads.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Barrier, mpsc},
    thread,
    time::Duration,
};

use bytemuck::Zeroable;

use crate::{
    Shareable,
    sync::{Mutex, MutexGuard, OwnerDied, TryLockError},
};

#[test]
fn threads_take_turns() {
    const TURNS: u64 = 20_000;
    let both = Mutex::new((0_u64, 0_u64));
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for _ in 0..TURNS {
                    let mut both = both.lock().unwrap();
                    assert_eq!(both.0, both.1);
                    both.0 += 1;
                    both.1 += 1;
                }
            });
        }
    });
    assert_eq!(both.into_inner(), (4 * TURNS, 4 * TURNS));
}

#[test]
fn who_asks_for_a_lock_that_is_held_is_told_so_in_time() {
    let mutex = Mutex::new(1);
    let guard = mutex.lock().unwrap();
    assert!(matches!(mutex.try_lock(), Err(TryLockError::Held)));
    assert!(matches!(mutex.lock_timeout(Duration::ZERO), Err(TryLockError::Held)));
    assert!(matches!(mutex.lock_timeout(Duration::from_millis(60)), Err(TryLockError::Held)));
    drop(guard);
    assert_eq!(*mutex.try_lock().unwrap(), 1);
    assert_eq!(*mutex.lock_timeout(Duration::ZERO).unwrap(), 1);
    assert_eq!(*mutex.lock_timeout(Duration::MAX).unwrap(), 1);
}

#[test]
fn who_waits_without_an_end_gets_it_when_it_is_let_go_of() {
    let mutex = Mutex::new(0);
    let (begun, waits) = mpsc::channel();
    thread::scope(|threads| {
        let guard = mutex.lock().unwrap();
        for timeout in [Duration::MAX, Duration::from_secs(60)] {
            let (mutex, begun) = (&mutex, begun.clone());
            threads.spawn(move || {
                begun.send(()).unwrap();
                *mutex.lock_timeout(timeout).unwrap() += 1;
            });
        }
        waits.recv().unwrap();
        waits.recv().unwrap();
        drop(guard);
    });
    assert_eq!(*mutex.lock().unwrap(), 2);
}

fn is_told(mutex: &Mutex<i32>) -> bool {
    matches!(mutex.try_lock(), Err(TryLockError::OwnerDied(_)))
}

#[test]
fn after_a_panic_each_is_told_until_one_takes_the_guard() {
    let mutex = Mutex::new(1);
    let panics = |change: &dyn Fn()| assert!(catch_unwind(AssertUnwindSafe(change)).is_err());
    panics(&|| {
        let _guard = mutex.lock().unwrap();
        panic!("half-way");
    });
    assert!(is_told(&mutex), "and lets it be");
    // `unwrap` panics, and drops what it has.
    panics(&|| drop(mutex.lock().unwrap()));
    let mut died = mutex.lock().unwrap_err();
    assert_eq!(**died.guard(), 1);
    **died.guard_mut() = 2;
    drop(died);
    let guard = mutex.lock().unwrap_err().into_guard();
    assert_eq!(*guard, 2);
    drop(guard);
    assert_eq!(*mutex.lock().unwrap(), 2);
    // Who was panicking already when it took the lock does what it wanted.
    struct Tidy<'a>(&'a Mutex<i32>);
    impl Drop for Tidy<'_> {
        fn drop(&mut self) {
            *self.0.lock().unwrap() += 1;
        }
    }
    panics(&|| {
        let _tidy = Tidy(&mutex);
        panic!("on the way out");
    });
    assert_eq!(*mutex.lock().unwrap(), 3);
}

#[test]
fn a_guard_dropped_after_it_was_taken_out_in_a_panic_is_told_of() {
    let mutex = Mutex::new(1);
    let half_way = || {
        let _guard = mutex.lock().unwrap();
        panic!("half-way");
    };
    assert!(catch_unwind(AssertUnwindSafe(half_way)).is_err());
    let again = || {
        let _guard = mutex.lock().unwrap_err().into_guard();
        panic!("again");
    };
    assert!(catch_unwind(AssertUnwindSafe(again)).is_err());
    assert!(is_told(&mutex));
}

#[test]
fn what_is_printed_waits_for_nothing() {
    let mutex = Mutex::from(7);
    assert_eq!(format!("{mutex:?}"), "Mutex { value: 7 }");
    let guard = mutex.lock().unwrap();
    assert_eq!(format!("{mutex:?} {guard:?} {guard}"), "Mutex { value: <locked> } 7 7");
    drop(guard);
    let panics = || {
        let _guard = mutex.lock().unwrap();
        panic!("half-way");
    };
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!(format!("{mutex:?}"), "Mutex { value: 7, owner: <died> }");
    let died: OwnerDied<MutexGuard<'_, i32>> = mutex.lock().unwrap_err();
    assert_eq!(format!("{died:?}"), "OwnerDied { .. }");
    assert!(died.to_string().contains("half-changed"));
    assert_eq!(format!("{:?}", mutex.try_lock().unwrap_err()), "Held");
}

#[test]
fn zeroed_memory_is_an_unlocked_mutex() {
    let mut mutex: Mutex<[u16; 3]> = Zeroable::zeroed();
    assert_eq!(*mutex.lock().unwrap(), [0; 3]);
    mutex.get_mut()[1] = 5;
    assert_eq!(mutex.into_inner(), [0, 5, 0]);
    assert_eq!(*Mutex::<u8>::default().lock().unwrap(), 0);
}

#[test]
fn the_layout_is_fixed_and_told_apart() {
    const { assert!(Mutex::<u8>::LOCKS) };
    assert_eq!((size_of::<Mutex<u8>>(), align_of::<Mutex<u8>>()), (16, align_of::<u64>()));
    assert_eq!(size_of::<Mutex<[u64; 3]>>(), 32);
    assert_ne!(Mutex::<u64>::FINGERPRINT, Mutex::<i64>::FINGERPRINT);
}

#[test]
fn a_crowd_with_timeouts_gets_through() {
    let mutex = Mutex::new(0_u32);
    let start = Barrier::new(4);
    let had: u32 = thread::scope(|threads| {
        let run = || {
            start.wait();
            let tries = (0..2000).filter(|_| match mutex.lock_timeout(Duration::from_micros(20)) {
                Ok(mut guard) => {
                    *guard += 1;
                    true
                }
                Err(TryLockError::Held) => false,
                Err(TryLockError::OwnerDied(_)) => panic!("nobody has died"),
            });
            tries.count() as u32
        };
        let threads = [(); 4].map(|()| threads.spawn(run));
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(*mutex.lock().unwrap(), had);
}

//! Threads that outlive `main`, and handles that are dropped late or never.

use std::{
    cell::RefCell,
    io::{self, Write},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use commonage::{Error, Shared, SharedMut, SharedSlice, SharedSliceMut, reclaim, stats};

use crate::{
    scene::{BOTH, left, nobody_else, scene, scene_alone, until},
    support::child,
};

const NOTHING: [String; 0] = [];

fn shared(len: usize, fill: u8) -> SharedSlice<u8> {
    Shared::new(&(fill, len)).unwrap()
}

/// Ends as it should, and says nothing of a panic.
fn ends_well(test: &str, role: &str, code: i32) {
    let output = child(test, role).spawn().output();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{role}: {stderr}");
    assert!(!stderr.contains("panicked"), "{role}: {stderr}");
}

/// What a thread does over and over, from before the end of `main` until the process is gone.
fn busy(turn: usize) {
    let check = |result: Result<bool, Error>| match result {
        Ok(right) => assert!(right),
        Err(Error::Exiting) => {}
        Err(error) => panic!("{error:?}"),
    };
    let len = [10, 700, 5000, 100_000][turn % 4];
    check(Shared::<[u8]>::new(&(1, len)).map(|value| value.iter().all(|byte| *byte == 1)));
    check(Shared::<[u8]>::new(&(2, len)).and_then(|value| {
        let token = value.clone().into_token()?;
        Ok(SharedSlice::<u8>::from_token(&token)? == value)
    }));
    check(SharedMut::<[u8]>::new(&(3, len)).map(|value| {
        drop(postcard::to_stdvec(&value));
        true
    }));
    check(Shared::<[u8]>::new(&(4, len)).and_then(|value| value.ticket()?.revoke()).map(|_| true));
}

#[test]
fn threads_outlive_main() {
    const TEST: &str = "teardown::threads_outlive_main";
    static TURNS: AtomicUsize = AtomicUsize::new(0);
    let main = || {
        for round in 0..4 {
            ends_well(TEST, "return", 0);
            ends_well(TEST, "exit", 7);
            ends_well(TEST, "exit in a thread", 7);
            reclaim(Duration::ZERO);
            assert_eq!(left(), NOTHING, "round {round}");
        }
    };
    let role = |role: &str| {
        for _ in 0..4 {
            thread::spawn(|| {
                loop {
                    busy(TURNS.fetch_add(1, Ordering::Relaxed));
                }
            });
        }
        until("the threads are busy", || (TURNS.load(Ordering::Relaxed) > 200).then_some(()));
        match role {
            "exit" => std::process::exit(7),
            "exit in a thread" => {
                thread::spawn(|| std::process::exit(7));
                loop {
                    busy(TURNS.fetch_add(1, Ordering::Relaxed));
                }
            }
            _ => {}
        }
    };
    scene_alone(TEST, BOTH, main, role);
}

#[test]
fn threads_that_claim_what_others_sent_outlive_main() {
    const TEST: &str = "teardown::threads_that_claim_what_others_sent_outlive_main";
    let main = || {
        let values: Vec<SharedSlice<u8>> = (0..4).map(|i| shared(5000 << i, i as u8)).collect();
        for round in 0..5 {
            let tokens: Vec<String> = (0..400).map(|i| values[i % 4].clone().into_token().unwrap()).collect();
            let mut claims = child(TEST, "claims").spawn();
            // Too many for the environment.
            writeln!(claims.child().stdin.take().unwrap(), "{}", tokens.join(" ")).unwrap();
            let output = claims.output();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !stderr.contains("panicked"), "{stderr}");
            // What it has not claimed is on its way still; what it held is given back.
            commonage::sweep();
            reclaim(Duration::ZERO);
            let (blocks, tickets, participants) = (stats().blocks, stats().tickets, stats().participants);
            assert_eq!((blocks, tickets, participants), (4, 0, 1), "round {round}");
            assert!(values.iter().all(|value| value.counts().holders == 1), "round {round}");
        }
    };
    let role = |_: &str| {
        let tokens: Vec<String> =
            io::read_to_string(io::stdin()).unwrap().split_whitespace().map(str::to_owned).collect();
        let (halves, taken) = (tokens.chunks(tokens.len() / 2), AtomicUsize::new(0));
        let taken: &AtomicUsize = Box::leak(Box::new(taken));
        for half in halves {
            let half = half.to_vec();
            thread::spawn(move || {
                for token in half {
                    match SharedSlice::<u8>::from_token(&token) {
                        Ok(value) if taken.load(Ordering::Relaxed).is_multiple_of(3) => std::mem::forget(value),
                        Ok(value) => assert!(value.iter().all(|byte| *byte == value[0])),
                        Err(Error::Exiting) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                    taken.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        until("the threads claim", || (taken.load(Ordering::Relaxed) > 20).then_some(()));
    };
    scene_alone(TEST, BOTH, main, role);
}

#[test]
fn handles_in_statics_and_leaked_ones_leave_nothing() {
    const TEST: &str = "teardown::handles_in_statics_and_leaked_ones_leave_nothing";
    static ONCE: OnceLock<SharedSlice<u8>> = OnceLock::new();
    static MANY: Mutex<Vec<SharedSliceMut<u8>>> = Mutex::new(Vec::new());
    let main = || {
        let value = shared(100_000, 1);
        for (role, code) in [("return", 0), ("exit", 7)] {
            let token = value.clone().into_token().unwrap();
            let output = child(TEST, role).env("TOKEN", &token).spawn().output();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{stderr}");
            commonage::sweep();
            assert_eq!((stats().blocks, stats().participants, value.counts().holders), (1, 1, 1), "{role}");
        }
        drop(value);
        assert_eq!(stats().blocks, 0);
        // This process's own segment, and its identity, at most.
        let wills = left().into_iter().filter(|name| name.starts_with("commonage-will")).count();
        assert_eq!(wills, 0);
    };
    let role = |role: &str| {
        let value = SharedSlice::<u8>::from_token(&crate::scene::value("TOKEN")).unwrap();
        ONCE.get_or_init(|| value.clone());
        let mut many = MANY.lock().unwrap();
        many.extend((0..50).map(|i| SharedMut::<[u8]>::new(&(i, 3000)).unwrap()));
        Box::leak(Box::new((value, shared(5000, 2))));
        if role == "exit" {
            std::process::exit(7);
        }
    };
    scene(TEST, BOTH, main, role);
}

/// Sends and makes values while its thread is torn down.
struct Late(Option<SharedSlice<u8>>, &'static AtomicUsize);

impl Drop for Late {
    fn drop(&mut self) {
        let kept = self.0.take().unwrap();
        assert_eq!(kept[0], 5);
        let more = shared(100, 6);
        let token = more.clone().into_token();
        if let Ok(token) = token {
            assert_eq!(SharedSlice::<u8>::from_token(&token).unwrap(), more);
        }
        drop((kept, more));
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

thread_local! {
    static FIRST: RefCell<Vec<Late>> = const { RefCell::new(Vec::new()) };
    static LAST: RefCell<Vec<Late>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn handles_in_thread_locals_are_dropped_with_their_threads() {
    const TEST: &str = "teardown::handles_in_thread_locals_are_dropped_with_their_threads";
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    let main = || {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                thread::spawn(|| {
                    // One is made before this crate's own thread-locals, and one after.
                    FIRST.with_borrow(|_| ());
                    let value = shared(200, 5);
                    LAST.with_borrow_mut(|late| late.push(Late(Some(value.clone()), &DROPPED)));
                    FIRST.with_borrow_mut(|late| late.push(Late(Some(value), &DROPPED)));
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(DROPPED.load(Ordering::SeqCst), 16);
        assert_eq!((stats().blocks, stats().tickets), (0, 0));
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn handles_in_thread_locals_of_main_and_of_threads_that_outlive_it_do_no_harm() {
    const TEST: &str = "teardown::handles_in_thread_locals_of_main_and_of_threads_that_outlive_it_do_no_harm";
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    static READY: AtomicUsize = AtomicUsize::new(0);
    let main = || {
        for _ in 0..3 {
            ends_well(TEST, "return", 0);
            ends_well(TEST, "exit", 7);
        }
        reclaim(Duration::ZERO);
        assert_eq!(left(), NOTHING);
    };
    fn keep() {
        FIRST.with_borrow(|_| ());
        let value = shared(200, 5);
        LAST.with_borrow_mut(|late| late.push(Late(Some(value.clone()), &DROPPED)));
        FIRST.with_borrow_mut(|late| late.push(Late(Some(value), &DROPPED)));
    }
    let role = |role: &str| {
        keep();
        for _ in 0..3 {
            thread::spawn(|| {
                keep();
                READY.fetch_add(1, Ordering::SeqCst);
                // Some end in the middle of the process's end.
                while READY.load(Ordering::SeqCst) < 3 {
                    thread::yield_now();
                }
            });
        }
        until("the threads keep values", || (READY.load(Ordering::SeqCst) == 3).then_some(()));
        if role == "exit" {
            std::process::exit(7);
        }
    };
    scene_alone(TEST, BOTH, main, role);
}

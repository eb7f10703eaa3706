//! Processes that die: as holders of a lock, as writers, and with those who wait for them asleep.

use std::{
    mem,
    sync::{atomic::Ordering, mpsc},
    thread,
    time::Duration,
};

use super::peer::{LIMIT, Mapped, Scene, role, say, until_told};
use crate::sync::{OwnerDied, TryLockError};

/// Every role of the processes that these tests start; nothing in a run of the tests themselves.
#[test]
fn child() {
    let Some((role, path)) = role() else { return };
    let mut here = Mapped::open(&path, role != "hold-unannounced");
    match role.as_str() {
        "hold" | "hold-unannounced" => {
            let mut pair = here.pair.lock().unwrap();
            pair[0] += 1;
            say("held");
            until_told();
            pair[1] += 1;
        }
        "hold-twice" => {
            let second = Mapped::open(&path, true);
            let _pair = here.pair.lock().unwrap();
            drop(second);
            say("held");
            until_told();
        }
        "leak" => {
            mem::forget(here.pair.lock().unwrap());
            here.forget_presence();
            say("left");
            until_told();
        }
        "count" => {
            say("begins");
            loop {
                let mut pair = match here.pair.lock() {
                    Ok(pair) => pair,
                    Err(died) => {
                        let mut pair = died.into_guard();
                        pair[1] = pair[0]; // begun is done
                        pair
                    }
                };
                assert_eq!(pair[0], pair[1]);
                pair[0] += 1;
                pair[1] += 1;
                drop(pair);
                here.number.fetch_add(1, Ordering::Relaxed);
            }
        }
        "write" => {
            say("begins");
            for number in 0.. {
                here.values.write([number; 64]);
            }
        }
        "write-half" => {
            let _ = here.values.update(|value| {
                value[0] = 99;
                say("half-way");
                until_told();
            });
        }
        "signal" => {
            until_told();
            here.number.store(7, Ordering::Relaxed);
            here.done.set();
        }
        role => super::forks::child(role, &here),
    }
}

#[test]
fn a_holder_that_is_killed_is_reported_with_the_guard() {
    let scene = Scene::new();
    let here = scene.open();
    let mut peer = scene.start("hold");
    assert_eq!(peer.hear(), "held");
    assert!(matches!(here.pair.try_lock(), Err(TryLockError::Held)), "it lives");
    assert!(matches!(here.pair.lock_timeout(Duration::from_millis(60)), Err(TryLockError::Held)), "it lives on");
    peer.kill();
    let Err(TryLockError::OwnerDied(died)) = here.pair.try_lock() else { panic!("it is dead") };
    let mut pair = died.into_guard();
    assert_eq!(*pair, [1, 0], "half-changed");
    pair[1] = 1;
    drop(pair);
    assert_eq!(*here.pair.lock().unwrap(), [1, 1], "nobody else is told");
}

#[test]
fn a_holder_that_lets_go_and_exits_is_not_reported() {
    let scene = Scene::new();
    let here = scene.open();
    let mut peer = scene.start("hold");
    assert_eq!(peer.hear(), "held");
    peer.end();
    assert_eq!(*here.pair.lock().unwrap(), [1, 1]);
}

#[test]
fn those_who_sleep_learn_of_the_death_and_one_is_told() {
    let scene = Scene::new();
    let here = scene.open();
    let mut peer = scene.start("hold");
    assert_eq!(peer.hear(), "held");
    let (ends, ended) = mpsc::channel();
    thread::scope(|threads| {
        for timeout in [None, Some(LIMIT), Some(Duration::MAX)] {
            let (here, ends) = (&here, ends.clone());
            threads.spawn(move || {
                let told = match timeout {
                    None => here.pair.lock().map(drop).map_err(OwnerDied::into_guard).is_err(),
                    Some(timeout) => match here.pair.lock_timeout(timeout) {
                        Ok(_) => false,
                        Err(TryLockError::OwnerDied(died)) => {
                            drop(died.into_guard());
                            true
                        }
                        Err(TryLockError::Held) => panic!("in time"),
                    },
                };
                ends.send(told).unwrap();
            });
        }
        while !here.pair.has_waiters() {
            thread::yield_now();
        }
        peer.kill();
        let told: Vec<_> = (0..3).map(|_| ended.recv_timeout(LIMIT).unwrap()).collect();
        assert_eq!(told.iter().filter(|told| **told).count(), 1, "{told:?}");
    });
}

#[test]
fn who_is_known_nowhere_is_not_reported_dead_where_nobody_can_tell() {
    let scene = Scene::new();
    // This process can't ask: it has the memory, but nothing to find the file by.
    let here = scene.open_unannounced();
    let mut peer = scene.start("hold");
    assert_eq!(peer.hear(), "held");
    peer.kill();
    assert!(matches!(here.pair.lock_timeout(Duration::from_millis(60)), Err(TryLockError::Held)));
    drop(here);
    assert!(scene.open().pair.lock().is_err(), "and who can ask is told");
}

/// Whether a process is known by the memory that it has, so that without it is as good as dead; elsewhere it is known as
/// the process that it is.
const KNOWN_BY_ITS_MEMORY: bool = cfg!(target_os = "linux");

#[test]
fn a_guard_that_is_leaked_counts_as_long_as_its_process_is_known() {
    let scene = Scene::new();
    let here = scene.open();
    let mut peer = scene.start("leak");
    assert_eq!(peer.hear(), "left");
    let dead = match here.pair.try_lock() {
        Err(TryLockError::OwnerDied(died)) => {
            drop(died.into_guard());
            true
        }
        Err(TryLockError::Held) => false,
        Ok(_) => panic!("nobody has let go of it"),
    };
    assert_eq!(dead, KNOWN_BY_ITS_MEMORY, "the process lives, but can't let go of it any more");
    peer.end();
    assert_eq!(here.pair.lock().is_err(), !KNOWN_BY_ITS_MEMORY, "who died is reported once");
}

#[test]
fn a_process_that_has_it_mapped_twice_is_known_until_the_last() {
    let scene = Scene::new();
    let here = scene.open();
    let mut peer = scene.start("hold-twice");
    assert_eq!(peer.hear(), "held");
    assert!(matches!(here.pair.try_lock(), Err(TryLockError::Held)));
    peer.kill();
    assert!(here.pair.lock().is_err());
}

#[test]
fn counts_are_right_though_those_who_count_are_killed() {
    let scene = Scene::new();
    let here = scene.open();
    let mut peers: Vec<_> = (0..2).map(|_| scene.start("count")).collect();
    peers.iter_mut().for_each(|peer| assert_eq!(peer.hear(), "begins"));
    for _ in 0..8 {
        let before = here.number.load(Ordering::Relaxed);
        while here.number.load(Ordering::Relaxed) < before + 1000 {
            thread::yield_now();
        }
        peers.remove(0).kill();
        let mut peer = scene.start("count");
        assert_eq!(peer.hear(), "begins");
        peers.push(peer);
    }
    drop(peers);
    let pair = match here.pair.lock() {
        Ok(pair) => *pair,
        Err(died) => [died.guard()[0]; 2],
    };
    assert_eq!(pair[0], pair[1]);
    let counted = here.number.load(Ordering::Relaxed);
    assert!((counted..=counted + 10).contains(&pair[0]), "{counted} turns, {pair:?} counted");
}

#[test]
fn a_writer_that_is_killed_leaves_the_last_value_and_room_for_the_next() {
    let scene = Scene::new();
    let here = scene.open();
    here.values.write([1; 64]);
    let mut peer = scene.start("write-half");
    assert_eq!(peer.hear(), "half-way");
    assert_eq!(here.values.read(), Ok([1; 64]), "readers wait for nobody");
    assert!(!here.values.write_timeout([2; 64], Duration::from_millis(60)), "it lives");
    peer.kill();
    assert_eq!(here.values.read(), Ok([1; 64]));
    assert!(here.values.write_timeout([3; 64], Duration::ZERO));
    assert_eq!((here.values.read(), here.values.version()), (Ok([3; 64]), 2));
}

#[test]
fn writers_that_are_killed_anywhere_tear_nothing() {
    let scene = Scene::new();
    let here = scene.open();
    for round in 0..12 {
        let mut peer = scene.start("write");
        assert_eq!(peer.hear(), "begins");
        let begin = here.values.version();
        while here.values.version() < begin + 500 + round * 37 {
            let value = here.values.read().unwrap();
            assert!(value.iter().all(|word| *word == value[0]), "{value:?}");
        }
        peer.kill();
        let last = here.values.read().unwrap();
        assert!(last.iter().all(|word| *word == last[0]), "{last:?}");
        here.values.write([round; 64]);
        assert_eq!(here.values.read(), Ok([round; 64]));
    }
}

#[test]
fn an_event_is_seen_by_other_processes() {
    let scene = Scene::new();
    let here = scene.open();
    let peer = scene.start("signal");
    assert!(!here.done.wait_timeout(Duration::from_millis(30)));
    peer.end();
    assert!(here.done.take_timeout(LIMIT));
    assert_eq!(here.number.load(Ordering::Relaxed), 7, "what came before it is seen");
}

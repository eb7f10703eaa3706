//! Forked children: they use the locks that they inherit as processes of their own.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
    thread,
};

use super::peer::{LIMIT, Mapped, Scene, say, until_told};
use crate::sync::{OwnerDied, TryLockError};

/// Runs `child` in a forked child of this process, which ends without any of its parent's clean-up.
fn fork(child: &mut dyn FnMut()) -> i32 {
    // SAFETY: no other thread of this process uses what the child does.
    in_child(unsafe { libc::fork() }, child)
}

/// As `fork`, but none of its handlers are run.
fn clone(child: &mut dyn FnMut()) -> i32 {
    // SAFETY: as `fork`; the child takes no memory from a heap that a thread of the parent may have locked.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    in_child(i32::try_from(pid).unwrap(), child)
}

fn in_child(pid: i32, child: &mut dyn FnMut()) -> i32 {
    assert_ne!(pid, -1);
    if pid == 0 {
        // SAFETY: no child that hangs lives for ever.
        unsafe { libc::alarm(30) };
        let done = catch_unwind(AssertUnwindSafe(child)).is_ok();
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(!done)) };
    }
    pid
}

#[track_caller]
fn succeeds(pid: i32) {
    let mut status = 0;
    // SAFETY: writes one number.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!((waited, status), (pid, 0));
}

pub(super) fn child(role: &str, here: &Mapped) {
    match role {
        "fork" => is_another(here, fork),
        "clone" => is_another(here, clone),
        "fork-without-descriptors" => can_not_be_known(here),
        "fork-and-hold" => {
            let _pair = here.pair.lock().unwrap();
            fork(&mut || outlives_its_parent(here));
            while here.number.load(Ordering::Relaxed) == 0 {
                thread::yield_now();
            }
            say("held");
            until_told();
        }
        role => panic!("no role {role}"),
    }
}

fn is_another(here: &Mapped, fork: fn(&mut dyn FnMut()) -> i32) {
    let mut guard = Some(here.pair.lock().unwrap());
    // A child that has done nothing yet, and one that has an id by now.
    for asks_first in [false, true] {
        succeeds(fork(&mut || {
            if asks_first {
                assert!(matches!(here.pair.try_lock(), Err(TryLockError::Held)), "the parent lives");
            }
            drop(guard.take()); // the child's copy
            assert!(matches!(here.pair.try_lock(), Err(TryLockError::Held)), "it is the parent's");
            *here.second.lock().unwrap() += 1;
            here.values.update(|value| value[0] += 1).unwrap();
            // And one of its own.
            succeeds(fork(&mut || *here.second.lock().unwrap() += 1));
        }));
        assert!(here.pair.try_lock().is_err());
    }
    assert_eq!(*here.second.lock().unwrap(), 4);
    assert_eq!(here.values.read().unwrap()[0], 2);
    // Its death is noticed by its parent.
    succeeds(fork(&mut || mem::forget(here.second.lock().unwrap())));
    assert_eq!(*here.second.lock().map_err(OwnerDied::into_guard).unwrap_err(), 4);
    // And its life.
    let holds = fork(&mut || {
        let second = here.second.lock().unwrap();
        here.number.store(1, Ordering::Relaxed);
        assert!(here.done.take_timeout(LIMIT));
        drop(second);
    });
    while here.number.load(Ordering::Relaxed) == 0 {
        thread::yield_now();
    }
    assert!(matches!(here.second.try_lock(), Err(TryLockError::Held)));
    here.done.set();
    succeeds(holds);
    assert_eq!(*here.second.lock().unwrap(), 4);
    drop(guard);
    assert_eq!(*here.pair.lock().unwrap(), [0, 0]);
}

/// The parent has the first lock.
fn outlives_its_parent(here: &Mapped) {
    *here.second.lock().unwrap() += 1;
    here.number.store(1, Ordering::Relaxed);
    assert!(here.done.take_timeout(LIMIT));
}

/// Nothing can be opened while the child is made.
fn can_not_be_known(here: &Mapped) {
    let limit = |soft| {
        // SAFETY: two numbers, for which zero is a value.
        let mut limits: libc::rlimit = unsafe { mem::zeroed() };
        // SAFETY: writes the two.
        unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limits) };
        let before = mem::replace(&mut limits.rlim_cur, soft);
        // SAFETY: reads the two.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limits) }, 0);
        before
    };
    let pair = here.pair.lock().unwrap();
    let before = limit(3);
    let pid = fork(&mut || {
        limit(before);
        let locks = || drop(here.second.lock());
        assert!(catch_unwind(AssertUnwindSafe(locks)).is_err(), "others would take it for dead");
        assert!(catch_unwind(AssertUnwindSafe(|| here.values.write([1; 64]))).is_err());
        assert_eq!(here.values.read(), Ok([0; 64]), "it can read");
        // What lies elsewhere it can lock, and let go of.
        let own = crate::sync::Mutex::new(0);
        *own.lock().unwrap() += 1;
        assert_eq!(*own.try_lock().unwrap(), 1);
    });
    limit(before);
    succeeds(pid);
    drop(pair);
    assert_eq!(*here.second.lock().unwrap(), 0);
}

fn passes(role: &str) {
    let scene = Scene::new();
    scene.start(role).end();
}

#[test]
fn a_forked_child_is_another_process() {
    passes("fork");
}

#[test]
fn a_child_that_no_handler_has_told_is_another_process() {
    passes("clone");
}

#[test]
fn a_child_that_can_not_be_known_to_others_locks_nothing_of_theirs() {
    passes("fork-without-descriptors");
}

#[test]
fn the_death_of_a_parent_is_noticed_while_its_child_lives() {
    let scene = Scene::new();
    let here = scene.open();
    let mut peer = scene.start("fork-and-hold");
    assert_eq!(peer.hear(), "held");
    assert!(matches!(here.pair.try_lock(), Err(TryLockError::Held)));
    peer.kill();
    assert!(here.pair.lock().is_err());
    assert_eq!(*here.second.lock().unwrap(), 1);
    // Its child lives, and goes.
    here.done.set();
    while here.done.is_set() {
        thread::yield_now();
    }
}

//! Forked children: what they inherit does not become theirs.

use std::{
    fs::{self, File},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32},
    },
    thread,
};

use super::*;
use crate::sys::PerProcess;

/// Runs `child` in a forked child of this process, which ends without any of its parent's clean-up.
fn fork(child: impl FnMut()) -> i32 {
    // SAFETY: the child calls what is given here, and ends. The other threads of the parent wait for it, or leave the
    // child's heap whole, which `fork` sees to.
    let pid = unsafe { libc::fork() };
    in_child(pid, child)
}

/// As `fork`, but none of its handlers are run.
fn clone(child: impl FnMut()) -> i32 {
    // SAFETY: as `fork`; the child takes no memory from a heap that a thread of the parent may have locked.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    in_child(i32::try_from(pid).unwrap(), child)
}

fn in_child(pid: i32, mut child: impl FnMut()) -> i32 {
    assert_ne!(pid, -1);
    if pid == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut child)).is_ok();
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(!done)) };
    }
    pid
}

fn wait_for(pid: i32) {
    let mut status = 0;
    // SAFETY: writes one number.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!((waited, status), (pid, 0));
}

pub(super) fn child(role: &str, told: &Told) -> bool {
    match role {
        "fork" => nothing_is_inherited(),
        "fork-and-die" => dies_before_its_child(told),
        "fork-among-threads" => forks_among_threads(),
        _ => return false,
    }
    told.say("done");
    told.hear();
    true
}

fn nothing_is_inherited() {
    static ONCE: PerProcess<AtomicU32> = PerProcess::new();
    let parent = sys::process_id();
    assert_eq!(parent, std::process::id());
    assert!(ONCE.existing().is_none());
    ONCE.get().store(5, Ordering::Relaxed);
    for backing in backings() {
        let mut inherited = Some(create(backing));
        let made = inherited.as_ref().unwrap();
        assert!(made.occupy(1).unwrap());
        let identity = made.identity().unwrap();
        let watcher = attach(&made.locator()).unwrap();
        wait_for(fork(|| {
            let made = inherited.take().unwrap(); // the child's copy; the parent's stays
            assert_ne!(sys::process_id(), parent);
            assert_eq!(sys::process_id(), std::process::id());
            assert!(ONCE.existing().is_none());
            assert_eq!(ONCE.get().load(Ordering::Relaxed), 0);
            // The numbers of what the parent has open are other descriptors' here.
            let others: Vec<_> = (0..16).map(|_| File::open("/dev/null").unwrap()).collect();
            made.vacate(1);
            made.remove_name();
            assert!(!made.occupy(2).unwrap());
            assert!(made.lock_sweep().is_none());
            assert!(made.reserve(0..CONTROL).is_err());
            assert!(!made.punch(0..CONTROL));
            identity::clean_exit();
            drop(made);
            assert!(others.iter().all(|file| file.metadata().is_ok()));
            if backing == Backing::Named {
                // The child is somebody else, and lets its parent's lock be.
                assert_eq!(watcher.liveness(1, identity), Liveness::Alive);
                let own = create(backing);
                assert_ne!(own.identity().unwrap(), identity);
                own.remove_name();
            }
        }));
        assert_eq!(watcher.liveness(1, identity), Liveness::Alive, "{backing:?}");
        assert_eq!(sys::process_id(), parent);
        assert_eq!(ONCE.get().load(Ordering::Relaxed), 5);
        let made = inherited.unwrap();
        drop(attach(&made.locator()).unwrap());
        made.remove_name();
    }
}

/// Occupies slot 3 of its segment, and has a child that never calls this crate, or not before it is told to.
fn dies_before_its_child(told: &Told) {
    let order = told.hear().unwrap();
    let made = create(if order.contains("named") { Backing::Named } else { Backing::Anonymous });
    assert!(made.occupy(3).unwrap());
    let _sweeping = made.lock_sweep().unwrap();
    let (locator, identity) = (made.locator(), made.identity().unwrap());
    let child = || {
        told.say(&format!("{identity} {}", peer::text(&locator)));
        if told.hear().is_some() {
            sys::process_id();
            told.say("called");
            told.hear();
        }
        assert_eq!(word(&made, ID).load(Ordering::Relaxed), locator.id.0);
    };
    wait_for(if order.contains("clone") { clone(child) } else { fork(child) });
}

/// Threads open and close what must not be inherited, while others fork.
fn forks_among_threads() {
    static DONE: AtomicBool = AtomicBool::new(false);
    static KEPT: Mutex<Vec<Segment>> = Mutex::new(Vec::new());
    let open_and_close = |backing| {
        while !DONE.load(Ordering::Relaxed) {
            let made = create(backing);
            assert!(made.occupy(0).unwrap());
            let again = attach(&made.locator()).unwrap();
            drop(again.lock_sweep());
            made.remove_name();
            KEPT.lock().unwrap().push(made);
            if KEPT.lock().unwrap().len() > 20 {
                KEPT.lock().unwrap().drain(..10);
            }
        }
    };
    struct Done;
    impl Drop for Done {
        fn drop(&mut self) {
            DONE.store(true, Ordering::Relaxed);
        }
    }
    thread::scope(|scope| {
        let done = Done; // the threads end as well if an assertion fails here
        let threads =
            backings().into_iter().chain(backings()).map(|backing| scope.spawn(move || open_and_close(backing)));
        let threads: Vec<_> = threads.collect();
        for _ in 0..100 {
            wait_for(fork(|| assert_eq!(inherited(), Vec::<String>::new())));
            // The lock of the register may be a lost thread's here.
            wait_for(clone(|| assert_ne!(sys::process_id(), 0)));
        }
        drop(done);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    KEPT.lock().unwrap().clear();
}

/// The descriptors of this process by which others would take another for alive.
fn inherited() -> Vec<String> {
    let named = |fd: &str| {
        let target = fs::read_link(format!("/proc/self/fd/{fd}")).ok()?.into_os_string().into_string().ok()?;
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        // One that is open as a place has no locks.
        let place = i32::from_str_radix(flags.trim(), 8).unwrap() & libc::O_PATH != 0;
        (!place && (target.contains("memfd:commonage") || target.contains("commonage-id-"))).then_some(target)
    };
    let all = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().file_name());
    all.filter_map(|fd| named(fd.to_str().unwrap())).collect()
}

#[test]
fn a_forked_child_inherits_no_place() {
    let mut forking = Peer::start("fork");
    assert_eq!(forking.hear(), "done");
    forking.end();
}

#[test]
fn no_descriptor_gets_through_a_fork_half_way() {
    let mut forking = Peer::start("fork-among-threads");
    assert_eq!(forking.hear(), "done");
    forking.end();
}

/// A process in the role `fork-and-die`, and its segment.
struct Forking {
    process: Peer,
    here: Segment,
    identity: u64,
}

impl Forking {
    fn start(order: &str) -> Forking {
        let mut process = Peer::start("fork-and-die");
        let said = process.ask(order);
        let (identity, locator) = said.split_once(' ').unwrap();
        let here = attach(&peer::locator(locator)).unwrap();
        let forking = Forking { process, here, identity: identity.parse().unwrap() };
        assert_eq!(forking.liveness(), Liveness::Alive);
        assert!(forking.here.lock_sweep().is_none());
        forking
    }

    fn liveness(&self) -> Liveness {
        self.here.liveness(3, self.identity)
    }

    fn is_gone(&self) {
        assert_eq!(self.liveness(), Liveness::Dead);
        assert!(self.here.lock_sweep().is_some());
    }
}

impl Drop for Forking {
    fn drop(&mut self) {
        self.process.kill_and_leave();
        self.here.remove_name();
        self.here.bury(self.identity, true);
    }
}

#[test]
fn a_child_that_outlives_its_parent_keeps_nobody_alive() {
    for backing in backings() {
        let mut forking = Forking::start(&format!("{backing:?} fork").to_lowercase());
        forking.process.kill_and_leave();
        forking.is_gone();
        assert_eq!(forking.process.ask("call"), "called", "the child has been there all the time");
    }
}

#[test]
fn a_child_that_no_handler_has_told_keeps_nobody_alive_once_it_calls() {
    for backing in backings() {
        let mut forking = Forking::start(&format!("{backing:?} clone").to_lowercase());
        forking.process.kill_and_leave();
        assert_eq!(forking.liveness(), Liveness::Alive, "nobody can know");
        assert_eq!(forking.process.ask("call"), "called");
        forking.is_gone();
    }
}

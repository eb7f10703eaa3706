//! What only Linux has: `fork`, PID namespaces, and descriptors that a process can lose.

use std::{
    io::{BufRead, BufReader, Write, stdout},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use commonage::{
    Link, shareable,
    sync::{Event, Mutex, TryLockError},
};

use super::{Halves, LONG, Writable, hold, holder, told};
use crate::{
    forked::{ENDS, End, Forked},
    links_of_peers::given,
    named::{LINK, Name},
    scene::until,
    support::{child, role, said},
};

#[test]
fn a_holder_in_another_pid_namespace_is_not_dead_until_it_is_killed() {
    const TEST: &str = "locks::linux::a_holder_in_another_pid_namespace_is_not_dead_until_it_is_killed";
    if let Some(role) = role() {
        return hold(&role);
    }
    let name = Name::new();
    let link: Writable<Halves> = Link::create(&name.0).unwrap();
    let exe = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new("unshare");
    command.args(["-p", "-f", "--kill-child"]).arg(exe).args([TEST, "--exact", "--nocapture"]);
    if !std::process::Command::new("unshare").args(["-p", "-f", "true"]).status().is_ok_and(|status| status.success()) {
        return println!("skipped: no PID namespace can be made");
    }
    let command = crate::support::ChildCommand::program(command, "a holder elsewhere");
    let mut running = command.env("COMMONAGE_TEST_ROLE", "holds").env(LINK, &name.0).spawn();
    let mut from = BufReader::new(running.child().stdout.take().expect("it is piped"));
    said(&mut from, "holds: ");
    assert!(matches!(link.both.lock_timeout(Duration::from_millis(100)), Err(TryLockError::Held)));
    running.kill();
    assert_eq!(*told(&link.both), [1, 0]);
}

#[test]
fn a_forked_child_locks_through_an_inherited_link_and_its_death_is_noticed() {
    for end in ENDS {
        let name = Name::new();
        let link: Writable<Mutex<u64>> = Link::create(&name.0).unwrap();
        Forked::new(end, || *link.lock().unwrap() += 1).success();
        assert_eq!(*link.lock().expect("it was let go of in order"), 1);
        // One that ends while it has the lock.
        Forked::new(End::UnderscoreExit, || {
            let mut count = link.lock().unwrap();
            *count += 1;
            std::mem::forget(count);
        })
        .success();
        assert_eq!(*told(&link), 2);
        // The parent's lock is held while the child looks, and the child's copy of the guard lets go of nothing.
        let guard = link.lock().unwrap();
        let mut copy = Some(guard);
        Forked::new(end, || {
            assert!(matches!(link.try_lock(), Err(TryLockError::Held)), "its parent lives");
            drop(copy.take());
            assert!(matches!(link.try_lock(), Err(TryLockError::Held)), "a copy of the guard let go of the lock");
        })
        .success();
        assert!(matches!(link.try_lock(), Err(TryLockError::Held)));
        drop(copy);
        drop(link.lock().expect("it was let go of by the one who had it"));
    }
}

#[test]
fn the_death_of_a_parent_is_noticed_while_its_forked_child_lives() {
    const TEST: &str = "locks::linux::the_death_of_a_parent_is_noticed_while_its_forked_child_lives";
    shareable! {
        struct Family {
            lock: Mutex<u64>,
            children: AtomicU64,
            end: Event,
        }
    }
    match role().as_deref() {
        Some("parent") => {
            let link: Writable<Family> = Link::open_existing(&given()).unwrap();
            let _guard = link.lock.lock().unwrap();
            // SAFETY: the child makes atomic accesses and system calls only, and ends without handlers.
            if unsafe { libc::fork() } == 0 {
                link.children.store(1, Relaxed);
                link.end.wait_timeout(LONG);
                link.children.store(2, Relaxed);
                // SAFETY: ends this process.
                unsafe { libc::_exit(0) };
            }
            println!("parent: of one");
            stdout().flush().unwrap();
            link.end.wait_timeout(LONG);
        }
        Some(other) => panic!("there is no role `{other}`"),
        None => {
            let name = Name::new();
            let link: Writable<Family> = Link::create(&name.0).unwrap();
            let mut running = child(TEST, "parent").env(LINK, &name.0).spawn();
            let mut from = BufReader::new(running.child().stdout.take().expect("it is piped"));
            said(&mut from, "parent: ");
            until("the child runs", || (link.children.load(Relaxed) == 1).then_some(()));
            assert!(matches!(link.lock.try_lock(), Err(TryLockError::Held)));
            running.kill();
            drop(told(&link.lock)); // the parent is dead, and its child is not the holder
            assert_eq!(link.children.load(Relaxed), 1, "the child lives");
            link.end.set();
            until("the child ends", || (link.children.load(Relaxed) == 2).then_some(()));
            let mut rest = String::new();
            let _ = from.read_line(&mut rest);
        }
    }
}

#[test]
fn a_holder_that_redirects_its_closed_standard_input_is_not_dead() {
    const TEST: &str = "locks::linux::a_holder_that_redirects_its_closed_standard_input_is_not_dead";
    if let Some(role) = role() {
        // SAFETY: nobody in this process reads from it.
        assert_eq!(unsafe { libc::close(0) }, 0);
        let link: Writable<Halves> = Link::open_existing(&given()).unwrap();
        let both = link.both.lock().unwrap();
        // SAFETY: the path ends in a zero.
        let null = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
        // SAFETY: what has that number is the standard input, or nothing.
        assert!(null == 0 || unsafe { libc::dup2(null, 0) } == 0);
        println!("{role}: the lock");
        stdout().flush().unwrap();
        assert!(link.go_on.wait_timeout(LONG));
        return drop(both);
    }
    let name = Name::new();
    let link: Writable<Halves> = Link::create(&name.0).unwrap();
    let (running, _from) = holder(TEST, &name);
    assert!(matches!(link.both.try_lock(), Err(TryLockError::Held)), "its holder lives");
    link.go_on.set();
    drop(running);
}

#[test]
fn who_has_lost_its_descriptors_takes_nobody_for_dead() {
    const TEST: &str = "locks::linux::who_has_lost_its_descriptors_takes_nobody_for_dead";
    match role().as_deref() {
        Some("holds") => hold("holds"),
        Some("asks") => {
            let link: Writable<Halves> = Link::open_existing(&given()).unwrap();
            assert!(matches!(link.both.try_lock(), Err(TryLockError::Held)));
            // As some daemons do; what others open later has the same numbers.
            // SAFETY: this process goes on with nothing that it has open, but for the three streams.
            assert_eq!(unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) }, 0);
            assert!(matches!(link.both.try_lock(), Err(TryLockError::Held)), "its holder lives");
            let other: Vec<_> = (0..64).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
            assert!(matches!(link.both.try_lock(), Err(TryLockError::Held)), "its holder lives");
            std::mem::forget((link, other));
        }
        Some(other) => panic!("there is no role `{other}`"),
        None => {
            let name = Name::new();
            let link: Writable<Halves> = Link::create(&name.0).unwrap();
            let (running, _from) = holder(TEST, &name);
            child(TEST, "asks").env(LINK, &name.0).run_to_success();
            link.go_on.set();
            drop(running);
        }
    }
}

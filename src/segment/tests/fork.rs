//! Forked children: what they inherit does not become theirs.

use super::*;

/// Runs `child` in a forked child of this process, which ends without any of its parent's clean-up.
fn fork(mut child: impl FnMut()) -> i32 {
    // SAFETY: the child calls what is given here, and ends. The other threads of the parent wait for it.
    let pid = unsafe { libc::fork() };
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
        "fork-and-stay" => forks_and_stays(told),
        _ => return false,
    }
    told.say("done");
    told.hear();
    true
}

fn nothing_is_inherited() {
    let parent = sys::process_id();
    assert_eq!(parent, std::process::id());
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
            made.vacate(1);
            made.remove_name();
            assert!(!made.occupy(2).unwrap());
            identity::clean_exit();
            drop(made);
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
        let made = inherited.unwrap();
        drop(attach(&made.locator()).unwrap());
        made.remove_name();
    }
}

/// Says where its segment is, of which it occupies slot 3. Its child closes the descriptor, keeps the mapping, and stays.
fn forks_and_stays(told: &Told) {
    let made = create(Backing::Anonymous);
    assert!(made.occupy(3).unwrap());
    let locator = made.locator();
    let child = fork(|| {
        // SAFETY: nothing of this child uses the descriptor any more.
        unsafe { libc::close(locator.sender.fd.cast_signed()) };
        told.say(&peer::text(&locator));
        told.hear();
        assert_eq!(word(&made, 0).load(Ordering::Relaxed), locator.id.0);
    });
    wait_for(child);
}

#[test]
fn a_forked_child_inherits_no_place() {
    let mut forking = Peer::start("fork");
    assert_eq!(forking.hear(), "done");
    forking.end();
}

#[test]
fn a_forked_childs_mapping_pins_no_lock() {
    let mut forking = Peer::start("fork-and-stay");
    let theirs = peer::locator(&forking.hear());
    let here = attach(&theirs).unwrap();
    assert_eq!(here.liveness(3, 0), Liveness::Alive);
    forking.kill_and_leave();
    assert_eq!(here.liveness(3, 0), Liveness::Dead);
}

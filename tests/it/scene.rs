//! A test of several processes that are alone with what has a name: on Linux, with a `/dev/shm` of their own.

use std::{
    env, thread,
    time::{Duration, Instant},
};

#[cfg(target_os = "linux")]
pub(crate) use crate::support::ANONYMOUS;
pub(crate) use crate::support::{BOTH, listing};
use crate::{
    puppet,
    support::{
        BACKING, ChildCommand, Directory, WATCHDOG, WILLS, can_be_alone, can_be_in, child, is_alone, is_child, named,
        role,
    },
};

/// Enough for all but the tests of a full one.
const ROOM: u64 = 2 << 30;

pub(crate) const NAMED: &[&str] = &["named"];

/// `main` runs in a child for each of `backings`, alone with what has a name where that is permitted, so that it finds
/// nothing there but its own and leaves nothing. It starts the others, which do what their role says: [`puppet::OBEY`],
/// or one that `others` knows. `test` is the full name of the calling test.
pub(crate) fn scene(test: &str, backings: &[&str], main: impl FnOnce(), others: impl FnOnce(&str)) {
    play(test, backings, |child| child.alone(ROOM), main, others);
}

/// As [`scene`], for what can't be seen, or would take what is others', where a process is not alone.
pub(crate) fn scene_alone(test: &str, backings: &[&str], main: impl FnOnce(), others: impl FnOnce(&str)) {
    if !is_child() && !can_be_alone() {
        println!("{test}: skipped, a `/dev/shm` of its own is not permitted here");
        return;
    }
    scene(test, backings, main, others);
}

/// As [`scene_alone`], where what has a name lies in a file system of so many bytes.
pub(crate) fn scene_in(bytes: u64, test: &str, backings: &[&str], main: impl FnOnce(), others: impl FnOnce(&str)) {
    if !is_child() && !can_be_in(bytes) {
        println!("{test}: skipped, a file system of {bytes} bytes of its own is not to be had here");
        return;
    }
    play(test, backings, |child| child.alone_in(bytes), main, others);
}

fn play(
    test: &str,
    backings: &[&str],
    put: impl Fn(ChildCommand) -> ChildCommand,
    main: impl FnOnce(),
    others: impl FnOnce(&str),
) {
    match role().as_deref() {
        None => {
            for backing in backings {
                let mut main = put(child(test, "main").env(BACKING, backing));
                let wills = (!can_be_alone()).then(Directory::new);
                if let Some(wills) = &wills {
                    main = main.env(WILLS, &wills.0);
                }
                let said = main.run_to_success().stdout;
                String::from_utf8_lossy(&said).lines().filter(|line| line.contains("skipped")).for_each(|line| {
                    println!("{line}");
                });
            }
        }
        Some("main") => main(),
        Some(puppet::OBEY) => puppet::obey(test),
        Some(puppet::SLEEP) => thread::sleep(WATCHDOG / 2),
        Some(role) => others(role),
    }
}

/// For a scene in which all others are puppets.
pub(crate) fn nobody_else(role: &str) {
    panic!("there is no role `{role}`");
}

/// Is this process's pool of that backing?
pub(crate) fn is_named() -> bool {
    env::var(BACKING).as_deref() == Ok("named")
}

/// What is set in the environment of this child by its parent.
pub(crate) fn value(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("the parent sets {name}"))
}

/// Looks until `found` has something, for as long as no child lives longer.
pub(crate) fn until<R>(what: &str, mut found: impl FnMut() -> Option<R>) -> R {
    let began = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(began.elapsed() < WATCHDOG / 3, "{what}: not within {:?}", WATCHDOG / 3);
        thread::sleep(Duration::from_millis(1));
    }
}

/// What of this crate has a name: nothing where nobody holds anything. Where this process is not alone, the wills.
pub(crate) fn left() -> Vec<String> {
    if is_alone() {
        return named();
    }
    let mut wills = listing(value(WILLS));
    wills.retain(|name| name.starts_with("commonage"));
    wills
}

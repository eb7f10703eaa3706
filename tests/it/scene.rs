//! A test of several processes that have a `/dev/shm` of their own.

use std::{
    env, fs, thread,
    time::{Duration, Instant},
};

use crate::{
    puppet,
    support::{BACKING, Directory, WATCHDOG, WILLS, alone, child, is_alone, is_child, role},
};

/// Enough for all but the tests of a full one.
const ROOM: u64 = 2 << 30;

pub(crate) const BOTH: &[&str] = &["anonymous", "named"];
pub(crate) const ANONYMOUS: &[&str] = &["anonymous"];
pub(crate) const NAMED: &[&str] = &["named"];

/// `main` runs in a child for each of `backings`, with a `/dev/shm` of its own where that is permitted, so that it finds
/// nothing there but its own and leaves nothing. It starts the others, which do what their role says: [`puppet::OBEY`],
/// or one that `others` knows. `test` is the full name of the calling test.
pub(crate) fn scene(test: &str, backings: &[&str], main: impl FnOnce(), others: impl FnOnce(&str)) {
    play(test, backings, ROOM, main, others);
}

/// As [`scene`], for what can't be seen, or would take what is others', in a `/dev/shm` that is not one's own.
pub(crate) fn scene_alone(test: &str, backings: &[&str], main: impl FnOnce(), others: impl FnOnce(&str)) {
    scene_in(ROOM, test, backings, main, others);
}

/// As [`scene_alone`], where `/dev/shm` has so many bytes.
pub(crate) fn scene_in(bytes: u64, test: &str, backings: &[&str], main: impl FnOnce(), others: impl FnOnce(&str)) {
    if !is_child() && alone().is_none() {
        println!("{test}: skipped, a `/dev/shm` of its own is not permitted here");
        return;
    }
    play(test, backings, bytes, main, others);
}

fn play(test: &str, backings: &[&str], bytes: u64, main: impl FnOnce(), others: impl FnOnce(&str)) {
    match role().as_deref() {
        None => {
            for backing in backings {
                let mut main = child(test, "main").env(BACKING, backing).alone(bytes);
                let wills = alone().is_none().then(Directory::new);
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
        Some(puppet::OBEY) => puppet::obey(),
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

/// What is in a directory, in order.
pub(crate) fn listing(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory that can be listed");
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What of this crate is in `/dev/shm`: nothing where nobody holds anything. Where that is not one's own, the wills.
pub(crate) fn left() -> Vec<String> {
    let mut names = if is_alone() { listing("/dev/shm") } else { listing(&value(WILLS)) };
    names.retain(|name| name.starts_with("commonage"));
    names
}

//! What holds of places on every platform.

#[cfg(any(target_os = "linux", windows))]
mod kinds;

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    sync::Barrier,
    thread,
};

use super::*;
use crate::sys::{Draft, Place, process_lives, random_u64, remove_place};

/// A directory of one's own, removed with all that is in it.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Directory {
        let path = env::temp_dir().join(format!("commonage-test-places-{:016x}", random_u64().unwrap()));
        fs::create_dir(&path).unwrap();
        Directory(path)
    }

    pub(crate) fn at(&self, name: &str) -> Address {
        Address::path(&self.0.join(name)).unwrap()
    }

    /// The names of all that is there.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A name that nobody has, taken away at the end.
pub(crate) struct Name(pub(crate) Address);

impl Name {
    pub(crate) fn new() -> Name {
        Name(Address::name(&format!("c-test-{:016x}", random_u64().unwrap())).unwrap())
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = remove_place(&self.0);
    }
}

pub(crate) fn write(mapping: &Mapping, bytes: &[u8]) {
    assert!(bytes.len() <= mapping.len());
    // SAFETY: as many bytes are mapped, to be written to.
    unsafe { mapping.base().as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

pub(crate) fn read(mapping: &Mapping, len: usize) -> Vec<u8> {
    assert!(len <= mapping.len());
    // SAFETY: as many bytes are mapped.
    unsafe { std::slice::from_raw_parts(mapping.base().as_ptr(), len) }.to_vec()
}

pub(crate) fn made(at: &Address, bytes: &[u8]) -> (Place, Mapping) {
    let draft = Draft::new(at, bytes.len() as u64, 0o600).unwrap();
    assert!(read(draft.mapping(), bytes.len()).iter().all(|byte| *byte == 0));
    write(draft.mapping(), bytes);
    draft.publish().unwrap()
}

fn round_trip(at: &Address) {
    assert!(matches!(Place::open(at, false), Err(PlaceError::Absent)));
    assert!(matches!(Place::open(at, true), Err(PlaceError::Absent)));
    assert!(matches!(remove_place(at), Err(PlaceError::Absent)));
    let (place, mapping) = made(at, &[7; 5000]);
    assert!(matches!(Draft::new(at, 10, 0o600), Err(PlaceError::Exists)));

    let other = Place::open(at, true).unwrap();
    assert!(other.size() >= 5000);
    let seen = other.map(5000, true).unwrap();
    drop(other); // the mapping stays
    assert_eq!(read(&seen, 5000), [7; 5000]);
    write(&seen, b"hello");
    let reader = Place::open(at, false).unwrap();
    let read_only = reader.map(4000, false).unwrap();
    assert_eq!(read(&read_only, 6), b"hello\x07");
    assert_eq!(read(&mapping, 6), b"hello\x07");
    assert!(matches!(reader.map(1 << 30, false), Err(PlaceError::Failed(..))), "longer than it is");

    drop((seen, reader, read_only));
    place.into_identity().remove(at, mapping);
    assert!(matches!(Place::open(at, false), Err(PlaceError::Absent)));
}

#[test]
fn what_is_made_at_a_path_is_found_there_and_goes_when_it_is_removed() {
    let directory = Directory::new();
    round_trip(&directory.at("link"));
    assert!(directory.names().is_empty(), "{:?}", directory.names());
}

#[test]
fn what_is_made_under_a_name_is_found_there_and_goes_when_it_is_removed() {
    round_trip(&Name::new().0);
}

#[test]
fn a_leading_slash_makes_no_difference() {
    assert_eq!(Address::name("/robot"), Address::name("robot"));
    assert_eq!(Address::name("/robot").unwrap().to_string(), "robot");
}

#[test]
fn names_that_no_platform_can_hold_are_refused() {
    for name in ["", "/", ".", "..", "/.", "a/b", "//a", "a/", "a\0b"] {
        let why = Address::name(name).expect_err(name);
        assert!(why.starts_with("it "), "{why}");
    }
    for name in ["a", "...", "-", "robot_2.arm-left", &"x".repeat(30)] {
        Address::name(name).unwrap();
    }
    Address::name(&"x".repeat(300)).unwrap_err();
}

#[test]
fn paths_that_are_of_no_file_are_refused_and_relative_ones_are_made_absolute() {
    for path in ["", "/", "a/..", "a\0b"] {
        Address::path(Path::new(path)).expect_err(path);
    }
    let Ok(Address::Path(path)) = Address::path(Path::new("link.bin")) else { panic!("a path") };
    assert_eq!(path, env::current_dir().unwrap().join("link.bin"));
}

#[test]
fn of_many_who_create_it_one_does_and_nothing_is_left_of_the_others() {
    const MANY: u8 = 8;
    for at_once in [true, false] {
        let directory = Directory::new();
        let at = directory.at("link");
        let barrier = Barrier::new(MANY.into());
        let winners: Vec<u8> = thread::scope(|scope| {
            let create = |who: u8| {
                let (at, barrier) = (&at, &barrier);
                scope.spawn(move || {
                    if at_once {
                        barrier.wait();
                    }
                    let draft = match Draft::new(at, 3, 0o600) {
                        Ok(draft) => draft,
                        Err(PlaceError::Exists) if at_once => return None,
                        Err(error) => panic!("{error:?}"),
                    };
                    write(draft.mapping(), &[who; 3]);
                    if !at_once {
                        barrier.wait(); // so that all have one to publish
                    }
                    match draft.publish() {
                        Ok(_) => Some(who),
                        Err((mapping, PlaceError::Exists)) => {
                            assert_eq!(read(&mapping, 3), [who; 3], "what was written is given back");
                            None
                        }
                        Err((_, error)) => panic!("{error:?}"),
                    }
                })
            };
            let threads: Vec<_> = (1..=MANY).map(create).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(winners.len(), 1, "{winners:?}");
        let found = Place::open(&at, false).unwrap().map(3, false).unwrap();
        assert_eq!(read(&found, 3), [winners[0]; 3]);
        assert_eq!(directory.names(), ["link"]);
    }
}

#[test]
fn a_draft_that_is_dropped_leaves_nothing() {
    let (directory, name) = (Directory::new(), Name::new());
    drop(Draft::new(&directory.at("link"), 100, 0o600).unwrap());
    assert!(directory.names().is_empty());
    drop(Draft::new(&name.0, 100, 0o600).unwrap());
    assert!(matches!(Place::open(&name.0, false), Err(PlaceError::Absent)));
}

#[test]
fn a_newer_file_of_the_same_name_is_not_removed() {
    let directory = Directory::new();
    let at = directory.at("link");
    let (old, mapping) = made(&at, b"old");
    fs::rename(directory.0.join("link"), directory.0.join("away")).unwrap();
    let (newer, newer_mapping) = made(&at, b"new");
    old.into_identity().remove(&at, mapping);
    assert_eq!(directory.names(), ["away", "link"]);
    newer.into_identity().remove(&at, newer_mapping);
    assert_eq!(directory.names(), ["away"]);
}

#[test]
fn a_directory_is_no_file() {
    let directory = Directory::new();
    let at = Address::path(&directory.0).unwrap();
    for writable in [false, true] {
        assert!(matches!(Place::open(&at, writable), Err(PlaceError::NotAFile("a directory"))));
    }
    assert!(matches!(remove_place(&at), Err(PlaceError::NotAFile("a directory"))));
    assert!(matches!(Draft::new(&at, 1, 0o600), Err(PlaceError::Exists)));
    assert!(directory.0.is_dir());
}

#[test]
fn in_a_directory_that_is_not_there_nothing_can_be_made() {
    let directory = Directory::new();
    let at = directory.at("absent/link");
    assert!(matches!(Draft::new(&at, 1, 0o600), Err(PlaceError::NoDirectory)));
    assert!(matches!(Place::open(&at, false), Err(PlaceError::Absent)));
}

#[test]
fn the_size_is_that_of_the_file_and_an_empty_one_cannot_be_mapped() {
    let directory = Directory::new();
    File::create(directory.0.join("link")).unwrap();
    let place = Place::open(&directory.at("link"), true).unwrap();
    assert_eq!(place.size(), 0);
    for len in [0, 1] {
        assert!(matches!(place.map(len, true), Err(PlaceError::Failed(..))));
    }
    fs::write(directory.0.join("link"), b"four").unwrap();
    assert_eq!(Place::open(&directory.at("link"), true).unwrap().size(), 4);
}

#[test]
fn a_process_lives_until_it_has_ended() {
    assert!(process_lives(process::id()));
    assert!(process_lives(0), "nobody has said which");
    let mut child = process::Command::new(env::current_exe().unwrap());
    let mut child = child.arg("--list").stdin(process::Stdio::null()).stdout(process::Stdio::null()).spawn().unwrap();
    child.wait().unwrap();
    assert!(!process_lives(child.id()));
}

/// This test binary once more, to run one of these tests alone, in the role of a child.
fn child(test: &str, said: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([&format!("sys::place::tests::{test}"), "--exact", "--nocapture", "--test-threads=1"]);
    command.env(SAID, said).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

const SAID: &str = "COMMONAGE_TEST_PLACES";

#[test]
fn a_process_that_has_ended_does_not_live_though_nobody_has_asked_for_its_status() {
    let test = "a_process_that_has_ended_does_not_live_though_nobody_has_asked_for_its_status";
    if env::var_os(SAID).is_some() {
        let _ = io::stdin().read(&mut [0]);
        return;
    }
    let mut child = child(test, Path::new("."));
    assert!(process_lives(child.id()));
    child.kill().unwrap();
    // Whoever reads what it writes finds the end when its handles are closed.
    child.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
    let lives = process_lives(child.id());
    child.wait().unwrap();
    assert!(!lives);
    assert!(!process_lives(child.id()));
}

/// A child of the next test: for each line that it reads it creates a file, and says what came of it.
fn create_each(directory: &Path) {
    for (round, line) in io::stdin().lines().enumerate() {
        let at = Address::path(&directory.join(format!("link-{round}"))).unwrap();
        let made = Draft::new(&at, 5, 0o600).and_then(|draft| {
            write(draft.mapping(), line.unwrap().as_bytes());
            draft.publish().map(drop).map_err(|(_, error)| error)
        });
        println!(
            "\n@{}",
            match made {
                Ok(()) => "made".to_owned(),
                Err(PlaceError::Exists) => "there".to_owned(),
                Err(error) => format!("{error:?}"),
            }
        );
    }
}

#[test]
fn two_processes_that_create_it_at_the_same_time_get_one() {
    if let Some(directory) = env::var_os(SAID) {
        return create_each(Path::new(&directory));
    }
    const ROUNDS: usize = 20;
    let directory = Directory::new();
    let mut children = [(); 2].map(|()| child("two_processes_that_create_it_at_the_same_time_get_one", &directory.0));
    let mut told = children.each_mut().map(|child| child.stdin.take().unwrap());
    let mut said = children.each_mut().map(|child| {
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        lines.filter_map(|line| line.strip_prefix('@').map(str::to_owned))
    });
    for round in 0..ROUNDS {
        for (told, bytes) in told.iter_mut().zip(["first", "other"]) {
            writeln!(told, "{bytes}").unwrap();
        }
        let said = said.each_mut().map(|said| said.next().expect("it has ended"));
        let bytes = fs::read(directory.0.join(format!("link-{round}"))).unwrap();
        let first = match said.each_ref().map(String::as_str) {
            ["made", "there"] => true,
            ["there", "made"] => false,
            other => panic!("round {round}: {other:?}"),
        };
        assert_eq!(bytes, if first { b"first" } else { b"other" });
    }
    drop(told);
    assert!(said.iter_mut().all(|said| said.next().is_none()));
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(directory.names().len(), ROUNDS);
}

/// Elsewhere the system may make it, and only a later access fails.
#[cfg(any(target_os = "linux", windows))]
#[test]
fn a_large_one_is_refused_before_anything_is_taken() {
    let (directory, name) = (Directory::new(), Name::new());
    for at in [&name.0, &directory.at("link")] {
        let error = Draft::new(at, 1 << 50, 0o600).unwrap_err();
        assert!(matches!(error, PlaceError::NoSpace { requested, available } if requested > available), "{error:?}");
        assert!(matches!(Place::open(at, false), Err(PlaceError::Absent)));
    }
    assert!(directory.names().is_empty());
}

//! The directory for temporary files, whatever it is called.

use std::{
    env, fs,
    os::windows::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use super::*;

/// A directory that goes with the test, with all that is in it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        let scratch = Scratch(env::temp_dir().join(format!("commonage-test-{:016x}", sys::random_u64().unwrap())));
        fs::create_dir(&scratch.0).unwrap();
        scratch
    }

    fn within(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    entries.map(|name| name.into_string().unwrap()).collect()
}

fn told_of(directory: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env("TEMP", &directory).env("TMP", &directory);
    command
}

/// In a process whose directory this is, names come and go; what is left of them is an empty directory.
fn names_live_and_go(directory: &Path, written: &str) {
    let mut child = Peer::start_as("names", &mut told_of(written));
    assert_eq!(child.hear(), "done", "{written}");
    child.end();
    assert_eq!(names(directory), ["shared_memory-rs"], "{written}");
    assert!(names(&directory.join("shared_memory-rs")).is_empty(), "{written}");
}

#[test]
fn names_live_and_go_in_a_directory_of_any_name() {
    let scratch = Scratch::new();
    let plain = scratch.within("plain");
    let path = plain.to_str().unwrap();
    names_live_and_go(&plain, &format!("{path}\\"));
    names_live_and_go(&plain, &path.replace('\\', "/"));
    let (other, long) = (scratch.within("Jürgen, Ωμέγα, \u{1f600}.d"), scratch.within(&"long".repeat(40)));
    for directory in [other, long] {
        names_live_and_go(&directory, directory.to_str().unwrap());
    }
}

#[test]
fn without_a_directory_there_is_an_error_and_no_hang() {
    let scratch = Scratch::new();
    let missing = scratch.0.join("missing");
    let file = scratch.0.join("file");
    fs::write(&file, "").unwrap();
    for directory in [missing, file] {
        let mut child = Peer::start_as("tries", &mut told_of(&directory));
        let said = child.hear();
        assert!(said.starts_with("Os"), "{}: {said}", directory.display());
        child.end();
    }
}

/// They stay, whoever has them open; and nobody waits for that, however many they are.
#[test]
fn what_is_removed_and_still_open_elsewhere_is_not_waited_for() {
    let scratch = Scratch::new();
    let alone = |number: u64| {
        let path = scratch.0.join(format!("commonage-gone-{number:016x}"));
        fs::OpenOptions::new().write(true).create_new(true).share_mode(0).open(path).unwrap()
    };
    let held: Vec<fs::File> = (0..100).map(alone).collect();
    let mut child = Peer::start_as("sweeps", &mut told_of(&scratch.0));
    assert_eq!(child.hear(), "swept");
    drop(held);
    assert_eq!(child.ask("again"), "swept");
    child.end();
    assert!(names(&scratch.0).is_empty());
}

#[test]
fn a_link_comes_into_view_at_a_path_of_any_length() {
    use crate::{Link, link::ReadWrite};
    let scratch = Scratch::new();
    let path = scratch.within(&"long".repeat(40)).join("link".repeat(40));
    let link = Link::<u64, ReadWrite>::at_path(&path).create().unwrap();
    assert!(path.exists());
    drop(link);
    assert!(!path.exists());
}

//! Files as this process has them open, and as others do that it starts, kills and asks.

#[cfg(unix)]
mod fork;
mod headers;
mod making;
mod opening;
mod peer;
mod sending;
mod writers;

use std::{
    env,
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    path::PathBuf,
};

use self::peer::{Peer, Told};
use super::*;
use crate::{FileAccess, FileFault, Kind, sys};

const FINGERPRINT: u64 = 0x1234_5678_9abc_def0;

/// A directory of one's own, removed with all that is in it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Directory {
        let path = env::temp_dir().join(format!("commonage-test-mapped-{:016x}", sys::random_u64().unwrap()));
        fs::create_dir(&path).unwrap();
        Directory(path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names of all that is there.
    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn making() -> Making {
    Making {
        layout: NewLayout::Headed { alignment: 128 },
        mode: 0o600,
        must_be_new: false,
        populate: false,
        advice: Advice::Normal,
        lock_in_memory: false,
    }
}

fn description() -> Description<'static> {
    Description { fingerprint: FINGERPRINT, metadata: b"of it" }
}

/// Makes a file with these bytes as its value.
fn write(path: &Path, bytes: &[u8]) {
    assert!(made(path, bytes, Then::Close).is_none());
}

fn made(path: &Path, bytes: &[u8], then: Then) -> Option<Part> {
    let mut draft = Draft::new(path, bytes.len(), &making()).unwrap();
    draft.bytes_mut().copy_from_slice(bytes);
    draft.publish(description(), false, then).map_err(|(_, error)| error).unwrap()
}

fn opened(path: &Path, access: Access) -> Result<Part, Error> {
    open(path, &How::new(access)).map(Opened::begin)
}

fn read(part: &Part) -> Vec<u8> {
    // SAFETY: nobody writes it: the file is locked, or this test's alone.
    unsafe { part.bytes() }.to_vec()
}

fn change(part: &mut Part, at: usize, byte: u8) {
    // SAFETY: the file is held for writing, and the test has no other part.
    let bytes = unsafe { part.bytes_mut() };
    bytes[at] = byte;
}

fn foreign(offset: u64, len: Option<u64>) -> Layout {
    Layout::Foreign { offset, len, fingerprint: 7 }
}

/// What stands in the way, or what was had instead.
#[track_caller]
fn fault<T>(result: Result<T, Error>) -> FileFault {
    match result.map(drop) {
        Err(Error::File { fault, .. }) => fault,
        other => panic!("not refused for the file: {other:?}"),
    }
}

/// Not a test by itself: what a process does that another test starts.
#[test]
fn child() {
    let Some(told) = Told::by_parent() else { return };
    let path = PathBuf::from(told.hear().unwrap());
    match told.role() {
        "read" | "write" => {
            let access = if told.role() == "read" { Access::Read } else { Access::Write };
            match opened(&path, access) {
                Ok(part) => {
                    told.say("has it");
                    told.hear();
                    drop(part);
                    told.say("done");
                }
                Err(error) => told.say(&error.to_string()),
            }
        }
        "draft" => {
            let draft = Draft::new(&path, 10_000, &making()).unwrap();
            told.say("has it");
            told.hear();
            drop(draft);
        }
        "fork" => play_fork(&path),
        role => panic!("no role {role}"),
    }
    told.hear();
}

#[cfg(unix)]
fn play_fork(path: &Path) {
    fork::forks(path);
}

#[cfg(not(unix))]
fn play_fork(_path: &Path) {}

//! Doors that lead nowhere, elsewhere, or to what may not be had.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

use std::{
    env, fs,
    process::{Command, Stdio, id},
};

#[cfg(not(target_os = "linux"))]
use elsewhere as platform;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(target_os = "linux")]
pub(super) use linux::child;

use super::{
    files::{Left, of_segment, symlink},
    *,
};

fn short(result: Result<Segment, Error>) -> String {
    match result {
        Ok(_) => "attached".into(),
        Err(Error::Gone { .. }) => "gone".into(),
        Err(Error::Unreachable { .. }) => "unreachable".into(),
        Err(other) => other.to_string(),
    }
}

/// A locator with these two doors for a segment that is nowhere.
fn to(backing: Backing, sender: Door, owner: Door) -> Locator {
    Locator { id: SegmentId(0x1234_0000), backing, sender, owner }
}

/// What is found where there should be a segment.
fn found_by(locator: &Locator) -> String {
    match attach(locator) {
        Err(error @ Error::NotTheSegment { .. }) => {
            println!("{error}");
            let Error::NotTheSegment { found, segment, .. } = error else { unreachable!() };
            assert_eq!(segment, locator.id);
            found
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("attached"),
    }
}

/// What somebody else has made, of these bytes.
struct Foreign {
    locator: Locator,
    _made: platform::Made,
}

impl Foreign {
    fn new(backing: Backing, bytes: &[u8]) -> Self {
        let id = Segment::new_id().unwrap();
        let (sender, made) = platform::make(backing, id, bytes);
        Foreign { locator: Locator { id, backing, sender, owner: sender }, _made: made }
    }
}

#[test]
fn what_is_no_segment() {
    for backing in backings() {
        let found = |bytes: &[u8]| found_by(&Foreign::new(backing, bytes).locator);
        assert_eq!(found(&[]), "an object of 0 bytes");
        assert_eq!(found(&[0; 100]), "an object of 100 bytes");
        assert_eq!(found(&[1; PREFIX - 1]), "an object of 255 bytes");
        assert_eq!(found(&[0; 1 << 16]), "0000000000000000");
        assert_eq!(found(&[0x77; 1 << 16]), "7777777777777777");
        let other = create(backing);
        let mine = [HEADER[0], HEADER[1], other.id().0].map(u64::to_le_bytes).concat();
        assert_eq!(found(&[&mine[..], &[0; PREFIX]].concat()), format!("{:016x}", other.id().0), "another's header");
        other.remove_name();

        let lying = Foreign::new(backing, &[0; PREFIX]);
        let lies = Segment::attach(&lying.locator, |_, _| Ok(Sizes { control: CONTROL, data: DATA })).err().unwrap();
        assert!(matches!(lies, Error::Corrupt { found, .. } if found == PREFIX as u64), "{lies}");
    }
    platform::other_things_are_no_segments();
}

#[test]
fn a_number_that_is_anothers_by_now() {
    for backing in backings() {
        let made = create(backing);
        let (anothers, _other) = platform::door_to_something();
        let owner = made.locator().owner;
        let other = create(backing);
        for sender in [anothers, Door { pid: 0, fd: 0 }, other.locator().sender] {
            assert_eq!(attach(&Locator { sender, owner, ..made.locator() }).unwrap().id(), made.id());
        }
        let attached = attach(&Locator { owner: anothers, ..made.locator() }).unwrap();
        assert_eq!(attached.id(), made.id());
        other.remove_name();
        made.remove_name();
    }
}

#[test]
fn nobody_is_there() {
    let mut dead = Command::new(env::current_exe().unwrap());
    let mut dead = dead.arg("--list").stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let pid = dead.id();
    dead.wait().unwrap();
    for backing in backings() {
        for pid in [pid, 0, u32::MAX, i32::MAX as u32] {
            let door = Door { pid, fd: 3 };
            let gone = attach(&to(backing, door, door)).err().unwrap();
            assert!(matches!(gone, Error::Gone { sender, owner, .. } if (sender, owner) == (pid, pid)), "{gone}");
        }
        let closed = Door { pid: id(), fd: 1 << 20 };
        assert_eq!(short(attach(&to(backing, closed, closed))), "gone");
    }
}

#[test]
fn the_sender_has_died_and_the_owner_lives() {
    for backing in backings() {
        let made = create(backing);
        word(&made, CONTROL).store(3, Ordering::Relaxed);
        let mut sender = Peer::start("attach");
        sender.say(&peer::text(&made.locator()));
        let theirs = peer::locator(&sender.hear());
        sender.kill_and_leave();
        assert_eq!(word(&attach(&theirs).unwrap(), CONTROL).load(Ordering::Relaxed), 3);
        drop(sender);
        assert_eq!(word(&attach(&theirs).unwrap(), CONTROL).load(Ordering::Relaxed), 3);
        made.remove_name();
        drop(made);
        match attach(&theirs) {
            Err(Error::Gone { .. }) => {}
            // Other tests run in this process: the number may be that of another descriptor by now.
            Err(Error::NotTheSegment { .. }) if backing == Backing::Anonymous => {}
            other => panic!("{}", short(other)),
        }
    }
}

/// A process that has ended, and that the system keeps a note of, because its parent has not let go of it.
#[test]
fn a_zombie_is_gone() {
    let mut maker = Peer::start("has-names");
    let said = maker.hear();
    let (number, theirs) = said.split_once(' ').unwrap();
    let (number, theirs) = (number.parse().unwrap(), peer::locator(theirs));
    let here = attach(&theirs).unwrap();
    assert_eq!(here.liveness(0, number), Liveness::Alive);
    maker.kill_and_leave();
    assert_eq!(here.liveness(0, number), Liveness::Dead);
    drop(attach(&theirs).unwrap()); // the name is not its
    here.remove_name();
    here.bury(number, false);
    drop(maker);
    platform::memory_of_a_zombie_is_gone();
}

#[test]
fn names_that_lead_elsewhere() {
    let id = Segment::new_id().unwrap();
    let door = Door { pid: 1, fd: 0 };
    let locator = Locator { id, backing: Backing::Named, sender: door, owner: door };
    let found = || found_by(&locator);
    let (path, made) = (of_segment(id), create(Backing::Named));

    assert_eq!(short(attach(&locator)), "gone");
    let link = Left(path.clone());
    if symlink(&of_segment(made.id()), &link.0) {
        assert_eq!(found(), "a symbolic link");
    }
    drop(link);
    fs::create_dir(&path).unwrap();
    let directory = found();
    fs::remove_dir(&path).unwrap();
    assert_eq!(directory, "a directory");
    platform::names_lead_to_other_things(&path, &found);
    let file = Left::at(path, &"\0".repeat(PREFIX - 1));
    assert_eq!(found(), "an object of 255 bytes");
    fs::OpenOptions::new().append(true).open(&file.0).unwrap().set_len(PREFIX as u64).unwrap();
    assert_eq!(found(), "0000000000000000");
    drop(file);
    assert_eq!(short(attach(&locator)), "gone");
    made.remove_name();
}

/// What the system sees to, on each platform for the memory that it does it for.
#[test]
fn nobody_changes_the_size() {
    platform::nobody_changes_the_size();
}

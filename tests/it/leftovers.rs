//! What has a name, and nobody any more.

#[cfg(target_os = "linux")]
mod linux;

use std::{fs, time::Duration};

use commonage::{Shared, SharedSlice, reclaim, sweep};

use crate::{
    puppet::{OBEY, Puppet},
    scene::{BOTH, NAMED, left, listing, nobody_else, scene_alone, until},
    support::{BACKING, LOST_AFTER, child, named_directory, named_file},
};

const NOTHING: [String; 0] = [];

fn identities() -> Vec<String> {
    let mut names = left();
    names.retain(|name| name.starts_with("commonage-id-"));
    names
}

/// An owner with values in two segments, killed.
fn killed_owner(test: &str) {
    let mut owner = Puppet::new(test);
    owner.get("make 100 1");
    owner.get("make 20000000 1");
    owner.kill();
    assert_eq!(left().len(), 3, "two segments and an identity: {:?}", left());
}

#[test]
fn segments_of_a_killed_owner_are_removed_by_any_sweep() {
    const TEST: &str = "leftovers::segments_of_a_killed_owner_are_removed_by_any_sweep";
    let main = || {
        killed_owner(TEST);
        let swept = sweep();
        assert_eq!((swept.segments, left()), (2, NOTHING.into()));
        // Of a process that has made nothing, and of one that has.
        killed_owner(TEST);
        let mut other = Puppet::new(TEST);
        other.get("make 10 1");
        assert_eq!(left().len(), 2, "its own segment and identity: {:?}", left());
        killed_owner_beside(TEST);
        let swept = other.get("sweep");
        assert!(swept.contains("segments: 2"), "{swept}");
        assert_eq!(left().len(), 2, "{:?}", left());
        other.leave();
        assert_eq!(left(), NOTHING);
    };
    scene_alone(TEST, NAMED, main, nobody_else);
}

fn killed_owner_beside(test: &str) {
    let before = left().len();
    let mut owner = Puppet::new(test);
    owner.get("make 100 1");
    owner.get("make 20000000 1");
    owner.kill();
    assert_eq!(left().len(), before + 3, "{:?}", left());
}

#[test]
fn segments_of_killed_owners_are_removed_when_a_process_begins() {
    const TEST: &str = "leftovers::segments_of_killed_owners_are_removed_when_a_process_begins";
    let main = || {
        killed_owner(TEST);
        let mut next = Puppet::new(TEST);
        next.get("make 10 1");
        assert_eq!(left().len(), 2, "its own segment and identity: {:?}", left());
        next.leave();
        assert_eq!(left(), NOTHING);
    };
    scene_alone(TEST, NAMED, main, nobody_else);
}

#[test]
fn segments_of_a_killed_owner_stay_while_a_peer_has_them() {
    const TEST: &str = "leftovers::segments_of_a_killed_owner_stay_while_a_peer_has_them";
    let main = || {
        let (mut owner, mut peer) = (Puppet::new(TEST), Puppet::new(TEST));
        owner.get("make 100 1");
        let token = owner.get("copy 0");
        peer.get(format!("claim {token}"));
        owner.kill();
        assert_eq!(sweep().segments, 0);
        let token = peer.get("copy 0");
        assert_eq!(*SharedSlice::<u8>::from_token(&token).unwrap(), [1; 100], "others still find it by its name");
        peer.kill();
        // This process has it mapped, and holds nothing in it.
        sweep();
        sweep();
        assert_eq!(left(), NOTHING);
    };
    scene_alone(TEST, NAMED, main, nobody_else);
}

#[test]
fn a_message_keeps_a_segment_of_a_killed_owner_until_it_is_claimed() {
    const TEST: &str = "leftovers::a_message_keeps_a_segment_of_a_killed_owner_until_it_is_claimed";
    let main = || {
        let mut owner = Puppet::new(TEST);
        owner.get("make 100 1");
        owner.get("make_mut 200 2");
        let (armed, held) = (owner.get("send 0"), owner.get("serialize 1"));
        owner.kill();
        assert_eq!(sweep().segments, 0);
        assert_eq!(reclaim(Duration::from_secs(600)).segments, 0);
        let mut receiver = Puppet::new(TEST);
        receiver.get(format!("claim {armed}"));
        receiver.get(format!("claim_json {held}"));
        assert_eq!((receiver.get("see 0"), receiver.get("see 1")), ("100x1".into(), "200x2".into()));
        receiver.leave();
        sweep();
        assert_eq!(left(), NOTHING);
    };
    scene_alone(TEST, NAMED, main, nobody_else);
}

#[test]
fn a_segment_that_only_a_lost_message_keeps_is_removed_when_it_is_reclaimed() {
    const TEST: &str = "leftovers::a_segment_that_only_a_lost_message_keeps_is_removed_when_it_is_reclaimed";
    let main = || {
        let lose = || {
            let mut owner = Puppet::new(TEST);
            owner.get("make 100 1");
            let token = owner.get("send 0");
            owner.kill();
            assert_eq!(sweep().segments, 0);
            token
        };
        let token = lose();
        assert_eq!(reclaim(Duration::ZERO).segments, 1);
        assert_eq!(left(), NOTHING);
        let error = SharedSlice::<u8>::from_token(&token).unwrap_err();
        assert!(matches!(error, commonage::Error::Gone { .. }), "{error:?}");
        // With `Config::lost_after(0)` the next process's start is enough.
        lose();
        let mut next = Puppet::start(child(TEST, OBEY).env(LOST_AFTER, "0"));
        next.get("make 10 1");
        assert_eq!(left().len(), 2, "{:?}", left());
        next.leave();
        assert_eq!(left(), NOTHING);
    };
    scene_alone(TEST, NAMED, main, nobody_else);
}

#[test]
fn a_message_that_is_older_than_lost_after_is_lost() {
    const TEST: &str = "leftovers::a_message_that_is_older_than_lost_after_is_lost";
    let main = || {
        let mut owner = Puppet::new(TEST);
        owner.get("make 100 1");
        owner.get("send 0");
        owner.kill();
        let mut sweeper = Puppet::start(child(TEST, OBEY).env(LOST_AFTER, "300"));
        until("a message becomes old", || {
            sweeper.get("sweep");
            left().is_empty().then_some(())
        });
    };
    scene_alone(TEST, NAMED, main, nobody_else);
}

#[test]
fn an_owner_without_an_identity_file_is_not_known_to_be_dead() {
    const TEST: &str = "leftovers::an_owner_without_an_identity_file_is_not_known_to_be_dead";
    let main = || {
        let (mut owner, mut peer) = (Puppet::new(TEST), Puppet::new(TEST));
        owner.get("make 100 1");
        owner.get("make 100 2");
        let token = owner.get("copy 0");
        peer.get(format!("claim {token}"));
        let of_owner = identities();
        assert_eq!(of_owner.len(), 2, "the owner's and the peer's: {of_owner:?}");
        // Where a file that is open can't be removed, it can be renamed.
        for (at, name) in of_owner.iter().enumerate() {
            fs::rename(named_directory().join(name), named_directory().join(format!("elsewhere-{at}"))).unwrap();
        }
        let swept = peer.get("sweep");
        assert!(swept.contains("participants: 0"), "{swept}");
        assert_eq!(sweep().segments, 0);
        assert_eq!(left().len(), 1, "the segment: {:?}", left());
        owner.kill();
        // Unknown is not dead: what it held is not taken, and the segment is not removed.
        let swept = peer.get("sweep");
        assert!(swept.contains("participants: 0"), "{swept}");
        assert_eq!(sweep().segments, 0);
        assert_eq!(peer.get("see 0"), "100x1");
        assert_eq!(left().len(), 1, "the segment: {:?}", left());
    };
    scene_alone(TEST, NAMED, main, nobody_else);
}

#[test]
fn an_identity_file_that_is_a_directory_stops_nobody() {
    const TEST: &str = "leftovers::an_identity_file_that_is_a_directory_stops_nobody";
    let main = || {
        killed_owner(TEST);
        let (path, elsewhere) = (named_directory().join(&identities()[0]), named_directory().join("elsewhere"));
        fs::rename(&path, &elsewhere).unwrap();
        fs::create_dir(&path).unwrap();
        killed_owner_beside(TEST);
        assert_eq!(reclaim(Duration::ZERO).segments, 2, "those of the second owner");
        fs::remove_dir(&path).unwrap();
        fs::rename(&elsewhere, &path).unwrap();
        assert_eq!(reclaim(Duration::ZERO).segments, 2, "as it was, it is believed");
        assert_eq!(left(), NOTHING);
    };
    scene_alone(TEST, NAMED, main, nobody_else);
}

#[test]
fn an_identity_file_that_lists_what_is_not_this_crates_is_not_believed() {
    const TEST: &str = "leftovers::an_identity_file_that_lists_what_is_not_this_crates_is_not_believed";
    let main = || {
        killed_owner(TEST);
        let path = named_directory().join(&identities()[0]);
        let of_segment = named_file("precious");
        let precious = [named_directory().join("precious"), of_segment];
        precious.iter().for_each(|path| fs::write(path, "precious").unwrap());
        fs::write(&path, "/precious\n/../shm/precious\n../precious\nprecious\n").unwrap();
        reclaim(Duration::ZERO);
        assert!(precious.iter().all(|path| fs::exists(path).unwrap()));
    };
    scene_alone(TEST, NAMED, main, nobody_else);
}

#[test]
fn what_is_not_this_crates_stays() {
    const TEST: &str = "leftovers::what_is_not_this_crates_stays";
    let main = || {
        let names = [
            "commonage",
            "commonage-",
            "commonage-id-",
            "commonage-id-12",
            "commonage-id-zzzzzzzzzzzzzzzz",
            "psm_1234",
            "commonage-will-",
            "commonage-will-1-2-3",
            "commonage-0123456789abcdef.bak",
            "commonage-sweep-x",
        ];
        for name in names {
            fs::write(named_directory().join(name), "precious").unwrap();
        }
        let before = listing(named_directory());
        sweep();
        reclaim(Duration::ZERO);
        let value: SharedSlice<u8> = Shared::new(&(1, 100)).unwrap();
        drop(value);
        reclaim(Duration::ZERO);
        let mut after = listing(named_directory());
        after.retain(|name| before.contains(name));
        assert_eq!(after, before);
    };
    scene_alone(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_sweep_of_the_default_backing_removes_named_segments_too() {
    const TEST: &str = "leftovers::a_sweep_of_the_default_backing_removes_named_segments_too";
    let main = || {
        let mut owner = Puppet::start(child(TEST, OBEY).env(BACKING, "named"));
        owner.get("make 100 1");
        owner.kill();
        assert_eq!(left().len(), 2, "a segment and an identity: {:?}", left());
        assert_eq!(sweep().segments, 1);
        assert_eq!(left(), NOTHING);
    };
    // What is no backing leaves the choice to the crate.
    scene_alone(TEST, &["none"], main, nobody_else);
}

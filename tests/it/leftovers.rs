//! What has a name, and nobody any more; and that the default backing touches nothing by name.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    process::Command,
    time::Duration,
};

use commonage::{Shared, SharedSlice, reclaim, sweep};

use crate::{
    puppet::{OBEY, Puppet},
    scene::{ANONYMOUS, BOTH, NAMED, left, listing, nobody_else, scene_alone, until},
    support::{LOST_AFTER, child},
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
fn a_sweep_of_the_default_backing_removes_named_segments_too() {
    const TEST: &str = "leftovers::a_sweep_of_the_default_backing_removes_named_segments_too";
    let main = || {
        let mut owner = Puppet::start(child(TEST, OBEY).env(crate::support::BACKING, "named"));
        owner.get("make 100 1");
        owner.kill();
        assert_eq!(sweep().segments, 1);
        assert_eq!(left(), NOTHING);
    };
    scene_alone(TEST, ANONYMOUS, main, nobody_else);
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
        of_owner.iter().for_each(|name| fs::remove_file(format!("/dev/shm/{name}")).unwrap());
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
fn an_identity_file_that_is_a_link_or_open_to_others_is_not_believed() {
    const TEST: &str = "leftovers::an_identity_file_that_is_a_link_or_open_to_others_is_not_believed";
    let main = || {
        let mut owner = Puppet::new(TEST);
        owner.get("make 100 1");
        let token = owner.get("send 0");
        let names = identities();
        let [name] = &names[..] else { panic!("{names:?}") };
        let path = format!("/dev/shm/{name}");
        let text = fs::read_to_string(&path).unwrap();
        let segment = format!("/dev/shm/{}", text.lines().next().unwrap().trim_start_matches('/'));
        assert!(fs::exists(&segment).unwrap());
        owner.kill();
        let stays = |what: &str| {
            let swept = reclaim(Duration::ZERO);
            assert_eq!(swept.segments, 0, "{what}");
            assert!(fs::exists(&segment).unwrap(), "{what}");
        };
        // A link to what is the very file.
        fs::rename(&path, "/dev/shm/elsewhere").unwrap();
        symlink("/dev/shm/elsewhere", &path).unwrap();
        stays("a link");
        fs::remove_file(&path).unwrap();
        // A pipe does not hang whoever looks, and a directory does not stop it.
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        stays("a pipe");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        stays("a directory");
        fs::remove_dir(&path).unwrap();
        fs::rename("/dev/shm/elsewhere", &path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        stays("a file that others may read");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        // Only root can give a file away.
        if std::os::unix::fs::chown(&path, Some(65534), None).is_ok() {
            stays("another user's file");
            std::os::unix::fs::chown(&path, Some(fs::metadata("/proc/self").unwrap().uid()), None).unwrap();
        }
        drop(token);
        assert_eq!(reclaim(Duration::ZERO).segments, 1, "as it was, it is believed");
        assert_eq!(left(), NOTHING);
    };
    scene_alone(TEST, NAMED, main, nobody_else);
}

#[test]
fn a_segment_that_is_not_private_is_not_removed_on_the_word_of_an_identity_file() {
    const TEST: &str = "leftovers::a_segment_that_is_not_private_is_not_removed_on_the_word_of_an_identity_file";
    let main = || {
        let mut owner = Puppet::new(TEST);
        owner.get("make 100 1");
        let path = format!("/dev/shm/{}", identities()[0]);
        let line = fs::read_to_string(&path).unwrap();
        let segment = format!("/dev/shm/{}", line.trim().trim_start_matches('/'));
        owner.kill();
        fs::rename(&segment, "/dev/shm/elsewhere").unwrap();
        symlink("/dev/shm/elsewhere", &segment).unwrap();
        assert_eq!(reclaim(Duration::ZERO).segments, 0);
        assert!(fs::symlink_metadata(&segment).is_ok() && fs::exists("/dev/shm/elsewhere").unwrap());
        fs::remove_file(&segment).unwrap();
        // Nor is anything else that it names.
        fs::write("/dev/shm/precious", "precious").unwrap();
        fs::write(&path, "/precious\n/../shm/precious\nprecious\n").unwrap();
        reclaim(Duration::ZERO);
        assert!(fs::exists("/dev/shm/precious").unwrap());
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
            fs::write(format!("/dev/shm/{name}"), "precious").unwrap();
        }
        let before = listing("/dev/shm");
        sweep();
        reclaim(Duration::ZERO);
        let value: SharedSlice<u8> = Shared::new(&(1, 100)).unwrap();
        drop(value);
        reclaim(Duration::ZERO);
        let mut after = listing("/dev/shm");
        after.retain(|name| before.contains(name));
        assert_eq!(after, before);
    };
    scene_alone(TEST, BOTH, main, nobody_else);
}

/// Names, the time of the last change of the directory, and that of its status.
fn look_at_shm() -> (Vec<String>, [i64; 4]) {
    let metadata = fs::metadata("/dev/shm").unwrap();
    let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
    (listing("/dev/shm"), times)
}

#[test]
fn the_default_backing_does_not_touch_dev_shm() {
    const TEST: &str = "leftovers::the_default_backing_does_not_touch_dev_shm";
    let main = || {
        let before = look_at_shm();
        let (mut owner, mut first, mut second) = (Puppet::new(TEST), Puppet::new(TEST), Puppet::new(TEST));
        owner.get("make 100000 5");
        owner.get("make_mut 30000000 6");
        for peer in [&mut first, &mut second] {
            let token = owner.get("copy 0");
            peer.get(format!("claim {token}"));
        }
        let token = owner.get("send 1");
        first.get(format!("claim_mut {token}"));
        let token = first.get("send 1");
        second.get(format!("claim_mut {token}"));
        for puppet in [&mut owner, &mut first, &mut second] {
            puppet.get("sweep");
            puppet.get("reclaim 0");
            puppet.get("trim");
        }
        second.get("drop 1");
        assert_eq!(look_at_shm(), before);
        first.kill();
        owner.get("sweep");
        owner.leave();
        second.get("sweep");
        second.get("drop_all");
        second.leave();
        assert_eq!(look_at_shm(), before, "everything was delivered: nobody left a will");
    };
    scene_alone(TEST, ANONYMOUS, main, nobody_else);
}

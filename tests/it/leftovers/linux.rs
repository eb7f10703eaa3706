//! Links, permissions and owners of files; and that the default backing touches nothing by name.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    process::Command,
    time::Duration,
};

use commonage::reclaim;

use super::{NOTHING, identities};
use crate::{
    puppet::Puppet,
    scene::{ANONYMOUS, NAMED, left, listing, nobody_else, scene_alone},
};

#[test]
fn an_identity_file_that_is_a_link_or_open_to_others_is_not_believed() {
    const TEST: &str = "leftovers::linux::an_identity_file_that_is_a_link_or_open_to_others_is_not_believed";
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
        // A pipe does not hang whoever looks.
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        stays("a pipe");
        fs::remove_file(&path).unwrap();
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
    const TEST: &str = "leftovers::linux::a_segment_that_is_not_private_is_not_removed_on_the_word_of_an_identity_file";
    let main = || {
        let mut owner = Puppet::new(TEST);
        owner.get("make 100 1");
        let line = fs::read_to_string(format!("/dev/shm/{}", identities()[0])).unwrap();
        let segment = format!("/dev/shm/{}", line.trim().trim_start_matches('/'));
        owner.kill();
        fs::rename(&segment, "/dev/shm/elsewhere").unwrap();
        symlink("/dev/shm/elsewhere", &segment).unwrap();
        assert_eq!(reclaim(Duration::ZERO).segments, 0);
        assert!(fs::symlink_metadata(&segment).is_ok() && fs::exists("/dev/shm/elsewhere").unwrap());
    };
    scene_alone(TEST, NAMED, main, nobody_else);
}

/// Names, the time of the last change of the directory, and that of its status.
fn look_at_shm() -> (Vec<String>, [i64; 4]) {
    let metadata = fs::metadata("/dev/shm").unwrap();
    let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
    (listing("/dev/shm"), times)
}

#[test]
fn the_default_backing_does_not_touch_dev_shm() {
    const TEST: &str = "leftovers::linux::the_default_backing_does_not_touch_dev_shm";
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

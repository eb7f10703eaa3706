//! Wills as such: their directory, their permissions, and what happens where there is no room for them.

use std::{fs, io::BufReader, os::unix::fs::MetadataExt};

use commonage::{Error, Shared, SharedSlice};

use super::NOTHING;
use crate::{
    puppet::{OBEY, Puppet},
    scene::{ANONYMOUS, BOTH, left, listing, nobody_else, scene, scene_alone, scene_in},
    support::{Directory, WILLS, child, said},
};

#[test]
fn wills_are_where_the_configuration_says() {
    const TEST: &str = "wills_as_files::linux::wills_are_where_the_configuration_says";
    let main = || {
        let (there, elsewhere) = (Directory::new(), Directory::new());
        let before = listing("/dev/shm");
        let puppet = |directory: &Directory| Puppet::start(child(TEST, OBEY).env(WILLS, &directory.0));
        let mut sender = puppet(&there);
        sender.get("make 70000 5");
        let token = sender.get("send 0");
        sender.leave();
        assert_eq!((listing("/dev/shm"), listing(&there.0).len()), (before, 1));
        let error = puppet(&elsewhere).ask(format!("claim {token}")).unwrap_err();
        assert!(error.starts_with("Gone"), "{error}");
        let mut receiver = puppet(&there);
        receiver.get(format!("claim {token}"));
        assert_eq!(receiver.get("see 0"), "70000x5");
        assert_eq!(listing(&there.0), NOTHING);
    };
    scene_alone(TEST, ANONYMOUS, main, nobody_else);
}

#[test]
fn wills_are_readable_by_their_user_alone() {
    const TEST: &str = "wills_as_files::linux::wills_are_readable_by_their_user_alone";
    let main = || {
        let mut sender = Puppet::new(TEST);
        sender.get("make 70000 5");
        sender.get("send 0");
        sender.leave();
        for name in left() {
            let metadata = fs::metadata(format!("/dev/shm/{name}")).unwrap();
            assert_eq!(metadata.mode() & 0o777, 0o600, "{name}");
        }
        assert!(!left().is_empty());
    };
    scene_alone(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_message_for_which_there_is_no_room_is_gone_and_the_exit_goes_on() {
    const TEST: &str = "wills_as_files::linux::a_message_for_which_there_is_no_room_is_gone_and_the_exit_goes_on";
    let main = || {
        let mut sender = Puppet::new(TEST);
        sender.get("make 4000000 5");
        sender.get("make 1000 6");
        let (large, small) = (sender.get("send 0"), sender.get("send 1"));
        sender.leave();
        let mut receiver = Puppet::new(TEST);
        let error = receiver.ask(format!("claim {large}")).unwrap_err();
        assert!(error.starts_with("Gone"), "{error}");
        receiver.get(format!("claim {small}"));
        assert_eq!(receiver.get("see 0"), "1000x6");
        assert_eq!(left(), NOTHING, "no draft is left");
        // And where there is no such directory.
        let mut sender = Puppet::start(child(TEST, OBEY).env(WILLS, "/nowhere/at/all"));
        sender.get("make 1000 5");
        let token = sender.get("send 0");
        sender.leave();
        let error = Puppet::new(TEST).ask(format!("claim {token}")).unwrap_err();
        assert!(error.starts_with("Gone"), "{error}");
    };
    scene_in(1 << 20, TEST, ANONYMOUS, main, nobody_else);
}

#[test]
fn a_message_that_is_larger_than_files_may_be_is_gone_and_the_exit_goes_on() {
    const TEST: &str = "wills_as_files::linux::a_message_that_is_larger_than_files_may_be_is_gone_and_the_exit_goes_on";
    let main = || {
        let mut running = child(TEST, "sender").spawn();
        let mut out = BufReader::new(running.child().stdout.take().unwrap());
        let token = said(&mut out, "token ");
        assert!(running.end().success());
        let error = SharedSlice::<u8>::from_token(&token).unwrap_err();
        assert!(matches!(error, Error::Gone { .. }), "{error:?}");
        assert_eq!(left(), NOTHING);
    };
    let sender = |_: &str| {
        let value: SharedSlice<u8> = Shared::new(&(5, 4 << 20)).unwrap();
        let limit = libc::rlimit { rlim_cur: 1 << 20, rlim_max: 1 << 20 };
        // SAFETY: a limit of this process's own, read by the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
        println!("\ntoken {}", value.into_token().unwrap());
    };
    scene(TEST, ANONYMOUS, main, sender);
}

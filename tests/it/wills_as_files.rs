//! Wills are files: where they are, who may read them, and when they go.

use std::{fs, io::BufReader, os::unix::fs::MetadataExt, time::Duration};

use commonage::{Error, Shared, SharedSlice, Ticket, reclaim, sweep};

use crate::{
    puppet::{OBEY, Puppet},
    scene::{ANONYMOUS, BOTH, is_named, left, listing, nobody_else, scene, scene_alone, scene_in},
    support::{Directory, WILLS, child, said},
};

const NOTHING: [String; 0] = [];

/// Claims a value that is all `fill`.
#[track_caller]
fn claimed(token: &str, len: usize, fill: u8) {
    let value = SharedSlice::<u8>::from_token(token).unwrap();
    assert_eq!(value.len(), len);
    assert!(value.iter().all(|byte| *byte == fill));
}

#[test]
fn wills_are_where_the_configuration_says() {
    const TEST: &str = "wills_as_files::wills_are_where_the_configuration_says";
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
    const TEST: &str = "wills_as_files::wills_are_readable_by_their_user_alone";
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
fn a_will_that_nobody_claims_goes_when_it_is_reclaimed() {
    const TEST: &str = "wills_as_files::a_will_that_nobody_claims_goes_when_it_is_reclaimed";
    let main = || {
        let mut sender = Puppet::new(TEST);
        sender.get("make 70000 5");
        let (first, second) = (sender.get("copy 0"), sender.get("send 0"));
        sender.leave();
        assert_eq!((sweep().wills, sweep().segments), (0, 0), "it is young");
        assert_eq!(reclaim(Duration::from_secs(600)).wills, 0);
        claimed(&first, 70_000, 5);
        let swept = reclaim(Duration::ZERO);
        assert_eq!((swept.wills, swept.segments), if is_named() { (0, swept.segments) } else { (1, 0) });
        sweep();
        assert_eq!(left(), NOTHING);
        let error = SharedSlice::<u8>::from_token(&second).unwrap_err();
        assert!(matches!(error, Error::Gone { .. } | Error::Expired { .. }), "{error:?}");
    };
    scene_alone(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_ticket_of_a_process_that_has_exited_is_revoked() {
    const TEST: &str = "wills_as_files::a_ticket_of_a_process_that_has_exited_is_revoked";
    let main = || {
        let mut sender = Puppet::new(TEST);
        sender.get("make 70000 5");
        let token = sender.get("send 0");
        sender.leave();
        let ticket = Ticket::<[u8]>::from_token(&token).unwrap();
        assert!(ticket.revoke().unwrap());
        let error = SharedSlice::<u8>::from_token(&token).unwrap_err();
        assert!(matches!(error, Error::Gone { .. } | Error::Expired { .. }), "{error:?}");
        sweep();
        assert_eq!(left(), NOTHING);
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_message_for_which_there_is_no_room_is_gone_and_the_exit_goes_on() {
    const TEST: &str = "wills_as_files::a_message_for_which_there_is_no_room_is_gone_and_the_exit_goes_on";
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
    const TEST: &str = "wills_as_files::a_message_that_is_larger_than_files_may_be_is_gone_and_the_exit_goes_on";
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

#[test]
fn a_process_that_is_aborted_or_killed_leaves_no_will() {
    const TEST: &str = "wills_as_files::a_process_that_is_aborted_or_killed_leaves_no_will";
    let main = || {
        for abort in [true, false] {
            let mut sender = Puppet::new(TEST);
            sender.get("make 70000 5");
            let (token, pid) = (sender.get("send 0"), sender.pid);
            if abort {
                sender.tell("abort");
                assert_eq!(sender.end().code(), None);
            } else {
                sender.kill();
            }
            if is_named() {
                claimed(&token, 70_000, 5);
                sweep();
            } else {
                let error = SharedSlice::<u8>::from_token(&token).unwrap_err();
                let text = error.to_string();
                assert!(matches!(error, Error::Gone { sender, owner, .. } if (sender, owner) == (pid, pid)), "{text}");
                assert!(text.contains(&pid.to_string()), "{text}");
            }
            assert_eq!(left(), NOTHING);
        }
    };
    scene(TEST, BOTH, main, nobody_else);
}

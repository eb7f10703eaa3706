//! Wills are files: where they are, who may read them, and when they go. A segment that has a name is its own will.

#[cfg(target_os = "linux")]
mod linux;

use std::time::Duration;

use commonage::{Error, SharedSlice, Ticket, reclaim, sweep};

use crate::{
    puppet::Puppet,
    scene::{BOTH, is_named, left, nobody_else, scene, scene_alone},
    support::has_aborted,
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
fn a_process_that_is_aborted_or_killed_leaves_no_will() {
    const TEST: &str = "wills_as_files::a_process_that_is_aborted_or_killed_leaves_no_will";
    let main = || {
        for abort in [true, false] {
            let mut sender = Puppet::new(TEST);
            sender.get("make 70000 5");
            let (token, pid) = (sender.get("send 0"), sender.pid);
            if abort {
                sender.tell("abort");
                let status = sender.end();
                assert!(has_aborted(status), "{status}");
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

//! Messages that nobody claims.

use std::{
    thread,
    time::{Duration, Instant},
};

use commonage::{Error, Shared, SharedMut, SharedSlice, SharedSliceMut, Ticket, reclaim, stats, sweep};

use crate::{
    puppet::Puppet,
    scene::{BOTH, is_named, left, nobody_else, scene, scene_alone},
};

fn shared(len: usize, fill: u8) -> SharedSlice<u8> {
    Shared::new(&(fill, len)).unwrap()
}

#[test]
fn only_messages_that_are_older_are_reclaimed() {
    const TEST: &str = "lost::only_messages_that_are_older_are_reclaimed";
    let main = || {
        let (age, most) = (Duration::from_millis(200), Duration::from_millis(150));
        for round in 0.. {
            let value = shared(5000, 1);
            let old = shared(700, 2).into_token().unwrap();
            let old_copy = value.clone().into_token().unwrap();
            thread::sleep(age + most);
            let began = Instant::now();
            let young = shared(800, 3).into_token().unwrap();
            let swept = reclaim(age);
            if began.elapsed() >= most {
                // This machine is slow today: the young one has become old.
                assert!(round < 20);
                reclaim(Duration::ZERO);
                continue;
            }
            assert_eq!((swept.tickets, stats().tickets, stats().blocks), (2, 1, 2));
            let error = SharedSlice::<u8>::from_token(&old).unwrap_err();
            assert!(matches!(error, Error::Expired { .. }), "{error:?}");
            // The message is lost, the value is not: who has it still can send it again, or be joined.
            assert_eq!(SharedSlice::<u8>::from_token(&old_copy).unwrap(), value);
            assert_eq!(*SharedSlice::<u8>::from_token(&young).unwrap(), [3; 800]);
            drop(value);
            assert_eq!(stats().blocks, 0);
            return;
        }
    };
    scene_alone(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_message_that_its_sender_still_holds_is_not_reclaimed() {
    const TEST: &str = "lost::a_message_that_its_sender_still_holds_is_not_reclaimed";
    let main = || {
        let value: SharedSliceMut<u8> = SharedMut::new(&(1, 300)).unwrap();
        let message = postcard::to_stdvec(&value).unwrap();
        let mut peer = Puppet::new(TEST);
        let token = SharedMut::<[u8]>::new(&(2, 5000)).unwrap().into_token().unwrap();
        peer.get(format!("claim_mut {token}"));
        let json = peer.get("serialize 0");
        assert_eq!((reclaim(Duration::ZERO).tickets, stats().tickets), (0, 2));
        drop(value);
        assert_eq!(*postcard::from_bytes::<SharedSliceMut<u8>>(&message).unwrap(), [1; 300]);
        peer.get("drop 0");
        assert_eq!((reclaim(Duration::ZERO).tickets, stats().tickets, stats().blocks), (1, 0, 0));
        let error = serde_json::from_str::<Ticket<[u8]>>(&json).unwrap().claim_mut().unwrap_err();
        assert!(matches!(error, Error::AlreadyClaimed { .. }), "{error:?}");
    };
    scene_alone(TEST, BOTH, main, nobody_else);
}

#[test]
fn an_owner_reclaims_what_anybody_has_sent_and_a_peer_only_its_own() {
    const TEST: &str = "lost::an_owner_reclaims_what_anybody_has_sent_and_a_peer_only_its_own";
    let main = || {
        let value = shared(5000, 1);
        let mut peer = Puppet::new(TEST);
        peer.get(format!("claim {}", value.clone().into_token().unwrap()));
        let of_owner = value.clone().into_token().unwrap();
        peer.get("copy 0");
        assert_eq!(stats().tickets, 2);
        let swept = peer.get("reclaim 0");
        assert!(swept.contains("tickets: 1"), "{swept}");
        assert_eq!(stats().tickets, 1);
        assert_eq!(SharedSlice::<u8>::from_token(&of_owner).unwrap(), value);
        peer.get("copy 0");
        value.clone().into_token().unwrap();
        assert_eq!((reclaim(Duration::ZERO).tickets, stats().tickets), (2, 0));
        assert_eq!(peer.get("see 0"), "5000x1", "what is held is not lost");
        assert_eq!(value.counts().holders, 2);
    };
    scene_alone(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_message_is_revoked_by_whoever_has_its_token_when_its_sender_is_gone() {
    const TEST: &str = "lost::a_message_is_revoked_by_whoever_has_its_token_when_its_sender_is_gone";
    let main = || {
        let revoke = |token: &str| Ticket::<[u8]>::from_token(token).unwrap().revoke();
        for killed in [true, false] {
            let mut sender = Puppet::new(TEST);
            sender.get(format!("claim {}", shared(5000, 1).into_token().unwrap()));
            sender.get("make 6000 2");
            let (of_mine, of_its_own) = (sender.get("send 0"), sender.get("send 1"));
            if killed {
                sender.kill()
            } else {
                sender.leave()
            }
            assert_eq!((stats().tickets, stats().blocks), (1, 1));
            assert!(revoke(&of_mine).unwrap());
            assert_eq!((stats().tickets, stats().blocks), (0, 0));
            assert!(!revoke(&of_mine).unwrap(), "it was taken back before");
            let revoked = revoke(&of_its_own);
            if killed && !is_named() {
                assert!(matches!(revoked, Err(Error::Gone { .. })), "{revoked:?}");
            } else {
                assert!(revoked.unwrap());
            }
            sweep();
            sweep();
            let mut names = left();
            names.retain(|name| name.starts_with("commonage-will"));
            assert_eq!((stats().participants, names), (1, Vec::new()));
        }
    };
    scene(TEST, BOTH, main, nobody_else);
}

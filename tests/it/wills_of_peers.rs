//! Whoever sends what another owns exits, or the owner does, or both do: nothing is lost.

use commonage::{SharedSlice, SharedSliceMut, sweep};

use crate::{
    puppet::Puppet,
    scene::{BOTH, is_named, left, nobody_else, scene},
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
fn a_message_of_a_peer_outlives_it_and_the_owner_when_both_exit_together() {
    const TEST: &str = "wills_of_peers::a_message_of_a_peer_outlives_it_and_the_owner_when_both_exit_together";
    let main = || {
        for round in 0..12 {
            let (mut owner, mut sender) = (Puppet::new(TEST), Puppet::new(TEST));
            owner.get("make 50000 5");
            owner.get("make_mut 70000 6");
            let token = owner.get("copy 0");
            sender.get(format!("claim {token}"));
            let token = owner.get("send 1");
            sender.get(format!("claim_mut {token}"));
            let of_owner = owner.get("copy 0");
            let (of_sender, exclusive) = (sender.get("copy 0"), sender.get("serialize 1"));
            let pair = if round % 2 == 0 { [&mut owner, &mut sender] } else { [&mut sender, &mut owner] };
            pair.into_iter().for_each(|puppet| puppet.tell("exit 0"));
            if round % 3 > 0 {
                owner.end();
                sender.end();
            }
            claimed(&of_sender, 50_000, 5);
            claimed(&of_owner, 50_000, 5);
            let value: SharedSliceMut<u8> = serde_json::from_str(&exclusive).unwrap();
            assert!(value.iter().all(|byte| *byte == 6));
        }
        sweep();
        assert_eq!(left(), NOTHING);
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_message_of_a_peer_outlives_it_when_the_owner_has_gone_before() {
    const TEST: &str = "wills_of_peers::a_message_of_a_peer_outlives_it_when_the_owner_has_gone_before";
    let main = || {
        for killed in [false, true] {
            let (mut owner, mut sender) = (Puppet::new(TEST), Puppet::new(TEST));
            owner.get("make 50000 5");
            let token = owner.get("copy 0");
            sender.get(format!("claim {token}"));
            if killed {
                owner.kill()
            } else {
                owner.leave()
            }
            let token = sender.get("copy 0");
            sender.leave();
            claimed(&token, 50_000, 5);
            sweep();
            assert_eq!(left(), NOTHING, "the owner was killed: {killed}");
        }
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_message_of_a_peer_of_a_living_owner_needs_no_will() {
    const TEST: &str = "wills_of_peers::a_message_of_a_peer_of_a_living_owner_needs_no_will";
    let main = || {
        let (mut owner, mut sender) = (Puppet::new(TEST), Puppet::new(TEST));
        owner.get("make 50000 5");
        let token = owner.get("send 0");
        sender.get(format!("claim {token}"));
        let before = left();
        let token = sender.get("send 0");
        sender.leave();
        let wills = left().into_iter().filter(|name| name.starts_with("commonage-will")).count();
        assert_eq!(wills, 0, "{before:?}");
        claimed(&token, 50_000, 5);
        owner.get("sweep");
        assert_eq!((owner.number("blocks"), owner.number("tickets")), (0, 0));
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_message_of_an_owner_that_exits_reaches_a_peer_that_has_its_segment_mapped() {
    const TEST: &str = "wills_of_peers::a_message_of_an_owner_that_exits_reaches_a_peer_that_has_its_segment_mapped";
    let main = || {
        for sweeps in [false, true] {
            let (mut owner, mut peer) = (Puppet::new(TEST), Puppet::new(TEST));
            owner.get("make 40000 5");
            owner.get("make_mut 7000 6");
            owner.get("make_mut 8000 7");
            let token = owner.get("copy 0");
            peer.get(format!("claim {token}"));
            let (shared, exclusive, held) = (owner.get("copy 0"), owner.get("send 1"), owner.get("serialize 2"));
            owner.leave();
            if sweeps {
                peer.get("sweep");
            }
            peer.get(format!("claim {shared}"));
            peer.get(format!("claim_mut {exclusive}"));
            peer.get(format!("claim_json {held}"));
            let seen: Vec<_> = (0..4).map(|i| peer.get(format!("see {i}"))).collect();
            assert_eq!(seen, ["40000x5", "40000x5", "7000x6", "8000x7"]);
            peer.leave();
            assert_eq!(left(), NOTHING);
        }
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_message_that_a_peer_still_holds_when_the_owner_exits_is_claimed_when_it_lets_go() {
    const TEST: &str =
        "wills_of_peers::a_message_that_a_peer_still_holds_when_the_owner_exits_is_claimed_when_it_lets_go";
    let main = || {
        for exits in [false, true] {
            let (mut owner, mut sender, mut receiver) = (Puppet::new(TEST), Puppet::new(TEST), Puppet::new(TEST));
            owner.get("make_mut 7000 6");
            let token = owner.get("send 0");
            sender.get(format!("claim_mut {token}"));
            let json = sender.get("serialize 0");
            owner.leave();
            let claim = format!("claim_json {json}");
            // It waits, or comes later: both are right.
            receiver.tell(&claim);
            let sender = if exits {
                sender.leave();
                None
            } else {
                sender.get("drop 0");
                Some(sender)
            };
            receiver.hear(&claim).unwrap();
            assert_eq!(receiver.get("see 0"), "7000x6");
            receiver.leave();
            if let Some(sender) = sender {
                sender.leave();
            }
            assert_eq!(left(), NOTHING, "the sender exits: {exits}");
        }
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_ticket_that_is_dropped_unsent_after_the_owner_has_exited_leaves_no_will() {
    const TEST: &str = "wills_of_peers::a_ticket_that_is_dropped_unsent_after_the_owner_has_exited_leaves_no_will";
    let main = || {
        let mut owner = Puppet::new(TEST);
        owner.get("make 40000 5");
        let token = owner.get("copy 0");
        let value = SharedSlice::<u8>::from_token(&token).unwrap();
        let ticket = value.ticket().unwrap();
        owner.leave();
        drop(ticket);
        assert_eq!(*value, [5; 40_000]);
        drop(value);
        sweep();
        assert_eq!(left(), NOTHING);
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_value_from_a_will_is_sent_on_and_willed_again() {
    const TEST: &str = "wills_of_peers::a_value_from_a_will_is_sent_on_and_willed_again";
    let main = || {
        let mut token = {
            let mut first = Puppet::new(TEST);
            first.get("make 70000 5");
            let token = first.get("send 0");
            first.leave();
            token
        };
        for _ in 0..4 {
            let mut next = Puppet::new(TEST);
            next.get(format!("claim {token}"));
            token = next.get("send 0");
            next.leave();
        }
        claimed(&token, 70_000, 5);
        sweep();
        assert_eq!(left(), NOTHING);
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_value_sent_to_three_receivers_reaches_each() {
    const TEST: &str = "wills_of_peers::a_value_sent_to_three_receivers_reaches_each";
    let main = || {
        let mut sender = Puppet::new(TEST);
        sender.get("make 40000 5");
        let tokens: Vec<_> = (0..3).map(|_| sender.get("copy 0")).collect();
        sender.leave();
        if !is_named() {
            assert_eq!(left().len(), 3, "a will for each message: {:?}", left());
        }
        let mut receivers: Vec<_> = (0..3).map(|_| Puppet::new(TEST)).collect();
        for (receiver, token) in receivers.iter_mut().zip(&tokens) {
            receiver.get(format!("claim {token}"));
            assert_eq!(receiver.get("see 0"), "40000x5");
        }
        receivers.into_iter().for_each(Puppet::leave);
        sweep();
        assert_eq!(left(), NOTHING);
    };
    scene(TEST, BOTH, main, nobody_else);
}

//! The owner is killed, its peers live on.

use std::{process, sync::Barrier, thread, time::Duration};

use commonage::reclaim;

use crate::{
    puppet::{OBEY, Puppet},
    scene::{BOTH, left, nobody_else, scene, scene_alone, until},
    support::{LOST_AFTER, assert_resident, child, maps},
};

const MIB: u64 = 1 << 20;
/// What control areas, and what is reserved ahead, may add.
const MORE: u64 = MIB / 2;

#[test]
fn peers_of_a_killed_owner_read_clone_send_and_drop() {
    const TEST: &str = "orphans::peers_of_a_killed_owner_read_clone_send_and_drop";
    let main = || {
        let (mut owner, mut first, mut second) = (Puppet::new(TEST), Puppet::new(TEST), Puppet::new(TEST));
        owner.get("make 100000 5");
        owner.get("make_mut 3000 6");
        for command in ["copy 0", "send 1"] {
            let token = owner.get(command);
            first.get(format!("{} {token}", if command == "copy 0" { "claim" } else { "claim_mut" }));
        }
        owner.kill();
        assert_eq!((first.get("see 0"), first.get("see 1")), ("100000x5".into(), "3000x6".into()));
        // A part, and the exclusive value, to another peer, and back.
        first.get("slice 0 10 20");
        let (whole, part, exclusive) = (first.get("copy 0"), first.get("send 2"), first.get("send 1"));
        second.get(format!("claim {whole}"));
        second.get(format!("claim {part}"));
        second.get(format!("claim_mut {exclusive}"));
        let seen: Vec<_> = (0..3).map(|i| second.get(format!("see {i}"))).collect();
        assert_eq!(seen, ["100000x5", "10x5", "3000x6"]);
        let back = second.get("send 2");
        first.get(format!("claim_mut {back}"));
        assert_eq!(first.get("see 3"), "3000x6");
        first.get("sweep");
        assert_eq!(first.get("counts 0"), "1 2 0", "the dead owner's hold has been given");
        assert!(maps(first.pid, 1) && maps(second.pid, 1));
        first.get("drop_all");
        first.get("sweep");
        assert_eq!(second.get("see 0"), "100000x5");
        assert_eq!(second.get("counts 0"), "2 1 0");
        second.get("drop_all");
        for peer in [&mut first, &mut second] {
            peer.get("sweep");
            assert!(maps(peer.pid, 0), "nobody holds anything: the segment is unmapped");
        }
        assert_eq!(left(), Vec::<String>::new());
        first.leave();
        second.leave();
        assert_eq!(left(), Vec::<String>::new());
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn the_last_peer_of_a_killed_owner_leaves_nothing_when_it_ends_with_all_it_holds() {
    const TEST: &str = "orphans::the_last_peer_of_a_killed_owner_leaves_nothing_when_it_ends_with_all_it_holds";
    let main = || {
        let (mut owner, mut first, mut second) = (Puppet::new(TEST), Puppet::new(TEST), Puppet::new(TEST));
        owner.get("make 100000 5");
        for peer in [&mut first, &mut second] {
            let token = owner.get("copy 0");
            peer.get(format!("claim {token}"));
        }
        owner.kill();
        first.leave();
        assert_eq!(second.get("see 0"), "100000x5");
        second.leave();
        assert_eq!(left(), Vec::<String>::new());
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn all_killed_leave_nothing_but_what_the_next_sweep_removes() {
    const TEST: &str = "orphans::all_killed_leave_nothing_but_what_the_next_sweep_removes";
    let main = || {
        let (mut owner, mut peer) = (Puppet::new(TEST), Puppet::new(TEST));
        owner.get("make 100000 5");
        let token = owner.get("copy 0");
        peer.get(format!("claim {token}"));
        peer.get("make 10 1");
        owner.kill();
        peer.kill();
        commonage::sweep();
        assert_eq!(left(), Vec::<String>::new());
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_small_value_does_not_pin_what_a_killed_owner_has_left() {
    const TEST: &str = "orphans::a_small_value_does_not_pin_what_a_killed_owner_has_left";
    let main = || {
        let (mut owner, mut peer, mut idle) = (Puppet::new(TEST), Puppet::new(TEST), Puppet::new(TEST));
        for len in [1, 7, 12, 20, 24] {
            owner.get(format!("make {} 5", len * MIB));
        }
        // A process that holds nothing any more, but still has all of it mapped.
        for value in 0..5 {
            let token = owner.get(format!("copy {value}"));
            idle.get(format!("claim {token}"));
        }
        let token = owner.get("copy 0");
        peer.get(format!("claim {token}"));
        idle.get("drop_all");
        assert_resident(idle.pid, 64 * MIB..);
        owner.kill();
        peer.get("sweep");
        assert_resident(peer.pid, MIB..=MIB + MORE);
        assert_eq!(peer.get("see 0"), format!("{MIB}x5"));
        idle.get("sweep");
        assert!(maps(idle.pid, 0));
        peer.get("drop 0");
        peer.get("sweep");
        assert!(maps(peer.pid, 0));
        assert_eq!(left(), Vec::<String>::new());
    };
    scene(TEST, BOTH, main, nobody_else);
}

/// The idle process never asks for a sweep: another peer's is enough for what both have mapped.
#[test]
fn an_idle_process_does_not_pin_what_a_killed_owner_has_left() {
    const TEST: &str = "orphans::an_idle_process_does_not_pin_what_a_killed_owner_has_left";
    let main = || {
        let (mut owner, mut peer, mut idle) = (Puppet::new(TEST), Puppet::new(TEST), Puppet::new(TEST));
        for len in [1, 6] {
            owner.get(format!("make {} 5", len * MIB));
        }
        for puppet in [&mut idle, &mut peer] {
            let token = owner.get("copy 0");
            puppet.get(format!("claim {token}"));
        }
        idle.get("drop 0");
        owner.kill();
        peer.get("sweep");
        assert_resident(idle.pid, ..=MIB + MORE);
        peer.get("drop 0");
        assert_resident(idle.pid, ..=MORE);
        // At any of its own calls, once in a while, it looks.
        until("an idle process unmaps what nobody owns", || {
            idle.get("make 100000 1");
            idle.get("drop_all");
            maps(idle.pid, 1).then_some(())
        });
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn what_a_killed_peer_of_a_killed_owner_held_goes_back_to_the_system() {
    const TEST: &str = "orphans::what_a_killed_peer_of_a_killed_owner_held_goes_back_to_the_system";
    let main = || {
        let (mut owner, mut first, mut second) = (Puppet::new(TEST), Puppet::new(TEST), Puppet::new(TEST));
        owner.get(format!("make {MIB} 5"));
        owner.get(format!("make {} 6", 6 * MIB));
        let token = owner.get("copy 0");
        first.get(format!("claim {token}"));
        let token = owner.get("copy 1");
        second.get(format!("claim {token}"));
        owner.kill();
        first.get("sweep");
        assert_resident(first.pid, 7 * MIB..);
        second.kill();
        let swept = first.get("sweep");
        assert!(swept.contains("participants: 1") && swept.contains("later: 0"), "{swept}");
        assert_resident(first.pid, ..=MIB + MORE);
        assert_eq!(first.get("see 0"), format!("{MIB}x5"));
        assert_eq!(first.get("counts 0"), "1 1 0");
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_peer_that_comes_after_the_owners_death_sweeps_too() {
    const TEST: &str = "orphans::a_peer_that_comes_after_the_owners_death_sweeps_too";
    let main = || {
        let (mut owner, mut first) = (Puppet::new(TEST), Puppet::new(TEST));
        owner.get(format!("make {MIB} 5"));
        owner.get(format!("make {} 5", 6 * MIB));
        let token = owner.get("copy 0");
        first.get(format!("claim {token}"));
        owner.kill();
        let mut late = Puppet::new(TEST);
        let token = first.get("copy 0");
        late.get(format!("claim {token}"));
        first.kill();
        late.get("sweep");
        assert_eq!((late.get("see 0"), late.get("counts 0")), (format!("{MIB}x5"), "1 1 0".into()));
        assert_resident(late.pid, ..=MIB + MORE);
        late.leave();
        assert_eq!(left(), Vec::<String>::new());
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn messages_of_a_killed_owner_reach_those_who_have_its_segment_mapped() {
    const TEST: &str = "orphans::messages_of_a_killed_owner_reach_those_who_have_its_segment_mapped";
    let main = || {
        let (mut owner, mut peer) = (Puppet::new(TEST), Puppet::new(TEST));
        owner.get("make 100 5");
        owner.get("make_mut 200 6");
        let first = owner.get("copy 0");
        peer.get(format!("claim {first}"));
        let (armed, held) = (owner.get("send 0"), owner.get("serialize 1"));
        owner.kill();
        peer.get("sweep");
        peer.get(format!("claim {armed}"));
        peer.get(format!("claim_json {held}"));
        assert_eq!((peer.get("see 1"), peer.get("see 2")), ("100x5".into(), "200x6".into()));
        peer.leave();
        assert_eq!(left(), Vec::<String>::new());
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn messages_of_a_killed_owner_that_nobody_claims_do_not_pin_its_memory() {
    const TEST: &str = "orphans::messages_of_a_killed_owner_that_nobody_claims_do_not_pin_its_memory";
    let main = || {
        let mut owner = Puppet::new(TEST);
        let mut peer = Puppet::start(child(TEST, OBEY).env(LOST_AFTER, "0"));
        owner.get(format!("make {MIB} 5"));
        owner.get(format!("make {} 5", 6 * MIB));
        let token = owner.get("copy 0");
        peer.get(format!("claim {token}"));
        let lost = owner.get("send 1");
        owner.kill();
        let swept = peer.get("sweep");
        assert!(swept.contains("tickets: 1"), "{swept}");
        assert_resident(peer.pid, ..=MIB + MORE);
        let error = peer.ask(format!("claim {lost}")).unwrap_err();
        assert!(error.starts_with("Expired"), "{error}");
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_message_of_a_killed_process_says_which_process_is_gone() {
    const TEST: &str = "orphans::a_message_of_a_killed_process_says_which_process_is_gone";
    let main = || {
        let (mut owner, mut sender, mut receiver) = (Puppet::new(TEST), Puppet::new(TEST), Puppet::new(TEST));
        owner.get("make 100 5");
        let token = owner.get("copy 0");
        sender.get(format!("claim {token}"));
        let token = sender.get("copy 0");
        let (owner_pid, sender_pid) = (owner.pid, sender.pid);
        owner.kill();
        sender.kill();
        // What has a name is there until nobody waits for it any more.
        reclaim(Duration::ZERO);
        let error = receiver.ask(format!("claim {token}")).unwrap_err();
        let names = error.contains(&format!("sender: {sender_pid}")) && error.contains(&format!("owner: {owner_pid}"));
        assert!(error.starts_with("Gone") && names, "{error}");
    };
    scene_alone(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_thread_that_has_claimed_and_waits_does_not_keep_a_segment_mapped() {
    const TEST: &str = "orphans::a_thread_that_has_claimed_and_waits_does_not_keep_a_segment_mapped";
    let main = || {
        let mut owner = Puppet::new(TEST);
        owner.get("make 100000 5");
        let [one, two] = [(); 2].map(|()| owner.get("copy 0"));
        let claim = |token: &str| commonage::SharedSlice::<u8>::from_token(token).unwrap();
        let (waits, done) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            scope.spawn(|| {
                drop(claim(&one));
                waits.wait();
                done.wait();
            });
            waits.wait();
            let value = claim(&two);
            owner.leave();
            assert!(value.len() == 100_000 && maps(process::id(), 1));
            drop(value);
            let unmapped = maps(process::id(), 0);
            done.wait();
            assert!(unmapped);
        });
    };
    scene(TEST, BOTH, main, nobody_else);
}

//! What killed processes held in a living owner's pool comes back.

use commonage::{Shared, SharedMut, SharedSlice, SharedSliceMut, Stats, stats, sweep};

use crate::{
    puppet::Puppet,
    scene::{BOTH, left, nobody_else, scene, until},
    support::{LIMIT, child},
};

/// What a value, and the processes that share it, change in the statistics.
fn in_use() -> (usize, u64, usize, usize) {
    let Stats { blocks, live, tickets, participants, .. } = stats();
    (blocks, live, tickets, participants)
}

fn shared(len: usize, fill: u8) -> SharedSlice<u8> {
    Shared::new(&(fill, len)).unwrap()
}

fn exclusive(len: usize, fill: u8) -> SharedSliceMut<u8> {
    SharedMut::new(&(fill, len)).unwrap()
}

/// One value of this process's, and then whatever a killed peer had: only the first is left.
fn comes_back(test: &'static str, hold: impl Fn(&mut Puppet)) {
    let main = || {
        let mine = shared(5000, 7);
        let before = in_use();
        let mut peer = Puppet::new(test);
        hold(&mut peer);
        assert!(in_use() > before, "the peer is in the segment");
        peer.kill();
        let swept = sweep();
        assert_eq!((swept.participants, swept.later), (1, 0), "{swept:?}");
        assert_eq!(in_use(), before);
        assert_eq!(*mine, [7; 5000]);
        assert_eq!(sweep(), Default::default(), "there is nothing more to sweep");
        drop(mine);
        assert_eq!(in_use(), (0, 0, 0, 1));
    };
    scene(test, BOTH, main, nobody_else);
}

#[test]
fn one_value_of_a_killed_process_comes_back() {
    comes_back("sweeping::one_value_of_a_killed_process_comes_back", |peer| {
        peer.get(format!("claim {}", shared(100_000, 1).into_token().unwrap()));
        assert_eq!(peer.get("see 0"), "100000x1");
    });
}

#[test]
fn many_values_of_a_killed_process_come_back() {
    comes_back("sweeping::many_values_of_a_killed_process_come_back", |peer| {
        for i in 0..300 {
            peer.get(format!("claim {}", shared(10 + 100 * i, 1).into_token().unwrap()));
        }
        assert_eq!(stats().blocks, 301);
    });
}

#[test]
fn a_value_that_a_killed_process_held_more_than_once_and_in_parts_comes_back() {
    comes_back("sweeping::a_value_that_a_killed_process_held_more_than_once_and_in_parts_comes_back", |peer| {
        let value = shared(100_000, 1);
        peer.get(format!("claim {}", value.clone().into_token().unwrap()));
        peer.get(format!("claim {}", value.slice(100..200).into_token().unwrap()));
        peer.get("slice 0 500 600");
        peer.get("drop 0");
        drop(value);
        assert_eq!((&peer.get("see 1")[..], &peer.get("see 2")[..]), ("100x1", "100x1"));
    });
}

#[test]
fn an_exclusive_value_of_a_killed_process_comes_back() {
    comes_back("sweeping::an_exclusive_value_of_a_killed_process_comes_back", |peer| {
        peer.get(format!("claim_mut {}", exclusive(100_000, 1).into_token().unwrap()));
        assert_eq!(peer.get("see 0"), "100000x1");
    });
}

#[test]
fn what_a_killed_process_had_sent_to_itself_and_claimed_comes_back() {
    comes_back("sweeping::what_a_killed_process_had_sent_to_itself_and_claimed_comes_back", |peer| {
        peer.get(format!("claim {}", shared(3000, 1).into_token().unwrap()));
        let token = peer.get("copy 0");
        peer.get("drop 0");
        assert_eq!(peer.get(format!("claim {token}")), "1");
        assert_eq!(peer.get("counts 1"), "1 1 0");
    });
}

#[test]
fn a_part_that_others_hold_stays_when_a_process_that_held_another_is_killed() {
    const TEST: &str = "sweeping::a_part_that_others_hold_stays_when_a_process_that_held_another_is_killed";
    let main = || {
        let value = shared(20_000, 3);
        let mine = value.slice(12_000..);
        let before = in_use();
        let mut peer = Puppet::new(TEST);
        peer.get(format!("claim {}", value.slice(..12_000).into_token().unwrap()));
        drop(value);
        peer.kill();
        sweep();
        assert_eq!(in_use(), before, "the block is as large as it was: this process holds a part of it");
        assert_eq!(*mine, [3; 8000]);
        assert_eq!(mine.counts().holders, 1);
        drop(mine);
        assert_eq!(stats().blocks, 0);
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn what_a_killed_process_has_serialized_and_not_dropped_can_be_claimed() {
    const TEST: &str = "sweeping::what_a_killed_process_has_serialized_and_not_dropped_can_be_claimed";
    let main = || {
        let mut peer = Puppet::new(TEST);
        peer.get(format!("claim_mut {}", exclusive(5000, 4).into_token().unwrap()));
        let json = peer.get("serialize 0");
        assert_eq!(stats().tickets, 1);
        peer.kill();
        let swept = sweep();
        assert_eq!(swept.participants, 1);
        assert_eq!((stats().blocks, stats().tickets), (1, 1), "it is on its way, and its sender has let go");
        let value: SharedSliceMut<u8> = serde_json::from_str(&json).unwrap();
        assert_eq!(*value, [4; 5000]);
        assert_eq!((value.counts().holders, value.counts().in_flight), (1, 0));
        drop(value);
        assert_eq!(in_use(), (0, 0, 0, 1));
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn what_a_killed_process_had_sent_from_anothers_pool_stays_on_its_way() {
    const TEST: &str = "sweeping::what_a_killed_process_had_sent_from_anothers_pool_stays_on_its_way";
    let main = || {
        let mut peer = Puppet::new(TEST);
        peer.get(format!("claim {}", shared(5000, 4).into_token().unwrap()));
        let (first, second) = (peer.get("copy 0"), peer.get("send 0"));
        peer.kill();
        sweep();
        assert_eq!((stats().blocks, stats().tickets, stats().participants), (1, 2, 1));
        let mut receiver = Puppet::new(TEST);
        receiver.get(format!("claim {first}"));
        assert_eq!(receiver.get("see 0"), "5000x4");
        assert_eq!(*SharedSlice::<u8>::from_token(&second).unwrap(), [4; 5000]);
        receiver.leave();
        sweep();
        assert_eq!(in_use(), (0, 0, 0, 1));
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn living_peers_keep_what_they_hold_when_others_are_killed() {
    const TEST: &str = "sweeping::living_peers_keep_what_they_hold_when_others_are_killed";
    let main = || {
        let value = shared(9000, 2);
        let mut peers: Vec<Puppet> = (0..6).map(|_| Puppet::new(TEST)).collect();
        for peer in &mut peers {
            peer.get(format!("claim {}", value.clone().into_token().unwrap()));
        }
        assert_eq!(value.counts().holders, 7);
        drop(value);
        for _ in 0..3 {
            peers.remove(0).kill();
            assert_eq!(sweep().participants, 1);
            let living = peers.len();
            assert_eq!((stats().blocks, stats().participants), (1, 1 + living));
            for peer in &mut peers {
                assert_eq!(peer.get("counts 0"), format!("1 {living} 0"));
                assert_eq!(peer.get("see 0"), "9000x2");
            }
        }
        peers.into_iter().for_each(Puppet::kill);
        assert_eq!(sweep().participants, 3);
        assert_eq!(in_use(), (0, 0, 0, 1));
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn the_owner_sweeps_by_itself_when_it_makes_values() {
    by_itself("sweeping::the_owner_sweeps_by_itself_when_it_makes_values", || drop(shared(100_000, 1)));
}

#[test]
fn the_owner_sweeps_by_itself_when_it_makes_small_values() {
    let make = || drop((0..200).map(|_| shared(100, 1)).collect::<Vec<_>>());
    by_itself("sweeping::the_owner_sweeps_by_itself_when_it_makes_small_values", make);
}

#[test]
fn the_owner_sweeps_by_itself_when_it_sends() {
    let send = || drop(SharedSlice::<u8>::from_token(&shared(10, 1).into_token().unwrap()).unwrap());
    by_itself("sweeping::the_owner_sweeps_by_itself_when_it_sends", send);
}

/// The numbers of `stats()` show a dead participant until somebody has swept it.
fn by_itself(test: &'static str, work: impl Fn()) {
    let main = || {
        let mine = shared(100, 7);
        let mut peer = Puppet::new(test);
        for _ in 0..10 {
            peer.get(format!("claim {}", shared(50_000, 1).into_token().unwrap()));
        }
        peer.kill();
        assert_eq!(stats().participants, 2);
        until("what a killed process held comes back", || {
            work();
            (stats().participants == 1).then_some(())
        });
        assert_eq!(stats().blocks, 1);
        drop(mine);
    };
    scene(test, BOTH, main, nobody_else);
}

#[test]
fn what_the_dead_held_is_used_before_the_pool_grows() {
    const TEST: &str = "sweeping::what_the_dead_held_is_used_before_the_pool_grows";
    let main = || {
        // Two of them do not fit into the first segment together.
        let large = || shared(7 << 20, 1);
        let mut peer = Puppet::new(TEST);
        for _ in 0..2 {
            peer.get(format!("claim {}", large().into_token().unwrap()));
        }
        assert_eq!(stats().segments, 1);
        peer.kill();
        let values = [large(), large()];
        assert_eq!((stats().segments, stats().blocks), (1, 2), "no second segment");
        drop(values);
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn what_the_dead_held_is_used_before_the_limit_is_reached() {
    const TEST: &str = "sweeping::what_the_dead_held_is_used_before_the_limit_is_reached";
    let owner = || {
        let mut peer = Puppet::new(TEST);
        for _ in 0..3 {
            peer.get(format!("claim {}", shared(2 << 20, 1).into_token().unwrap()));
        }
        peer.kill();
        let values: Vec<_> = (0..3).map(|_| shared(2 << 20, 2)).collect();
        assert!(values.iter().all(|value| value.iter().all(|byte| *byte == 2)));
    };
    let main = || drop(child(TEST, "owner").env(LIMIT, &(8 << 20).to_string()).run_to_success());
    scene(TEST, BOTH, main, |_| owner());
}

#[test]
fn fifty_processes_killed_one_after_the_other_leave_their_slots() {
    many("sweeping::fifty_processes_killed_one_after_the_other_leave_their_slots", 50, 10);
}

/// More than a segment has slots.
#[test]
#[ignore = "starts 1,100 processes"]
fn eleven_hundred_processes_killed_one_after_the_other_leave_their_slots() {
    many("sweeping::eleven_hundred_processes_killed_one_after_the_other_leave_their_slots", 1100, 100);
}

/// Peers that are killed while they hold a value, with a sweep after each `batch` of them.
fn many(test: &'static str, all: usize, batch: usize) {
    let main = || {
        let value = shared(1000, 1);
        for peer in 1..=all {
            let mut puppet = Puppet::new(test);
            puppet.get(format!("claim {}", value.clone().into_token().unwrap()));
            puppet.kill();
            if peer % batch == 0 {
                sweep();
                assert_eq!((stats().participants, value.counts().holders), (1, 1), "after {peer}");
            }
        }
        drop(value);
        assert_eq!(in_use(), (0, 0, 0, 1));
    };
    scene(test, BOTH, main, nobody_else);
}

#[test]
fn a_sweep_in_several_threads_gives_back_once() {
    const TEST: &str = "sweeping::a_sweep_in_several_threads_gives_back_once";
    let main = || {
        let value = shared(100_000, 1);
        let mut peers: Vec<Puppet> = (0..4).map(|_| Puppet::new(TEST)).collect();
        for peer in &mut peers {
            peer.get(format!("claim {}", value.clone().into_token().unwrap()));
            peer.get(format!("claim {}", shared(20, 1).into_token().unwrap()));
        }
        peers.into_iter().for_each(Puppet::kill);
        let swept: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(sweep)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap().participants).sum()
        });
        assert_eq!(swept, 4);
        assert_eq!((stats().blocks, stats().participants, value.counts().holders), (1, 1, 1));
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_killed_peer_of_a_living_owner_leaves_nothing_when_the_owner_leaves() {
    const TEST: &str = "sweeping::a_killed_peer_of_a_living_owner_leaves_nothing_when_the_owner_leaves";
    let main = || {
        let mut owner = Puppet::new(TEST);
        let mut peer = Puppet::new(TEST);
        owner.get("make 5000 1");
        peer.get("make 6000 2");
        let token = owner.get("copy 0");
        peer.get(format!("claim {token}"));
        peer.kill();
        owner.get("sweep");
        owner.leave();
        // The peer's own pool goes with the next sweep.
        sweep();
        assert_eq!(left(), Vec::<String>::new());
    };
    scene(TEST, BOTH, main, nobody_else);
}

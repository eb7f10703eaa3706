//! Parts of one block in several processes: filled, sent on, and lost with those that die.

#![allow(clippy::single_range_in_vec_init)] // One range is missing.

use std::{
    io::{BufReader, Read, stdin},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use commonage::{Error, SharedMut, SharedSlice, SharedSliceMut, Stats, stats, sweep};
use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender};

use crate::{
    puppet::Puppet,
    scene::{BOTH, is_named, left, nobody_else, scene, value},
    support::{child, said},
};

const NOTHING: [String; 0] = [];

fn zeros(len: usize) -> SharedSliceMut<u8> {
    SharedSliceMut::zeroed(len).unwrap()
}

fn claimed(token: &str) -> SharedSliceMut<u8> {
    SharedSliceMut::from_token(token).unwrap()
}

/// A puppet that has claimed `part` as its number 0.
fn with(test: &str, part: SharedSliceMut<u8>) -> Puppet {
    let mut puppet = Puppet::new(test);
    assert_eq!(puppet.get(format!("claim_mut {}", part.into_token().unwrap())), "0");
    puppet
}

/// Whether the slice is 250 times each of these.
#[track_caller]
fn is(slice: &[u8], quarters: &[u8]) {
    let expected: Vec<u8> = quarters.iter().flat_map(|byte| [*byte; 250]).collect();
    assert!(*slice == expected, "{quarters:?} expected");
}

/// Blocks, tickets and participants.
fn in_use() -> (usize, usize, usize) {
    let Stats { blocks, tickets, participants, .. } = stats();
    (blocks, tickets, participants)
}

#[test]
fn what_workers_fill_is_put_together_and_frozen_by_their_parent() {
    const TEST: &str = "parts_of_peers::what_workers_fill_is_put_together_and_frozen_by_their_parent";
    type Job = (u64, SharedSliceMut<u64>);
    type Hello = (IpcSender<Job>, IpcReceiver<SharedSliceMut<u64>>);
    const WORKERS: usize = 5;
    const LEN: usize = 1_000_003;
    let main = || {
        let mut first = 0;
        let mut workers = Vec::new();
        for part in SharedSliceMut::<u64>::zeroed(LEN).unwrap().split_into(WORKERS) {
            let (server, name) = IpcOneShotServer::<Hello>::new().unwrap();
            let running = child(TEST, "worker").env("SERVER", &name).spawn();
            let (_, (jobs, results)) = server.accept().unwrap();
            let length = part.len() as u64;
            jobs.send((first, part)).unwrap();
            first += length;
            workers.push((running, jobs, results));
        }
        // The last is the first: in any order.
        let parts: Vec<_> = workers.iter().rev().map(|(.., results)| results.recv().unwrap()).collect();
        let whole = SharedSliceMut::unsplit_all(parts).unwrap().freeze().unwrap();
        assert_eq!(whole.len(), LEN);
        assert!(whole.iter().zip(0..).all(|(found, n)| *found == n * n));
        for (running, ..) in workers {
            running.success();
        }
        drop(whole);
        sweep();
        assert_eq!(in_use(), (0, 0, 1));
    };
    let worker = |_: &str| {
        let (jobs, inbox) = ipc::channel::<Job>().unwrap();
        let (results, outbox) = ipc::channel().unwrap();
        IpcSender::<Hello>::connect(value("SERVER")).unwrap().send((jobs, outbox)).unwrap();
        let (first, mut part) = inbox.recv().unwrap();
        part.iter_mut().zip(first..).for_each(|(element, n)| *element = n * n);
        results.send(part).unwrap();
    };
    scene(TEST, BOTH, main, worker);
}

#[test]
fn a_part_that_is_killed_with_its_process_is_missing_and_the_others_are_frozen() {
    const TEST: &str = "parts_of_peers::a_part_that_is_killed_with_its_process_is_missing_and_the_others_are_frozen";
    let main = || {
        let [mut a, b, c, d] = zeros(1000).split_into(4).try_into().unwrap();
        let (mut first, mut second) = (with(TEST, b), with(TEST, c));
        a.fill(1);
        first.get("fill 0 2");
        second.get("fill 0 3");
        second.kill();
        let b = claimed(&first.get("send 0"));
        is(&b, &[2]);
        let refused = SharedSliceMut::unsplit_all([d, b, a]).unwrap_err();
        let Error::Missing { missing, length: 1000 } = &refused.reason else { panic!("{refused}") };
        assert_eq!(missing[..], [500..750]);
        let [d, b, a] = refused.handle.try_into().unwrap();
        let mut some = b.unsplit(a).unwrap();
        is(&some, &[1, 2]);
        some[0] = 9;
        drop(d);
        // Nobody has swept: the dead is found because it stands in the way.
        let some = some.freeze().unwrap();
        assert_eq!((some[0], some[499], some.counts().holders), (9, 2, 1));
        drop(some);
        first.leave();
        sweep();
        assert_eq!(in_use(), (0, 0, 1));
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_part_in_a_living_process_stands_in_the_way_of_freezing() {
    const TEST: &str = "parts_of_peers::a_part_in_a_living_process_stands_in_the_way_of_freezing";
    let main = || {
        let mut here = zeros(1000);
        let mut there = with(TEST, here.split_off(250));
        let refused = here.freeze().unwrap_err();
        assert!(matches!(refused.reason, Error::NotAlone(counts) if (counts.handles, counts.holders) == (1, 2)));
        assert!(there.ask("fill 0 4").is_ok());
        let token = there.get("send 0");
        let refused = refused.handle.freeze().unwrap_err();
        assert!(matches!(refused.reason, Error::NotAlone(counts) if (counts.holders, counts.in_flight) == (1, 1)));
        let whole = claimed(&token).unsplit(refused.handle).unwrap().freeze().unwrap();
        is(&whole, &[0, 4, 4, 4]);
        there.leave();
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_shared_value_that_a_killed_process_held_becomes_exclusive() {
    const TEST: &str = "parts_of_peers::a_shared_value_that_a_killed_process_held_becomes_exclusive";
    let main = || {
        let shared: SharedSlice<u8> = zeros(1000).freeze().unwrap();
        let mut peer = Puppet::new(TEST);
        peer.get(format!("claim {}", shared.clone().into_token().unwrap()));
        let refused = shared.try_into_mut().unwrap_err();
        assert!(matches!(refused.reason, Error::NotAlone(_)));
        peer.kill();
        assert!(refused.handle.try_into_mut().is_ok());
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_part_that_is_cut_and_sent_on_comes_back_from_a_third_process() {
    const TEST: &str = "parts_of_peers::a_part_that_is_cut_and_sent_on_comes_back_from_a_third_process";
    let main = || {
        let [mut a, b, c, d] = zeros(1000).split_into(4).try_into().unwrap();
        a.fill(1);
        let mut first = with(TEST, b.unsplit(c).unwrap());
        let mut second = with(TEST, d);
        first.get("fill 0 2");
        assert_eq!(first.get("split 0 250"), "1");
        assert_eq!(second.get(format!("claim_mut {}", first.get("send 1"))), "1");
        assert_eq!(second.get("counts 1"), "2 3 0");
        second.get("fill 0 4");
        second.get("fill 1 3");
        assert_eq!(second.get("join 0 1"), "2");
        first.kill();
        // The fourth, the third, and with the first the second.
        let there = claimed(&second.get("send 2"));
        is(&there, &[3, 4]);
        let refused = SharedSliceMut::unsplit_all([there, a]).unwrap_err();
        let Error::Missing { missing, .. } = &refused.reason else { panic!("{refused}") };
        assert_eq!(missing[..], [250..500]);
        second.leave();
        drop(refused);
        sweep();
        assert_eq!(in_use(), (0, 0, 1));
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_part_that_a_killed_process_had_serialized_is_claimed_and_put_together() {
    const TEST: &str = "parts_of_peers::a_part_that_a_killed_process_had_serialized_is_claimed_and_put_together";
    let main = || {
        let mut here = zeros(1000);
        let mut there = with(TEST, here.split_off(500));
        there.get("fill 0 5");
        let message = there.get("serialize 0");
        there.kill();
        let back: SharedSliceMut<u8> = serde_json::from_str(&message).unwrap();
        let whole = back.unsplit(here).unwrap().freeze().unwrap();
        is(&whole, &[0, 0, 5, 5]);
        drop(whole);
        assert_eq!(in_use(), (0, 0, 1));
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn parts_outlive_the_killed_owner_of_their_block() {
    const TEST: &str = "parts_of_peers::parts_outlive_the_killed_owner_of_their_block";
    let main = || {
        let (mut owner, mut peer) = (Puppet::new(TEST), Puppet::new(TEST));
        owner.get("make_mut 1000 1");
        for at in [750, 500, 250] {
            owner.get(format!("split 0 {at}"));
        }
        // The owner keeps 0 and 2: the first and the third quarter.
        let last = claimed(&owner.get("send 1"));
        peer.get(format!("claim_mut {}", owner.get("send 3")));
        owner.kill();
        peer.get("fill 0 2");
        let second = claimed(&peer.get("send 0"));
        is(&second, &[2]);
        let refused = SharedSliceMut::unsplit_all([last, second]).unwrap_err();
        let Error::Missing { missing, length: 1000 } = &refused.reason else { panic!("{refused}") };
        assert_eq!(missing[..], [0..250, 500..750]);
        let [last, second] = refused.handle.try_into().unwrap();
        drop(last);
        let second = second.freeze().unwrap();
        is(&second, &[2]);
        peer.get(format!("claim {}", second.clone().into_token().unwrap()));
        assert_eq!(peer.get("see 1"), "250x2");
        drop(second);
        peer.leave();
        sweep();
        assert_eq!((in_use(), left()), ((0, 0, 0), NOTHING.into()));
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn parts_on_their_way_when_their_owner_exits_arrive_with_their_range() {
    const TEST: &str = "parts_of_peers::parts_on_their_way_when_their_owner_exits_arrive_with_their_range";
    let main = || {
        let (mut owner, mut peer) = (Puppet::new(TEST), Puppet::new(TEST));
        owner.get("make_mut 1000 1");
        for (at, fill) in [(750, 4), (500, 3), (250, 2)] {
            let part = owner.get(format!("split 0 {at}"));
            owner.get(format!("fill {part} {fill}"));
        }
        let first = claimed(&owner.get("send 0"));
        peer.get(format!("claim_mut {}", owner.get("send 1")));
        peer.get("fill 0 7");
        let (third, last) = (owner.get("send 2"), peer.get("send 0"));
        let second = owner.get("serialize 3");
        owner.leave();
        let second: SharedSliceMut<u8> = serde_json::from_str(&second).unwrap();
        let (third, last) = (claimed(&third), claimed(&last));
        is(&first, &[1]);
        is(&second, &[2]);
        is(&third, &[3]);
        is(&last, &[7]);
        if is_named() {
            is(&SharedSliceMut::unsplit_all([third, first, last, second]).unwrap(), &[1, 2, 3, 7]);
        } else {
            // What was on its way is a copy.
            let refused = first.unsplit(second).unwrap_err();
            assert!(matches!(refused.reason, Error::OtherBlock { .. }), "{refused}");
            drop((refused, third, last));
        }
        peer.leave();
        sweep();
        assert_eq!(left(), NOTHING);
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_part_of_a_process_that_exits_comes_back_when_its_owner_lives() {
    const TEST: &str = "parts_of_peers::a_part_of_a_process_that_exits_comes_back_when_its_owner_lives";
    let main = || {
        let mut here: SharedSliceMut<u8> = SharedMut::new(&(1, 1000)).unwrap();
        let mut there = with(TEST, here.split_off(750));
        there.get("fill 0 6");
        let token = there.get("send 0");
        there.leave();
        let whole = claimed(&token).unsplit(here).unwrap().freeze().unwrap();
        is(&whole, &[1, 1, 1, 6]);
        drop(whole);
        sweep();
        assert_eq!(in_use(), (0, 0, 1));
    };
    scene(TEST, BOTH, main, nobody_else);
}

/// The owner copies the block for the first message, while another process writes its part, sends it, and has it again.
#[test]
fn a_part_that_is_written_while_its_owner_exits_is_not_an_old_copy() {
    const TEST: &str = "parts_of_peers::a_part_that_is_written_while_its_owner_exits_is_not_an_old_copy";
    let main = || {
        for _ in 0..6 {
            let mut owner = Puppet::new(TEST);
            owner.get("make_mut 16000000 1");
            owner.get("split 0 64");
            let first = owner.get("send 1");
            let mut writer = child(TEST, "writer").env("TOKEN", &owner.get("send 0")).spawn();
            let mut output = BufReader::new(writer.child().stdout.take().unwrap());
            said(&mut output, "writes");
            owner.leave();
            assert_eq!(claimed(&first).len(), 16_000_000 - 64);
            writer.success();
            sweep();
        }
        assert_eq!(left(), NOTHING);
    };
    let writer = |_: &str| {
        static OVER: AtomicBool = AtomicBool::new(false);
        thread::spawn(|| {
            let _ = stdin().read(&mut [0]);
            OVER.store(true, Ordering::Relaxed);
        });
        let mut part = claimed(&value("TOKEN"));
        println!("\nwrites");
        for n in 0u64.. {
            let content: Vec<u8> = n.to_le_bytes().repeat(8);
            part.copy_from_slice(&content);
            let token = part.into_token().unwrap();
            // On its way long enough for the owner to find it there.
            thread::sleep(Duration::from_micros(200));
            part = claimed(&token);
            assert_eq!(part[..], content);
            if OVER.load(Ordering::Relaxed) {
                return;
            }
        }
    };
    scene(TEST, BOTH, main, writer);
}

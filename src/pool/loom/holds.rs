//! Giving, joining, and changing the kind of what others may join.

use ::loom::{sync::atomic::Ordering, thread};

use super::{
    area::{OWNER, SERIAL, Start},
    check,
    process::{Claim, Process, Token},
};
use crate::pool::{steps::Atom, word::TicketState};

/// A token of the first value whose ticket was claimed long ago.
fn stale() -> Token {
    Token { epoch: 0, ..Token::first(0, false) }
}

#[test]
fn of_two_that_give_one_gives_back() {
    check("give and give", 3, |total| {
        let tables = Start { held: vec![false, true, true], ..Start::default() }.tables(total);
        let owner = Process::new(&tables, OWNER);
        let give = |process: Process| {
            process.block(0).bytes.read();
            process.give(0)
        };
        let other = Process::new(&tables, 2);
        let other = thread::spawn(move || give(other));
        let one = give(Process::new(&tables, 1));
        assert!(one != other.join().unwrap());
        // It is the only block on the stack.
        assert_eq!(owner.pop(), Some(0));
        assert_eq!(owner.pop(), None);
        tables.assert_vacant(0, 1);
    });
}

#[test]
fn the_owner_and_a_peer_give_and_one_gives_back_while_the_owner_drains() {
    check("owner's give and give", 3, |total| {
        let tables = Start { held: vec![true, true], ..Start::default() }.tables(total);
        let owner = Process::new(&tables, OWNER);
        let give = |process: Process| {
            process.block(0).bytes.read();
            process.give(0)
        };
        let (same, peer) = (owner.clone(), Process::new(&tables, 1));
        let one = thread::spawn(move || give(same));
        let other = thread::spawn(move || give(peer));
        owner.drain();
        assert!(one.join().unwrap() != other.join().unwrap());
        owner.drain();
        tables.assert_vacant(0, 1);
    });
}

#[test]
fn nothing_that_is_pushed_is_lost() {
    check("push, push and drain", 3, |total| {
        let held = vec![false, true];
        let tables = Start { blocks: 2, held, ..Start::default() }.tables(total);
        let owner = Process::new(&tables, OWNER);
        let peer = Process::new(&tables, 1);
        let give = |process: Process, block| {
            process.block(block).bytes.read();
            assert!(process.give(block));
        };
        let same = peer.clone();
        let one = thread::spawn(move || give(same, 0));
        let other = thread::spawn(move || give(peer, 1));
        owner.drain();
        one.join().unwrap();
        other.join().unwrap();
        owner.drain();
        tables.assert_vacant(0, 1);
        tables.assert_vacant(1, 1);
    });
}

#[test]
fn who_joins_has_the_value_of_its_token_or_none() {
    check("join and reuse", 3, |total| {
        let held = vec![true, false];
        let tables = Start { held, tickets: vec![(TicketState::Free, OWNER)], ..Start::default() }.tables(total);
        let peer = Process::new(&tables, 1);
        let joiner = thread::spawn(move || {
            let claim = peer.claim(stale());
            if claim == Claim::Joined {
                peer.keep(claim, 0);
                assert_eq!(peer.block(0).writes.load(Ordering::SeqCst), 0, "it is the value of the token");
                peer.give(0);
            }
        });
        let owner = Process::new(&tables, OWNER);
        owner.give(0);
        let again = owner.pop();
        if let Some(block) = again {
            owner.allocate(block, false);
            owner.give(block);
        }
        joiner.join().unwrap();
        owner.drain();
        tables.assert_vacant(0, 1 + again.map_or(0, |_| 1));
    });
}

#[test]
fn who_joins_beside_a_change_of_kind_reads_nothing_that_is_written() {
    check("join and thaw", 3, |total| {
        let held = vec![true, false];
        let tables = Start { held, tickets: vec![(TicketState::Free, OWNER)], ..Start::default() }.tables(total);
        let peer = Process::new(&tables, 1);
        let joiner = thread::spawn(move || {
            let claim = peer.claim(stale());
            if claim == Claim::Joined {
                peer.keep(claim, 0);
                assert_eq!(peer.block(0).writes.load(Ordering::SeqCst), 0, "it is the value of the token");
                peer.give(0);
            }
        });
        let owner = Process::new(&tables, OWNER);
        if let Some(serial) = owner.change_kind(0, SERIAL, true) {
            owner.block(0).bytes.write();
            owner.block(0).writes.fetch_add(1, Ordering::SeqCst);
            let frozen = owner.change_kind(0, serial, false);
            assert_eq!(frozen, Some(serial), "nobody can come in between");
        } else {
            assert_eq!(owner.block(0).serial.load(Ordering::SeqCst), SERIAL, "nothing was changed");
        }
        owner.block(0).bytes.read();
        owner.give(0);
        joiner.join().unwrap();
        owner.drain();
        tables.assert_vacant(0, 1);
    });
}

#[test]
fn a_part_that_has_come_back_stands_in_nobodys_way() {
    check("arm, claim and freeze", 2, |total| {
        let (held, tickets) = (vec![true, true, true], vec![(TicketState::Held, 1), (TicketState::Held, 2)]);
        let tables = Start { exclusive: true, held, tickets, ..Start::default() }.tables(total);
        let send = |slot: u32, token: Token| {
            let peer = Process::new(&tables, slot);
            thread::spawn(move || peer.arm(token))
        };
        let tokens = [Token::first(0, true), Token::first(1, true)];
        let peers = [send(1, tokens[0]), send(2, tokens[1])];
        let owner = Process::new(&tables, OWNER);
        for token in tokens {
            let claim = owner.claim(token);
            assert!(claim.is_taken());
            owner.keep(claim, 0);
        }
        // Whoever sends a part has given its hold before the part can be claimed.
        assert_eq!(owner.change_kind(0, SERIAL, false), Some(SERIAL));
        owner.give(0);
        peers.into_iter().for_each(|peer| peer.join().unwrap());
        tables.assert_vacant(0, 1);
    });
}

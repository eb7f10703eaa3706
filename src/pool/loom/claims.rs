//! Claims of a ticket, against each other and against whoever changes it.

use std::sync::Arc;

use ::loom::thread;

use super::{
    area::{OWNER, Start, Tables},
    check,
    process::{Claim, Process, Token},
};
use crate::pool::word::TicketState;

/// One ticket that the owner has sent and does not hold the value of any more.
fn armed(slots: usize, exclusive: bool) -> Start {
    Start { held: vec![false; slots], exclusive, tickets: vec![(TicketState::Armed, OWNER)], ..Start::default() }
}

/// Claims, looks at the value, gives: whether the ticket was taken, and whether the value was had.
fn claim_and_give(tables: &Arc<Tables>, slot: u32, token: Token) -> Claim {
    let process = Process::new(tables, slot);
    let claim = process.claim(token);
    if claim != Claim::Gone {
        if token.exclusive {
            process.block(0).bytes.write();
        }
        process.keep(claim, 0);
        process.give(0);
    }
    claim
}

#[test]
fn of_two_claims_of_a_mutable_value_one_has_it() {
    check("two claims, exclusive", 3, |total| {
        let tables = armed(3, true).tables(total);
        let owner = Process::new(&tables, OWNER);
        let token = Token::first(0, true);
        let theirs = Arc::clone(&tables);
        let other = thread::spawn(move || claim_and_give(&theirs, 2, token));
        let (one, other) = (claim_and_give(&tables, 1, token), other.join().unwrap());
        assert!(one.is_taken() != other.is_taken() && (one == Claim::Gone || other == Claim::Gone));
        owner.drain();
        tables.assert_vacant(0, 1);
    });
}

#[test]
fn of_two_claims_of_a_shared_value_one_takes_and_the_other_joins_or_comes_too_late() {
    check("two claims, shared", 3, |total| {
        let tables = armed(3, false).tables(total);
        let owner = Process::new(&tables, OWNER);
        let token = Token::first(0, false);
        let theirs = Arc::clone(&tables);
        let other = thread::spawn(move || claim_and_give(&theirs, 2, token));
        let (one, other) = (claim_and_give(&tables, 1, token), other.join().unwrap());
        assert!(one.is_taken() != other.is_taken());
        owner.drain();
        tables.assert_vacant(0, 1);
    });
}

#[test]
fn a_claim_that_keeps_the_value_lets_the_other_join() {
    check("two claims, kept", 3, |total| {
        let tables = armed(3, false).tables(total);
        let token = Token::first(0, false);
        let claim_and_keep = move |tables: &Arc<Tables>, slot| {
            let process = Process::new(tables, slot);
            let claim = process.claim(token);
            process.keep(claim, 0);
            claim
        };
        let theirs = Arc::clone(&tables);
        let other = thread::spawn(move || claim_and_keep(&theirs, 2));
        let (one, other) = (claim_and_keep(&tables, 1), other.join().unwrap());
        assert!(one.is_taken() && other == Claim::Joined || one == Claim::Joined && other.is_taken());
        assert_eq!((tables.word(0).in_flight(), tables.word(0).holders()), (0, 2));
        tables.assert_exact(0);
    });
}

#[test]
fn a_value_that_is_refused_can_be_claimed_by_another() {
    check("refused", 2, |total| {
        let tables = armed(3, false).tables(total);
        let owner = Process::new(&tables, OWNER);
        let token = Token::first(0, false);
        let theirs = Arc::clone(&tables);
        let other = thread::spawn(move || claim_and_give(&theirs, 2, token));
        let refuses = Process::new(&tables, 1);
        let refused = refuses.claim(token);
        refuses.refuse(refused, 0);
        let mut kept = other.join().unwrap();
        if refused.is_taken() && !kept.is_taken() {
            // It is there again, whether the other came in between or not.
            kept = claim_and_give(&tables, 2, token);
        }
        assert!(kept.is_taken());
        owner.drain();
        tables.assert_vacant(0, 1);
    });
}

#[test]
fn a_claim_sees_what_was_stored_before_the_issue() {
    check("issue and claim", 3, |total| {
        let start = Start { allocated: false, tickets: vec![(TicketState::Free, OWNER)], ..Start::default() };
        let tables = start.tables(total);
        let theirs = Arc::clone(&tables);
        let sender = thread::spawn(move || {
            let owner = Process::new(&theirs, OWNER);
            owner.allocate(0, false);
            owner.issue(0, 0, TicketState::Armed, true);
            owner
        });
        let first = Token::first(0, false);
        let token = Token { serial: first.serial + 1, epoch: first.epoch + 1, ..first };
        let receiver = Process::new(&tables, 1);
        // Nothing but the ticket says that it has been sent.
        while receiver.find(token).is_none() {
            thread::yield_now();
        }
        let claim = receiver.claim(token);
        assert!(claim.is_taken());
        receiver.keep(claim, 0);
        assert!(receiver.give(0));
        sender.join().unwrap().drain();
        tables.assert_vacant(0, 1);
    });
}

#[test]
fn a_claim_waits_for_a_held_ticket_and_sees_what_was_written_before_it_was_armed() {
    check("arm and claim", 3, |total| {
        let held = vec![true, false];
        let tables = Start { held, tickets: vec![(TicketState::Held, OWNER)], ..armed(2, true) }.tables(total);
        let token = Token::first(0, true);
        let theirs = Arc::clone(&tables);
        let sender = thread::spawn(move || {
            let owner = Process::new(&theirs, OWNER);
            // A view that was made before it was sent.
            owner.block(0).bytes.write();
            owner.arm(token);
            owner
        });
        let receiver = Process::new(&tables, 1);
        let claim = receiver.claim(token);
        assert!(claim.is_taken());
        receiver.block(0).bytes.write();
        receiver.keep(claim, 0);
        // Alone: it can be frozen at once.
        assert!(receiver.change_kind(0, token.serial, false).is_some());
        assert!(receiver.give(0));
        sender.join().unwrap().drain();
        tables.assert_vacant(0, 1);
    });
}

#[test]
fn a_ticket_is_claimed_or_revoked() {
    for exclusive in [true, false] {
        check("revoke and claim", 3, move |total| {
            let tables = armed(2, exclusive).tables(total);
            let token = Token::first(0, exclusive);
            let theirs = Arc::clone(&tables);
            let sender = thread::spawn(move || {
                let owner = Process::new(&theirs, OWNER);
                (owner.revoke(token), owner)
            });
            let claim = claim_and_give(&tables, 1, token);
            let (revoked, owner) = sender.join().unwrap();
            assert!(revoked != claim.is_taken(), "one of them has it");
            assert!(!exclusive || claim != Claim::Joined);
            owner.drain();
            tables.assert_vacant(0, 1);
        });
    }
}

#[test]
fn what_a_dead_process_held_is_claimed_once_while_it_is_swept() {
    check("claim and settle", 2, |total| {
        // Its ticket is sent, and it has not dropped its handle.
        let held = vec![false, true, false];
        let tickets = vec![(TicketState::Held, 1)];
        let tables = Start { held, tickets, dead: Some(1), ..armed(3, true) }.tables(total);
        let token = Token::first(0, true);
        let theirs = Arc::clone(&tables);
        let receiver = thread::spawn(move || claim_and_give(&theirs, 2, token));
        let owner = Process::new(&tables, OWNER);
        owner.sweep(1);
        assert!(receiver.join().unwrap().is_taken());
        assert!(owner.sweep(1), "nobody alive is changing the block");
        owner.drain();
        tables.assert_vacant(0, 1);
    });
}

//! The recount of a block that a dead participant left half-done, beside the living.

use ::loom::thread;

use super::{
    area::{OWNER, Start},
    check,
    process::{Claim, Process, Token},
};
use crate::pool::word::TicketState::{self, Armed, Free, Held, Reserved};

/// The slot of the dead.
const DEAD: u32 = 2;

/// What the dead has left of one change: its ticket, its hold bit, and what the word counts beyond tickets and bits.
struct Half {
    step: &'static str,
    ticket: TicketState,
    bit: bool,
    astray: (i32, i32),
}

const fn half(step: &'static str, ticket: TicketState, bit: bool, astray: (i32, i32)) -> Half {
    Half { step, ticket, bit, astray }
}

/// Every place where a change can be cut, but for those that leave the same.
const HALVES: &[Half] = &[
    half("nothing yet", Free, true, (0, 0)),
    half("take: ticket", Reserved, false, (1, 0)),
    half("take: word; join: word; give: bit", Reserved, false, (0, 1)),
    half("take: bit", Reserved, true, (0, 0)),
    half("give: word", Free, false, (0, 0)),
    half("issue: word", Reserved, true, (1, 0)),
    half("issue of the last: word; revoke: ticket", Reserved, false, (1, 0)),
    half("arm: bit", Held, false, (0, 1)),
    half("arm: word", Held, false, (0, 0)),
];

/// The owner sweeps while living peers take the steps of `living`, in slots 1 and 3; then nobody changes anything, and it
/// sweeps again. What is counted then must be exact; and when all that is left has been given, the block is given back,
/// once. Ticket 0 is the dead's, ticket 1 is `other`.
fn beside(
    name: &'static str,
    preemptions: usize,
    held: &'static [bool],
    other: (TicketState, u32),
    living: Vec<fn(&Process)>,
) {
    for half in HALVES {
        let living = living.clone();
        check(&format!("{name}, after {}", half.step), preemptions, move |total| {
            let mut held = held.to_vec();
            held[DEAD as usize] = half.bit;
            let tickets = vec![(half.ticket, DEAD), other];
            let tables =
                Start { held, tickets, astray: half.astray, dead: Some(DEAD), ..Start::default() }.tables(total);
            let owner = Process::new(&tables, OWNER);
            let peers: Vec<Process> =
                [1, 3].iter().take(living.len()).map(|slot| Process::new(&tables, *slot)).collect();
            let threads: Vec<_> = living
                .clone()
                .into_iter()
                .zip(peers.clone())
                .map(|(living, peer)| thread::spawn(move || living(&peer)))
                .collect();
            owner.sweep(DEAD);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert!(owner.sweep(DEAD), "nobody alive is changing the block");
            tables.assert_exact(0);
            peers.iter().for_each(Process::give_if_held);
            owner.revoke_all();
            owner.drain();
            tables.assert_vacant(0, 1);
        });
    }
}

fn take(peer: &Process) {
    let claim = peer.claim(Token::first(1, false));
    assert!(claim.is_taken());
    peer.keep(claim, 0);
}

fn give(peer: &Process) {
    peer.block(0).bytes.read();
    peer.give(0);
}

#[test]
fn a_recount_beside_a_take_is_exact() {
    beside("take", 2, &[false; 3], (Armed, OWNER), vec![take]);
}

#[test]
fn a_recount_beside_a_take_and_a_give_is_exact() {
    let take_and_give = |peer: &Process| {
        take(peer);
        give(peer);
    };
    beside("take and give", 1, &[false; 3], (Armed, OWNER), vec![take_and_give]);
}

#[test]
fn a_recount_beside_a_give_is_exact() {
    beside("give", 2, &[false, true, false], (Free, OWNER), vec![give]);
}

#[test]
fn a_recount_beside_an_issue_is_exact() {
    let issue = |peer: &Process| {
        peer.issue(0, 1, Armed, false);
    };
    beside("issue", 2, &[false, true, false], (Free, OWNER), vec![issue]);
}

#[test]
fn a_recount_beside_an_issue_of_the_last_handle_is_exact() {
    let issue = |peer: &Process| {
        peer.issue(0, 1, Armed, true);
    };
    beside("issue of the last", 2, &[false, true, false], (Free, OWNER), vec![issue]);
}

#[test]
fn a_recount_beside_an_arm_is_exact() {
    beside("arm", 2, &[false, true, false], (Held, 1), vec![|peer| peer.arm(Token::first(1, false))]);
}

#[test]
fn a_recount_beside_a_revoke_is_exact() {
    let revoke = |peer: &Process| assert!(peer.revoke(Token::first(1, false)));
    beside("revoke", 2, &[false, true, false], (Armed, 1), vec![revoke]);
}

#[test]
fn a_recount_beside_a_claim_of_what_the_dead_sent_is_exact() {
    // A ticket that it held is taken; else the value is joined.
    let claim = |peer: &Process| {
        let claim = peer.claim(Token::first(0, false));
        assert_ne!(claim, Claim::Gone);
        peer.keep(claim, 0);
    };
    beside("claim", 2, &[false; 3], (Armed, OWNER), vec![claim]);
}

#[test]
fn a_recount_beside_a_take_and_another_s_give_is_exact() {
    beside("take, give", 1, &[false, true, false, false], (Armed, OWNER), vec![give, take]);
}

//! A block that a recount has found at 0/0, beside the owner's other threads: what lives is never given back.

use ::loom::thread;

use super::{
    area::{OWNER, Start},
    check,
    process::Process,
};
use crate::pool::word::TicketState::{Armed, Free};

/// The slot of the dead.
const DEAD: u32 = 1;

/// One thread of the owner sweeps, another takes the steps of `living`, which says whether it has sent a new value.
fn beside(name: &str, preemptions: usize, start: fn() -> Start, returns: u32, living: fn(&Process) -> bool) {
    check(name, preemptions, move |total| {
        let tables = Start { tickets: vec![(Free, OWNER)], dead: Some(DEAD), ..start() }.tables(total);
        let owner = Process::new(&tables, OWNER);
        let same = owner.clone();
        let other = thread::spawn(move || living(&same));
        owner.sweep(DEAD);
        let sent = other.join().unwrap();
        assert!(owner.sweep(DEAD), "nobody alive is changing the block");
        owner.drain();
        if sent {
            tables.assert_sent();
            owner.revoke_all();
        }
        tables.assert_vacant(0, returns + u32::from(sent));
    });
}

/// A value that no process holds: only its ticket keeps it.
fn allocate_and_send(owner: &Process, block: u32) {
    owner.allocate(block, false);
    owner.issue(block, 0, Armed, true);
}

fn reuse(owner: &Process) -> bool {
    let vacant = owner.pop();
    vacant.inspect(|block| allocate_and_send(owner, *block)).is_some()
}

#[test]
fn a_block_that_the_dead_left_at_zero_is_given_back_once() {
    // It gave, and died before it pushed.
    beside("left at zero", 2, Start::default, 1, reuse);
}

#[test]
fn a_block_that_the_dead_had_pushed_is_given_back_once() {
    beside("pushed", 2, || Start { pushed: true, ..Start::default() }, 1, reuse);
}

#[test]
fn a_block_that_is_allocated_again_meanwhile_lives() {
    // The dead pushed it, and another thread has taken it from the stack and has it in its hands.
    let in_hands = || Start { allocated: false, ..Start::default() };
    beside("allocated again", 2, in_hands, 0, |owner| {
        allocate_and_send(owner, 0);
        true
    });
}

#[test]
fn a_block_that_the_owner_gives_meanwhile_is_given_back_once() {
    // A join, or a give, of which only the word says something.
    let joined = || Start { held: vec![true, false], astray: (0, 1), ..Start::default() };
    beside("given", 2, joined, 1, |owner| {
        owner.give(0);
        reuse(owner)
    });
}

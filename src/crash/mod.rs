//! The crash matrix: processes die at each step of the protocol in turn, as owner, as holder and as sweeper, and those that
//! survive them find everything as it must be.
//!
//! | who | is | in |
//! |---|---|---|
//! | a test | one role and one backing | this file |
//! | a world | a child of the test that goes through its part of the matrix, on a ground of its own where the system allows it | [`stage`], [`world`], [`ground`] |
//! | an actor | a child of the world: a process with a pool and handles, which does what it reads, line by line | [`actor`] |
//! | a scene | what the actors do until the victim dies | [`scenes`] |
//! | a model | what values and tokens there must be | [`model`] |
//! | the aftermath | what survivors do then, and what they must find | [`aftermath`] |
//!
//! Each scene is played once without a death: the victim says which steps it has reached, and how often. Then it is played
//! for each of them, and the victim kills itself there: the first time, the second and the last.

mod actor;
mod aftermath;
mod ground;
mod model;
mod scenes;
mod stage;
mod world;

use std::env;

use scenes::Role;

use crate::Backing;

const PLAYS: &str = "COMMONAGE_CRASH_PLAYS";

/// What a world plays.
struct Cast<'a> {
    /// Whose test binary's test the actors are.
    test: &'a str,
    role: Role,
    backing: Backing,
}

/// How many times of those that a step is reached a process dies there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Passes {
    /// The first, the second, the last.
    Some,
    All,
}

/// A test, or whatever its child is to be.
fn matrix(test: &str, role: Role, backing: Backing, passes: Passes) {
    match env::var(PLAYS).as_deref() {
        Ok("actor") => actor::play(),
        Ok(part) => stage::go_through(&Cast { test, role, backing }, passes, part),
        Err(_) => stage::run_worlds(test, 2),
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_owner_dies_at_each_step_anonymous() {
    matrix("an_owner_dies_at_each_step_anonymous", Role::Owner, Backing::Anonymous, Passes::Some);
}

#[test]
fn an_owner_dies_at_each_step_named() {
    matrix("an_owner_dies_at_each_step_named", Role::Owner, Backing::Named, Passes::Some);
}

#[cfg(target_os = "linux")]
#[test]
fn a_holder_dies_at_each_step_anonymous() {
    matrix("a_holder_dies_at_each_step_anonymous", Role::Holder, Backing::Anonymous, Passes::Some);
}

#[test]
fn a_holder_dies_at_each_step_named() {
    matrix("a_holder_dies_at_each_step_named", Role::Holder, Backing::Named, Passes::Some);
}

#[cfg(target_os = "linux")]
#[test]
fn an_owner_that_sweeps_dies_at_each_step_anonymous() {
    let test = "an_owner_that_sweeps_dies_at_each_step_anonymous";
    matrix(test, Role::SweepingOwner, Backing::Anonymous, Passes::Some);
}

#[test]
fn an_owner_that_sweeps_dies_at_each_step_named() {
    matrix("an_owner_that_sweeps_dies_at_each_step_named", Role::SweepingOwner, Backing::Named, Passes::Some);
}

#[cfg(target_os = "linux")]
#[test]
fn an_heir_that_sweeps_dies_at_each_step_anonymous() {
    let test = "an_heir_that_sweeps_dies_at_each_step_anonymous";
    matrix(test, Role::SweepingHeir, Backing::Anonymous, Passes::Some);
}

#[test]
fn an_heir_that_sweeps_dies_at_each_step_named() {
    matrix("an_heir_that_sweeps_dies_at_each_step_named", Role::SweepingHeir, Backing::Named, Passes::Some);
}

#[cfg(target_os = "linux")]
#[test]
fn the_last_one_dies_at_each_step_anonymous() {
    matrix("the_last_one_dies_at_each_step_anonymous", Role::Last, Backing::Anonymous, Passes::Some);
}

#[test]
fn the_last_one_dies_at_each_step_named() {
    matrix("the_last_one_dies_at_each_step_named", Role::Last, Backing::Named, Passes::Some);
}

#[test]
fn each_step_is_reached_in_a_scene() {
    let test = "each_step_is_reached_in_a_scene";
    match env::var(PLAYS).as_deref() {
        Ok("actor") => actor::play(),
        Ok(_) => stage::reaches_each_step(test),
        Err(_) => stage::run_worlds(test, 1),
    }
}

macro_rules! each_time {
    ($($test:ident: $role:ident, $backing:ident;)*) => {$(
        #[test]
        #[ignore = "minutes"]
        fn $test() {
            matrix(stringify!($test), Role::$role, Backing::$backing, Passes::All);
        }
    )*};
}

#[cfg(target_os = "linux")]
each_time! {
    an_owner_dies_each_time_anonymous: Owner, Anonymous;
    a_holder_dies_each_time_anonymous: Holder, Anonymous;
    an_owner_that_sweeps_dies_each_time_anonymous: SweepingOwner, Anonymous;
    an_heir_that_sweeps_dies_each_time_anonymous: SweepingHeir, Anonymous;
    the_last_one_dies_each_time_anonymous: Last, Anonymous;
}

each_time! {
    an_owner_dies_each_time_named: Owner, Named;
    a_holder_dies_each_time_named: Holder, Named;
    an_owner_that_sweeps_dies_each_time_named: SweepingOwner, Named;
    an_heir_that_sweeps_dies_each_time_named: SweepingHeir, Named;
    the_last_one_dies_each_time_named: Last, Named;
}

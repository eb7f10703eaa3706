//! The crash matrix: processes die at each step of the protocol in turn, as owner, as holder and as sweeper, and those that
//! survive them find everything as it must be.
//!
//! | who | is | in |
//! |---|---|---|
//! | a test | one role, with each backing | this file |
//! | a world | a child of the test that goes through its part of the matrix with one backing, on a ground of its own where the system allows it | [`stage`], [`world`], [`ground`] |
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

use crate::{Backing, sys};

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

/// Those that the platform has.
fn backings() -> Vec<Backing> {
    let anonymous = sys::anonymous_works().then_some(Backing::Anonymous);
    anonymous.into_iter().chain([Backing::Named]).collect()
}

/// A test, or whatever its child is to be: all of the matrix for a role, with one backing of the platform after the other.
fn matrix(test: &str, role: Role, passes: Passes) {
    match env::var(PLAYS).as_deref() {
        Ok("actor") => actor::play(),
        Ok(world) => {
            let (named, part) = world.split_once(' ').unwrap();
            let backing = backings().into_iter().find(|backing| format!("{backing:?}") == named).unwrap();
            stage::go_through(&Cast { test, role, backing }, passes, part);
        }
        Err(_) => backings().iter().for_each(|backing| stage::run_worlds(test, &format!("{backing:?}"), 2)),
    }
}
#[test]
fn an_owner_dies_at_each_step() {
    matrix("an_owner_dies_at_each_step", Role::Owner, Passes::Some);
}

#[test]
fn a_holder_dies_at_each_step() {
    matrix("a_holder_dies_at_each_step", Role::Holder, Passes::Some);
}

#[test]
fn an_owner_that_sweeps_dies_at_each_step() {
    matrix("an_owner_that_sweeps_dies_at_each_step", Role::SweepingOwner, Passes::Some);
}

#[test]
fn an_heir_that_sweeps_dies_at_each_step() {
    matrix("an_heir_that_sweeps_dies_at_each_step", Role::SweepingHeir, Passes::Some);
}

#[test]
fn the_last_one_dies_at_each_step() {
    matrix("the_last_one_dies_at_each_step", Role::Last, Passes::Some);
}

#[test]
fn each_step_is_reached_in_a_scene() {
    let test = "each_step_is_reached_in_a_scene";
    match env::var(PLAYS).as_deref() {
        Ok("actor") => actor::play(),
        Ok(_) => stage::reaches_each_step(test),
        Err(_) => stage::run_worlds(test, "all", 1),
    }
}

macro_rules! each_time {
    ($($test:ident: $role:ident;)*) => {$(
        #[test]
        #[ignore = "minutes"]
        fn $test() {
            matrix(stringify!($test), Role::$role, Passes::All);
        }
    )*};
}

each_time! {
    an_owner_dies_each_time: Owner;
    a_holder_dies_each_time: Holder;
    an_owner_that_sweeps_dies_each_time: SweepingOwner;
    an_heir_that_sweeps_dies_each_time: SweepingHeir;
    the_last_one_dies_each_time: Last;
}

//! Noise in the control area: an owner and a peer work in a segment that is overwritten at any place between any two of
//! their steps, and die; and what a sweep finds of a named segment whose owner is dead.
#![no_main]

mod orphan;
mod pair;
mod script;

use std::time::Duration;

use arbitrary::Arbitrary;
use commonage::Config;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Input {
    Pair(script::Script),
    Orphan(orphan::Orphan),
}

fuzz_target!(
    init: {
        let config = Config::new().claim_deadline(Duration::from_micros(50)).lost_after(orphan::LOST_AFTER);
        config.install().expect("first of all");
    },
    |input: Input| match input {
        Input::Pair(script) => script.run(),
        Input::Orphan(orphan) => orphan.judge(),
    }
);

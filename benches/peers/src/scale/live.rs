//! A million live values: does one more cost what the first did?

use std::{collections::VecDeque, hint::black_box, time::Instant};

use commonage::Shared;

use super::at_most;
use crate::{
    Outcome,
    cores::OneCore,
    measure::{Effort, go_on},
    report::{Finding, time},
    stats::Spread,
};

const MANY: usize = 1_000_000;
const FEW: usize = 100;
/// Values made, and dropped, in a sample.
const SAMPLE: usize = 10_000;
const SOURCE: [u64; 8] = [1, 2, 3, 5, 8, 13, 21, 34];

type Values = VecDeque<Shared<[u64]>>;

/// Nanoseconds for each value.
#[derive(Default)]
struct Times {
    make: Vec<f64>,
    drop: Vec<f64>,
    both: Vec<f64>,
    oldest: Vec<f64>,
}

pub(super) fn measure(effort: Effort) -> Outcome<Vec<Finding>> {
    let _one_core = OneCore::stay();
    let (mut few, mut many) = (Times::default(), Times::default());
    let rounds = if effort.quick { 3 } else { 15 };
    let mut values = Values::with_capacity(MANY + 2 * SAMPLE);
    // One round more for the warm-up, which also brings the memory.
    for round in 0..=rounds {
        go_on()?;
        let (mut with_few, mut with_many) = (Times::default(), Times::default());
        sample(&mut values, 0, &mut with_few)?;
        sample(&mut values, MANY, &mut with_many)?;
        values.clear();
        if round > 0 {
            few.extend(with_few);
            many.extend(with_many);
        }
    }
    let finding = |what, few: &[f64], many: &[f64]| {
        let [one, another] = [few, many].map(|times| time(Spread::of(times.iter().copied()).median));
        at_most(what, Spread::of_ratios(many, few), 1.5, &format!("({another}, with none {one})"))
    };
    Ok(vec![
        finding("1,000,000 live values of 64 B: make one more", &few.make, &many.make),
        finding("1,000,000 live values of 64 B: drop one, the last that was made", &few.drop, &many.drop),
        finding("1,000,000 live values of 64 B: make one and drop it", &few.both, &many.both),
        finding("1,000,000 live values of 64 B: make one and drop the oldest", &few.oldest, &many.oldest),
    ])
}

impl Times {
    fn extend(&mut self, other: Times) {
        self.make.extend(other.make);
        self.drop.extend(other.drop);
        self.both.extend(other.both);
        self.oldest.extend(other.oldest);
    }
}

/// Fills up to `live` values, and measures beside them.
fn sample(values: &mut Values, live: usize, times: &mut Times) -> Outcome {
    fill(values, live)?;
    times.make.push(timed(|| fill(values, live + SAMPLE))?);
    times.drop.push(timed(|| {
        while values.len() > live {
            values.pop_back();
        }
        Ok(())
    })?);
    times.both.push(timed(|| {
        for _ in 0..SAMPLE {
            drop(black_box(one()?));
        }
        Ok(())
    })?);
    // The oldest of none would be the one just made.
    fill(values, live.max(FEW))?;
    times.oldest.push(timed(|| {
        for _ in 0..SAMPLE {
            values.push_back(one()?);
            values.pop_front();
        }
        Ok(())
    })?);
    Ok(())
}

fn one() -> Outcome<Shared<[u64]>> {
    Ok(Shared::copy_from(black_box(&SOURCE[..]))?)
}

fn fill(values: &mut Values, up_to: usize) -> Outcome {
    while values.len() < up_to {
        values.push_back(one()?);
    }
    Ok(())
}

fn timed(work: impl FnOnce() -> Outcome) -> Outcome<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_nanos() as f64 / SAMPLE as f64)
}

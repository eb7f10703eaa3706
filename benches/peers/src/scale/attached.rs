//! Sixty-four processes that each hold a value of this one, beside one such process.

use std::{
    hint::black_box,
    io::{self, Read, Write},
    process::{Child, Stdio},
    time::Instant,
};

use commonage::Shared;

use super::at_least;
use crate::{
    Outcome,
    cores::OneCore,
    measure::{Effort, go_on},
    report::{Finding, time},
    role,
    stats::Spread,
};

const MANY: usize = 64;
const SAMPLE: usize = 20_000;

pub(super) fn measure(effort: Effort) -> Outcome<Vec<Finding>> {
    let _one_core = OneCore::stay();
    let (rounds, samples) = if effort.quick { (2, 10) } else { (7, 30) };
    let (mut one, mut many) = (Vec::new(), Vec::new());
    let _first = Holder::start()?;
    for _ in 0..rounds {
        go_on()?;
        one.push(times(samples)?);
        let others = (1..MANY).map(|_| Holder::start()).collect::<Outcome<Vec<_>>>()?;
        many.push(times(samples)?);
        drop(others);
    }
    let [alone, among] = [&one, &many].map(|times| time(Spread::of(times.iter().copied()).median));
    let of = format!("the throughput with one (a value each {among}, with one {alone})");
    // A throughput is the inverse of a time.
    Ok(vec![at_least(
        "64 attached processes hold a value each: make and drop 64 B",
        Spread::of_ratios(&one, &many),
        0.8,
        &of,
    )])
}

/// Nanoseconds for each value: the median of so many samples.
fn times(samples: usize) -> Outcome<f64> {
    let source = [7_u64; 8];
    let mut times = Vec::new();
    for _ in 0..samples {
        let start = Instant::now();
        for _ in 0..SAMPLE {
            drop(black_box(Shared::copy_from(black_box(&source[..]))?));
        }
        times.push(start.elapsed().as_nanos() as f64 / SAMPLE as f64);
    }
    Ok(Spread::of(times).median)
}

/// A process that holds a value until its input is closed.
struct Holder(Child);

impl Holder {
    fn start() -> Outcome<Self> {
        let token = Shared::copy_from(&[1_u64, 2, 3][..])?.into_token()?;
        let mut holder =
            Holder(role::command("holder", "", &token)?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
        let mut said = [0];
        let output = holder.0.stdout.as_mut().ok_or("a process without pipes")?;
        output.read_exact(&mut said).map_err(|_| "a process could not claim its value")?;
        Ok(holder)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        if let Err(error) = self.0.wait() {
            eprintln!("peers: a process that held a value: {error}");
        }
    }
}

/// Is such a process.
pub(crate) fn hold(token: &str) -> Outcome {
    let held = Shared::<[u64]>::from_token(token)?;
    io::stdout().write_all(b"!")?;
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    if *held == [1, 2, 3] { Ok(()) } else { Err("the value has changed".into()) }
}

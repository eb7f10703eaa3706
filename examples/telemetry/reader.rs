//! A process that looks on.

use std::{
    io::{self, Write},
    thread,
    time::{Duration, Instant},
};

use commonage::{Error, Link, LinkFault};

use crate::{Failure, args::Options, sample::Telemetry, tally::Tally};

/// What a reader that is `told` says when it has the value.
pub(crate) const OPEN: &str = "open";
/// How long it waits for a writer that has not begun.
const PATIENCE: Duration = Duration::from_secs(20);
const SECOND: Duration = Duration::from_secs(1);

/// Looks on until its time is over, or the writer ends.
pub(crate) fn read(options: &Options) -> Result<(), Failure> {
    let telemetry = open(options)?;
    let telemetry = telemetry.fields();
    if options.told {
        say(OPEN)?;
    }
    let mut tally = Tally::new();
    let (began, mut next) = (Instant::now(), SECOND);
    loop {
        // Before the last sample is read, so that none comes after it.
        let over = telemetry.over.load();
        let sample = telemetry.last.read()?;
        tally.count(&sample);
        let elapsed = began.elapsed();
        if !options.told && elapsed >= next {
            next += SECOND;
            let [x, y, z] = sample.position;
            let Tally { reads, new, missed, torn, .. } = tally;
            say(&format!(
                "sample {:>8} at {x:+.3} {y:+.3} {z:+.3}  {reads} reads, {new} new, {missed} missed, {torn} torn",
                sample.number
            ))?;
            if tally.silence() > SECOND {
                say(&format!("nothing new for {:.1} s: has the writer been killed?", tally.silence().as_secs_f64()))?;
            }
        }
        if over || options.time.is_some_and(|time| elapsed >= time) {
            break;
        }
        match options.every {
            Duration::ZERO => thread::yield_now(),
            every => thread::sleep(every),
        }
    }
    say(&if options.told { tally.line() } else { format!("{} new samples in {} reads", tally.new, tally.reads) })
}

/// Opens the value, when it is there.
fn open(options: &Options) -> Result<Link<Telemetry>, Failure> {
    let began = Instant::now();
    let mut told = options.told;
    loop {
        match Link::open(&options.name) {
            Err(Error::Link { fault: LinkFault::Absent, .. }) if began.elapsed() < PATIENCE => {
                if !told {
                    say(&format!("waiting for a writer of {}", options.name))?;
                    told = true;
                }
                thread::sleep(Duration::from_millis(5));
            }
            opened => return Ok(opened?),
        }
    }
}

fn say(line: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

//! The process that writes.

use std::{
    io::{self, Read, Write},
    sync::atomic::Ordering::Release,
    thread,
    time::{Duration, Instant},
};

use commonage::{Link, link::ReadWrite};

use crate::{Failure, args::Options, sample::Sample, sample::Telemetry};

const PERIOD: Duration = Duration::from_millis(1);

/// Writes until its time is over, or its input if it is `told`.
pub(crate) fn write(options: &Options) -> Result<(), Failure> {
    // A name that a killed writer has left is taken over, and with it its readers.
    let telemetry: Link<Telemetry, ReadWrite> = Link::own(Link::open_or_create(&options.name)?);
    telemetry.over.store(false, Release);
    let first = telemetry.last.read()?.number + 1;
    let end = options.told.then(|| thread::spawn(|| io::stdin().read_to_end(&mut Vec::new())));

    let began = Instant::now();
    let is_over = || {
        options.time.is_some_and(|time| began.elapsed() >= time) || end.as_ref().is_some_and(|end| end.is_finished())
    };
    let mut number = first;
    for tick in 1_u32.. {
        telemetry.last.write(Sample::of(number));
        number += 1;
        if is_over() {
            break;
        }
        // By the clock, so that one late sample does not make all later ones late; what was missed is written at once.
        thread::sleep((PERIOD * tick).saturating_sub(began.elapsed()));
    }
    telemetry.over.store(true, Release);
    writeln!(io::stdout(), "{} samples in {:.1} s", number - first, began.elapsed().as_secs_f64())?;
    Ok(())
}

//! Interleaved rounds: one sample of each contender in turn, so that whatever drifts, drifts for all of them.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use crate::Outcome;

/// Does its work as many times as it is told.
pub(crate) type Run = Box<dyn FnMut(u64) -> Outcome>;

/// One contender at one size.
pub(crate) struct Cell {
    pub(crate) contender: &'static str,
    /// Bytes of the payload; `None` where the contender has none, and stands beside every size.
    pub(crate) size: Option<usize>,
    pub(crate) run: Run,
}

/// What was measured of one cell: nanoseconds for each time the work was done, one figure a round.
pub(crate) struct Samples {
    pub(crate) contender: &'static str,
    pub(crate) size: Option<usize>,
    pub(crate) batch: u64,
    pub(crate) nanoseconds: Vec<f64>,
}

/// How long to measure.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) warm_up: usize,
    pub(crate) rounds: usize,
}

impl Effort {
    pub(crate) const QUICK: Effort = Effort { warm_up: 20, rounds: 200 };
    pub(crate) const FULL: Effort = Effort { warm_up: 60, rounds: 1000 };

    /// Rounds in all, those of the warm-up included.
    pub(crate) fn steps(self) -> u64 {
        (self.warm_up + self.rounds) as u64
    }
}

/// What a sample should last: long beside the clock's resolution, short beside what drifts. Work that lasts longer is
/// done once a sample.
const SAMPLE: Duration = Duration::from_millis(1);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Lets the run end with an error before its next sample.
pub(crate) fn interrupt() {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Keeps this process, and those that it starts, on one core. A message to a process on another core also pays for
/// waking that core, which lasts several times as long as everything else, and differs from one round to the next.
pub(crate) fn stay_on_one_core() {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if cores.len() > 1 && !cores.last().is_some_and(|&core| core_affinity::set_for_current(core)) {
        eprintln!("peers: the process could not be kept on one core: figures between processes will vary");
    }
}

/// Measures all cells in interleaved rounds; `after_round` is called between them.
pub(crate) fn interleaved(
    mut cells: Vec<Cell>,
    effort: Effort,
    mut after_round: impl FnMut(),
) -> Outcome<Vec<Samples>> {
    let mut samples = Vec::with_capacity(cells.len());
    for cell in &mut cells {
        samples.push(Samples {
            contender: cell.contender,
            size: cell.size,
            batch: batch(&mut cell.run)?,
            nanoseconds: Vec::with_capacity(effort.rounds),
        });
    }
    for round in 0..effort.warm_up + effort.rounds {
        for (cell, samples) in cells.iter_mut().zip(&mut samples) {
            // Once without the clock: the sample before has left its own payload in the caches.
            sample(&mut cell.run, 1)?;
            let elapsed = sample(&mut cell.run, samples.batch)?;
            if round >= effort.warm_up {
                samples.nanoseconds.push(elapsed.as_nanos() as f64 / samples.batch as f64);
            }
        }
        after_round();
    }
    Ok(samples)
}

fn sample(run: &mut Run, times: u64) -> Outcome<Duration> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        return Err("interrupted".into());
    }
    let start = Instant::now();
    run(times)?;
    Ok(start.elapsed())
}

/// How many times the work is done in a sample: as often as fills [`SAMPLE`], at least once.
fn batch(run: &mut Run) -> Outcome<u64> {
    let mut times = 1;
    loop {
        let elapsed = sample(run, times)?;
        if elapsed >= SAMPLE {
            let fitting = times as f64 * SAMPLE.as_secs_f64() / elapsed.as_secs_f64();
            return Ok((fitting.round() as u64).max(1));
        }
        times *= 2;
    }
}

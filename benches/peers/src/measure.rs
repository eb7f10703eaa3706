//! Interleaved rounds: one sample of each contender in turn, so that whatever drifts, drifts for all of them.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use crate::{Outcome, stats::Spread};

/// Does its work as many times as it is told.
pub(crate) type Run = Box<dyn FnMut(u64) -> Outcome>;
/// Has others work, or lets them stop.
pub(crate) type Stir = Box<dyn FnMut(bool) -> Outcome>;

/// One contender in one row.
pub(crate) struct Cell {
    pub(crate) contender: &'static str,
    pub(crate) run: Run,
    /// What is done before each sample without the clock, where the work is to be measured cold, once a sample.
    pub(crate) chill: Option<fn()>,
    /// What others do meanwhile: begun before each sample and ended after it, without the clock.
    pub(crate) stir: Option<Stir>,
}

impl Cell {
    pub(crate) fn warm(contender: &'static str, run: impl FnMut(u64) -> Outcome + 'static) -> Self {
        Cell { contender, run: Box::new(run), chill: None, stir: None }
    }

    pub(crate) fn cold(contender: &'static str, run: impl FnMut(u64) -> Outcome + 'static, chill: fn()) -> Self {
        Cell { contender, run: Box::new(run), chill: Some(chill), stir: None }
    }

    pub(crate) fn stirred(contender: &'static str, run: impl FnMut(u64) -> Outcome + 'static, stir: Stir) -> Self {
        Cell { contender, run: Box::new(run), chill: None, stir: Some(stir) }
    }
}

/// What was measured of one cell: nanoseconds for each time the work was done, one figure a round.
pub(crate) struct Samples {
    pub(crate) contender: &'static str,
    pub(crate) batch: u64,
    pub(crate) nanoseconds: Vec<f64>,
}

/// How long to measure.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// For one row; at least so many rounds, though they last longer, and at most so many, though they last shorter.
    pub(crate) row: Duration,
    pub(crate) at_least: usize,
    pub(crate) at_most: usize,
    /// Whether this is all that there is time for.
    pub(crate) quick: bool,
}

impl Effort {
    pub(crate) const QUICK: Effort = Effort { row: Duration::from_millis(250), at_least: 3, at_most: 200, quick: true };
    pub(crate) const FULL: Effort = Effort { row: Duration::from_secs(8), at_least: 9, at_most: 1000, quick: false };
}

/// What a sample should last: long beside the clock's resolution, short beside what drifts. Work that lasts longer is
/// done once a sample.
const SAMPLE: Duration = Duration::from_millis(1);
/// Work that lasts so long touches more than the caches hold: it is the same after any other.
const LONG: Duration = Duration::from_millis(20);
/// How often it is tried how long work takes that does not take long.
const TRIES: usize = 8;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Lets the run end with an error before its next sample.
pub(crate) fn interrupt() {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// An error if the run was told to end.
pub(crate) fn go_on() -> Outcome {
    if INTERRUPTED.load(Ordering::Relaxed) { Err("interrupted".into()) } else { Ok(()) }
}

/// A cell, and how it is sampled.
struct Sampled {
    cell: Cell,
    batch: u64,
    /// Whether it is done once without the clock before each sample: the one before has left its own payload in the caches.
    settles: bool,
    /// What all of this takes each round, about.
    lasts: Duration,
}

/// Measures all cells in interleaved rounds; `progress` is told between them which part is done.
pub(crate) fn interleaved(cells: Vec<Cell>, effort: Effort, mut progress: impl FnMut(f64)) -> Outcome<Vec<Samples>> {
    let mut sampled = cells.into_iter().map(prepare).collect::<Outcome<Vec<_>>>()?;
    let round: Duration = sampled.iter().map(|sampled| sampled.lasts).sum();
    let fitting = effort.row.as_secs_f64() / round.as_secs_f64().max(1e-6);
    let rounds = (fitting as usize).clamp(effort.at_least, effort.at_most);
    let warm_up = rounds / 16;
    let of = |sampled: &Sampled| Samples {
        contender: sampled.cell.contender,
        batch: sampled.batch,
        nanoseconds: Vec::with_capacity(rounds),
    };
    let mut samples: Vec<Samples> = sampled.iter().map(of).collect();
    for round in 0..warm_up + rounds {
        for (sampled, samples) in sampled.iter_mut().zip(&mut samples) {
            if sampled.settles {
                sample(&mut sampled.cell, 1)?;
            }
            let elapsed = sample(&mut sampled.cell, sampled.batch)?;
            if round >= warm_up {
                samples.nanoseconds.push(elapsed.as_nanos() as f64 / sampled.batch as f64);
            }
        }
        progress((round + 1) as f64 / (warm_up + rounds) as f64);
    }
    Ok(samples)
}

fn sample(cell: &mut Cell, times: u64) -> Outcome<Duration> {
    go_on()?;
    if let Some(chill) = cell.chill {
        chill();
    }
    if let Some(stir) = &mut cell.stir {
        stir(true)?;
    }
    let start = Instant::now();
    (cell.run)(times)?;
    let elapsed = start.elapsed();
    if let Some(stir) = &mut cell.stir {
        stir(false)?;
    }
    Ok(elapsed)
}

/// Finds out how many times the work is done in a sample: as often as fills [`SAMPLE`], at least once.
fn prepare(mut cell: Cell) -> Outcome<Sampled> {
    if cell.chill.is_some() {
        // The clock sees only a part of it: what makes it cold takes about as long.
        let lasts = 2 * sample(&mut cell, 1)?;
        return Ok(Sampled { cell, batch: 1, settles: false, lasts });
    }
    let mut times = 1;
    loop {
        let elapsed = typical(&mut cell, times)?;
        if elapsed >= SAMPLE {
            let once = elapsed.as_secs_f64() / times as f64;
            let batch = ((SAMPLE.as_secs_f64() / once).round() as u64).max(1);
            let settles = elapsed < LONG;
            let runs = batch + u64::from(settles);
            return Ok(Sampled { cell, batch, settles, lasts: Duration::from_secs_f64(once * runs as f64) });
        }
        times *= 2;
    }
}

/// How long it takes to do the work so many times: in the middle of a few tries. The first ones take longer, because memory is
/// new and another process has yet to wake up, and any one may be disturbed.
fn typical(cell: &mut Cell, times: u64) -> Outcome<Duration> {
    let (mut tries, began) = (Vec::with_capacity(TRIES), Instant::now());
    while tries.len() < TRIES && began.elapsed() < LONG {
        tries.push(sample(cell, times)?.as_secs_f64());
    }
    Ok(Duration::from_secs_f64(Spread::of(tries).median))
}

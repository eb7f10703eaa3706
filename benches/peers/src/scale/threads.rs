//! Eight threads that make and drop, beside two.

use std::{
    hint::black_box,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use commonage::Shared;

use super::at_least;
use crate::{
    Outcome,
    measure::{Effort, go_on},
    report::{Finding, time},
    stats::Spread,
};

pub(super) fn measure(effort: Effort) -> Outcome<Vec<Finding>> {
    let (rounds, lasts) = if effort.quick { (5, Duration::from_millis(60)) } else { (21, Duration::from_millis(200)) };
    let (mut two, mut eight) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        go_on()?;
        let figures = (throughput(2, lasts)?, throughput(8, lasts)?);
        if round > 0 {
            two.push(figures.0);
            eight.push(figures.1);
        }
    }
    let [one, another] = [&two, &eight].map(|figures| time(1.0 / Spread::of(figures.iter().copied()).median));
    let of = format!("the throughput of two threads (a value each {another}, two threads {one})");
    Ok(vec![at_least("8 threads make and drop 64 B", Spread::of_ratios(&eight, &two), 0.8, &of)])
}

/// Values made and dropped in a nanosecond by so many threads, on all cores.
fn throughput(threads: usize, lasts: Duration) -> Outcome<f64> {
    let (ready, done) = (Barrier::new(threads + 1), AtomicBool::new(false));
    let count = || -> Result<u64, commonage::Error> {
        let mut count = 0;
        // Nobody may miss the barrier: the first value's error is told after it.
        let first = Shared::copy_from(&[count; 8][..]);
        ready.wait();
        drop(first?);
        while !done.load(Ordering::Relaxed) {
            for _ in 0..64 {
                drop(black_box(Shared::copy_from(black_box(&[count; 8][..]))?));
                count += 1;
            }
        }
        Ok(count)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(count)).collect();
        ready.wait();
        let start = Instant::now();
        thread::sleep(lasts);
        done.store(true, Ordering::Relaxed);
        let mut all = 0;
        for thread in threads {
            all += thread.join().map_err(|_| "a thread has panicked")??;
        }
        Ok(all as f64 / start.elapsed().as_nanos() as f64)
    })
}

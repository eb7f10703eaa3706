//! The locks and the event under a model checker: every interleaving of a few threads, up to a bound of preemptions, and
//! every value that a load may find. What runs is the code that ships, over words of the checker.

mod event;
mod locks;
mod sequences;
pub(crate) mod words;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use ::loom::model::Builder;

use crate::sys::with_other_stacks;

/// Runs the model in all interleavings of its threads with at most so many preemptions.
pub(crate) fn check(name: &str, preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let (runs, began) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let counter = Arc::clone(&runs);
    let mut builder = Builder::new();
    builder.max_branches = 10_000;
    builder.preemption_bound = Some(preemptions);
    let counted = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model();
    };
    with_other_stacks(|| builder.check(counted));
    let runs = runs.load(Ordering::Relaxed);
    println!("{name}: {runs} runs in {:?}", began.elapsed());
    assert!(runs > 1, "{name}: the threads take turns in more than one way");
}

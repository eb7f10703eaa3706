//! The protocol's steps under a model checker: every interleaving of a few threads, up to a bound of preemptions, and every
//! value that a load may find. The steps are those of [`steps`](super::steps), over a control area of a few words; what
//! calls them is [`process`] and [`owner`], in small.

mod area;
mod claims;
mod holds;
mod owner;
mod process;
mod recounts;
mod settles;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use ::loom::model::Builder;

use crate::sys::with_other_stacks;

/// What a `SeqCst` access is taken for. The checker knows `SeqCst` fences only: it takes such an access for an `AcqRel`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Total {
    /// More than it is: there is a `SeqCst` fence before it. In the checker whatever comes before such a fence happens
    /// before whatever follows a later one, so this hides what is stored or loaded with too weak an order.
    Fenced,
    /// Less than it is: `AcqRel`. What holds so needs no total order.
    AcqRel,
}

/// Runs the model with both readings of `SeqCst`, in all interleavings of its threads with at most so many preemptions.
fn check(name: &str, preemptions: usize, model: impl Fn(Total) + Clone + Send + Sync + 'static) {
    for total in [Total::AcqRel, Total::Fenced] {
        let (runs, began) = (Arc::new(AtomicUsize::new(0)), Instant::now());
        let (counter, model) = (Arc::clone(&runs), model.clone());
        let mut builder = Builder::new();
        builder.max_branches = 10_000;
        builder.preemption_bound = Some(preemptions);
        let counted = move || {
            counter.fetch_add(1, Ordering::Relaxed);
            model(total);
        };
        with_other_stacks(|| builder.check(counted));
        let runs = runs.load(Ordering::Relaxed);
        println!("{name}, {total:?}: {runs} runs in {:?}", began.elapsed());
        assert!(runs > 1, "{name}: the threads take turns in more than one way");
    }
}

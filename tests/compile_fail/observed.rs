//! Storing to what is only observed.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

commonage::shareable! {
    struct Counts {
        seen: AtomicU64,
        plain: u64,
    }
}

fn disturb(counts: &commonage::Observed<Counts>) -> u64 {
    counts.seen.store(1, Relaxed);
    counts.fields().seen.store(1, Relaxed);
    counts.fields().plain.load()
}

fn main() {}

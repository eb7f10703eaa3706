//! What is counted.

use commonage::{shareable, sync::Mutex};

/// No more processes than these.
pub(crate) const MOST: usize = 32;

/// What the processes share.
pub(crate) type Shared = Mutex<Ledger>;

shareable! {
    /// A count of all, and one for each process. Together they are right if the first is the sum of the others; a step that
    /// was broken off half-way leaves it one ahead.
    pub(crate) struct Ledger {
        pub(crate) all: u64,
        pub(crate) by: [u64; MOST],
        /// How often a broken step was taken back.
        pub(crate) repairs: u64,
    }
}

impl Ledger {
    pub(crate) fn is_whole(&self) -> bool {
        self.all == self.by.iter().sum()
    }

    /// Takes back a step that was broken off: only a whole one has reached both counts.
    pub(crate) fn repair(&mut self) {
        if !self.is_whole() {
            self.all = self.by.iter().sum();
            self.repairs += 1;
        }
    }
}

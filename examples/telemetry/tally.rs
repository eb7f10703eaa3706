//! What a reader has seen.

use std::{
    str::FromStr,
    time::{Duration, Instant},
};

use crate::sample::Sample;

pub(crate) struct Tally {
    /// Looks at the value.
    pub(crate) reads: u64,
    /// Samples that were not the same as the one before.
    pub(crate) new: u64,
    /// Samples that were written between two that were seen.
    pub(crate) missed: u64,
    /// The longest time without a new sample.
    pub(crate) longest: Duration,
    /// Samples with parts of several in them.
    pub(crate) torn: u64,
    /// Of the last sample, its number, and when it was seen first.
    last: Option<(u64, Instant)>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Tally { reads: 0, new: 0, missed: 0, longest: Duration::ZERO, torn: 0, last: None }
    }

    /// Counts what was read; whether it is new.
    pub(crate) fn count(&mut self, sample: &Sample) -> bool {
        self.reads += 1;
        self.torn += u64::from(sample.is_torn());
        let now = Instant::now();
        if let Some((last, seen)) = self.last {
            if sample.number == last {
                return false;
            }
            self.missed += sample.number.saturating_sub(last + 1);
            self.longest = self.longest.max(now - seen);
        }
        self.new += 1;
        self.last = Some((sample.number, now));
        true
    }

    /// How long there has been no new sample.
    pub(crate) fn silence(&self) -> Duration {
        self.last.map_or(Duration::ZERO, |(_, seen)| seen.elapsed())
    }

    /// In a line, for [`FromStr`].
    pub(crate) fn line(&self) -> String {
        let Tally { reads, new, missed, longest, torn, .. } = self;
        format!("{reads} {new} {missed} {} {torn}", longest.as_micros())
    }
}

impl FromStr for Tally {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let numbers: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[reads, new, missed, longest, torn]) => {
                Ok(Tally { reads, new, missed, longest: Duration::from_micros(longest), torn, last: None })
            }
            _ => Err(format!("a reader's last line is no tally: {line}")),
        }
    }
}

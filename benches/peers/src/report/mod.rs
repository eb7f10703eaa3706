//! What was measured, and whether it is what was to be reached.

mod csv;
mod table;
mod words;

use crate::{
    Outcome,
    measure::{Cell, Samples},
    peers::{COMMONAGE, PEERS},
    stats::Spread,
};

pub(crate) use self::{
    csv::write_csv,
    table::tables,
    words::{bytes, significant, time},
};

/// One kind of work, with all that take part in it.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// Which bytes of the payload the contenders read or write.
    pub(crate) touched: &'static str,
    /// What else must be known to read the figures.
    pub(crate) how: &'static str,
    /// Whether the picture has a panel for it.
    pub(crate) drawn: bool,
    /// Whether the largest payload is left out of a quick run, which it would fill.
    pub(crate) long: bool,
    pub(crate) rows: Vec<Row>,
    /// What is measured in common rounds for one row.
    pub(crate) cells: fn(&Row) -> Outcome<Vec<Cell>>,
}

/// One line of a table.
pub(crate) struct Row {
    pub(crate) name: String,
    /// Bytes of the payload.
    pub(crate) size: usize,
    targets: Vec<Target>,
}

impl Row {
    pub(crate) fn new(size: usize, targets: impl Into<Vec<Target>>) -> Self {
        Row { name: bytes(size), size, targets: targets.into() }
    }

    pub(crate) fn named(name: &str, size: usize, targets: impl Into<Vec<Target>>) -> Self {
        Row { name: name.to_owned(), size, targets: targets.into() }
    }
}

/// What is to be reached; judged by the median of the paired ratios, but where two are to be equal.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// It does not take longer than the other: the quartiles of the ratio reach one.
    NoSlower { than: &'static str },
    /// Every peer of the row, but those named, takes at least so many times as long.
    Ahead { times: f64, but: &'static [&'static str] },
    /// It takes at most so many times as long as the limit.
    Within { of: &'static str, times: f64 },
    /// It takes at most so long.
    AtMost { nanoseconds: f64 },
    /// The other takes at least so many times as long.
    Faster { times: f64, than: &'static str },
    /// The same is asked of another contender than commonage.
    For { who: &'static str, target: &'static Target },
}

/// A work with its samples, row by row.
pub(crate) struct Measured {
    pub(crate) work: Work,
    pub(crate) samples: Vec<Vec<Samples>>,
}

impl Measured {
    pub(crate) fn at(&self, contender: &str, row: usize) -> Option<&[f64]> {
        let samples = self.samples[row].iter().find(|samples| samples.contender == contender)?;
        Some(&samples.nanoseconds)
    }

    pub(crate) fn median(&self, contender: &str, row: usize) -> Option<f64> {
        Some(Spread::of(self.at(contender, row)?.iter().copied()).median)
    }

    pub(crate) fn ratio(&self, numerator: &str, denominator: &str, row: usize) -> Option<Spread> {
        Some(Spread::of_ratios(self.at(numerator, row)?, self.at(denominator, row)?))
    }

    /// Whether anything was measured of the contender.
    pub(crate) fn has(&self, contender: &str) -> bool {
        (0..self.samples.len()).any(|row| self.at(contender, row).is_some())
    }

    /// The words of a target, and the words of its outcome.
    fn judge(&self, target: Target, row: usize) -> (String, String) {
        self.judge_of(COMMONAGE, target, row)
    }

    fn judge_of(&self, who: &str, target: Target, row: usize) -> (String, String) {
        let no = |found: String| format!("**no**: {found}");
        let ratio_to_us = |peer: &str| Some(self.ratio(peer, who, row)?.median);
        match target {
            Target::NoSlower { than } => {
                let outcome = match self.ratio(who, than, row) {
                    Some(ratio) if ratio.lower_quartile <= 1.0 => "yes".to_owned(),
                    Some(ratio) => no(format!("{} ×", significant(ratio.median))),
                    None => "not measured".to_owned(),
                };
                (format!("no slower than {than}"), outcome)
            }
            Target::Ahead { times, but } => {
                let who = match but {
                    [] => "every peer".to_owned(),
                    names => format!("every peer on the same channel (not {})", names.join(", ")),
                };
                let asked =
                    if times == 1.0 { format!("ahead of {who}") } else { format!("≥ {times} × faster than {who}") };
                let ratios = PEERS.into_iter().filter(|peer| !but.contains(peer));
                let ratios = ratios.filter_map(|peer| Some((peer, ratio_to_us(peer)?)));
                let behind = ratios.filter(|(_, found)| *found < times);
                let behind: Vec<String> =
                    behind.map(|(peer, found)| format!("{} × {peer}", significant(found))).collect();
                (asked, if behind.is_empty() { "yes".to_owned() } else { no(behind.join(", ")) })
            }
            Target::Within { of, times } => {
                let outcome = match self.ratio(who, of, row).map(|ratio| ratio.median) {
                    Some(found) if found <= times => "yes".to_owned(),
                    Some(found) => no(format!("{} ×", significant(found))),
                    None => "not measured".to_owned(),
                };
                (format!("≤ {times} × {of}"), outcome)
            }
            Target::AtMost { nanoseconds } => {
                let outcome = match self.median(who, row) {
                    Some(found) if found <= nanoseconds => "yes".to_owned(),
                    Some(found) => no(time(found)),
                    None => "not measured".to_owned(),
                };
                (format!("≤ {}", time(nanoseconds)), outcome)
            }
            Target::Faster { times, than } => {
                let outcome = match ratio_to_us(than) {
                    Some(found) if found >= times => "yes".to_owned(),
                    Some(found) => no(format!("{} ×", significant(found))),
                    None => "not measured".to_owned(),
                };
                (format!("≥ {times} × faster than {than}"), outcome)
            }
            Target::For { who, target } => {
                let (asked, outcome) = self.judge_of(who, *target, row);
                (format!("{who}: {asked}"), outcome)
            }
        }
    }
}

/// What was measured of how commonage scales, where there is nobody beside it.
pub(crate) struct Finding {
    pub(crate) what: &'static str,
    pub(crate) found: String,
    pub(crate) asked: String,
    /// `None` if it was not measured.
    pub(crate) reached: Option<bool>,
}

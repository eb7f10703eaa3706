//! How commonage scales: with live values, threads and attached processes, and what it keeps when they have gone.

pub(crate) mod attached;
pub(crate) mod first_use;
mod live;
pub(crate) mod peak;
mod threads;

use crate::{
    Outcome,
    measure::Effort,
    report::{Finding, significant},
    stats::Spread,
};

/// One part of the table.
type Part = fn(Effort) -> Outcome<Vec<Finding>>;

/// All parts, in the order of the table.
pub(crate) const PARTS: [(&str, Part); 5] = [
    ("live values", live::measure),
    ("threads", threads::measure),
    ("attached processes", attached::measure),
    ("peak", peak::measure),
    ("first use", first_use::measure),
];

/// A ratio that may be at most `most`.
fn at_most(what: &'static str, ratio: Spread, most: f64, of: &str) -> Finding {
    Finding { what, found: words(ratio, of), asked: format!("≤ {most} ×"), reached: Some(ratio.median <= most) }
}

/// A ratio that must be at least `least`.
fn at_least(what: &'static str, ratio: Spread, least: f64, of: &str) -> Finding {
    Finding { what, found: words(ratio, of), asked: format!("≥ {least} ×"), reached: Some(ratio.median >= least) }
}

fn words(ratio: Spread, of: &str) -> String {
    let [lower, median, upper] = [ratio.lower_quartile, ratio.median, ratio.upper_quartile].map(significant);
    format!("{median} × ({lower}–{upper}) {of}")
}

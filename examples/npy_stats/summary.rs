//! What is found: of blocks, one after the other, and of all of them together.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::element::Element;

/// Numbers that stay in the innermost cache while they are gone over twice.
const BLOCK: usize = 2048;
/// Numbers that are added up side by side: a processor has registers for several, and need not wait for one sum.
const LANES: usize = 8;
/// Blocks between two reports of progress.
const REPORT: usize = 1024;

/// What there is to say about numbers, of which there is at least one.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Summary {
    count: u64,
    mean: f64,
    /// The sum of the squares of the deviations from the mean.
    squares: f64,
    least: Extreme,
    most: Extreme,
}

/// The least of all numbers, or the largest. Integers are kept as they are: a float has no room for all of them.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Extreme {
    Whole(i128),
    Real(f64),
}

impl Extreme {
    /// NumPy's, too: what is not a number is the least and the largest.
    fn or(self, other: Self, better: impl Fn(&f64, &f64) -> bool, whole: impl Fn(i128, i128) -> i128) -> Self {
        match (self, other) {
            (Extreme::Real(here), Extreme::Real(there)) if here.is_nan() || better(&here, &there) => self,
            (Extreme::Whole(here), Extreme::Whole(there)) => Extreme::Whole(whole(here, there)),
            _ => other,
        }
    }
}

impl Summary {
    /// Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979).
    pub(crate) fn merge(self, other: Self) -> Self {
        let count = self.count + other.count;
        let (here, there) = (self.count as f64 / count as f64, other.count as f64 / count as f64);
        let apart = other.mean - self.mean;
        // Infinities that are not apart have a mean, too.
        let mean = if apart.is_finite() { self.mean + apart * there } else { self.mean * here + other.mean * there };
        Summary {
            count,
            mean,
            squares: self.squares + other.squares + apart * apart * (self.count as f64 * there),
            least: self.least.or(other.least, f64::le, i128::min),
            most: self.most.or(other.most, f64::ge, i128::max),
        }
    }

    fn deviation(&self) -> f64 {
        (self.squares / self.count as f64).sqrt()
    }
}

/// As plain decimals with six places.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { mean, least, most, .. } = self;
        writeln!(f, "mean                {}", Extreme::Real(*mean))?;
        writeln!(f, "standard deviation  {}", Extreme::Real(self.deviation()))?;
        writeln!(f, "min                 {least}")?;
        write!(f, "max                 {most}")
    }
}

impl fmt::Display for Extreme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Extreme::Whole(number) => write!(f, "{number}.000000"),
            Extreme::Real(number) if number.is_nan() => f.write_str("nan"),
            Extreme::Real(number) => write!(f, "{number:.6}"),
        }
    }
}

/// What there is to say about all of these; nothing about none. `progress` is told how many numbers were looked at since
/// it was told the last time.
pub(crate) fn of<E: Element>(numbers: &[E], mut progress: impl FnMut(u64)) -> Option<Summary> {
    let mut all: Option<Summary> = None;
    for blocks in numbers.chunks(BLOCK * REPORT) {
        for block in blocks.chunks(BLOCK) {
            let block = of_block(block);
            all = Some(match all {
                Some(before) => before.merge(block),
                None => block,
            });
        }
        progress(blocks.len() as u64);
    }
    all
}

fn of_block<E: Element>(block: &[E]) -> Summary {
    let (sum, least, most) = extent(block);
    let mean = sum / block.len() as f64;
    let nan = if sum.is_nan() { block.iter().copied().find(|number| number.is_nan()) } else { None };
    Summary {
        count: block.len() as u64,
        mean,
        squares: squares(block, mean),
        least: nan.unwrap_or(least).exact(),
        most: nan.unwrap_or(most).exact(),
    }
}

/// The sum, the least and the largest. Of the last two, what is not a number is neither.
fn extent<E: Element>(block: &[E]) -> (f64, E, E) {
    let (mut sums, mut least, mut most) = ([0.0; LANES], [E::MOST; LANES], [E::LEAST; LANES]);
    let (rows, rest) = block.as_chunks::<LANES>();
    let mut look = |lane: usize, number: E| {
        sums[lane] += number.number();
        least[lane] = if number < least[lane] { number } else { least[lane] };
        most[lane] = if number > most[lane] { number } else { most[lane] };
    };
    for row in rows {
        row.iter().enumerate().for_each(|(lane, number)| look(lane, *number));
    }
    rest.iter().enumerate().for_each(|(lane, number)| look(lane, *number));
    let less = |least: E, number: E| if number < least { number } else { least };
    let more = |most: E, number: E| if number > most { number } else { most };
    (sums.iter().sum(), least.into_iter().fold(E::MOST, less), most.into_iter().fold(E::LEAST, more))
}

/// The sum of the squares of the deviations from the mean.
fn squares<E: Element>(block: &[E], mean: f64) -> f64 {
    let mut sums = [0.0; LANES];
    let (rows, rest) = block.as_chunks::<LANES>();
    let mut look = |lane: usize, number: E| {
        let deviation = number.number() - mean;
        sums[lane] += deviation * deviation;
    };
    for row in rows {
        row.iter().enumerate().for_each(|(lane, number)| look(lane, *number));
    }
    rest.iter().enumerate().for_each(|(lane, number)| look(lane, *number));
    sums.iter().sum()
}

//! Files with numbers in them: how each contender makes, opens and reads one.

mod directory;
mod mapped;
mod ours;
mod plain;

use std::path::Path;

pub(crate) use self::{
    directory::Directory,
    mapped::Mapped,
    ours::{Ours, OursInPlace},
    plain::Plain,
};
use crate::Outcome;

/// A way to have a slice of `u64` in a file. All read the same file, which has the numbers at its end.
pub(crate) trait Filed: 'static {
    const NAME: &'static str;
    /// What looks at the file.
    type Opened: 'static;

    fn open(path: &Path, size: usize) -> Outcome<Self::Opened>;
    fn open_to_write(path: &Path, size: usize) -> Outcome<Self::Opened>;
    /// The number at this place, which is below `size / 8`.
    fn at(opened: &mut Self::Opened, index: usize) -> Outcome<u64>;
    /// Reads all of it.
    fn sum(opened: &mut Self::Opened) -> Outcome<u64>;
    /// Reads so many numbers, here and there, beginning with that of a seed.
    fn gather(opened: &mut Self::Opened, seed: u64, times: u64) -> Outcome<u64>;
}

/// A way to make such a file: under another name or none, which is then changed. What was there before is replaced.
pub(crate) trait Written: 'static {
    const NAME: &'static str;

    /// If `durable`, it is on the disk when this returns, under its name.
    fn write(path: &Path, source: &[u64], durable: bool) -> Outcome;
}

/// Where the numbers begin in a file of so many bytes that ends with `size` bytes of them.
fn offset(length: u64, size: usize) -> Outcome<usize> {
    Ok(usize::try_from(length)?.checked_sub(size).ok_or("the file is too short")?)
}

/// Where to look next: no two in succession are near each other.
fn next(state: &mut u64, count: usize) -> usize {
    *state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
    (*state >> 24) as usize % count
}

/// Numbers here and there, added up. Never inlined: the same machine code reads for all that are mapped.
#[inline(never)]
fn gather(numbers: &[u64], seed: u64, times: u64) -> u64 {
    // As all sizes are powers of two, nothing is divided.
    let (mut state, mask) = (seed, numbers.len() - 1);
    (0..times).fold(0, |sum, _| sum.wrapping_add(numbers[next(&mut state, usize::MAX) & mask]))
}

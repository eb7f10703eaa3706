//! Which pages of one segment's data area, and which block numbers, are whose. Private to the owner: no peer can corrupt
//! it. Pure bookkeeping: nothing here touches shared memory or calls the system.

use std::ops::Range;

use fixedbitset::FixedBitSet;
use offset_allocator::{Allocation, Allocator, ext::min_allocator_size};

use crate::{pool::layout::PAGE, sys};

/// Where the memory of a full segment can't be given up for another segment, none is full before it is.
const PAGES_TO_A_NODE: u32 = if sys::PUNCHES { 4 } else { 1 };

/// A run of pages that one number stands for: a block of a page or more, or a slab of smaller ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    /// The block number of the run (of a slab: of its first block).
    pub(crate) number: u32,
    /// The first page.
    pub(crate) page: u32,
    /// How many pages were asked for.
    pub(crate) pages: u32,
}

impl Run {
    pub(crate) fn range(&self) -> Range<usize> {
        self.page as usize..(self.page + self.pages) as usize
    }
}

/// The pages and numbers of one segment.
pub(crate) struct Arena {
    pages: u32,
    runs: Allocator<u32>,
    /// By block number: the run that it stands for.
    taken: Vec<Option<(Allocation<u32>, Run)>>,
    /// Block numbers below `next_number` that are nobody's.
    numbers: Vec<u32>,
    next_number: u32,
    limit: u32,
    used: u32,
    /// Pages that have memory.
    backed: FixedBitSet,
    backed_count: usize,
    /// Backed pages that may hold something but zeroes.
    dirty: FixedBitSet,
}

impl Arena {
    /// An arena over `pages` pages with block numbers below `blocks`.
    pub(crate) fn new(pages: u32, blocks: u32) -> Self {
        // A node for each run and each hole, of which there are no more than runs, + 1. They are touched when they are made,
        // which for as many as there could be lasts longer than all else: a small segment of nothing but single pages is
        // full before it is.
        let nodes = (2 * u64::from(blocks)).min(u64::from(pages / PAGES_TO_A_NODE)) as u32 + 64;
        Arena {
            pages,
            runs: Allocator::with_max_allocs(pages, nodes),
            taken: Vec::new(),
            numbers: Vec::new(),
            next_number: 0,
            limit: blocks,
            used: 0,
            backed: FixedBitSet::with_capacity(pages as usize),
            backed_count: 0,
            dirty: FixedBitSet::with_capacity(pages as usize),
        }
    }

    /// The number of pages that a segment must have for a run of `pages` to fit: requests are rounded up to the
    /// allocator's bin sizes, so that a hole of a size is found by the next request of that size.
    pub(crate) fn rounded(pages: u32) -> u32 {
        min_allocator_size(pages)
    }

    /// A run of `pages` pages, if there is a hole that is large enough and a number.
    pub(crate) fn allocate(&mut self, pages: u32) -> Option<Run> {
        let rounded = Self::rounded(pages);
        if rounded > self.pages {
            return None;
        }
        let number = self.number()?;
        let Some(allocation) = self.runs.allocate(rounded) else {
            self.numbers.push(number);
            return None;
        };
        let run = Run { number, page: allocation.offset, pages };
        if self.taken.len() <= number as usize {
            self.taken.resize_with(number as usize + 1, || None);
        }
        self.taken[number as usize] = Some((allocation, run));
        self.used += pages;
        Some(run)
    }

    /// A block number that is nobody's, and now the caller's.
    pub(crate) fn number(&mut self) -> Option<u32> {
        self.numbers.pop().or_else(|| {
            let fresh = self.next_number;
            (fresh < self.limit).then(|| {
                self.next_number += 1;
                fresh
            })
        })
    }

    /// Gives back a number that stands for no run.
    pub(crate) fn free_number(&mut self, number: u32) {
        self.numbers.push(number);
    }

    /// Gives back the run that `number` stands for, and the number.
    pub(crate) fn free(&mut self, number: u32) -> Option<Run> {
        let (allocation, run) = self.taken.get_mut(number as usize)?.take()?;
        self.runs.free(allocation);
        self.numbers.push(number);
        self.used -= run.pages;
        Some(run)
    }

    /// No run is taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// The run that `number` stands for.
    pub(crate) fn run(&self, number: u32) -> Option<&Run> {
        self.taken.get(number as usize)?.as_ref().map(|(_, run)| run)
    }

    /// Pages that have memory.
    pub(crate) fn backed(&self) -> usize {
        self.backed_count
    }

    /// Backed pages that no run uses.
    pub(crate) fn warm(&self) -> usize {
        self.backed_count.saturating_sub(self.used as usize)
    }

    /// The pages of `run` that have no memory yet, as ranges; each end is moved on to a multiple of `chunk` as long as
    /// the pages there have none either.
    pub(crate) fn unbacked(&self, run: &Run, chunk: usize) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let wanted = run.range();
        if self.backed.count_ones(wanted.clone()) == wanted.len() {
            return ranges;
        }
        let end = wanted.end.next_multiple_of(chunk).min(self.pages as usize);
        for page in wanted.start..end {
            if self.backed.contains(page) {
                if page >= wanted.end {
                    break;
                }
                continue;
            }
            match ranges.last_mut() {
                Some(last) if last.end == page => last.end += 1,
                _ if page >= wanted.end => break,
                _ => ranges.push(page..page + 1),
            }
        }
        ranges
    }

    /// `range` has memory now, all zero.
    pub(crate) fn set_backed(&mut self, range: Range<usize>) {
        self.backed_count += range.len() - self.backed.count_ones(range.clone());
        self.backed.insert_range(range);
    }

    /// The user is about to write in the run; true if all of it was zero until now.
    pub(crate) fn make_dirty(&mut self, run: &Run) -> bool {
        let fresh = !self.dirty.contains_any_in_range(run.range());
        self.dirty.insert_range(run.range());
        fresh
    }

    /// The backed pages of a hole, as ranges, to be punched.
    pub(crate) fn backed_in(&self, pages: Range<usize>) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for page in pages.filter(|page| self.backed.contains(*page)) {
            match ranges.last_mut() {
                Some(last) if last.end == page => last.end += 1,
                _ => ranges.push(page..page + 1),
            }
        }
        ranges
    }

    /// All pages that no run uses, as ranges.
    pub(crate) fn holes(&self) -> Vec<Range<usize>> {
        let mut used: Vec<Range<usize>> = self.taken.iter().flatten().map(|(_, run)| run.range()).collect();
        used.sort_by_key(|range| range.start);
        let starts = std::iter::once(0).chain(used.iter().map(|range| range.end));
        let ends = used.iter().map(|range| range.start).chain(std::iter::once(self.pages as usize));
        starts.zip(ends).filter(|(start, end)| start < end).map(|(start, end)| start..end).collect()
    }

    /// `range` has been punched: no memory, and zero when it has some again.
    pub(crate) fn set_punched(&mut self, range: Range<usize>) {
        self.backed_count -= self.backed.count_ones(range.clone());
        self.backed.remove_range(range.clone());
        self.dirty.remove_range(range);
    }
}

/// The number of pages that `bytes` bytes need.
pub(crate) fn pages_for(bytes: usize) -> usize {
    bytes.div_ceil(PAGE).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_hundred_isolated_holes_are_reused_by_five_hundred_equal_requests() {
        for pages in [1, 3, 9, 17, 33, 100] {
            let mut arena = Arena::new(262_144, 65_536);
            let runs: Vec<Run> = (0..1000).map(|_| arena.allocate(pages).unwrap()).collect();
            let top = runs.iter().map(|run| run.page + Arena::rounded(pages)).max().unwrap();
            for run in runs.iter().step_by(2) {
                arena.free(run.number).unwrap();
            }
            for _ in 0..500 {
                let run = arena.allocate(pages).unwrap();
                assert!(run.page < top, "{pages} pages: a hole was left unused, page {} taken", run.page);
            }
        }
    }

    #[test]
    fn runs_never_overlap_and_the_whole_comes_back() {
        let mut arena = Arena::new(4096, 4096);
        let mut live: Vec<Run> = Vec::new();
        let mut random = 1u32;
        for _ in 0..20_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if random >> 31 == 0 || live.is_empty() {
                if let Some(run) = arena.allocate(1 + (random >> 8) % 40) {
                    assert!(
                        live.iter().all(|r| r.range().end <= run.range().start || run.range().end <= r.range().start)
                    );
                    live.push(run);
                }
            } else {
                let run = live.swap_remove((random >> 8) as usize % live.len());
                assert_eq!(arena.free(run.number), Some(run));
            }
        }
        for run in live {
            arena.free(run.number).unwrap();
        }
        assert!(arena.is_empty());
        assert_eq!(arena.holes(), vec![0..4096]);
        assert!(arena.allocate(4096).is_some());
    }

    #[test]
    fn a_number_freed_twice_is_freed_once() {
        let mut arena = Arena::new(64, 64);
        let run = arena.allocate(3).unwrap();
        assert_eq!(arena.free(run.number), Some(run));
        assert_eq!(arena.free(run.number), None);
        assert_eq!(arena.free(9999), None);
    }

    #[test]
    fn numbers_run_out_without_losing_pages() {
        let mut arena = Arena::new(64, 2);
        arena.allocate(1).unwrap();
        arena.allocate(1).unwrap();
        assert_eq!(arena.allocate(1), None);
        arena.free(0).unwrap();
        assert!(arena.allocate(40).is_some());
    }

    #[test]
    fn pages_are_fresh_until_written_and_again_after_a_punch() {
        let mut arena = Arena::new(64, 64);
        let run = arena.allocate(3).unwrap();
        let ranges = arena.unbacked(&run, 16);
        assert_eq!(ranges, vec![0..16]);
        arena.set_backed(0..16);
        assert!(arena.unbacked(&run, 16).is_empty());
        assert!(arena.make_dirty(&run));
        assert_eq!(arena.warm(), 13);
        arena.free(run.number).unwrap();
        assert_eq!(arena.warm(), 16);
        let run = arena.allocate(3).unwrap();
        assert!(!arena.make_dirty(&run));
        arena.free(run.number).unwrap();
        for range in arena.backed_in(0..64) {
            arena.set_punched(range);
        }
        assert_eq!(arena.warm(), 0);
        let run = arena.allocate(3).unwrap();
        assert!(arena.make_dirty(&run));
    }
}

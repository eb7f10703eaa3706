//! One of this process's segments: what in it has memory, and what has not.

use std::{ops::Range, sync::Arc};

use crate::{
    Backing, Config, Error,
    pool::{
        arena::{Arena, Run},
        attachment::Attachment,
        budget::Budget,
        checkpoint::{Step, reached},
        layout::{BlockHeader, Layout, PAGE},
        records::{Owned, headers_backed, raise_headers_backed},
        recovery,
    },
    segment::Segment,
    sys,
};

/// Memory is reserved ahead, the more the more there is already, up to a multiple of at most this many pages.
const CHUNK: usize = 64;
/// Block headers are backed a page at a time, then twice as many as there are, at most so many more.
const HEADERS: u32 = 1024;

/// One of this process's segments.
pub(super) struct Own {
    pub(super) at: Arc<Attachment>,
    pub(super) arena: Arena,
    pub(super) slabs: Vec<Slab>,
}

/// A run of pages cut into blocks of one class; `blocks[0]` is the run's number.
pub(super) struct Slab {
    pub(super) run: u32,
    pub(super) blocks: Vec<u32>,
}

impl Own {
    pub(super) fn bytes(&self, pages: Range<usize>) -> Range<usize> {
        let start = self.at.segment.control_len();
        start + pages.start * PAGE..start + pages.end * PAGE
    }

    /// Gives the memory of free pages back; where the backing can't, they stay warm.
    pub(super) fn punch(&mut self, pages: Range<usize>) {
        // The machine's pages can be larger than the pool's.
        let unit = (sys::page_size() / PAGE).max(1);
        for range in self.arena.backed_in(pages) {
            let range = range.start.next_multiple_of(unit)..range.end / unit * unit;
            if range.is_empty() {
                continue;
            }
            if self.at.segment.punch(self.bytes(range.clone())) {
                self.arena.set_punched(range);
            }
        }
    }

    /// Touches a run, and what the control area has for it.
    pub(super) fn prefault(&self, run: &Run) {
        let (at, layout) = (&self.at, &self.at.control.layout);
        at.segment.prefault(self.bytes(run.range()));
        at.segment.prefault(layout.row_bytes(at.slot));
        at.segment.prefault(layout.block_bytes(0, headers_backed(at)));
    }

    /// Gives the memory of up to so many free pages back, from the last on, but not that of `spared`: of how many.
    pub(super) fn punch_idle(&mut self, pages: usize, spared: &Range<usize>) -> usize {
        let mut left = pages;
        if !sys::PUNCHES {
            return 0;
        }
        for hole in self.arena.holes().into_iter().rev() {
            let around = [spared.end.max(hole.start)..hole.end, hole.start..spared.start.min(hole.end)];
            for range in around.into_iter().filter(|range| !range.is_empty()) {
                for backed in self.arena.backed_in(range).into_iter().rev() {
                    let len = backed.len().min(left);
                    self.punch(backed.end - len..backed.end);
                    left -= len;
                    if left == 0 {
                        return pages;
                    }
                }
            }
        }
        pages - left
    }

    pub(super) fn punch_holes(&mut self) {
        for hole in self.arena.holes() {
            self.punch(hole);
        }
    }
}

/// A new segment of this process, of which it is the first participant.
pub(super) fn create(index: usize, data: usize) -> Result<Attachment, Error> {
    let (id, layout) = (Segment::new_id()?, Layout::for_data(data));
    let owned = Owned::new(index, layout.blocks)?; // first: what fails here leaves no name
    let mut secret = [0; 16];
    secret[..8].copy_from_slice(&sys::random_u64()?.to_le_bytes());
    secret[8..].copy_from_slice(&sys::random_u64()?.to_le_bytes());
    let make = |backing| {
        recovery::start(backing);
        Segment::create(backing, id, layout.control(), data)
    };
    let segment = match Config::current().backing {
        Some(backing) => make(backing),
        None if !sys::may_be_looked_into() => make(Backing::Named),
        // Whether that works at all is asked only where it has failed: it costs as much as the segment.
        None => make(Backing::Anonymous)
            .or_else(|error| if sys::anonymous_works() { Err(error) } else { make(Backing::Named) }),
    }?;
    reached(Step::CreateMade);
    segment.reserve(layout.always()).inspect_err(|_| segment.remove_name())?;
    Attachment::join(segment, layout, secret, Some(owned))
}

/// Puts memory under a run and its block header.
pub(super) fn back(budget: &mut Budget, own: &mut Own, run: &Run, room: u64) -> Result<(), Error> {
    back_header(budget, &own.at, run.number)?;
    let bytes = |ranges: &[Range<usize>]| ranges.iter().map(|range| (range.len() * PAGE) as u64).sum::<u64>();
    let chunk = (own.arena.backed() / 4).next_power_of_two().min(CHUNK);
    let mut ranges = own.arena.unbacked(run, chunk);
    if bytes(&ranges) > room {
        ranges = own.arena.unbacked(run, 1);
    }
    let requested = bytes(&ranges);
    if requested == 0 {
        return Ok(());
    }
    if requested > room {
        return Err(Error::NoSpace { requested, available: room });
    }
    // All of it is asked for at once: what was reserved before a refusal would be taken from others for nothing.
    budget.take(requested, Some(&own.at.segment))?;
    let reserved = ranges.iter().try_for_each(|range| own.at.segment.reserve(own.bytes(range.clone())));
    // A call that failed may have reserved a part: then all of it is punched again.
    ranges.iter().for_each(|range| own.arena.set_backed(range.clone()));
    reserved.inspect_err(|_| ranges.into_iter().for_each(|range| own.punch(range)))
}

/// Puts memory under the header of `block`, and of some that follow.
pub(super) fn back_header(budget: &mut Budget, at: &Attachment, block: u32) -> Result<(), Error> {
    let backed = headers_backed(at);
    if block < backed {
        return Ok(());
    }
    let page = (PAGE / size_of::<BlockHeader>()) as u32;
    let more = backed.clamp(page, HEADERS);
    let to = (block + more).next_multiple_of(more).min(at.control.layout.blocks);
    let bytes = at.control.layout.block_bytes(backed, to);
    budget.take(bytes.len() as u64, Some(&at.segment))?;
    at.segment.reserve(bytes)?;
    raise_headers_backed(at, to);
    Ok(())
}

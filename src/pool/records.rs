//! The owner's private record of each block: what no peer can change, and so what decides whether a block is free.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::pool::{attachment::Attachment, layout::BLOCK_ALIGN, steps::Area, word::Word};

/// A block that nobody has: its number, its place, and whether its bytes are known to be zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Vacant {
    pub(crate) block: u32,
    pub(crate) offset: usize,
    pub(crate) class: u8,
    pub(crate) fresh: bool,
}

/// The owner's record of each block of one segment: `offset ÷ 128 : 48 | class : 8 | held : 1 | allocated : 1`.
///
/// | held | allocated | the block is |
/// |---|---|---|
/// | 0 | 0 | vacant, or in the hands of `allocate` |
/// | 1 | 1 | a value's, and this process has a hold on it |
/// | 0 | 1 | a value's, in other processes or on its way |
///
/// `mark_allocated` sets both, as the last step of allocating. `held` is set and cleared with this process's hold bit,
/// under the stripe lock; unlike that bit it can't be changed by a peer. `allocated` is cleared by the one
/// compare-and-swap in `release`, whoever makes it, and never while the block is held.
pub(crate) struct Owned {
    pub(super) index: usize,
    records: Box<[AtomicU64]>,
    /// How many block headers have memory under them: what the control area says of it is for peers.
    headers_backed: AtomicU32,
}

const ALLOCATED: u64 = 1;
const HELD: u64 = 2;

impl Owned {
    pub(super) fn new(index: usize, blocks: u32) -> Self {
        // Zeroed by the system, page by page as they are touched: most never are.
        Owned { index, records: bytemuck::zeroed_slice_box(blocks as usize), headers_backed: AtomicU32::new(0) }
    }

    pub(super) fn assign(&self, block: u32, offset: usize, class: u8) {
        let record = ((offset / BLOCK_ALIGN) as u64) << 16 | u64::from(class) << 8;
        self.records[block as usize].store(record, Ordering::Release);
    }
}

/// Block headers below this number have memory under them.
pub(super) fn headers_backed(at: &Attachment) -> u32 {
    at.owned.as_ref().map_or(0, |owned| owned.headers_backed.load(Ordering::Relaxed))
}

/// So many block headers of this process's own segment have memory now.
pub(super) fn raise_headers_backed(at: &Attachment, to: u32) {
    if let Some(owned) = &at.owned {
        owned.headers_backed.store(to, Ordering::Relaxed);
    }
    at.control.raise_blocks_backed(to);
}

fn record(at: &Attachment, block: u32) -> Option<&AtomicU64> {
    at.owned.as_ref()?.records.get(block as usize)
}

/// The last step of allocating: from now on the block can be released, once it is not held.
pub(crate) fn mark_allocated(at: &Attachment, block: u32) {
    if let Some(record) = record(at, block) {
        // A store will do: nobody else changes the record of a vacant block.
        record.store(record.load(Ordering::Relaxed) | ALLOCATED | HELD, Ordering::Release);
    }
}

/// This process has a hold on the block again.
pub(crate) fn mark_held(at: &Attachment, block: u32) {
    if let Some(record) = record(at, block) {
        record.fetch_or(HELD, Ordering::AcqRel);
    }
}

/// This process has no hold on the block any more; before the word says so.
pub(crate) fn mark_unheld(at: &Attachment, block: u32) {
    if let Some(record) = record(at, block) {
        // A store will do: nobody else changes the record of a block that is held.
        record.store(record.load(Ordering::Relaxed) & !HELD, Ordering::Release);
    }
}

/// The block's word is 0/0: makes it vacant and counts it down, unless it is held here or somebody else has.
pub(crate) fn release(at: &Attachment, block: u32) -> Option<Vacant> {
    let record = record(at, block)?;
    // AcqRel: whoever clears the bit has the block, and sees what was stored about it.
    let clear = |record: u64| (record & (ALLOCATED | HELD) == ALLOCATED).then_some(record & !ALLOCATED);
    let before = record.fetch_update(Ordering::AcqRel, Ordering::Acquire, clear).ok()?;
    Some(released(at, block, before))
}

/// A block whose *allocated* bit has just been cleared in its record.
fn released(at: &Attachment, block: u32, record: u64) -> Vacant {
    at.control.live().fetch_sub(1, Ordering::SeqCst);
    let offset = (record >> 16) as usize * BLOCK_ALIGN;
    Vacant { block, offset, class: (record >> 8) as u8, fresh: false }
}

/// A recount has found the block at 0/0, and has left its word as `counted`: makes it vacant, unless somebody else has, or
/// has it by now. Under the allocator's mutex, after a drain.
pub(super) fn release_counted(at: &Attachment, block: u32, counted: Word) -> Option<Vacant> {
    let record = record(at, block)?;
    // First whether it is allocated, then whether its word, version included, is the one that was swapped in, then the
    // bit: the word first, a block could be freed that has been allocated again in between.
    let before = record.load(Ordering::SeqCst);
    let vacant = before & (ALLOCATED | HELD) == ALLOCATED
        && at.word(block).load(Ordering::SeqCst) == counted.0
        && record.compare_exchange(before, before & !ALLOCATED, Ordering::SeqCst, Ordering::Relaxed).is_ok();
    vacant.then(|| released(at, block, before))
}

/// In a segment of this process's own, whether the block is a value's: whatever a ticket says. Of others' it can't be known.
pub(super) fn may_be_claimed(at: &Attachment, block: u32) -> bool {
    at.owned.is_none() || class_of_allocated(at, block).is_some()
}

/// The class of a block that is a value's.
pub(super) fn class_of_allocated(at: &Attachment, block: u32) -> Option<u8> {
    let record = record(at, block)?.load(Ordering::Acquire);
    (record & ALLOCATED != 0).then_some((record >> 8) as u8)
}

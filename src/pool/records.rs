//! The owner's private record of each block: what no peer can change, and so what decides whether a block is free.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use crate::{
    Error,
    pool::{
        attachment::Attachment,
        hold::Held,
        layout::BLOCK_ALIGN,
        magazine::{self, RUN},
        steps::Area,
        word::Word,
    },
};

/// Where a block goes when it is vacant, and what it is then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// The size of the block, or [`RUN`].
    pub(crate) class: u8,
    /// Of a run, how many pages it has; 0 if that has been forgotten.
    pub(crate) pages: u32,
    /// All its bytes are known to be zero.
    pub(crate) fresh: bool,
}

impl Default for Place {
    fn default() -> Self {
        Place { class: RUN, pages: 0, fresh: false }
    }
}

/// A block that has just been released: nobody has it but the caller.
#[must_use = "the block is lost if it is not put back"]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Released {
    pub(crate) block: u32,
    pub(crate) offset: usize,
    pub(crate) class: u8,
}

impl Released {
    /// Puts back a block of which this process had no hold.
    pub(crate) fn put_back(self, at: &Arc<Attachment>) {
        magazine::push(self.vacant(at));
    }

    /// The block as one that can be allocated again. Not under the stripe lock.
    pub(super) fn vacant(self, at: &Arc<Attachment>) -> Box<Held> {
        match at.stripe(self.block).known(self.block).take_kept() {
            Some(mut held) => {
                held.vacate(self);
                held
            }
            None => {
                Held::vacant(Arc::clone(at), self.block, self.offset, Place { class: self.class, ..Place::default() })
            }
        }
    }
}

/// The owner's record of each block of one segment: `offset ÷ 128 : 48 | class : 8 | held : 1 | allocated : 1`.
///
/// | held | allocated | the block is |
/// |---|---|---|
/// | 0 | 0 | vacant, or in the hands of `allocate` |
/// | 1 | 1 | a value's, and this process has a hold on it |
/// | 0 | 1 | a value's, in other processes or on its way |
///
/// `mark_allocated` sets both, as the last step of allocating. `held` is set and cleared with this process's hold bit;
/// unlike that bit it can't be changed by a peer. `allocated` is cleared by `release`, never while the block is held, and
/// whoever clears it has the block.
///
/// A record is changed under the block's stripe lock, or by `assign` while nobody has the block, so that loads and stores
/// will do; they are atomic for those who look without it.
pub(crate) struct Owned {
    pub(super) index: usize,
    records: Box<[AtomicU64]>,
    /// How many block headers have memory under them: what the control area says of it is for peers.
    headers_backed: AtomicU32,
}

const ALLOCATED: u64 = 1;
const HELD: u64 = 2;

impl Owned {
    /// # Errors
    ///
    /// [`Error::NoSpace`], if this process has no memory of its own for them.
    pub(super) fn new(index: usize, blocks: u32) -> Result<Self, Error> {
        // Zeroed by the system, page by page as they are touched: most never are.
        let records = bytemuck::try_zeroed_slice_box(blocks as usize);
        let requested = u64::from(blocks) * size_of::<AtomicU64>() as u64;
        let records = records.map_err(|()| Error::NoSpace { requested, available: 0 })?;
        Ok(Owned { index, records, headers_backed: AtomicU32::new(0) })
    }

    /// Where a block is, and of which class, that is nobody's: under the allocator's mutex.
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
#[inline]
pub(crate) fn mark_allocated(at: &Attachment, block: u32) {
    change(at, block, |record| record | ALLOCATED | HELD);
}

/// This process has a hold on the block again.
pub(crate) fn mark_held(at: &Attachment, block: u32) {
    change(at, block, |record| record | HELD);
}

/// This process has no hold on the block any more; before the word says so.
#[inline]
pub(crate) fn mark_unheld(at: &Attachment, block: u32) {
    change(at, block, |record| record & !HELD);
}

/// Under the stripe lock.
#[inline]
fn change(at: &Attachment, block: u32, to: impl FnOnce(u64) -> u64) {
    if let Some(record) = record(at, block) {
        record.store(to(record.load(Ordering::Relaxed)), Ordering::Release);
    }
}

/// The block's word is 0/0: makes it vacant, unless it is held here or somebody else has. Under the stripe lock.
#[inline]
pub(crate) fn release(at: &Attachment, block: u32) -> Option<Released> {
    let record = record(at, block)?;
    let before = record.load(Ordering::Relaxed);
    (before & (ALLOCATED | HELD) == ALLOCATED).then(|| {
        record.store(before & !ALLOCATED, Ordering::Release);
        Released { block, offset: (before >> 16) as usize * BLOCK_ALIGN, class: (before >> 8) as u8 }
    })
}

/// A recount has found the block at 0/0, and has left its word as `counted`: makes it vacant, unless somebody else has, or
/// has it by now. Under the stripe lock, after a drain.
pub(super) fn release_counted(at: &Attachment, block: u32, counted: Word) -> Option<Released> {
    // Version included: a block that has been allocated again has another.
    let same = at.word(block).load(Ordering::SeqCst) == counted.0;
    same.then(|| release(at, block)).flatten()
}

/// In a segment of this process's own, whether the block is a value's: whatever a ticket says. Of others' it can't be known.
pub(super) fn may_be_claimed(at: &Attachment, block: u32) -> bool {
    at.owned.is_none() || class_of(at, block).is_some_and(|(_, allocated)| allocated)
}

/// The class of a block of this process's own segment, and whether it is a value's.
pub(super) fn class_of(at: &Attachment, block: u32) -> Option<(u8, bool)> {
    let record = record(at, block)?.load(Ordering::Acquire);
    Some(((record >> 8) as u8, record & ALLOCATED != 0))
}

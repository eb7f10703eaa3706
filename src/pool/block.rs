//! A process's hold on a block: take it, share it, give it back, change its kind.
#![allow(unsafe_code)] // Bytes of the data area become slices here, for the typed rooms above.

use std::{
    mem,
    ptr::NonNull,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::{
    Counts, Error, Kind, SegmentId,
    pool::{
        Secret,
        attachment::{Attachment, Held},
        checkpoint::{Step, reached},
        layout::BLOCK_ALIGN,
        owner, peers,
        records::{self, Vacant},
        recovery,
        steps::{self, Intent},
        word::{MAX_HOLDERS, MAX_IN_FLIGHT, Refusal, Word},
    },
    segment::Locator,
};

/// This process's hold on one block. While one exists, the process's hold bit is set, `holders` counts the process, and
/// the bytes stay where they are.
pub(crate) struct Hold {
    /// Where the block is: `None` once the hold has gone over to a ticket.
    place: Option<Arc<Attachment>>,
    pub(crate) block: u32,
    /// The first byte of the block.
    data: NonNull<u8>,
    /// Bytes of the block that the value uses.
    len: usize,
    /// Changes at `thaw`, when this is the only hold anywhere.
    serial: AtomicU64,
    fingerprint: u64,
    /// The hold has gone over to a ticket: nothing is left to give.
    given: AtomicBool,
}

// SAFETY: `data` leads to shared memory that stays mapped as long as `place` is there; the bytes are reached only
// through `Part`, whose methods say what the caller must see to.
unsafe impl Send for Hold {}
// SAFETY: as above; everything else in it is immutable or atomic.
unsafe impl Sync for Hold {}

/// Where a block's bytes are, read from its header once, and checked.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    offset: usize,
    len: usize,
    fingerprint: u64,
}

impl Extent {
    /// Reads what a header says; it may say anything.
    pub(crate) fn read(at: &Attachment, block: u32) -> Result<Self, Error> {
        let header = at.control.block(block);
        let (offset, len) = (header.offset.load(Ordering::Acquire), header.length.load(Ordering::Acquire));
        let data = at.segment.data_len() as u64;
        let corrupt = |what, expected: String, found| Error::Corrupt { segment: at.id(), what, expected, found };
        if offset > data || !offset.is_multiple_of(BLOCK_ALIGN as u64) {
            return Err(corrupt("a block's offset", format!("a multiple of {BLOCK_ALIGN} up to {data}"), offset));
        }
        if len > data - offset {
            return Err(corrupt("a block's length", format!("at most {}", data - offset), len));
        }
        let fingerprint = header.fingerprint.load(Ordering::Relaxed);
        // Both are at most the length of a mapping of this process.
        Ok(Extent { offset: offset as usize, len: len as usize, fingerprint })
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// What a refused change of the word means to the caller.
pub(crate) fn refused(at: &Attachment, block: u32, refusal: Refusal) -> Error {
    let limit = |count, limit| Error::CountLimit { segment: at.id(), block, count, limit };
    match refusal {
        Refusal::Holders => limit("holders", MAX_HOLDERS),
        Refusal::InFlight => limit("in_flight", MAX_IN_FLIGHT),
        Refusal::Unfit => Error::Expired { segment: at.id(), block },
        Refusal::Below => Error::Corrupt {
            segment: at.id(),
            what: "a block's word",
            expected: "counts above zero".into(),
            found: at.control.block(block).word.load(Ordering::Relaxed),
        },
    }
}

/// The word has just reached 0/0 by this process's change: gives the block back. Call it under the intent; what it
/// returns goes to `owner::put_back` after the stripe lock is free.
#[must_use = "the block is lost if it is not put back"]
pub(crate) fn give_back(at: &Arc<Attachment>, block: u32) -> Option<Vacant> {
    if at.owned.is_some() {
        let vacant = records::release(at, block);
        reached(Step::GiveReleased);
        return vacant;
    }
    if !recovery::give_back_to_nobody(at, block) {
        steps::push_returned(&**at, block);
    }
    None
}

impl Hold {
    pub(crate) fn new(at: Arc<Attachment>, block: u32, extent: Extent, serial: u64) -> Self {
        // SAFETY: `extent` was checked against the length of the data area.
        let data = unsafe { at.segment.data().add(extent.offset) };
        Hold {
            place: Some(at),
            block,
            data,
            len: extent.len,
            serial: AtomicU64::new(serial),
            fingerprint: extent.fingerprint,
            given: AtomicBool::new(false),
        }
    }

    pub(crate) fn at(&self) -> &Arc<Attachment> {
        match &self.place {
            Some(place) => place,
            None => unreachable!("the place is taken only by drop"),
        }
    }

    pub(crate) fn serial(&self) -> u64 {
        self.serial.load(Ordering::Relaxed)
    }
}

impl Drop for Hold {
    /// Give: the last handle here is gone.
    fn drop(&mut self) {
        let Some(at) = self.place.take() else { return };
        if at.is_inherited() {
            // The parent has it, and its mutexes may be locked for ever here.
            return mem::forget(at);
        }
        if *self.given.get_mut() {
            return peers::unmap_if_done(at);
        }
        let vacant = {
            let mut stripe = at.stripe(self.block);
            let held = stripe.held(self.block);
            held.count -= 1;
            if held.count > 0 {
                return;
            }
            held.hold = Weak::new();
            let _intent = Intent::on(&*at, self.block);
            match steps::give(&*at, at.slot, self.block) {
                Ok(word) if word.is_zero() => give_back(&at, self.block),
                // A word that can't go down was changed against the protocol: the block is left alone.
                _ => None,
            }
        };
        match vacant {
            Some(vacant) => owner::put_back(at, vacant),
            None => peers::unmap_if_done(at),
        }
    }
}

/// A range of a block that this process holds: a handle without its type. Cloning it makes another handle, by an `Arc`.
#[derive(Clone)]
pub(crate) struct Part {
    hold: Arc<Hold>,
    /// INVARIANT: `start..start + len` lies within the hold's block.
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: `start` leads into the block that `hold`, which is `Send` and `Sync`, keeps mapped and alive.
unsafe impl Send for Part {}
// SAFETY: as above; `&Part` gives out shared bytes only.
unsafe impl Sync for Part {}

impl Part {
    /// The whole block.
    pub(crate) fn whole(hold: Arc<Hold>) -> Self {
        Part { start: hold.data, len: hold.len, hold }
    }

    /// The bytes.
    ///
    /// # Safety
    ///
    /// Nobody, in any process, writes them while the slice lives: the block is not exclusive, or this is its only
    /// handle and is borrowed.
    pub(crate) unsafe fn bytes(&self) -> &[u8] {
        // SAFETY: mapped and readable by the invariant of `start`; not written, by the caller.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// The bytes, to write.
    ///
    /// # Safety
    ///
    /// The block is exclusive, this part has its range alone, and the data area is writable here.
    pub(crate) unsafe fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: mapped and writable, and nobody else's, by the caller and the invariant of `start`.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Offset of the range in its block, in bytes: what travels.
    pub(crate) fn offset(&self) -> usize {
        self.start.as_ptr() as usize - self.hold.data.as_ptr() as usize
    }

    /// The range `offset..offset + len` of this one.
    ///
    /// # Panics
    ///
    /// If it does not lie within.
    pub(crate) fn narrow(self, offset: usize, len: usize) -> Part {
        assert!(offset <= self.len && len <= self.len - offset, "a part of a part lies within it");
        // SAFETY: within the range, by the line above.
        let start = unsafe { self.start.add(offset) };
        Part { hold: self.hold, start, len }
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        self.hold.fingerprint
    }

    pub(crate) fn same_block(&self, other: &Part) -> bool {
        Arc::ptr_eq(self.hold.at(), other.hold.at()) && self.hold.block == other.hold.block
    }

    /// Same block, same range.
    pub(crate) fn same_range(&self, other: &Part) -> bool {
        self.same_block(other) && self.start == other.start && self.len == other.len
    }

    pub(crate) fn counts(&self) -> Counts {
        let word = Word(self.hold.at().control.block(self.hold.block).word.load(Ordering::Acquire));
        Counts {
            handles: Arc::strong_count(&self.hold),
            holders: word.holders() as usize,
            in_flight: word.in_flight() as usize,
        }
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.hold.at().secret
    }

    pub(crate) fn locator(&self) -> Locator {
        self.hold.at().segment.locator()
    }

    pub(crate) fn segment(&self) -> SegmentId {
        self.hold.at().id()
    }

    pub(crate) fn hold(&self) -> &Arc<Hold> {
        &self.hold
    }

    /// Under the stripe lock: this is the only handle of this process, and stays so while the lock is held, because
    /// further handles come from it or, under the lock, from a claim.
    ///
    /// What other threads read through handles that they have dropped happens before whatever follows: the upgrade
    /// acquires what their drops released, which the count alone, a relaxed load, would not.
    pub(crate) fn alone_here(&self, held: &Held) -> bool {
        held.count == 1 && Arc::strong_count(&self.hold) == 1 && held.hold.upgrade().is_some()
    }

    /// The hold has gone over to a ticket, under the stripe lock: nothing is given when `self` drops.
    pub(crate) fn hand_over(&self) {
        self.hold.given.store(true, Ordering::Relaxed);
    }

    /// `SharedMut` to `Shared`.
    ///
    /// # Errors
    ///
    /// `NotAlone` unless this is the only handle anywhere and nothing is in flight.
    pub(crate) fn freeze(&self) -> Result<(), Error> {
        self.change_kind(Kind::Shared)
    }

    /// `Shared` to `SharedMut`: the block gets a new serial, so that tokens of the old value expire, and the data area
    /// is writable here afterwards.
    ///
    /// # Errors
    ///
    /// `NotAlone` unless this is the only handle anywhere and nothing is in flight; `Os` if the data area can't be made
    /// writable.
    pub(crate) fn thaw(&self) -> Result<(), Error> {
        self.change_kind(Kind::SharedMut)
    }

    fn change_kind(&self, to: Kind) -> Result<(), Error> {
        let at = self.hold.at();
        at.refuse_inherited()?;
        let mut stripe = at.stripe(self.hold.block);
        let exclusive = to == Kind::SharedMut;
        let word = at.control.block(self.hold.block).word.load(Ordering::Acquire);
        let possible = Word(word).of_kind(exclusive).is_ok();
        if !possible || !self.alone_here(stripe.held(self.hold.block)) {
            return Err(Error::NotAlone(self.counts()));
        }
        if exclusive {
            at.segment.make_writable()?;
        }
        let _intent = Intent::on(&**at, self.hold.block);
        let serial = steps::change_kind(&**at, self.hold.block, self.hold.serial(), exclusive)
            .map_err(|_| Error::NotAlone(self.counts()))?;
        self.hold.serial.store(serial, Ordering::Relaxed);
        Ok(())
    }
}

/// Makes a vacant block the first handle's: count of live blocks, serial, header, word, hold bit, and only then
/// *allocated* in the private state.
pub(crate) fn allocate(
    at: Arc<Attachment>,
    vacant: &Vacant,
    len: usize,
    fingerprint: u64,
    kind: Kind,
) -> Result<Part, Error> {
    let block = vacant.block;
    let extent = Extent { offset: vacant.offset, len, fingerprint };
    // Nobody but the owner changes the serial of a block that nobody has.
    let serial = at.control.block(block).serial.load(Ordering::Relaxed).wrapping_add(1);
    let hold = Arc::new(Hold::new(at, block, extent, serial));
    let at = hold.at();
    let mut stripe = at.stripe(block);
    let intent = Intent::on(&**at, block);
    at.control.live().fetch_add(1, Ordering::SeqCst);
    reached(Step::AllocateLive);
    let header = at.control.block(block);
    let describe = || {
        header.offset.store(extent.offset as u64, Ordering::Relaxed);
        header.length.store(len as u64, Ordering::Relaxed);
        header.fingerprint.store(fingerprint, Ordering::Relaxed);
    };
    // A hold on a block that is vacant was claimed with a ticket that no honest process has issued.
    let allocated = match stripe.held(block).count {
        0 => steps::allocate(&**at, block, serial, kind == Kind::SharedMut, describe),
        _ => Err(Refusal::Unfit),
    };
    if let Err(refusal) = allocated {
        // Somebody has changed the word of a free block: it is never used again.
        at.control.live().fetch_sub(1, Ordering::SeqCst);
        hold.given.store(true, Ordering::Relaxed);
        return Err(refused(at, block, refusal));
    }
    records::mark_allocated(at, block);
    reached(Step::AllocateMarked);
    *stripe.held(block) = Held { count: 1, hold: Arc::downgrade(&hold) };
    drop(intent);
    drop(stripe);
    Ok(Part::whole(hold))
}

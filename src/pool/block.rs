//! Blocks in use: made of vacant ones, seen as bytes, changed in kind, and given back.
#![allow(unsafe_code)] // Bytes of the data area become slices here, for the typed rooms above.

use std::{
    ptr::NonNull,
    sync::{Arc, atomic::Ordering},
};

use crate::{
    Counts, Error, Kind, SegmentId,
    pool::{
        Secret,
        attachment::Attachment,
        checkpoint::{Step, reached},
        hold::{Held, Hold},
        layout::BLOCK_ALIGN,
        records::{self, Released},
        recovery,
        steps::{self, Intent},
        stripe::Known,
        word::{MAX_HOLDERS, MAX_IN_FLIGHT, Refusal, Word},
    },
    segment::Locator,
    sys::Whereabouts,
};

/// Where a block's bytes are, read from its header once, and checked.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) offset: usize,
    pub(crate) len: usize,
    pub(crate) fingerprint: u64,
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

/// The word has just reached 0/0 by this process's change: gives the block back. Call it under stripe lock and intent; what
/// it returns is put back after the lock is free.
pub(crate) fn give_back(at: &Attachment, block: u32) -> Option<Released> {
    if at.owned.is_some() {
        let released = records::release(at, block);
        reached(Step::GiveReleased);
        return released;
    }
    if !recovery::give_back_to_nobody(at, block) {
        steps::push_returned(at, block);
    }
    None
}

/// A range of a block that this process holds: a handle without its type. Cloning it makes another handle, by a count.
/// Laid out as a file's part is, so that a look at the bytes is the same for both.
#[derive(Clone)]
#[repr(C)]
pub(crate) struct Part {
    hold: Hold,
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
    pub(crate) fn whole(hold: Hold) -> Self {
        Part { start: hold.data(), len: hold.len(), hold }
    }

    /// The bytes.
    ///
    /// # Safety
    ///
    /// Nobody, in any process, writes them while the slice lives: the block is not exclusive, or this part has its range
    /// alone and is borrowed.
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

    /// Has the system write the bytes; false if it can't. The part must be the only handle of a new block.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        let at = &self.hold.at;
        let start = self.start.as_ptr() as usize - at.segment.data().as_ptr() as usize;
        bytes.len() <= self.len && at.segment.write(at.segment.control_len() + start, bytes)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of the whole block that its value, or all of its parts, use.
    pub(crate) fn block_len(&self) -> usize {
        self.hold.len()
    }

    /// Offset of the range in its block, in bytes: what travels.
    pub(crate) fn offset(&self) -> usize {
        self.start.as_ptr() as usize - self.hold.data().as_ptr() as usize
    }

    /// What any program of this user opens to map the bytes while this process holds them, and where they begin in it.
    ///
    /// # Errors
    ///
    /// `Inherited`.
    pub(crate) fn whereabouts(&self) -> Result<(Whereabouts, u64), Error> {
        self.hold.at.refuse_inherited()?;
        let segment = &self.hold.at.segment;
        let start = self.start.as_ptr() as usize - segment.control().as_ptr() as usize;
        Ok((segment.whereabouts(), start as u64))
    }

    /// The range `offset..offset + len` of this one.
    ///
    /// # Panics
    ///
    /// If it does not lie within.
    #[inline]
    pub(crate) fn narrow(self, offset: usize, len: usize) -> Part {
        assert!(offset <= self.len && len <= self.len - offset, "a part of a part lies within it");
        // SAFETY: within the range, by the line above.
        let start = unsafe { self.start.add(offset) };
        Part { hold: self.hold, start, len }
    }

    /// All of the block that this is a part of.
    pub(crate) fn whole_block(self) -> Part {
        Self::whole(self.hold)
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        self.hold.fingerprint()
    }

    pub(crate) fn same_block(&self, other: &Part) -> bool {
        Arc::ptr_eq(&self.hold.at, &other.hold.at) && self.hold.block == other.hold.block
    }

    /// Same block, same range.
    pub(crate) fn same_range(&self, other: &Part) -> bool {
        self.same_block(other) && self.start == other.start && self.len == other.len
    }

    pub(crate) fn counts(&self) -> Counts {
        let word = Word(self.hold.at.control.block(self.hold.block).word.load(Ordering::Acquire));
        Counts { handles: self.hold.handles(), holders: word.holders() as usize, in_flight: word.in_flight() as usize }
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.hold.at.secret
    }

    pub(crate) fn locator(&self) -> Locator {
        self.hold.at.segment.locator()
    }

    pub(crate) fn segment(&self) -> SegmentId {
        self.hold.at.id()
    }

    pub(crate) fn hold(&self) -> &Hold {
        &self.hold
    }

    /// Under the stripe lock: this is the only handle of this process, and stays so while the lock is held, because
    /// further handles come from it or, under the lock, from a claim. What other threads read through handles that they have
    /// dropped happens before whatever follows.
    pub(crate) fn alone_here(&self) -> bool {
        self.hold.handles() == 1
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

    /// Others that stand in the way may be dead: looks for them once.
    fn change_kind(&self, to: Kind) -> Result<(), Error> {
        match self.try_change_kind(to) {
            Err(Error::NotAlone(counts)) if counts.handles == 1 => {
                recovery::sweep_for(&self.hold.at);
                self.try_change_kind(to)
            }
            result => result,
        }
    }

    fn try_change_kind(&self, to: Kind) -> Result<(), Error> {
        let at = &*self.hold.at;
        at.refuse_inherited()?;
        let _stripe = at.stripe(self.hold.block);
        let exclusive = to == Kind::SharedMut;
        let word = at.control.block(self.hold.block).word.load(Ordering::Acquire);
        let possible = Word(word).of_kind(exclusive).is_ok();
        if !possible || !self.alone_here() {
            return Err(Error::NotAlone(self.counts()));
        }
        if exclusive {
            at.segment.make_writable()?;
        }
        let _intent = Intent::on(at, self.hold.block);
        let serial = steps::change_kind(at, self.hold.block, self.hold.serial(), exclusive)
            .map_err(|_| Error::NotAlone(self.counts()))?;
        self.hold.set_serial(serial);
        Ok(())
    }
}

/// Makes a vacant block the first handle's: serial, header, word, hold bit, and only then *allocated* in the private state.
pub(crate) fn allocate(mut vacant: Box<Held>, len: usize, fingerprint: u64, kind: Kind) -> Result<Part, Error> {
    // Nobody but the owner changes the serial of a block that nobody has.
    let serial = vacant.at.control.block(vacant.block).serial.load(Ordering::Relaxed).wrapping_add(1);
    vacant.describe(len, fingerprint, serial);
    let hold = Hold::first(vacant);
    let (at, block, offset) = (&*hold.at, hold.block, hold.offset());
    let mut stripe = at.stripe(block);
    let intent = Intent::on(at, block);
    let header = at.control.block(block);
    let describe = || {
        header.offset.store(offset as u64, Ordering::Relaxed);
        header.length.store(len as u64, Ordering::Relaxed);
        header.fingerprint.store(fingerprint, Ordering::Relaxed);
    };
    let known = stripe.known(block);
    // A hold on a block that is vacant was claimed with a ticket that no honest process has issued.
    let allocated = match known.is_held() {
        false => steps::allocate(at, block, serial, kind == Kind::SharedMut, describe),
        true => Err(Refusal::Unfit),
    };
    if let Err(refusal) = allocated {
        // Somebody has changed the word of a free block: it is never used again.
        hold.disown();
        return Err(refused(at, block, refusal));
    }
    records::mark_allocated(at, block);
    reached(Step::AllocateMarked);
    *known = Known::Held(hold.registered());
    drop(intent);
    drop(stripe);
    Ok(Part::whole(hold))
}

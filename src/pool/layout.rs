//! The control area, drawn; the sizes in it, checked; and the only door to its words.
//!
//! ```text
//! segment  ┌──────────────────────────────────────────────────────────────┐
//!        0 │ header          one page; the first 256 bytes never change   │
//!          │ slots           participants × 16 B: who is attached         │
//!          │ tickets         tickets × 32 B, backed in chunks as needed   │
//!          │ block headers   blocks × 64 B, backed in chunks as needed    │
//!          │ rows            participants × stripes, each row backed      │
//!          │                 when its slot is occupied                    │
//!  control ├──────────────────────────────────────────────────────────────┤
//!          │ data            blocks, 128-byte aligned                     │
//! +   data └──────────────────────────────────────────────────────────────┘
//!
//! header   0 magic:u64 │ 8 abi:u32 │ 12 owner slot:u32 │ 16 id:u64 │ 24 secret:16 B │ 40 control:u64 │ 48 data:u64
//!          56 participants:u32 │ 60 stripes:u32 │ 64 blocks:u32 │ 68 tickets:u32 │ 72 …
//!          256 state:u32 │ 260 tickets backed:u32 │ 264 blocks backed:u32
//!          384 returned:u64 (block + 1 of the top of the stack, or 0)
//! slot     0 mark:u64 (0 free, or identity << 8 | exited << 1 | 1) │ 8 process id:u64
//! ticket   0 word:u64 │ 8 serial:u64 │ 16 boot time:u64 │ 24 kind and block:u32 │ 28 signal:u32
//! block    0 word:u64 │ 8 serial:u64 │ 16 offset:u64 │ 24 length:u64 │ 32 fingerprint:u64 │ 40 next:u64 │ 48 …
//! stripe   0 intent:u64 (block + 1, or 0) │ 8 hold bits of its blocks, which are blocks apart by the number of stripes
//! ```
//!
//! Each stripe of a row has cache lines, and so words, of its own: no two threads of a process change the same ones, and what
//! is changed under the stripe lock needs no locked instruction.
//!
//! All numbers are little-endian and of fixed width. Every word that changes is an atomic; whoever reads one reads it
//! once, checks it, and uses the copy.
#![allow(unsafe_code)] // The door: pointers into the mapping become references to atomics here and nowhere else.

use std::{
    mem::offset_of,
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use crate::{
    Error, SegmentId,
    pool::{Secret, word::MAX_ISSUER},
    segment::{GRANULE, PREFIX, Segment, Sizes},
    sys,
};

const _: () = assert!(cfg!(target_endian = "little"), "the control area is little-endian, and so must the machine be");

/// `commonag`, little-endian.
const MAGIC: u64 = u64::from_le_bytes(*b"commonag");
/// Two programs share a segment only if they agree on this number.
pub(crate) const ABI: u32 = 3;

/// Bytes of a cache line.
const LINE: usize = 64;

/// How many stripe locks a process has for each segment, and so how many intents a participant has.
pub(crate) const STRIPES: usize = 64;

/// The data of every block begins at a multiple of this many bytes.
pub(crate) const BLOCK_ALIGN: usize = 128;

/// Pages of the pool: blocks of a page or more begin at a multiple of this many bytes. A unit of accounting; the
/// machine's own pages may be larger.
pub(crate) const PAGE: usize = 4096;

#[repr(C)]
struct Header {
    magic: AtomicU64,
    abi: AtomicU32,
    owner_slot: AtomicU32,
    id: AtomicU64,
    secret: [AtomicU64; 2],
    control: AtomicU64,
    data: AtomicU64,
    participants: AtomicU32,
    stripes: AtomicU32,
    blocks: AtomicU32,
    tickets: AtomicU32,
    constant: [AtomicU64; 23],
    state: AtomicU32,
    tickets_backed: AtomicU32,
    blocks_backed: AtomicU32,
    fill_0: [AtomicU32; 29],
    returned: AtomicU64,
}
const _: () = assert!(offset_of!(Header, secret) == 24 && offset_of!(Header, tickets) == 68);
const _: () = assert!(offset_of!(Header, state) == PREFIX && offset_of!(Header, returned) == 384);
const _: () = assert!(size_of::<Header>() == 392);

/// One participant: who it is.
#[repr(C)]
pub(crate) struct Slot {
    /// 0: free. Else `identity << 8 | exited << 1 | 1`, where the identity is what `Segment::liveness` asks by. Its occupant
    /// swaps it from 0 when it has the slot's lock and the row has memory, and sets `exited` at a clean exit if it still
    /// holds something; it goes back to 0 as the last step of leaving or of being swept.
    pub(crate) mark: AtomicU64,
    /// For messages only: who the occupant is, or was.
    pub(crate) pid: AtomicU64,
}
const _: () = assert!(size_of::<Slot>() == 16);

/// One serialization that has not been claimed.
#[repr(C)]
pub(crate) struct TicketRow {
    /// A `TicketWord`.
    pub(crate) word: AtomicU64,
    pub(crate) serial: AtomicU64,
    pub(crate) time: AtomicU64,
    /// The block; bit 31 is set if it is a `SharedMut`'s.
    pub(crate) block: AtomicU32,
    /// What a claim of a held ticket sleeps on: bit 0 says that one does, the rest counts wake-ups.
    pub(crate) signal: AtomicU32,
}
const _: () = assert!(size_of::<TicketRow>() == 32);

/// One block.
#[repr(C)]
pub(crate) struct BlockHeader {
    /// A `Word`.
    pub(crate) word: AtomicU64,
    /// New at each allocation and at each `try_into_mut`.
    pub(crate) serial: AtomicU64,
    /// Where the block begins, in bytes from the start of the data area.
    pub(crate) offset: AtomicU64,
    /// Bytes that the value uses.
    pub(crate) length: AtomicU64,
    pub(crate) fingerprint: AtomicU64,
    /// The next block of the returned stack, + 1; 0 at its end.
    pub(crate) next: AtomicU64,
    fill: [AtomicU64; 2],
}
const _: () = assert!(size_of::<BlockHeader>() == 64);

/// What the owner says of its segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum State {
    /// In use.
    Active = 1,
    /// The owner is exiting.
    Exiting = 2,
    /// The owner does not use it any more: unmap it as soon as nothing is held in it.
    Retired = 3,
    /// The owner is dead: whoever gives back a block gives its memory to the system.
    Orphaned = 4,
}

/// The sizes of the tables, and so the place of everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    pub(crate) participants: u32,
    pub(crate) blocks: u32,
    pub(crate) tickets: u32,
    pub(crate) data: usize,
}

impl Layout {
    /// The tables of a new segment. Where memory is sparse, large ones cost nothing.
    pub(crate) fn for_data(data: usize) -> Self {
        let (participants, blocks, tickets) = if sys::PUNCHES { (1024, 65_536, 16_384) } else { (64, 4096, 1024) };
        Layout { participants, blocks, tickets, data }
    }

    const SLOTS: usize = PAGE;

    fn tickets_at(&self) -> usize {
        (Self::SLOTS + self.participants as usize * size_of::<Slot>()).next_multiple_of(PAGE)
    }

    fn blocks_at(&self) -> usize {
        (self.tickets_at() + self.tickets as usize * size_of::<TicketRow>()).next_multiple_of(PAGE)
    }

    fn rows_at(&self) -> usize {
        (self.blocks_at() + self.blocks as usize * size_of::<BlockHeader>()).next_multiple_of(PAGE)
    }

    /// Words of hold bits in each stripe of a row.
    fn hold_words(&self) -> usize {
        (self.blocks as usize).div_ceil(STRIPES * 64)
    }

    /// Bytes of each stripe of a row.
    fn stripe_len(&self) -> usize {
        ((1 + self.hold_words()) * 8).next_multiple_of(LINE)
    }

    fn row_len(&self) -> usize {
        (STRIPES * self.stripe_len()).next_multiple_of(PAGE)
    }

    /// Bytes of the control area.
    pub(crate) fn control(&self) -> usize {
        (self.rows_at() + self.participants as usize * self.row_len()).next_multiple_of(GRANULE)
    }

    /// What must be backed before the segment is used at all: header and slots.
    pub(crate) fn always(&self) -> std::ops::Range<usize> {
        0..self.tickets_at()
    }

    /// The tickets `from..to`.
    pub(crate) fn ticket_bytes(&self, from: u32, to: u32) -> std::ops::Range<usize> {
        let at = |n: u32| self.tickets_at() + n as usize * size_of::<TicketRow>();
        at(from)..at(to)
    }

    /// The block headers `from..to`.
    pub(crate) fn block_bytes(&self, from: u32, to: u32) -> std::ops::Range<usize> {
        let at = |n: u32| self.blocks_at() + n as usize * size_of::<BlockHeader>();
        at(from)..at(to)
    }

    /// The slots.
    pub(crate) fn slots(&self) -> std::ops::Range<usize> {
        Self::SLOTS..Self::SLOTS + self.participants as usize * size_of::<Slot>()
    }

    /// Where the header says how many tickets have memory.
    pub(crate) const TICKETS_BACKED: u64 = offset_of!(Header, tickets_backed) as u64;

    /// The row of a participant.
    pub(crate) fn row_bytes(&self, slot: u32) -> std::ops::Range<usize> {
        let at = self.rows_at() + slot as usize * self.row_len();
        at..at + self.row_len()
    }

    /// Reads the constant part of a header that may hold anything: the only way to a `Layout` that did not come from
    /// this process.
    pub(crate) fn parse(prefix: &[u8; PREFIX], size: u64, id: SegmentId) -> Result<(Layout, Secret), Error> {
        let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| prefix[at + i]));
        let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| prefix[at + i]));
        let not_it = |expected, found: String| Error::NotTheSegment {
            segment: id,
            locator: "the object that the token leads to".into(),
            expected,
            found,
        };
        if u64_at(offset_of!(Header, magic)) != MAGIC {
            return Err(not_it("a segment's header", format!("{:#018x}", u64_at(offset_of!(Header, magic)))));
        }
        let abi = u32_at(offset_of!(Header, abi));
        if abi != ABI {
            return Err(Error::Abi { segment: id, expected: ABI, found: abi });
        }
        if u64_at(offset_of!(Header, id)) != id.0 {
            let found = SegmentId(u64_at(offset_of!(Header, id)));
            return Err(not_it("the id that the token names", format!("segment {found}")));
        }
        let corrupt =
            |what, expected: &str, found| Error::Corrupt { segment: id, what, expected: expected.into(), found };
        let within = |what, at: usize, max: u32, multiple: u32| match u32_at(at) {
            n if n > 0 && n <= max && n % multiple == 0 => Ok(n),
            n => Err(corrupt(what, &format!("a multiple of {multiple} from 1 to {max}"), n.into())),
        };
        let participants = within("participants", offset_of!(Header, participants), MAX_ISSUER, 1)?;
        let blocks = within("blocks", offset_of!(Header, blocks), 1 << 20, 64)?;
        let tickets = within("tickets", offset_of!(Header, tickets), 1 << 20, 1)?;
        within("stripes", offset_of!(Header, stripes), STRIPES as u32, STRIPES as u32)?;
        let data = u64_at(offset_of!(Header, data));
        let usable = usize::try_from(data).ok().filter(|d| *d <= isize::MAX as usize / 2 && d % GRANULE == 0 && *d > 0);
        let usable = usable.ok_or_else(|| corrupt("the size of the data area", "a multiple of 64 KiB", data))?;
        let layout = Layout { participants, blocks, tickets, data: usable };
        let control = u64_at(offset_of!(Header, control));
        if control != layout.control() as u64 {
            return Err(corrupt("the size of the control area", &layout.control().to_string(), control));
        }
        if size < control + data {
            return Err(corrupt("the size of the object", &(control + data).to_string(), size));
        }
        let at = offset_of!(Header, secret);
        Ok((layout, std::array::from_fn(|i| prefix[at + i])))
    }

    pub(crate) fn sizes(&self) -> Sizes {
        Sizes { control: self.control(), data: self.data }
    }
}

/// The control area of a mapped segment. Every index is checked against the tables; what may be touched at all
/// (backed memory) is the caller's to know.
pub(crate) struct Control {
    /// INVARIANT: the start of a writable mapping of at least `layout.control()` bytes that outlives `self`.
    base: NonNull<u8>,
    pub(crate) layout: Layout,
    places: Places,
}

/// Where the tables of a layout begin, worked out once: every change of a block asks.
struct Places {
    tickets: usize,
    blocks: usize,
    rows: usize,
    row_len: usize,
    stripe_len: usize,
}

// SAFETY: `base` leads to shared memory that is touched through atomics only.
unsafe impl Send for Control {}
// SAFETY: as above.
unsafe impl Sync for Control {}

impl Control {
    /// # Safety
    ///
    /// `segment` must outlive the value and must have at least `layout.control()` bytes of control area.
    pub(crate) unsafe fn new(segment: &Segment, layout: Layout) -> Self {
        debug_assert!(segment.control_len() >= layout.control());
        let places = Places {
            tickets: layout.tickets_at(),
            blocks: layout.blocks_at(),
            rows: layout.rows_at(),
            row_len: layout.row_len(),
            stripe_len: layout.stripe_len(),
        };
        Control { base: segment.control(), layout, places }
    }

    /// The `T` at `offset`, a struct of atomics.
    #[inline]
    fn at<T>(&self, offset: usize) -> &T {
        debug_assert!(offset + size_of::<T>() <= self.layout.control() && offset.is_multiple_of(align_of::<T>()));
        // SAFETY: the callers below derive `offset` from the layout with an index checked against its table, so that
        // it stays inside the control area, which is mapped by the invariant of `base`.
        let place = unsafe { self.base.add(offset) };
        // SAFETY: inside the mapping, aligned (all tables are at multiples of a page, all rows multiples of their
        // alignment), and `T` is a struct of atomics, for which any bytes and concurrent changes are valid.
        unsafe { place.cast::<T>().as_ref() }
    }

    fn header(&self) -> &Header {
        self.at(0)
    }

    /// Writes the header of a new segment; the magic last.
    pub(crate) fn found(&self, id: SegmentId, secret: Secret, owner_slot: u32) {
        let (header, layout) = (self.header(), &self.layout);
        header.abi.store(ABI, Ordering::Relaxed);
        header.owner_slot.store(owner_slot, Ordering::Relaxed);
        header.id.store(id.0, Ordering::Relaxed);
        for (word, half) in header.secret.iter().zip(secret.chunks_exact(8)) {
            word.store(u64::from_le_bytes(std::array::from_fn(|i| half[i])), Ordering::Relaxed);
        }
        header.control.store(layout.control() as u64, Ordering::Relaxed);
        header.data.store(layout.data as u64, Ordering::Relaxed);
        header.participants.store(layout.participants, Ordering::Relaxed);
        header.stripes.store(STRIPES as u32, Ordering::Relaxed);
        header.blocks.store(layout.blocks, Ordering::Relaxed);
        header.tickets.store(layout.tickets, Ordering::Relaxed);
        header.state.store(State::Active as u32, Ordering::Relaxed);
        // Release: with the acquire of whoever reads the magic through a mapping; `pread` synchronises by itself.
        header.magic.store(MAGIC, Ordering::Release);
    }

    pub(crate) fn owner_slot(&self) -> u32 {
        self.header().owner_slot.load(Ordering::Relaxed)
    }

    /// Anything else than a state reads as retired: such a segment is not worth keeping.
    pub(crate) fn state(&self) -> State {
        match self.header().state.load(Ordering::SeqCst) {
            1 => State::Active,
            2 => State::Exiting,
            4 => State::Orphaned,
            _ => State::Retired,
        }
    }

    /// Whoever sees the state sees what the owner did before. SeqCst, as the marks of the slots: of an owner and a peer that
    /// leave at once, at least one sees that the other has.
    pub(crate) fn set_state(&self, state: State) {
        self.header().state.store(state as u32, Ordering::SeqCst);
    }

    /// How many tickets, from the first, have memory under them.
    pub(crate) fn tickets_backed(&self) -> u32 {
        self.header().tickets_backed.load(Ordering::Acquire).min(self.layout.tickets)
    }

    pub(crate) fn raise_tickets_backed(&self, to: u32) {
        self.header().tickets_backed.fetch_max(to, Ordering::AcqRel);
    }

    /// How many block headers, from the first, have memory under them.
    pub(crate) fn blocks_backed(&self) -> u32 {
        self.header().blocks_backed.load(Ordering::Acquire).min(self.layout.blocks)
    }

    pub(crate) fn raise_blocks_backed(&self, to: u32) {
        self.header().blocks_backed.fetch_max(to, Ordering::AcqRel);
    }

    /// Top of the stack of returned blocks.
    pub(crate) fn returned(&self) -> &AtomicU64 {
        &self.header().returned
    }

    pub(crate) fn slot(&self, slot: u32) -> &Slot {
        assert!(slot < self.layout.participants);
        self.at(Layout::SLOTS + slot as usize * size_of::<Slot>())
    }

    #[inline]
    pub(crate) fn ticket(&self, ticket: u32) -> &TicketRow {
        assert!(ticket < self.layout.tickets);
        self.at(self.places.tickets + ticket as usize * size_of::<TicketRow>())
    }

    #[inline]
    pub(crate) fn block(&self, block: u32) -> &BlockHeader {
        assert!(block < self.layout.blocks);
        self.at(self.places.blocks + block as usize * size_of::<BlockHeader>())
    }

    /// The intent of a participant for the stripe of `block`.
    #[inline]
    pub(crate) fn intent(&self, slot: u32, block: u32) -> &AtomicU64 {
        self.at(self.stripe(slot, block))
    }

    /// Where the stripe of `block` begins in a participant's row.
    #[inline]
    fn stripe(&self, slot: u32, block: u32) -> usize {
        assert!(slot < self.layout.participants);
        let Places { rows, row_len, stripe_len, .. } = self.places;
        rows + slot as usize * row_len + block as usize % STRIPES * stripe_len
    }

    /// The word of a participant's row that has the hold bit of `block`, and the bit.
    #[inline]
    pub(crate) fn hold_bit(&self, slot: u32, block: u32) -> (&AtomicU64, u64) {
        assert!(block < self.layout.blocks);
        let bit = block as usize / STRIPES;
        (self.at(self.stripe(slot, block) + (1 + bit / 64) * 8), 1 << (bit % 64))
    }

    /// The first block of each word of hold bits that a row has: 0, 4096, 8192 … are those of the first stripe, the other
    /// stripes' follow.
    fn hold_words(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.layout.hold_words() as u32)
            .flat_map(|word| (0..STRIPES as u32).map(move |stripe| word * 64 * STRIPES as u32 + stripe))
            .filter(|first| *first < self.layout.blocks)
    }

    /// Clears all hold bits of a dead participant, those that are of no block included.
    pub(crate) fn clear_hold_bits(&self, slot: u32) {
        self.hold_words().for_each(|first| self.hold_bit(slot, first).0.store(0, Ordering::Release));
    }

    /// The blocks of which a participant has the hold bit, each word of bits as it is when the iterator comes to it. The
    /// bits may be of blocks that there are not.
    pub(crate) fn hold_bits(&self, slot: u32) -> impl Iterator<Item = u32> + '_ {
        self.hold_words().flat_map(move |first| {
            let mut bits = self.hold_bit(slot, first).0.load(Ordering::SeqCst);
            std::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros())?;
                bits &= bits - 1;
                Some(first + bit * STRIPES as u32)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(layout: &Layout, id: u64) -> [u8; PREFIX] {
        let mut bytes = [0; PREFIX];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &MAGIC.to_le_bytes());
        put(8, &ABI.to_le_bytes());
        put(16, &id.to_le_bytes());
        put(24, &[7; 16]);
        put(40, &(layout.control() as u64).to_le_bytes());
        put(48, &(layout.data as u64).to_le_bytes());
        put(56, &layout.participants.to_le_bytes());
        put(60, &(STRIPES as u32).to_le_bytes());
        put(64, &layout.blocks.to_le_bytes());
        put(68, &layout.tickets.to_le_bytes());
        bytes
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let layout = Layout::for_data(16 << 20);
        let size = (layout.control() + layout.data) as u64;
        let (read, secret) = Layout::parse(&prefix(&layout, 9), size, SegmentId(9)).unwrap();
        assert_eq!((read, secret), (layout, [7; 16]));
        assert!(matches!(Layout::parse(&prefix(&layout, 9), size - 1, SegmentId(9)), Err(Error::Corrupt { .. })));
        assert!(matches!(Layout::parse(&prefix(&layout, 8), size, SegmentId(9)), Err(Error::NotTheSegment { .. })));
    }

    #[test]
    fn a_header_of_noise_is_an_error_or_a_layout_that_fits() {
        let layout = Layout::for_data(16 << 20);
        let good = prefix(&layout, 9);
        let size = (layout.control() + layout.data) as u64;
        for at in 0..72 {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = good;
                bytes[at] = value;
                if let Ok((read, _)) = Layout::parse(&bytes, size, SegmentId(9)) {
                    assert!((read.control() + read.data) as u64 <= size, "byte {at} = {value}: {read:?}");
                }
            }
        }
    }

    #[test]
    fn the_tables_do_not_overlap() {
        let layout = Layout::for_data(GRANULE);
        let (t, b) = (layout.ticket_bytes(0, layout.tickets), layout.block_bytes(0, layout.blocks));
        assert!(layout.always().end <= t.start && t.end <= b.start && b.end <= layout.row_bytes(0).start);
        assert!(layout.row_bytes(0).end <= layout.row_bytes(1).start);
        assert!(layout.row_bytes(layout.participants - 1).end <= layout.control());
    }
}

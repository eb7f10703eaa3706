//! What fuzzing needs, and nobody else can have: tokens with a right MAC and any fields, wills, and a control area that is
//! overwritten at any place while this process works in it, as its owner and as a second participant; the headers of
//! `.npy` files; and files, with any header, and their tokens.
//!
//! Compiled with `--cfg fuzzing` only, which `cargo fuzz` sets. The targets are in `fuzz/`.
#![allow(unsafe_code)] // The control area is overwritten here, through atomics.

mod files;

use std::{
    fmt, mem,
    ptr::NonNull,
    slice,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use serde::{Serialize, Serializer, ser::SerializeTuple};

pub use self::files::{FileSaid, FileTokenSaid, resealed, taken};
use crate::{
    Backing, Error, Kind, SegmentId, TokenFault, part,
    pool::{self, Attachment, Secret, Source},
    segment::{
        Door, GRANULE, PREFIX, WillName,
        wills::{self, WillHeader},
    },
    wire::{self, OfBlock},
};
#[cfg(feature = "ndarray")]
use crate::{FileFault, file::npy::Header};

/// What a token says, to be changed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are those of the token, in its order")]
pub struct Said {
    pub exclusive: bool,
    pub named: bool,
    pub segment: u64,
    pub sender: (u32, u32),
    pub owner: (u32, u32),
    pub block: u32,
    pub ticket: u32,
    pub serial: u64,
    pub epoch: u64,
    pub start: usize,
    pub len: usize,
    pub fingerprint: u64,
    pub metadata: Vec<u8>,
}

/// What the MACs of a segment's tokens are made with.
#[derive(Clone, Copy)]
pub struct Key(Secret);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// One that no segment has.
    pub const fn new(secret: [u8; 16]) -> Self {
        Key(secret)
    }
}

/// Bytes, as they are.
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|byte| tuple.serialize_element(byte))?;
        tuple.end()
    }
}

/// The bytes of a token in text.
///
/// # Errors
///
/// [`Error::NotAToken`].
pub fn bytes_of(token: &str) -> Result<Vec<u8>, Error> {
    wire::from_text(token, |bytes| Ok(bytes.to_vec()))
}

/// What an honest token says, and the key of its segment.
///
/// # Errors
///
/// Those of parsing the token and of finding the segment.
pub fn taken_apart(token: &[u8]) -> Result<(Said, Key), Error> {
    let fields = *OfBlock::parse(token)?.fields();
    let (locator, issued) = (fields.locator, fields.issued);
    let secret = *Source::find(&locator)?.secret();
    // All that is not metadata, the MAC at its end.
    let bare = wire::Draft::new(&fields, &Raw(&[]), "raw", &secret)?.placeholder().as_bytes().len();
    let metadata = token.get(bare - 8..token.len() - 8).ok_or(Error::NotAToken(TokenFault::Text))?.to_vec();
    let said = Said {
        exclusive: fields.kind == Kind::SharedMut,
        named: locator.backing == Backing::Named,
        segment: locator.id.0,
        sender: (locator.sender.pid, locator.sender.fd),
        owner: (locator.owner.pid, locator.owner.fd),
        block: issued.block,
        ticket: issued.ticket,
        serial: issued.serial,
        epoch: issued.epoch,
        start: fields.start,
        len: fields.len,
        fingerprint: fields.fingerprint,
        metadata,
    };
    Ok((said, Key(secret)))
}

/// The token that says this, with a right MAC. `like` is any token: what it says does not count.
///
/// # Errors
///
/// [`Error::NotAToken`] if `like` is none, [`Error::Metadata`] if there are too many.
pub fn put_together(said: &Said, key: &Key, like: &[u8]) -> Result<Vec<u8>, Error> {
    let mut fields = *OfBlock::parse(like)?.fields();
    let door = |(pid, fd)| Door { pid, fd };
    fields.kind = if said.exclusive { Kind::SharedMut } else { Kind::Shared };
    fields.locator.backing = if said.named { Backing::Named } else { Backing::Anonymous };
    fields.locator.id = SegmentId(said.segment);
    fields.locator.sender = door(said.sender);
    fields.locator.owner = door(said.owner);
    fields.issued.block = said.block;
    fields.issued.ticket = said.ticket;
    fields.issued.serial = said.serial;
    fields.issued.epoch = said.epoch;
    (fields.start, fields.len, fields.fingerprint) = (said.start, said.len, said.fingerprint);
    let mut draft = wire::Draft::new(&fields, &Raw(&said.metadata), "raw", &key.0)?;
    Ok(draft.seal(part::Issued::Block(fields.issued)).as_bytes().to_vec())
}

/// Leaves the will of a message, as a process does that exits: the data of the block that the token names.
///
/// # Errors
///
/// [`Error::NoSpace`], [`Error::Os`].
pub fn leave_will(said: &Said, key: &Key, exclusive: bool, data: &[u8]) -> Result<(), Error> {
    let name = WillName { segment: SegmentId(said.segment), ticket: said.ticket, epoch: said.epoch };
    let header = WillHeader {
        secret: key.0,
        block: said.block,
        serial: said.serial,
        fingerprint: said.fingerprint,
        exclusive,
        len: data.len() as u64,
    };
    // SAFETY: the bytes of a slice, as many as the header says.
    unsafe { wills::Draft::write(name, &header, NonNull::from(data).cast()) }?.show()
}

/// Who does something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The owner of the segment.
    Owner,
    /// Another participant.
    Peer,
}

/// What can be overwritten in a control area. Numbers beyond the tables wrap around.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are those of the drawing in `pool/layout.rs`")]
pub enum Place {
    /// 32 bits of the header: it has 130 of them.
    Header(u32),
    /// A word of a participant's slot: mark or process id.
    Slot { slot: u32, word: u32 },
    /// 64 bits of a ticket: word, serial, time; then 32: block, signal.
    Ticket { ticket: u32, field: u32 },
    /// A word of a block header.
    Block { block: u32, word: u32 },
    /// An intent of a participant.
    Intent { slot: u32, stripe: u32 },
    /// The word of a participant's hold bitmap that has the bit of a block.
    Holds { slot: u32, block: u32 },
    /// Any word of the control area.
    Any(u32),
}

/// A pool with one segment, and this process in it twice: as the owner, and as a peer that has attached it. Whatever this
/// process does in the segment it does as one of them, after [`act_as`](Self::act_as). Everything begins anew with the
/// next one: handles must be dropped before.
pub struct Pair {
    own: Arc<Attachment>,
    peer: Option<Arc<Attachment>>,
    /// Peers that have died; what they held is still mapped.
    dead: Vec<Arc<Attachment>>,
    acting: Side,
    owner_lives: bool,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("acting", &self.acting).finish_non_exhaustive()
    }
}

impl Pair {
    /// A pool of its own.
    ///
    /// # Errors
    ///
    /// Those of allocating.
    pub fn new() -> Result<Self, Error> {
        pool::forget();
        let first = pool::allocate(1, 1, false, 0, Kind::Shared)?;
        let own = Arc::clone(&first.hold().at);
        Ok(Pair { own, peer: None, dead: Vec::new(), acting: Side::Owner, owner_lives: true })
    }

    /// From now on this process is the owner, or the peer, which attaches the segment if it has not. False if it can't be.
    pub fn act_as(&mut self, side: Side) -> bool {
        match side {
            Side::Owner if !self.owner_lives => return false,
            Side::Owner => pool::map(&self.own),
            Side::Peer => match &self.peer {
                // One that has nothing to do there may have left.
                Some(peer) if !peer.has_departed() => pool::map(peer),
                _ => return self.attach(),
            },
        }
        self.acting = side;
        true
    }

    fn attach(&mut self) -> bool {
        self.peer = None;
        drop(pool::unmap(self.own.id()));
        if Source::find(&self.own.segment.locator()).is_err() {
            if self.owner_lives {
                pool::map(&self.own);
                self.acting = Side::Owner;
            }
            return false;
        }
        self.peer = pool::mapped(self.own.id());
        self.acting = Side::Peer;
        self.peer.is_some()
    }

    /// Who acts.
    pub fn acting(&self) -> Side {
        self.acting
    }

    /// Whether the owner has not died.
    pub fn owner_lives(&self) -> bool {
        self.owner_lives
    }

    /// The kernel lets go of the lock of its slot. Nobody acts for the dead: handles that it had are to be kept, and not
    /// used, until the end.
    pub fn die(&mut self, side: Side) {
        match side {
            Side::Owner if self.owner_lives && self.act_as(Side::Peer) => {
                self.owner_lives = false;
                self.own.segment.vacate(self.own.slot);
            }
            Side::Owner => {}
            Side::Peer => {
                let Some(peer) = self.peer.take() else { return };
                peer.segment.vacate(peer.slot);
                self.dead.push(peer);
                if !self.act_as(Side::Owner) {
                    self.attach();
                }
            }
        }
    }

    /// The slot of a side.
    pub fn slot(&self, side: Side) -> u32 {
        match (side, &self.peer) {
            (Side::Peer, Some(peer)) => peer.slot,
            _ => self.own.slot,
        }
    }

    /// Bytes of the data area.
    pub fn data_len(&self) -> u64 {
        self.own.segment.data_len() as u64
    }

    /// The number of the block that begins with this byte.
    pub fn block_of(&self, data: *const u8) -> Option<u32> {
        let offset = data.addr().checked_sub(self.own.segment.data().addr().get())? as u64;
        let control = &self.own.control;
        (0..control.blocks_backed()).find(|block| {
            let header = control.block(*block);
            header.offset.load(Ordering::Relaxed) == offset && header.serial.load(Ordering::Relaxed) != 0
        })
    }

    /// What stands in a place.
    pub fn load(&self, place: Place) -> u64 {
        match self.find(place) {
            (at, 4) => self.halves()[at / 4].load(Ordering::SeqCst).into(),
            (at, _) => self.words()[at / 8].load(Ordering::SeqCst),
        }
    }

    /// Overwrites a place; what stood there before.
    pub fn store(&self, place: Place, value: u64) -> u64 {
        match self.find(place) {
            (at, 4) => self.halves()[at / 4].swap(value as u32, Ordering::SeqCst).into(),
            (at, _) => self.words()[at / 8].swap(value, Ordering::SeqCst),
        }
    }

    /// Offset and size of a place.
    fn find(&self, place: Place) -> (usize, usize) {
        let layout = &self.own.control.layout;
        let (slots, tickets, blocks) = (layout.participants, layout.tickets, layout.blocks);
        match place {
            Place::Header(half) => (half as usize % 130 * 4, 4),
            Place::Slot { slot, word } => {
                (layout.slots().start + (slot % slots) as usize * 16 + word as usize % 2 * 8, 8)
            }
            Place::Ticket { ticket, field } => {
                let (at, size) = [(0, 8), (8, 8), (16, 8), (24, 4), (28, 4)][field as usize % 5];
                (layout.ticket_bytes(ticket % tickets, ticket % tickets).start + at, size)
            }
            Place::Block { block, word } => {
                (layout.block_bytes(block % blocks, block % blocks).start + word as usize % 6 * 8, 8)
            }
            Place::Intent { slot, stripe } => (layout.row_bytes(slot % slots).start + stripe as usize % 64 * 8, 8),
            Place::Holds { slot, block } => {
                (layout.row_bytes(slot % slots).start + 64 * 8 + (block % blocks) as usize / 64 * 8, 8)
            }
            Place::Any(word) => (word as usize % self.words().len() * 8, 8),
        }
    }

    fn words(&self) -> &[AtomicU64] {
        let segment = &self.own.segment;
        // SAFETY: that many bytes are mapped and may be written until the segment is dropped; they are aligned to a page,
        // and everybody touches them through atomics only. A memfd has no limit that touching them could meet.
        unsafe { slice::from_raw_parts(segment.control().cast().as_ptr(), segment.control_len() / 8) }
    }

    fn halves(&self) -> &[AtomicU32] {
        let segment = &self.own.segment;
        // SAFETY: as above.
        unsafe { slice::from_raw_parts(segment.control().cast().as_ptr(), segment.control_len() / 4) }
    }
}

impl Drop for Pair {
    /// As the owner again: its magazines and its pool go, then the segment.
    fn drop(&mut self) {
        self.peer = None;
        drop(mem::take(&mut self.dead));
        drop(pool::unmap(self.own.id()));
        pool::forget();
    }
}

/// What the beginning of an `.npy` file says.
///
/// # Errors
///
/// What is wrong with it.
#[cfg(feature = "ndarray")]
pub fn npy_header(mut bytes: &[u8]) -> Result<Header, FileFault> {
    Header::read(&mut bytes)
}

/// The beginning of an `.npy` file that says this.
#[cfg(feature = "ndarray")]
pub fn npy_header_bytes(header: &Header) -> Vec<u8> {
    header.format()
}

/// The header of a named segment of small tables, for a file that nobody has mapped: its constant part, and offset and
/// length of its slots and of its tickets.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "said above")]
pub struct Small {
    pub header: Vec<u8>,
    pub slots: (usize, usize),
    pub tickets: (usize, usize),
    /// Where it says how many tickets have memory.
    pub backed: usize,
    pub size: usize,
}

impl Small {
    /// One with this id, of four participants and 128 tickets.
    ///
    /// # Errors
    ///
    /// Those of allocating.
    pub fn new(id: u64) -> Result<Self, Error> {
        let first = pool::allocate(1, 1, false, 0, Kind::Shared)?;
        let own = &first.hold().at;
        let mut layout = own.control.layout;
        (layout.participants, layout.blocks, layout.tickets, layout.data) = (4, 64, 128, GRANULE);
        let control = own.segment.control().cast::<AtomicU32>();
        // SAFETY: the header, which everybody touches through atomics only, at the start of a mapping.
        let halves: &[AtomicU32] = unsafe { slice::from_raw_parts(control.as_ptr(), PREFIX / 4) };
        let mut header: Vec<u8> = halves.iter().flat_map(|half| half.load(Ordering::Relaxed).to_le_bytes()).collect();
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(16, &id.to_le_bytes());
        put(40, &(layout.control() as u64).to_le_bytes());
        put(48, &(layout.data as u64).to_le_bytes());
        put(56, &layout.participants.to_le_bytes());
        put(64, &layout.blocks.to_le_bytes());
        put(68, &layout.tickets.to_le_bytes());
        let tickets = layout.ticket_bytes(0, layout.tickets);
        Ok(Small {
            header,
            slots: (layout.slots().start, layout.slots().len()),
            tickets: (tickets.start, tickets.len()),
            backed: 260,
            size: layout.control() + layout.data,
        })
    }
}

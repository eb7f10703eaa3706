//! A control area of a few words.
#![allow(unsafe_code)] // The checker is told of accesses to bytes that aren't there.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI32, AtomicU32},
};

use ::loom::{
    cell::UnsafeCell,
    sync::atomic::{AtomicU64, Ordering, fence},
};

use super::Total;
use crate::pool::{
    steps::Atom,
    word::{TicketState, TicketWord, Word},
};

/// A shared word of the model.
pub(super) struct Cell {
    word: AtomicU64,
    /// Swapped before each access. The checker takes two loads for independent, and then forgets the first of them: a swap
    /// after a load by the same thread is never tried before another thread's load. Swaps of this it does not forget. They
    /// are `Relaxed`, so they order nothing else.
    turn: AtomicU64,
    total: Total,
}

impl Cell {
    fn new(value: u64, total: Total) -> Self {
        Cell { word: AtomicU64::new(value), turn: AtomicU64::new(0), total }
    }

    /// A fence before each access is at least as strong as `SeqCst`: it is how machines that know only fences do it. One
    /// after it would order what the protocol does not order.
    fn before(&self, order: Ordering) {
        self.turn.swap(0, Ordering::Relaxed);
        if self.total == Total::Fenced && order == Ordering::SeqCst {
            fence(Ordering::SeqCst);
        }
    }
}

impl Atom for Cell {
    fn load(&self, order: Ordering) -> u64 {
        self.before(order);
        self.word.load(order)
    }

    fn store(&self, value: u64, order: Ordering) {
        self.before(order);
        self.word.store(value, order);
    }

    fn swap(&self, value: u64, order: Ordering) -> u64 {
        self.before(order);
        self.word.swap(value, order)
    }

    fn compare_exchange(&self, from: u64, to: u64, success: Ordering, failure: Ordering) -> Result<u64, u64> {
        self.before(success);
        self.word.compare_exchange(from, to, success, failure)
    }
}

/// The bytes of a block: not atomic, so the checker sees a race between two accesses of which one writes.
pub(super) struct Bytes(UnsafeCell<()>);

// SAFETY: nothing is read or written through the cell; the checker is only told that something would be.
unsafe impl Sync for Bytes {}

impl Bytes {
    pub(super) fn read(&self) {
        self.0.with(|_| ());
    }

    pub(super) fn write(&self) {
        self.0.with_mut(|_| ());
    }
}

/// Serial of each block's value when a model begins.
pub(super) const SERIAL: u64 = 1;
/// Epoch of each ticket that is not free when a model begins.
pub(super) const EPOCH: u64 = 1;

/// A block and what the model notes about it, at no step of its own.
pub(super) struct Block {
    pub(super) word: Cell,
    pub(super) serial: Cell,
    pub(super) next: Cell,
    /// What the rest of the header says: the serial of the value that it describes.
    pub(super) header: Cell,
    pub(super) bytes: Bytes,
    /// The owner's private record.
    pub(super) record: Cell,
    /// Handles of it.
    pub(super) handles: AtomicI32,
    /// It has been given back, and has not been allocated since.
    pub(super) vacant: AtomicBool,
    /// How often it has been given back.
    pub(super) returns: AtomicU32,
    /// How often other bytes than the first value's have been written.
    pub(super) writes: AtomicU32,
}

/// A ticket: its word, and the block and serial that it is for.
pub(super) struct Ticket {
    pub(super) word: Cell,
    pub(super) names: Cell,
}

/// What all processes share.
pub(super) struct Tables {
    pub(super) blocks: Vec<Block>,
    pub(super) tickets: Vec<Ticket>,
    pub(super) returned: Cell,
    /// By slot, then by block: each block has a stripe to itself.
    pub(super) intents: Vec<Vec<Cell>>,
    /// By slot, then by block.
    pub(super) bits: Vec<Vec<Cell>>,
    /// The participant that died before the model began.
    pub(super) dead: Option<u32>,
}

pub(super) const ALLOCATED: u64 = 1;
pub(super) const HELD: u64 = 2;
/// The slot of the owner.
pub(super) const OWNER: u32 = 0;

/// How a model begins: one value in block 0, and perhaps another in block 1, or a free block.
pub(super) struct Start {
    pub(super) blocks: u32,
    pub(super) exclusive: bool,
    /// By slot: whether the participant has its hold bit on every block.
    pub(super) held: Vec<bool>,
    /// State and issuer of each ticket, all for block 0.
    pub(super) tickets: Vec<(TicketState, u32)>,
    /// What block 0's word counts and bits and tickets don't say: in flight, and held.
    pub(super) astray: (i32, i32),
    /// The participant that is dead; its intent on block 0 is up.
    pub(super) dead: Option<u32>,
    /// The owner's record says that the blocks are a value's.
    pub(super) allocated: bool,
    /// Block 0 is on the stack of returned blocks.
    pub(super) pushed: bool,
}

impl Default for Start {
    fn default() -> Self {
        Start {
            blocks: 1,
            exclusive: false,
            held: vec![false; 2],
            tickets: Vec::new(),
            astray: (0, 0),
            dead: None,
            allocated: true,
            pushed: false,
        }
    }
}

impl Start {
    pub(super) fn tables(self, total: Total) -> Arc<Tables> {
        let cell = |value| Cell::new(value, total);
        let slots = self.held.len() as u32;
        let holders = self.held.iter().filter(|held| **held).count() as i32;
        let handles = (0..slots).filter(|slot| self.held[*slot as usize] && self.dead != Some(*slot)).count() as i32;
        let counts = |state: &TicketState| matches!(state, TicketState::Held | TicketState::Armed);
        let in_flight = self.tickets.iter().filter(|(state, _)| counts(state)).count() as i32;
        let word = |block: u32| {
            let (more_in_flight, more_holders) = if block == 0 { self.astray } else { (-in_flight, 0) };
            let (in_flight, holders) = ((in_flight + more_in_flight) as usize, (holders + more_holders) as usize);
            let none = Word(u64::from(self.exclusive) << 63);
            none.recounted(in_flight, holders).expect("the counts fit").0
        };
        let record = (if self.allocated { ALLOCATED } else { 0 }) | (if self.held[0] { HELD } else { 0 });
        let blocks = (0..self.blocks).map(|block| Block {
            word: cell(word(block)),
            serial: cell(SERIAL),
            next: cell(0),
            header: cell(SERIAL),
            bytes: Bytes(UnsafeCell::new(())),
            record: cell(record),
            handles: AtomicI32::new(handles),
            vacant: AtomicBool::new(!self.allocated),
            returns: AtomicU32::new(0),
            writes: AtomicU32::new(0),
        });
        let tickets = self.tickets.iter().map(|(state, issuer)| Ticket {
            word: cell(TicketWord::new(EPOCH, *issuer, *state).0),
            names: cell(names(0, SERIAL)),
        });
        let intent = |slot: u32, block: u32| u64::from(self.dead == Some(slot) && block == 0);
        Arc::new(Tables {
            blocks: blocks.collect(),
            tickets: tickets.collect(),
            returned: cell(u64::from(self.pushed)),
            intents: (0..slots).map(|slot| (0..self.blocks).map(|block| cell(intent(slot, block))).collect()).collect(),
            bits: self.held.iter().map(|held| (0..self.blocks).map(|_| cell(u64::from(*held))).collect()).collect(),
            dead: self.dead,
        })
    }
}

/// Block and serial in one word.
pub(super) fn names(block: u32, serial: u64) -> u64 {
    serial << 32 | u64::from(block)
}

impl Tables {
    pub(super) fn word(&self, block: u32) -> Word {
        Word(self.blocks[block as usize].word.load(Ordering::SeqCst))
    }

    /// When all threads are done: the word says what bits and tickets say, and what the model has noted.
    pub(super) fn assert_exact(&self, block: u32) {
        let it = &self.blocks[block as usize];
        let holders = self.bits.iter().filter(|row| row[block as usize].load(Ordering::SeqCst) == 1).count();
        let named = names(block, it.serial.load(Ordering::SeqCst));
        let in_flight = self.tickets.iter().filter(|ticket| {
            let state = TicketWord(ticket.word.load(Ordering::SeqCst)).state();
            matches!(state, Some(TicketState::Held | TicketState::Armed))
                && ticket.names.load(Ordering::SeqCst) == named
        });
        let word = self.word(block);
        let counted = (in_flight.count(), holders);
        assert_eq!((word.in_flight() as usize, word.holders() as usize), counted, "the word says what there is");
        assert_eq!(
            it.handles.load(Ordering::SeqCst) as usize,
            holders,
            "each process that holds the block has its bit"
        );
        assert!(self.intents.iter().all(|row| row[block as usize].load(Ordering::SeqCst) == 0), "nothing is half-done");
    }

    /// When all threads are done: block 0 is a value that its ticket alone keeps.
    pub(super) fn assert_sent(&self) {
        self.assert_exact(0);
        let it = &self.blocks[0];
        assert_eq!((self.word(0).in_flight(), self.word(0).holders()), (1, 0));
        assert!(!it.vacant.load(Ordering::SeqCst), "what is on its way is not given back");
        assert_eq!(it.record.load(Ordering::SeqCst) & (ALLOCATED | HELD), ALLOCATED);
    }

    /// When all threads are done and the stack has been drained: the block has been given back so many times.
    pub(super) fn assert_vacant(&self, block: u32, returns: u32) {
        self.assert_exact(block);
        let it = &self.blocks[block as usize];
        assert!(self.word(block).is_zero() && it.vacant.load(Ordering::SeqCst), "nothing is left of the value");
        assert_eq!(it.record.load(Ordering::SeqCst) & (ALLOCATED | HELD), 0);
        assert_eq!(it.returns.load(Ordering::SeqCst), returns, "each value is given back once");
    }
}

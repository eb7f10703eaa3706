//! What [`block`](crate::pool::block) and [`tickets`](crate::pool::tickets) do around the steps, in small.

use std::sync::Arc;

use ::loom::{
    sync::{
        Mutex, MutexGuard,
        atomic::{Ordering, fence},
    },
    thread,
};

use super::area::{Block, Cell, EPOCH, HELD, OWNER, SERIAL, Tables, names};
use crate::pool::{
    steps::{self, Area, Atom, Intent, Join, Take, swap_ticket},
    word::{Refusal, TicketState, TicketWord, Word},
};

/// A process: cloned, it is another thread of the same.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) tables: Arc<Tables>,
    slot: u32,
    /// By block, under its stripe lock: how many handles this process has.
    stripes: Arc<Vec<Mutex<i32>>>,
    /// The allocator's: what is vacant.
    pool: Arc<Mutex<Vec<u32>>>,
}

/// What a token says.
#[derive(Clone, Copy)]
pub(super) struct Token {
    pub(super) block: u32,
    pub(super) ticket: u32,
    pub(super) serial: u64,
    pub(super) epoch: u64,
    pub(super) exclusive: bool,
}

impl Token {
    /// Of a ticket of the value that is there when the model begins.
    pub(super) fn first(ticket: u32, exclusive: bool) -> Self {
        Token { block: 0, ticket, serial: SERIAL, epoch: EPOCH, exclusive }
    }
}

/// What became of a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Claim {
    /// The ticket, as this process now has it reserved.
    Taken(u32, TicketWord),
    Joined,
    Gone,
}

impl Claim {
    pub(super) fn is_taken(self) -> bool {
        matches!(self, Claim::Taken(..))
    }
}

impl Area for Process {
    type Atom = Cell;

    fn slot(&self) -> u32 {
        self.slot
    }

    fn word(&self, block: u32) -> &Cell {
        &self.block(block).word
    }

    fn serial(&self, block: u32) -> &Cell {
        &self.block(block).serial
    }

    fn next(&self, block: u32) -> &Cell {
        &self.block(block).next
    }

    fn returned(&self) -> &Cell {
        &self.tables.returned
    }

    fn intent(&self, slot: u32, block: u32) -> &Cell {
        &self.tables.intents[slot as usize][block as usize]
    }

    fn hold_bit(&self, slot: u32, block: u32) -> (&Cell, u64) {
        (&self.tables.bits[slot as usize][block as usize], 1)
    }

    fn ticket(&self, ticket: u32) -> &Cell {
        &self.tables.tickets[ticket as usize].word
    }

    fn ticket_for(&self, ticket: u32) -> (u32, u64) {
        let names = self.tables.tickets[ticket as usize].names.load(Ordering::Relaxed);
        (names as u32, names >> 32)
    }

    fn participants(&self) -> u32 {
        self.tables.bits.len() as u32
    }

    fn tickets(&self) -> u32 {
        self.tables.tickets.len() as u32
    }

    fn is_occupied(&self, _: u32) -> bool {
        true
    }

    fn may_live(&self, slot: u32) -> bool {
        self.tables.dead != Some(slot)
    }

    /// As `owner::mark_held` and `owner::mark_unheld`.
    fn note_hold(&self, block: u32, held: bool) {
        if self.slot != OWNER {
            return;
        }
        let record = &self.block(block).record;
        let now = record.load(Ordering::Relaxed);
        record.store(if held { now | HELD } else { now & !HELD }, Ordering::Release);
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }
}

impl Process {
    pub(super) fn new(tables: &Arc<Tables>, slot: u32) -> Self {
        let held = |block: usize| i32::from(tables.bits[slot as usize][block].load(Ordering::Relaxed) == 1);
        Process {
            tables: Arc::clone(tables),
            slot,
            stripes: Arc::new((0..tables.blocks.len()).map(|block| Mutex::new(held(block))).collect()),
            pool: Arc::new(Mutex::new(Vec::new())),
        }
    }

    pub(super) fn block(&self, block: u32) -> &Block {
        &self.tables.blocks[block as usize]
    }

    pub(super) fn stripe(&self, block: u32) -> MutexGuard<'_, i32> {
        self.stripes[block as usize].lock().expect("no thread panics")
    }

    pub(super) fn pool(&self) -> MutexGuard<'_, Vec<u32>> {
        self.pool.lock().expect("no thread panics")
    }

    /// One more process has handles of the value.
    pub(super) fn has(&self, block: u32) {
        let it = self.block(block);
        assert!(!it.vacant.load(Ordering::SeqCst), "nothing is given back that a claim can have");
        it.handles.fetch_add(1, Ordering::SeqCst);
    }

    /// One less; noted before any step of it, because others may be done with theirs at once.
    pub(super) fn has_no_more(&self, block: u32) {
        self.block(block).handles.fetch_sub(1, Ordering::SeqCst);
    }

    /// As the drop of a `Hold`; true if it was the last anywhere.
    pub(super) fn give(&self, block: u32) -> bool {
        let mut handles = self.stripe(block);
        *handles -= 1;
        assert_eq!(*handles, 0, "the models have one handle in each process");
        self.has_no_more(block);
        let intent = Intent::on(self, block);
        let zero = steps::give(self, self.slot, block).expect("the count was right").is_zero();
        let vacant = zero && self.give_back(block);
        drop(intent);
        drop(handles);
        self.put_back(block, vacant);
        zero
    }

    /// As `block::give_back`; true if the block is in this thread's hands now.
    pub(super) fn give_back(&self, block: u32) -> bool {
        if self.slot == OWNER {
            return self.release(block);
        }
        steps::push_returned(self, block);
        false
    }

    /// As `tickets::issue`, of a ticket that is free; `last`: of the last handle here, which is gone afterwards.
    pub(super) fn issue(&self, block: u32, ticket: u32, state: TicketState, last: bool) -> Token {
        let mut handles = self.stripe(block);
        let _intent = Intent::on(self, block);
        let free = TicketWord(self.ticket(ticket).load(Ordering::Relaxed));
        assert_eq!(free.state(), Some(TicketState::Free));
        let mine = TicketWord::new(free.epoch() + 1, self.slot, TicketState::Reserved);
        assert!(swap_ticket(self.ticket(ticket), free, mine), "it is this process's alone");
        self.hand_over(&mut handles, block, ticket, mine, state, last)
    }

    /// The rest of an issue, of a ticket that is reserved.
    fn hand_over(
        &self,
        handles: &mut i32,
        block: u32,
        ticket: u32,
        reserved: TicketWord,
        state: TicketState,
        last: bool,
    ) -> Token {
        let it = self.block(block);
        let serial = it.serial.load(Ordering::Relaxed);
        self.tables.tickets[ticket as usize].names.store(names(block, serial), Ordering::Relaxed);
        if last {
            *handles -= 1;
            self.has_no_more(block);
        }
        steps::issue(self, block, ticket, reserved, state, last).expect("the counts have room");
        let exclusive = Word(it.word.load(Ordering::Relaxed)).exclusive();
        Token { block, ticket, serial, epoch: reserved.epoch(), exclusive }
    }

    /// As `Part::arm`, of the last handle here.
    pub(super) fn arm(&self, token: Token) {
        let mut handles = self.stripe(token.block);
        let _intent = Intent::on(self, token.block);
        let Some((word, TicketState::Held)) = self.find(token) else { panic!("a held ticket stays until it is armed") };
        *handles -= 1;
        self.has_no_more(token.block);
        steps::arm(self, token.block, token.ticket, word, true).expect("the count was right");
    }

    /// As `tickets::take_back`, of an armed ticket; true if it was there.
    pub(super) fn revoke(&self, token: Token) -> bool {
        let handles = self.stripe(token.block);
        let Some((word, TicketState::Armed)) = self.find(token) else {
            return false;
        };
        let intent = Intent::on(self, token.block);
        let Some(changed) = steps::revoke(self, token.block, token.ticket, word) else {
            return false;
        };
        let vacant = changed.expect("the count was right").is_zero() && self.give_back(token.block);
        drop(intent);
        drop(handles);
        self.put_back(token.block, vacant);
        true
    }

    /// As `tickets::find`.
    pub(super) fn find(&self, token: Token) -> Option<(TicketWord, TicketState)> {
        let word = TicketWord(self.ticket(token.ticket).load(Ordering::Acquire));
        let state = word.state()?;
        let there = matches!(state, TicketState::Held | TicketState::Armed);
        let this = || word.epoch() == token.epoch && self.ticket_for(token.ticket) == (token.block, token.serial);
        (there && this()).then_some((word, state))
    }

    /// As `Source::take_or_join`: waits while the ticket is held. The ticket that was taken stays reserved.
    pub(super) fn claim(&self, token: Token) -> Claim {
        while let Some((word, state)) = self.find(token) {
            if state == TicketState::Armed || !self.may_live(word.issuer()) {
                match self.take(token, word) {
                    Some(mine) => return Claim::Taken(token.ticket, mine),
                    None => continue,
                }
            }
            thread::yield_now();
        }
        if token.exclusive { Claim::Gone } else { self.without_ticket(token) }
    }

    fn take(&self, token: Token, word: TicketWord) -> Option<TicketWord> {
        let described = self.block(token.block).header.load(Ordering::Acquire);
        let mut handles = self.stripe(token.block);
        let here = *handles > 0;
        let intent = Intent::on(self, token.block);
        let mine = match steps::take(self, token.block, token.ticket, word, here) {
            Take::Lost => return None,
            Take::Refused(refusal) => panic!("a ticket that is there is counted: {refusal:?}"),
            Take::Taken(mine) => mine,
        };
        assert_eq!(described, token.serial, "the header is that of the ticket's value");
        if !here {
            *handles = 1;
            self.has(token.block);
        }
        drop(intent);
        Some(mine)
    }

    /// As `Source::without_ticket`.
    fn without_ticket(&self, token: Token) -> Claim {
        let block = token.block;
        let mut handles = self.stripe(block);
        let intent = Intent::on(self, block);
        if self.serial(block).load(Ordering::SeqCst) != token.serial {
            return Claim::Gone;
        }
        let described = self.block(block).header.load(Ordering::Acquire);
        let here = *handles > 0;
        let vacant = match steps::join(self, block, token.serial, here) {
            Join::Joined => {
                assert_eq!(described, token.serial, "the header is that of the token's value");
                if !here {
                    *handles = 1;
                    self.has(block);
                }
                return Claim::Joined;
            }
            Join::Refused(Refusal::Unfit) => false,
            Join::Refused(refusal) => panic!("the counts have room: {refusal:?}"),
            Join::Expired(undone) => undone.is_some_and(Word::is_zero) && self.give_back(block),
        };
        drop(intent);
        drop(handles);
        self.put_back(block, vacant);
        Claim::Gone
    }

    /// The value can be used: its bytes are read, and a ticket that was taken for them is free.
    pub(super) fn keep(&self, claim: Claim, block: u32) {
        self.block(block).bytes.read();
        if let Claim::Taken(ticket, mine) = claim {
            self.ticket(ticket).store(mine.with(TicketState::Free).0, Ordering::Release);
        }
    }

    /// As the drop of a `Claimed` whose value can't be used: what was taken is armed again, what was joined is given.
    pub(super) fn refuse(&self, claim: Claim, block: u32) {
        match claim {
            Claim::Taken(ticket, mine) => {
                let mut handles = self.stripe(block);
                let _intent = Intent::on(self, block);
                self.hand_over(&mut handles, block, ticket, mine, TicketState::Armed, true);
            }
            Claim::Joined => drop(self.give(block)),
            Claim::Gone => {}
        }
    }

    /// What this process has of block 0, if anything.
    pub(super) fn give_if_held(&self) {
        if steps::holds(self, self.slot, 0) {
            self.give(0);
        }
    }

    /// Takes back every armed ticket.
    pub(super) fn revoke_all(&self) {
        for ticket in 0..self.tickets() {
            let epoch = TicketWord(self.ticket(ticket).load(Ordering::SeqCst)).epoch();
            let (block, serial) = self.ticket_for(ticket);
            self.revoke(Token { block, ticket, serial, epoch, exclusive: false });
        }
    }

    /// As `Part::thaw` and `Part::freeze`: the serial, if the kind has changed.
    pub(super) fn change_kind(&self, block: u32, serial: u64, exclusive: bool) -> Option<u64> {
        let _handles = self.stripe(block);
        if Word(self.word(block).load(Ordering::Acquire)).of_kind(exclusive).is_err() {
            return None;
        }
        let _intent = Intent::on(self, block);
        steps::change_kind(self, block, serial, exclusive).ok()
    }
}

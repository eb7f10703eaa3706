//! The protocol, step by step: which word is changed after which. The table in the room's map (`mod.rs`) is this file in
//! short; who calls what, and under which locks, is in [`block`](super::block), [`tickets`](super::tickets) and
//! [`recovery`](super::recovery).
//!
//! All of it is written for any [`Area`], so that a model checker can take the same steps over words of its own. Every step
//! but those of the recount is taken under the block's stripe lock and an [`Intent`] of the process that takes it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::pool::{
    checkpoint::{Step, reached},
    word::{Refusal, TicketState, TicketWord, Word},
};

/// A 64-bit word that is shared.
pub(crate) trait Atom {
    fn load(&self, order: Ordering) -> u64;
    fn store(&self, value: u64, order: Ordering);
    fn swap(&self, value: u64, order: Ordering) -> u64;
    fn compare_exchange(&self, from: u64, to: u64, success: Ordering, failure: Ordering) -> Result<u64, u64>;
}

/// What one process sees of a segment's control area.
pub(crate) trait Area {
    type Atom: Atom;

    /// This process's participant slot.
    fn slot(&self) -> u32;
    fn word(&self, block: u32) -> &Self::Atom;
    fn serial(&self, block: u32) -> &Self::Atom;
    /// The next block of the returned stack, + 1.
    fn next(&self, block: u32) -> &Self::Atom;
    fn returned(&self) -> &Self::Atom;
    fn intent(&self, slot: u32, block: u32) -> &Self::Atom;
    fn hold_bit(&self, slot: u32, block: u32) -> (&Self::Atom, u64);
    fn ticket(&self, ticket: u32) -> &Self::Atom;
    /// Block and serial that a ticket is for.
    fn ticket_for(&self, ticket: u32) -> (u32, u64);
    /// How many slots there are to be looked at.
    fn participants(&self) -> u32;
    /// How many tickets there are to be looked at.
    fn tickets(&self) -> u32;
    /// Somebody has the slot, dead or alive: its row has memory.
    fn is_occupied(&self, slot: u32) -> bool;
    /// Nobody can say of the participant in the slot that it is dead.
    fn may_live(&self, slot: u32) -> bool;
    /// What this process notes privately about its own hold bit.
    fn note_hold(&self, block: u32, held: bool);
    fn fence(&self);
}

impl Atom for AtomicU64 {
    #[inline(always)]
    fn load(&self, order: Ordering) -> u64 {
        self.load(order)
    }

    #[inline(always)]
    fn store(&self, value: u64, order: Ordering) {
        self.store(value, order);
    }

    #[inline(always)]
    fn swap(&self, value: u64, order: Ordering) -> u64 {
        self.swap(value, order)
    }

    #[inline(always)]
    fn compare_exchange(&self, from: u64, to: u64, success: Ordering, failure: Ordering) -> Result<u64, u64> {
        self.compare_exchange(from, to, success, failure)
    }
}

/// One range-checked change of a block's word by compare-and-swap; what it became.
///
/// `SeqCst`: every step of the protocol has a place in one order, as the model has it; the partner is the recount's
/// fence between reading the word, the counts and the intents.
#[inline]
pub(crate) fn change<A: Atom>(word: &A, step: impl Fn(Word) -> Result<Word, Refusal>) -> Result<Word, Refusal> {
    let mut now = word.load(Ordering::Acquire);
    loop {
        let next = step(Word(now))?;
        match word.compare_exchange(now, next.0, Ordering::SeqCst, Ordering::Acquire) {
            Ok(_) => return Ok(next),
            Err(other) => now = other,
        }
    }
}

/// One swap of a whole ticket: true if it was `from` and is now `to`. `SeqCst` as above.
#[inline]
pub(crate) fn swap_ticket<A: Atom>(ticket: &A, from: TicketWord, to: TicketWord) -> bool {
    ticket.compare_exchange(from.0, to.0, Ordering::SeqCst, Ordering::Acquire).is_ok()
}

/// The intent of this process to change a block: stored before the first step, cleared on drop, after the last.
/// Exists only under the block's stripe lock.
pub(crate) struct Intent<'a, A: Atom>(&'a A);

impl<'a, A: Atom> Intent<'a, A> {
    #[inline]
    pub(crate) fn on<R: Area<Atom = A>>(area: &'a R, block: u32) -> Self {
        let word = area.intent(area.slot(), block);
        // Release: every step that follows and can be seen is a releasing swap, which carries the intent with it: whoever
        // sees the step sees the intent. A recount that sees neither comes before the change as a whole.
        word.store(u64::from(block) + 1, Ordering::Release);
        Intent(word)
    }
}

impl<A: Atom> Drop for Intent<'_, A> {
    #[inline]
    fn drop(&mut self) {
        // Release: whoever sees it cleared sees all steps done.
        self.0.store(0, Ordering::Release);
    }
}

/// Sets this process's hold bit. All bits of a word are of one stripe, under whose lock this is called, and in one
/// participant's row: nobody else changes the word.
///
/// Release, as the clearing: the recount, which acquires, finds the intent that was stored before, or the change of the word.
#[inline]
pub(crate) fn set_bit<R: Area>(area: &R, block: u32) {
    let (word, bit) = area.hold_bit(area.slot(), block);
    word.store(word.load(Ordering::Relaxed) | bit, Ordering::Release);
    area.note_hold(block, true);
}

/// Clears a participant's hold bit: this process's own under the stripe lock, or a dead one's, whose only sweeper this is.
#[inline]
fn clear_bit<R: Area>(area: &R, slot: u32, block: u32) {
    let (word, bit) = area.hold_bit(slot, block);
    word.store(word.load(Ordering::Relaxed) & !bit, Ordering::Release);
    if slot == area.slot() {
        area.note_hold(block, false);
    }
}

/// Allocate: serial → `describe` → word → bit. Nobody but the owner changes a block that nobody has.
pub(crate) fn allocate<R: Area>(
    area: &R,
    block: u32,
    serial: u64,
    exclusive: bool,
    describe: impl FnOnce(),
) -> Result<(), Refusal> {
    // Release: a join looks at serial, word, serial, and who sees the word as it is changed below sees the serial.
    area.serial(block).store(serial, Ordering::Release);
    reached(Step::AllocateSerial);
    describe();
    change(area.word(block), |word| word.allocated(exclusive))?;
    reached(Step::AllocateWord);
    let (word, bit) = area.hold_bit(area.slot(), block);
    word.store(word.load(Ordering::Relaxed) | bit, Ordering::Release);
    reached(Step::AllocateBit);
    Ok(())
}

/// Give, by the participant in `slot` or for it when it is dead: bit → word. At 0/0 the caller gives the block back.
#[inline]
pub(crate) fn give<R: Area>(area: &R, slot: u32, block: u32) -> Result<Word, Refusal> {
    clear_bit(area, slot, block);
    reached(Step::GiveBit);
    let word = change(area.word(block), |word| word.changed(0, -1));
    reached(Step::GiveWord);
    word
}

/// Pushes on the owner's stack of returned blocks. Nobody pops single blocks, so there is no ABA.
pub(crate) fn push_returned<R: Area>(area: &R, block: u32) {
    let (top, next) = (area.returned(), area.next(block));
    let mut now = top.load(Ordering::Relaxed);
    loop {
        next.store(now, Ordering::Relaxed);
        reached(Step::GiveLinked);
        // Release (of `next`): with the acquire of the owner's swap.
        match top.compare_exchange(now, u64::from(block) + 1, Ordering::SeqCst, Ordering::Relaxed) {
            Ok(_) => return reached(Step::GivePushed),
            Err(other) => now = other,
        }
    }
}

/// The owner takes the whole stack with one swap: its top, + 1. What follows a block is [`Area::next`].
pub(crate) fn take_returned<R: Area>(area: &R) -> u64 {
    // Relaxed: only a hint; a block that is missed is found next time.
    if area.returned().load(Ordering::Relaxed) == 0 {
        return 0;
    }
    let top = area.returned().swap(0, Ordering::SeqCst);
    reached(Step::DrainTaken);
    top
}

/// Issue, of a ticket that is reserved and filled: bit, if this is the last handle here → word → publish. If the word
/// can't be changed, the ticket is free and all is as it was.
#[inline]
pub(crate) fn issue<R: Area>(
    area: &R,
    block: u32,
    ticket: u32,
    reserved: TicketWord,
    state: TicketState,
    last: bool,
) -> Result<(), Refusal> {
    if last {
        clear_bit(area, area.slot(), block);
        reached(Step::IssueBit);
    }
    let changed = change(area.word(block), |word| word.changed(1, if last { -1 } else { 0 }));
    if let Err(refusal) = changed {
        if last {
            set_bit(area, block);
        }
        area.ticket(ticket).store(reserved.with(TicketState::Free).0, Ordering::Release);
        return Err(refusal);
    }
    reached(Step::IssueWord);
    // Release: whoever finds the ticket held or armed finds it filled. Nobody else swaps a reserved ticket of the living.
    area.ticket(ticket).store(reserved.with(state).0, Ordering::Release);
    reached(Step::IssuePublished);
    Ok(())
}

/// Arm, by the drop of the serialized handle: if it is the last here bit → word; then the ticket, held to armed, last. The
/// held ticket is in flight, so this does not reach 0/0.
pub(crate) fn arm<R: Area>(area: &R, block: u32, ticket: u32, held: TicketWord, last: bool) -> Result<(), Refusal> {
    let mut given = Ok(());
    if last {
        clear_bit(area, area.slot(), block);
        reached(Step::ArmBit);
        given = change(area.word(block), |word| word.changed(0, -1)).map(drop);
        reached(Step::ArmWord);
    }
    swap_ticket(area.ticket(ticket), held, held.with(TicketState::Armed));
    reached(Step::ArmTicket);
    given
}

/// Revoke: ticket → word. `None` if the ticket was not `from`. At 0/0 the caller gives the block back.
pub(crate) fn revoke<R: Area>(area: &R, block: u32, ticket: u32, from: TicketWord) -> Option<Result<Word, Refusal>> {
    if !swap_ticket(area.ticket(ticket), from, from.with(TicketState::Free)) {
        return None;
    }
    reached(Step::RevokeTicket);
    let word = change(area.word(block), |word| word.changed(-1, 0));
    reached(Step::RevokeWord);
    Some(word)
}

/// What became of a ticket that was to be taken.
pub(crate) enum Take {
    /// Somebody else was faster.
    Lost,
    /// The word can't be changed; the ticket is as it was.
    Refused(Refusal),
    /// It is reserved, as this word, until the caller has looked at the value.
    Taken(TicketWord),
}

/// Take: ticket → word → bit, if the block is not held `here`.
#[inline]
pub(crate) fn take<R: Area>(area: &R, block: u32, ticket: u32, from: TicketWord, here: bool) -> Take {
    let mine = TicketWord::new(from.epoch(), area.slot(), TicketState::Reserved);
    if !swap_ticket(area.ticket(ticket), from, mine) {
        return Take::Lost;
    }
    reached(Step::TakeTicket);
    if let Err(refusal) = change(area.word(block), |word| word.changed(-1, if here { 0 } else { 1 })) {
        // As it was; nobody else swaps a reserved ticket of the living.
        area.ticket(ticket).store(from.0, Ordering::Release);
        return Take::Refused(refusal);
    }
    reached(Step::TakeWord);
    if !here {
        set_bit(area, block);
        reached(Step::TakeBit);
    }
    Take::Taken(mine)
}

/// What became of a join.
pub(crate) enum Join {
    /// Another value has taken the place of the one that was asked for. What the word became, if it was touched and touched
    /// back: at 0/0 the caller gives the block back.
    Expired(Option<Word>),
    /// The word can't be changed.
    Refused(Refusal),
    Joined,
}

/// Join: serial, word, serial, bit; else undone, as a give without a bit.
pub(crate) fn join<R: Area>(area: &R, block: u32, serial: u64, here: bool) -> Join {
    let same = || area.serial(block).load(Ordering::SeqCst) == serial;
    if !same() {
        return Join::Expired(None);
    }
    // Held here already: the word need not change, but this must be a `Shared`'s block.
    let by = if here { 0 } else { 1 };
    if let Err(refusal) = change(area.word(block), |word| word.joined(by)) {
        return Join::Refused(refusal);
    }
    reached(Step::JoinWord);
    if !same() {
        let undone = if here { None } else { change(area.word(block), |word| word.changed(0, -1)).ok() };
        return Join::Expired(undone);
    }
    if !here {
        set_bit(area, block);
        reached(Step::JoinBit);
    }
    Join::Joined
}

/// Change of kind: word; then, if exclusive now, the serial: a late join finds the block exclusive, or another serial.
/// The new serial, or the one that it has.
pub(crate) fn change_kind<R: Area>(area: &R, block: u32, serial: u64, exclusive: bool) -> Result<u64, Refusal> {
    change(area.word(block), |word| word.of_kind(exclusive))?;
    reached(Step::KindWord);
    if !exclusive {
        return Ok(serial);
    }
    // Nobody else changes the serial of a block that this process has alone.
    let new = serial.wrapping_add(1);
    area.serial(block).store(new, Ordering::SeqCst);
    reached(Step::KindSerial);
    Ok(new)
}

/// What became of a recount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Recount {
    /// A living process is changing the block, or changes it all the time.
    Later,
    /// The word says what bits and tickets say.
    Done(Word),
}

/// How often a recount begins again because the word has changed meanwhile.
const RECOUNTS: u32 = 64;

/// Recount of a block that the intent of a dead participant names, under neither stripe lock nor intent: word → fence →
/// intents → count → fence → intents → swap from the word that was read, which `version` makes exact.
pub(crate) fn recount<R: Area>(area: &R, block: u32) -> Recount {
    for _ in 0..RECOUNTS {
        // SeqCst, and the fences, with the intents and changes of whoever lives: a change that began before the word was
        // read shows its intent, one that began later changes the word.
        let before = area.word(block).load(Ordering::SeqCst);
        area.fence();
        if has_living_intent(area, block) {
            return Recount::Later;
        }
        let holders = (0..area.participants()).filter(|slot| holds(area, *slot, block)).count();
        let serial = area.serial(block).load(Ordering::SeqCst);
        let in_flight = (0..area.tickets()).filter(|ticket| is_for(area, *ticket, block, serial)).count();
        reached(Step::SweepCounted);
        area.fence();
        if has_living_intent(area, block) {
            return Recount::Later;
        }
        let Some(after) = Word(before).recounted(in_flight, holders) else { return Recount::Later };
        if area.word(block).compare_exchange(before, after.0, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
            reached(Step::SweepSwapped);
            return Recount::Done(after);
        }
    }
    Recount::Later
}

fn has_living_intent<R: Area>(area: &R, block: u32) -> bool {
    (0..area.participants()).any(|slot| {
        area.is_occupied(slot)
            && area.intent(slot, block).load(Ordering::SeqCst) == u64::from(block) + 1
            && area.may_live(slot)
    })
}

/// Is the hold bit of a participant, dead or alive, set?
pub(crate) fn holds<R: Area>(area: &R, slot: u32, block: u32) -> bool {
    area.is_occupied(slot) && {
        let (word, bit) = area.hold_bit(slot, block);
        word.load(Ordering::SeqCst) & bit != 0
    }
}

/// Is the ticket in flight, for this value of the block?
fn is_for<R: Area>(area: &R, ticket: u32, block: u32, serial: u64) -> bool {
    let word = TicketWord(area.ticket(ticket).load(Ordering::SeqCst));
    matches!(word.state(), Some(TicketState::Held | TicketState::Armed)) && area.ticket_for(ticket) == (block, serial)
}

/// Of the tickets of a dead participant: what it had reserved is free, what it held is armed. True if there was anything to
/// wake a claim for.
pub(crate) fn settle_ticket<R: Area>(area: &R, ticket: u32, dead: u32) -> bool {
    let word = TicketWord(area.ticket(ticket).load(Ordering::SeqCst));
    if word.issuer() != dead {
        return false;
    }
    let settled = match word.state() {
        Some(TicketState::Reserved) => TicketState::Free,
        Some(TicketState::Held) => TicketState::Armed,
        _ => return false,
    };
    // A claim of what a dead participant held can be faster.
    let swapped = swap_ticket(area.ticket(ticket), word, word.with(settled));
    reached(Step::SweepTicket);
    swapped && settled == TicketState::Armed
}

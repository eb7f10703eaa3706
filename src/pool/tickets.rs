//! Tickets: issue, arm, revoke, reclaim. The orders are those of the table in the room's map (`mod.rs`).

use std::sync::{Arc, atomic::Ordering};

use crate::{
    Error, Kind,
    pool::{
        attachment::Attachment,
        block::{Part, give_back, refused},
        checkpoint::{Step, reached},
        exit,
        hold::Held,
        layout::TicketRow,
        recovery,
        steps::{self, Intent, swap_ticket},
        stripe::Known,
        word::{EPOCH_MASK, TicketState, TicketWord},
    },
    sys,
};

/// A ticket that has been issued: what a token needs to name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Issued {
    pub(crate) block: u32,
    pub(crate) ticket: u32,
    pub(crate) serial: u64,
    pub(crate) epoch: u64,
}

/// How a ticket starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Start {
    /// It can be claimed at once.
    Armed,
    /// Its issuer still has the exclusive handle; `arm` or `revoke` ends that.
    Held,
}

/// Bit 31 of a ticket row's block: it is a `SharedMut`'s.
const EXCLUSIVE: u32 = 1 << 31;
/// Bit 0 of a ticket row's signal: a claim sleeps on it.
pub(super) const WAITING: u32 = 1;

/// Reserves a free ticket: its number, and its word as this process now has it.
fn reserve(at: &Attachment) -> Result<(u32, TicketWord), Error> {
    loop {
        let backed = at.control.tickets_backed();
        let hint = at.ticket_hint.load(Ordering::Relaxed).min(backed);
        for ticket in (hint..backed).chain(0..hint) {
            let row = at.control.ticket(ticket);
            let word = TicketWord(row.word.load(Ordering::Relaxed));
            if word.state() != Some(TicketState::Free) {
                continue;
            }
            let mine = TicketWord::new(word.epoch().wrapping_add(1) & EPOCH_MASK, at.slot, TicketState::Reserved);
            if swap_ticket(&row.word, word, mine) {
                // The next search begins here: what is claimed soon is found free, and still in the cache.
                at.ticket_hint.store(ticket, Ordering::Relaxed);
                return Ok((ticket, mine));
            }
        }
        let all = at.control.layout.tickets;
        if backed >= all {
            return Err(Error::TicketsFull { segment: at.id(), tickets: all });
        }
        // 128 of them are a page; then twice as many.
        let to = (backed * 2).max(128).min(all);
        at.segment.reserve(at.control.layout.ticket_bytes(backed, to))?;
        at.control.raise_tickets_backed(to);
        at.ticket_hint.store(backed, Ordering::Relaxed);
    }
}

/// Under stripe lock and intent: reserve → fill → the rest of the steps.
fn issue(
    at: &Attachment,
    hold: &Held,
    kind: Kind,
    start: Start,
    now: u64,
    reserve: impl FnOnce(&Attachment) -> Result<(u32, TicketWord), Error>,
    last: bool,
) -> Result<Issued, Error> {
    if exit::exiting() {
        return Err(Error::Exiting);
    }
    let (ticket, word) = reserve(at)?;
    reached(Step::IssueReserved);
    let row = at.control.ticket(ticket);
    let serial = hold.serial();
    row.serial.store(serial, Ordering::Relaxed);
    row.time.store(now, Ordering::Relaxed);
    let exclusive = if kind == Kind::SharedMut { EXCLUSIVE } else { 0 };
    row.block.store(hold.block | exclusive, Ordering::Relaxed);
    row.signal.store(0, Ordering::Relaxed);
    reached(Step::IssueFilled);
    let state = if start == Start::Held { TicketState::Held } else { TicketState::Armed };
    steps::issue(at, hold.block, ticket, word, state, last).map_err(|refusal| refused(at, hold.block, refusal))?;
    Ok(Issued { block: hold.block, ticket, serial, epoch: word.epoch() })
}

/// Block and serial that a ticket is for.
pub(crate) fn named_by(row: &TicketRow) -> (u32, u64) {
    (row.block.load(Ordering::Relaxed) & !EXCLUSIVE, row.serial.load(Ordering::Relaxed))
}

/// The ticket's word, if it is this ticket's and has not been claimed or revoked.
pub(crate) fn find(at: &Attachment, issued: Issued) -> Option<(TicketWord, TicketState)> {
    if issued.ticket >= at.control.tickets_backed() || issued.block >= at.control.blocks_backed() {
        return None;
    }
    let row = at.control.ticket(issued.ticket);
    // Acquire: with the release of the publishing store.
    let word = TicketWord(row.word.load(Ordering::Acquire));
    let state = word.state()?;
    let this = word.epoch() == issued.epoch && named_by(row) == (issued.block, issued.serial);
    (this && state != TicketState::Free).then_some((word, state))
}

/// Takes a ticket back, from any of `states`: ticket → word. What is left of the block, if it was the last, is put back.
/// `None` if this process has left the segment.
pub(super) fn take_back(at: &Arc<Attachment>, issued: Issued, states: &[TicketState]) -> Option<bool> {
    let released = {
        let _stripe = at.stripe(issued.block);
        if at.has_departed() {
            return None;
        }
        let Some((word, state)) = find(at, issued) else { return Some(false) };
        let _intent = Intent::on(&**at, issued.block);
        if !states.contains(&state) {
            return Some(false);
        }
        match steps::revoke(&**at, issued.block, issued.ticket, word) {
            None => return Some(false),
            Some(Ok(word)) if word.is_zero() => give_back(at, issued.block),
            // A word that can't go down was changed against the protocol: the block is left alone.
            Some(_) => None,
        }
    };
    if let Some(released) = released {
        released.put_back(at);
    }
    Some(true)
}

/// Takes back an armed ticket that nobody has claimed in time.
pub(crate) fn reclaim(at: &Arc<Attachment>, ticket: u32, epoch: u64) -> bool {
    let (block, serial) = named_by(at.control.ticket(ticket));
    take_back(at, Issued { block, ticket, serial, epoch }, &[TicketState::Armed]).unwrap_or(false)
}

impl Part {
    /// Issues a ticket; the part stays.
    ///
    /// # Errors
    ///
    /// `TicketsFull`, `CountLimit`, `NoSpace` (for tickets), `Exiting`.
    pub(crate) fn issue(&self, kind: Kind, start: Start) -> Result<Issued, Error> {
        let (hold, at) = (self.hold(), &*self.hold().at);
        at.refuse_inherited()?;
        let now = recovery::look();
        let _stripe = at.stripe(hold.block);
        let _intent = Intent::on(at, hold.block);
        issue(at, hold, kind, start, now, reserve, false)
    }

    /// Issues an armed ticket for the part, which is gone afterwards; if it is the last handle here, the hold goes over
    /// to the ticket in one change of the word, never through zero.
    ///
    /// # Errors
    ///
    /// As [`issue`](Self::issue); the part is given back.
    pub(crate) fn into_issued(self, kind: Kind) -> Result<Issued, (Part, Error)> {
        if let Err(error) = self.hold().at.refuse_inherited() {
            return Err((self, error));
        }
        let now = recovery::look();
        self.hand_over_to(kind, now, reserve)
    }

    pub(super) fn hand_over_to(
        self,
        kind: Kind,
        now: u64,
        reserve: impl FnOnce(&Attachment) -> Result<(u32, TicketWord), Error>,
    ) -> Result<Issued, (Part, Error)> {
        let (hold, at) = (self.hold(), &*self.hold().at);
        let mut stripe = at.stripe(hold.block);
        let intent = Intent::on(at, hold.block);
        let last = self.alone_here();
        let issued = issue(at, hold, kind, Start::Armed, now, reserve, last);
        if last && issued.is_ok() {
            *stripe.known(hold.block) = Known::Nothing;
            hold.disown();
        }
        drop(intent);
        drop(stripe);
        issued.map_err(|error| (self, error))
    }

    /// Takes back a ticket of this block that nobody has claimed, held or armed; false if it is gone.
    pub(crate) fn revoke(&self, issued: Issued) -> bool {
        let at = &self.hold().at;
        !at.is_inherited() && take_back(at, issued, &[TicketState::Held, TicketState::Armed]).unwrap_or(false)
    }

    /// Drops the exclusive part and arms its held ticket: bit → word → ticket last.
    pub(crate) fn arm(self, issued: Issued) {
        let (hold, at) = (self.hold(), &*self.hold().at);
        if at.is_inherited() {
            return;
        }
        let mut stripe = at.stripe(hold.block);
        let intent = Intent::on(at, hold.block);
        let Some((word, TicketState::Held)) = find(at, issued) else { return };
        let last = self.alone_here();
        let armed = steps::arm(at, hold.block, issued.ticket, word, last);
        if last && armed.is_ok() {
            *stripe.known(hold.block) = Known::Nothing;
            hold.disown();
        }
        wake_claims(at.control.ticket(issued.ticket));
        drop(intent);
        drop(stripe);
    }
}

/// After a held ticket has changed: wakes the claims that wait for it.
pub(crate) fn wake_claims(row: &TicketRow) {
    // SeqCst, with the claim's: it sets WAITING and then reads the ticket; whoever wakes has swapped the ticket and then
    // reads WAITING; one of the two sees the other.
    let signal = row.signal.load(Ordering::SeqCst);
    if signal & WAITING != 0 {
        row.signal.store(signal.wrapping_add(2) & !WAITING, Ordering::SeqCst);
        sys::wake_all(&row.signal);
    }
}

//! Claims: a ticket is taken, waited for, or joined late; and put back if the value can't be used. The orders are those of the
//! table in the room's map (`mod.rs`).

use std::{
    mem,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use crate::{
    Config, Error, Kind,
    pool::{
        Secret,
        attachment::Attachment,
        block::{Extent, Part, give_back, refused},
        checkpoint::{Step, reached},
        exit,
        hold::{Held, Hold},
        layout::TicketRow,
        peers, records, recovery,
        steps::{self, Area, Intent, Join, Take},
        stripe::Known,
        tickets::{Issued, WAITING, find, take_back},
        word::{TicketState, TicketWord, Word},
    },
    segment::{Locator, WillName, wills},
    sys,
};

/// How long a claim sleeps before it looks whether the issuer still lives: an issuer can die between its swap and its wake.
const SLICE: Duration = Duration::from_millis(50);
/// In the issuer's own process nobody but another thread can drop the handle.
const OWN_DEADLINE: Duration = Duration::from_secs(1);
/// How often a claim looks at a held ticket before it sleeps: a sender drops within microseconds of sending.
const SPINS: u32 = 200;

/// The segment of which a token says that it has its ticket: attached, its secret known.
pub(crate) struct Source<'l> {
    at: Arc<Attachment>,
    locator: &'l Locator,
}

impl<'l> Source<'l> {
    /// Finds the segment among those that this process has mapped, or attaches it.
    ///
    /// # Errors
    ///
    /// `Gone`, `Unreachable`, `NotTheSegment`, `Abi`, `Corrupt`, `ParticipantsFull`, `Os`.
    #[inline]
    pub(crate) fn find(locator: &'l Locator) -> Result<Self, Error> {
        Ok(Source { at: peers::attach(locator)?, locator })
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.at.secret
    }

    /// Takes back an armed ticket that nobody has claimed; false if it is gone.
    pub(crate) fn revoke(mut self, issued: Issued) -> bool {
        loop {
            match take_back(&self.at, issued, &[TicketState::Armed]) {
                Some(taken) => return taken,
                None if exit::exiting() => return false,
                None => match Self::find(self.locator) {
                    Ok(again) => self = again,
                    Err(_) => return false,
                },
            }
        }
    }

    /// Takes the ticket, waiting while it is held; a `Shared`'s that is gone joins. The part is `start..start + len` of
    /// the block, and `check` says whether it can be used. Nothing is taken by a claim that fails.
    ///
    /// # Errors
    ///
    /// `StillHeld`, `AlreadyClaimed`, `Expired`, `WrongKind`, `Corrupt`, `Range`, `CountLimit`, `Exiting`, `Os`, and those
    /// of `check`.
    pub(crate) fn claim(
        &self,
        issued: &Issued,
        kind: Kind,
        start: usize,
        len: usize,
        check: impl FnOnce(&Part) -> Result<(), Error>,
    ) -> Result<Part, Error> {
        recovery::look();
        let (hold, taken) = match self.take_or_join(*issued, kind, start, len) {
            // A thread that found the segment idle has left it meanwhile: this process attaches again.
            Err(Error::Exiting) if !exit::exiting() => {
                return Self::find(self.locator)?.claim(issued, kind, start, len, check);
            }
            result => result?,
        };
        // A hold that was here already has its own copy of the length.
        let length = hold.len();
        let within = start.checked_add(len).is_some_and(|end| end <= length);
        let (from, bytes) = if within { (start, len) } else { (0, length) };
        let claimed = Claimed { part: Some(Part::whole(hold).narrow(from, bytes)), taken, ticket: issued.ticket, kind };
        if !within {
            return Err(Error::Range { start, end: start.saturating_add(len), length });
        }
        check(claimed.part())?;
        Ok(claimed.keep())
    }

    /// The ticket's hold, and the ticket if it was there.
    fn take_or_join(
        &self,
        issued: Issued,
        kind: Kind,
        start: usize,
        len: usize,
    ) -> Result<(Hold, Option<Taken<'_>>), Error> {
        let at = &self.at;
        let mut wait: Option<Wait> = None;
        loop {
            let Some((word, state)) = find(at, issued) else {
                return Ok((self.without_ticket(issued, kind, start, len)?, None));
            };
            let own = word.issuer() == at.slot;
            let dead = || !own && at.is_dead(word.issuer());
            let mut pause = || wait.get_or_insert_with(|| Wait::new(own)).once(at, word, issued);
            match state {
                // Its will comes into view now, or its mover has died and will never show one.
                TicketState::Moved => {
                    let over = wills::exists(self.will(issued)) || dead() && at.is_dead(at.control.owner_slot());
                    if over || pause().is_err() {
                        return Err(self.gone());
                    }
                }
                // Another claim is looking at the value, and may put it back.
                TicketState::Reserved => {
                    if kind == Kind::Shared || dead() || pause().is_err() {
                        return Ok((self.without_ticket(issued, kind, start, len)?, None));
                    }
                }
                TicketState::Held if !dead() => pause()?,
                _ => {
                    if let Some((hold, taken)) = self.take(issued, kind, word, start, len)? {
                        return Ok((hold, Some(taken)));
                    }
                }
            }
        }
    }

    /// Where the message is if its sender has moved it.
    fn will(&self, issued: Issued) -> WillName {
        WillName { segment: self.at.id(), ticket: issued.ticket, epoch: issued.epoch }
    }

    fn gone(&self) -> Error {
        let Locator { sender, owner, .. } = self.locator;
        Error::Gone { segment: self.at.id(), sender: sender.pid, owner: owner.pid }
    }

    /// Ticket → word → bit; `None` if the ticket is not as `word` any more. Until the caller has looked at the value the
    /// ticket is reserved, so that it can be armed again.
    fn take<'a>(
        &'a self,
        issued: Issued,
        kind: Kind,
        word: TicketWord,
        start: usize,
        len: usize,
    ) -> Result<Option<(Hold, Taken<'a>)>, Error> {
        let at = &self.at;
        let extent = match self.examine(issued, kind, start, len) {
            // Another claim has taken the ticket meanwhile, and what was read may be of what has come after.
            Err(_) if at.ticket(issued.ticket).load(Ordering::SeqCst) != word.0 => return Ok(None),
            examined => examined?,
        };
        if kind == Kind::SharedMut {
            at.segment.make_writable()?;
        }
        let mut stripe = at.stripe(issued.block);
        if at.has_departed() {
            return Err(Error::Exiting);
        }
        if !records::may_be_claimed(at, issued.block) {
            return Err(Error::Expired { segment: at.id(), block: issued.block });
        }
        let here = stripe.known(issued.block).is_held();
        let intent = Intent::on(&**at, issued.block);
        let mine = match steps::take(&**at, issued.block, issued.ticket, word, here) {
            Take::Lost => return Ok(None),
            Take::Refused(refusal) => return Err(refused(at, issued.block, refusal)),
            Take::Taken(mine) => mine,
        };
        let hold = self.hold(stripe.known(issued.block), issued, extent);
        drop(intent);
        Ok(Some((hold, Taken { row: at.control.ticket(issued.ticket), mine })))
    }

    /// What the block's header says, if it is of the ticket's value. None of that changes while the ticket is in flight.
    fn examine(&self, issued: Issued, kind: Kind, start: usize, len: usize) -> Result<Extent, Error> {
        let extent = self.extent(issued, start, len)?;
        let header = self.at.control.block(issued.block);
        let exclusive = Word(header.word.load(Ordering::Acquire)).exclusive();
        if exclusive != (kind == Kind::SharedMut) {
            let found = if exclusive { Kind::SharedMut } else { Kind::Shared };
            return Err(Error::WrongKind { expected: kind, found });
        }
        if header.serial.load(Ordering::Acquire) != issued.serial {
            return Err(Error::Expired { segment: self.at.id(), block: issued.block });
        }
        Ok(extent)
    }

    /// The ticket is gone: a `SharedMut` has been claimed; a `Shared` is joined, as long as its block lives.
    fn without_ticket(&self, issued: Issued, kind: Kind, start: usize, len: usize) -> Result<Hold, Error> {
        let at = &self.at;
        if kind == Kind::SharedMut {
            return Err(Error::AlreadyClaimed { segment: at.id(), ticket: issued.ticket });
        }
        let expired = || Error::Expired { segment: at.id(), block: issued.block };
        if issued.block >= at.control.blocks_backed() {
            return Err(expired());
        }
        let mut stripe = at.stripe(issued.block);
        if at.has_departed() {
            return Err(Error::Exiting);
        }
        let intent = Intent::on(&**at, issued.block);
        let other = || at.serial(issued.block).load(Ordering::SeqCst) != issued.serial;
        if other() || !records::may_be_claimed(at, issued.block) {
            return Err(expired());
        }
        // Serials only go up: what is read here is this value's, or there is another serial by now.
        let extent = match self.extent(issued, start, len) {
            Err(_) if other() => return Err(expired()),
            extent => extent?,
        };
        let here = stripe.known(issued.block).is_held();
        let released = match steps::join(&**at, issued.block, issued.serial, here) {
            Join::Joined => return Ok(self.hold(stripe.known(issued.block), issued, extent)),
            Join::Refused(refusal) => return Err(refused(at, issued.block, refusal)),
            Join::Expired(undone) => undone.filter(|word| word.is_zero()).and_then(|_| give_back(at, issued.block)),
        };
        drop(intent);
        drop(stripe);
        if let Some(released) = released {
            released.put_back(at);
        }
        Err(expired())
    }

    /// What the block's header says, if the part lies within.
    fn extent(&self, issued: Issued, start: usize, len: usize) -> Result<Extent, Error> {
        if issued.block >= self.at.control.blocks_backed() {
            return Err(Error::Expired { segment: self.at.id(), block: issued.block });
        }
        let extent = Extent::read(&self.at, issued.block)?;
        match start.checked_add(len) {
            Some(end) if end <= extent.len => Ok(extent),
            end => Err(Error::Range { start, end: end.unwrap_or(usize::MAX), length: extent.len }),
        }
    }

    /// The hold that this process has on the block, or its first.
    fn hold(&self, known: &mut Known, issued: Issued, extent: Extent) -> Hold {
        if let Known::Held(registered) = known {
            return registered.hold();
        }
        let held = match known.take_kept().filter(|held| held.is_at(&extent)) {
            Some(mut held) => {
                held.describe(extent.len, extent.fingerprint, issued.serial);
                held
            }
            None => Held::new(Arc::clone(&self.at), issued.block, extent, issued.serial),
        };
        let hold = Hold::first(held);
        *known = Known::Held(hold.registered());
        hold
    }
}

/// A ticket that a claim has taken: reserved, and freed on drop.
struct Taken<'a> {
    row: &'a TicketRow,
    mine: TicketWord,
}

impl Taken<'_> {
    /// The ticket stays reserved: the caller arms it, or frees it.
    fn keep(self) -> TicketWord {
        let mine = self.mine;
        mem::forget(self);
        mine
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        // Release: as every store that ends a sequence. Nobody else swaps a reserved ticket.
        self.row.word.store(self.mine.with(TicketState::Free).0, Ordering::Release);
        reached(Step::TakeFreed);
    }
}

/// What a claim has, until it has looked at the value. Dropped, because the value can't be used or the look panics, it puts
/// the ticket back: armed again, as the token names it. An issue, but for the epoch.
struct Claimed<'a> {
    part: Option<Part>,
    /// `None` if the value was joined.
    taken: Option<Taken<'a>>,
    ticket: u32,
    kind: Kind,
}

impl Claimed<'_> {
    fn part(&self) -> &Part {
        match &self.part {
            Some(part) => part,
            None => unreachable!("the part is taken only by `keep` and drop"),
        }
    }

    /// The value can be used: the ticket is free.
    fn keep(mut self) -> Part {
        self.taken = None;
        match self.part.take() {
            Some(part) => part,
            None => unreachable!("the part is taken only here and by drop"),
        }
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        let Some(part) = self.part.take() else { return };
        if let Some(taken) = self.taken.take() {
            // Where that fails, the ticket is free and the part is dropped: an exiting process loses what it was sent.
            let _ = part.hand_over_to(self.kind, sys::boot_time(), |_| Ok((self.ticket, taken.keep())));
        }
    }
}

/// A claim that waits for the issuer of a held ticket to drop its handle.
struct Wait {
    began: Instant,
    deadline: Duration,
    spins: u32,
}

impl Wait {
    fn new(own: bool) -> Self {
        let deadline = Config::current().claim_deadline;
        Wait { began: Instant::now(), deadline: if own { deadline.min(OWN_DEADLINE) } else { deadline }, spins: 0 }
    }

    /// Spins or sleeps for a while; an error when the deadline has passed.
    fn once(&mut self, at: &Attachment, word: TicketWord, issued: Issued) -> Result<(), Error> {
        if self.spins < SPINS {
            self.spins += 1;
            std::hint::spin_loop();
            return Ok(());
        }
        let waited = self.began.elapsed();
        let Some(left) = self.deadline.checked_sub(waited).filter(|left| !left.is_zero()) else {
            return Err(Error::StillHeld { segment: at.id(), ticket: issued.ticket, waited });
        };
        let row = at.control.ticket(issued.ticket);
        let signal = row.signal.fetch_or(WAITING, Ordering::SeqCst) | WAITING;
        // SeqCst, with that of `wake_claims`.
        if row.word.load(Ordering::SeqCst) == word.0 {
            sys::wait(&row.signal, signal, left.min(SLICE));
        }
        Ok(())
    }
}

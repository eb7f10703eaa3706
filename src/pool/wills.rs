//! Claiming a message that its sender has left in a will: it is copied into this process's own pool.

// The new block is written before anybody has it.
#![allow(unsafe_code)]

use crate::{
    Backing, Error, Kind, SegmentId,
    pool::{Issued, Part, Secret, Step, owner, peers, reached, steps::swap_ticket, tickets, word::TicketState},
    segment::{Locator, WillName, wills},
};

/// The will of one message, open.
pub(crate) struct Will {
    file: wills::Will,
    segment: SegmentId,
    issued: Issued,
}

/// Whether a claim that fails so may find the message in a will.
pub(crate) fn may_be_willed(locator: &Locator, error: &Error) -> bool {
    use Error::{AlreadyClaimed, Expired, Gone, NotTheSegment, Unreachable};
    // Numbers get reused: behind a door that leads elsewhere, its process has gone.
    let missing = matches!(
        error,
        AlreadyClaimed { .. } | Expired { .. } | Gone { .. } | NotTheSegment { .. } | Unreachable { .. }
    );
    // Named segments keep their messages.
    missing && locator.backing == Backing::Anonymous
}

impl Will {
    /// The will of a message, if one is in view. Only after its sender and owner were found to be gone, or its ticket to
    /// have been moved: before that, it could come into view right after the look.
    pub(crate) fn open(locator: &Locator, issued: Issued) -> Option<Self> {
        let name = WillName { segment: locator.id, ticket: issued.ticket, epoch: issued.epoch };
        let file = wills::Will::open(name)?;
        let header = file.header();
        let this = (header.block, header.serial) == (issued.block, issued.serial);
        this.then_some(Will { file, segment: locator.id, issued })
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.file.header().secret
    }

    /// Claims the message: the part is a copy of `start..start + len`, aligned to `align`, in this process's own pool, and
    /// `check` says whether it can be used. Nothing is taken by a claim that fails.
    ///
    /// # Errors
    ///
    /// `WrongKind`, `Range`, those of allocating and reading, those of `check`; `AlreadyClaimed` or `Expired` if another
    /// process is faster.
    pub(crate) fn claim(
        self,
        kind: Kind,
        (start, len): (usize, usize),
        align: usize,
        check: impl FnOnce(&Part) -> Result<(), Error>,
    ) -> Result<Part, Error> {
        let header = *self.file.header();
        let found = if header.exclusive { Kind::SharedMut } else { Kind::Shared };
        if found != kind {
            return Err(Error::WrongKind { expected: kind, found });
        }
        if start.checked_add(len).is_none_or(|end| end as u64 > header.len) {
            let length = usize::try_from(header.len).unwrap_or(usize::MAX);
            return Err(Error::Range { start, end: start.saturating_add(len), length });
        }
        let mut part = owner::allocate(len, align, false, header.fingerprint, kind)?;
        // SAFETY: the block is new, this part is its only handle, and what a process allocates is writable in it.
        self.file.read(start as u64, unsafe { part.bytes_mut() })?;
        check(&part)?;
        reached(Step::ClaimWillCopied);
        let Will { file, segment, issued } = self;
        if !file.take() {
            return Err(match kind {
                Kind::Shared => Error::Expired { segment, block: issued.block },
                Kind::SharedMut => Error::AlreadyClaimed { segment, ticket: issued.ticket },
            });
        }
        reached(Step::ClaimWillTaken);
        forget_moved(segment, issued);
        Ok(part)
    }

    /// Takes the message back; true if nobody was faster.
    pub(crate) fn revoke(self) -> bool {
        let taken = self.file.take();
        forget_moved(self.segment, self.issued);
        taken
    }
}

/// The will has been claimed: its ticket, where this process still has the segment mapped, is free.
fn forget_moved(segment: SegmentId, issued: Issued) {
    let Some(at) = peers::find(segment) else { return };
    if let Some((word, TicketState::Moved)) = tickets::find(&at, issued) {
        swap_ticket(&at.control.ticket(issued.ticket).word, word, word.with(TicketState::Free));
    }
}

//! The state of a writable handle: live, or serialized and how far.

// The part's bytes are borrowed here, once the state allows it.
#![allow(unsafe_code)]

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU8, Ordering},
};

use crate::{
    Error, Kind,
    part::{Issued, Part},
    pool::Start,
};

/// The handle without its type, and what has become of it.
pub(super) struct Exclusive {
    /// INVARIANT: of an exclusive value, and the only one, in any process, that has any byte of its range; `None` once
    /// another takes its place.
    part: Option<Part>,
    /// `LIVE` → `ISSUED` → `EMITTED`, never back. Relaxed: it orders nothing. Until the handle is dropped no receiver gets
    /// at the bytes, so a look that races with a serialization is as good as one before it; and a drop is alone.
    state: AtomicU8,
    /// The held ticket, or what a file has instead, from `ISSUED` on.
    issued: Mutex<Option<Issued>>,
}

const LIVE: u8 = 0;
/// There is a ticket.
const ISSUED: u8 = 1;
/// Its token has left at least once.
const EMITTED: u8 = 2;

impl Exclusive {
    pub(super) fn new(part: Part) -> Self {
        Exclusive { part: Some(part), state: AtomicU8::new(LIVE), issued: Mutex::new(None) }
    }

    /// The range, whatever has become of the handle.
    #[inline]
    pub(super) fn part(&self) -> &Part {
        match &self.part {
            Some(part) => part,
            None => unreachable!("a handle without its part is not given out"),
        }
    }

    /// Gives the part up; a ticket is forgotten.
    pub(super) fn into_part(mut self) -> Part {
        match self.part.take() {
            Some(part) => part,
            None => unreachable!("a handle without its part is not given out"),
        }
    }

    /// Cuts the range at `at`: it keeps what is before, the part that is returned has the rest alone.
    #[track_caller]
    pub(super) fn split_off(&mut self, at: usize) -> Part {
        self.assert_live();
        match &mut self.part {
            Some(part) => part.split_off(at),
            None => unreachable!("a handle without its part is not given out"),
        }
    }

    /// Gives up what lies behind the first `len` bytes.
    #[track_caller]
    pub(super) fn shorten(&mut self, len: usize) {
        self.assert_live();
        if let Some(part) = &mut self.part {
            part.shorten(len);
        }
    }

    /// Whether the handle has not been serialized.
    #[inline]
    pub(super) fn is_live(&self) -> bool {
        self.state.load(Ordering::Relaxed) == LIVE
    }

    /// For methods that have one to return.
    ///
    /// # Errors
    ///
    /// `Serialized`.
    pub(super) fn live_part(&self) -> Result<&Part, Error> {
        if self.is_live() { Ok(self.part()) } else { Err(Error::Serialized) }
    }

    /// For methods that have no error to return.
    #[inline]
    #[track_caller]
    pub(super) fn assert_live(&self) {
        if !self.is_live() {
            serialized();
        }
    }

    /// The bytes, to read.
    #[inline]
    #[track_caller]
    pub(super) fn bytes(&self) -> &[u8] {
        self.assert_live();
        // SAFETY: the part has its range alone, and this borrow of it allows no write; a process that claims the ticket
        // gets the bytes only after the handle's drop.
        unsafe { self.part().bytes() }
    }

    /// The bytes, to write.
    #[inline]
    #[track_caller]
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        self.assert_live();
        match &mut self.part {
            // SAFETY: the value is exclusive, the part has its range alone and is borrowed, and the memory was made
            // writable by allocate, claim, thaw, or when the file was opened.
            Some(part) => unsafe { part.bytes_mut() },
            None => unreachable!("a handle without its part is not given out"),
        }
    }

    /// The held ticket; issued at the first call.
    pub(super) fn issue(&self) -> Result<Issued, Error> {
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(issued) = *issued {
            return Ok(issued);
        }
        let new = self.part().issue(Kind::SharedMut, Start::Held)?;
        *issued = Some(new);
        // Before any emission: that needs the ticket, which the lock still covers.
        self.state.store(ISSUED, Ordering::Relaxed);
        Ok(new)
    }

    /// The ticket's token has left.
    pub(super) fn emitted(&self) {
        self.state.store(EMITTED, Ordering::Relaxed);
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        let Some(part) = self.part.take() else { return };
        if *self.state.get_mut() == LIVE {
            return;
        }
        let emitted = *self.state.get_mut() == EMITTED;
        match *self.issued.get_mut().unwrap_or_else(PoisonError::into_inner) {
            Some(issued) if emitted => part.arm(issued),
            Some(issued) => part.revoke(issued),
            None => {}
        }
    }
}

#[cold]
#[track_caller]
fn serialized() -> ! {
    panic!("{}", Error::Serialized)
}

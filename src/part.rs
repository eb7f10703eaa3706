//! A handle without its type, wherever its bytes are: a range of a block, or of a value in a file. What the typed rooms are
//! made of.
//!
//! Both kinds have their start and their length in the same place, so that a look at the bytes does not ask which it is.
#![allow(unsafe_code)] // Bytes are passed through.

use std::{ops::Range, path::Path};

use crate::{
    Counts, Error, Kind,
    mapped::{self, Advice},
    pool::{self, Source, Start},
    segment::Locator,
    sys::Whereabouts,
};

/// A range of a value: of a block, or of what a file holds. Cloning it makes another handle, by a count.
#[derive(Clone)]
pub(crate) enum Part {
    Block(pool::Part),
    File(mapped::Part),
}

const _: () = assert!(size_of::<pool::Part>() == size_of::<mapped::Part>());

/// What makes a token worth something: a block's ticket. A file needs none: it is there.
#[derive(Clone, Copy)]
pub(crate) enum Issued {
    Block(pool::Issued),
    File(Kind),
}

impl Part {
    /// The bytes.
    ///
    /// # Safety
    ///
    /// Nobody, in any process, writes them while the slice lives: the value is not exclusive, or this part has its range
    /// alone and is borrowed.
    #[inline]
    pub(crate) unsafe fn bytes(&self) -> &[u8] {
        match self {
            // SAFETY: by the caller.
            Part::Block(part) => unsafe { part.bytes() },
            // SAFETY: by the caller.
            Part::File(part) => unsafe { part.bytes() },
        }
    }

    /// The bytes, to write.
    ///
    /// # Safety
    ///
    /// The value is exclusive, this part has its range alone, and the memory is writable here.
    #[inline]
    pub(crate) unsafe fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            // SAFETY: by the caller.
            Part::Block(part) => unsafe { part.bytes_mut() },
            // SAFETY: by the caller.
            Part::File(part) => unsafe { part.bytes_mut() },
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            Part::Block(part) => part.len(),
            Part::File(part) => part.len(),
        }
    }

    /// Bytes that the whole value, or all of its parts, use.
    pub(crate) fn block_len(&self) -> usize {
        match self {
            Part::Block(part) => part.block_len(),
            Part::File(part) => part.block_len(),
        }
    }

    /// Offset of the range in the whole, in bytes.
    pub(crate) fn offset(&self) -> usize {
        match self {
            Part::Block(part) => part.offset(),
            Part::File(part) => part.offset(),
        }
    }

    /// Where the part is in the whole, in bytes.
    pub(crate) fn place(&self) -> Range<usize> {
        let start = self.offset();
        start..start + self.len()
    }

    /// A handle on the range `offset..offset + len` of this one.
    ///
    /// # Panics
    ///
    /// If it does not lie within.
    #[inline]
    pub(crate) fn slice(&self, offset: usize, len: usize) -> Part {
        match self {
            Part::Block(part) => Part::Block(part.clone().narrow(offset, len)),
            Part::File(part) => slice_of_file(part, offset, len),
        }
    }

    /// All that this is a part of.
    fn whole_block(self) -> Part {
        match self {
            Part::Block(part) => Part::Block(part.whole_block()),
            Part::File(part) => Part::File(part.whole_block()),
        }
    }

    pub(crate) fn same_block(&self, other: &Part) -> bool {
        match (self, other) {
            (Part::Block(part), Part::Block(other)) => part.same_block(other),
            (Part::File(part), Part::File(other)) => part.same_block(other),
            _ => false,
        }
    }

    /// Of the same whole the same range.
    pub(crate) fn same_range(&self, other: &Part) -> bool {
        match (self, other) {
            (Part::Block(part), Part::Block(other)) => part.same_range(other),
            (Part::File(part), Part::File(other)) => part.same_range(other),
            _ => false,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        match self {
            Part::Block(part) => part.counts(),
            Part::File(part) => part.counts(),
        }
    }

    /// The file that it is of.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Part::Block(_) => None,
            Part::File(part) => part.path(),
        }
    }

    /// What another program of this user's opens to find the bytes, and where they begin in it.
    ///
    /// # Errors
    ///
    /// `Inherited`; `FileFault::NotSent` of memory without a file.
    pub(crate) fn whereabouts(&self) -> Result<(Whereabouts, u64), Error> {
        match self {
            Part::Block(part) => part.whereabouts(),
            Part::File(part) => {
                let (origin, _) = part.origin(Kind::Shared)?;
                let path = part.path().map(Path::to_path_buf).unwrap_or_default();
                Ok((Whereabouts::Path(path), origin.offset + part.offset() as u64))
            }
        }
    }

    /// Brings what has been written to these bytes of the range to the disk. Nothing to do without a file.
    ///
    /// # Errors
    ///
    /// `FileFault::Failed`.
    pub(crate) fn flush(&self, bytes: Range<usize>) -> Result<(), Error> {
        match self {
            Part::Block(_) => Ok(()),
            Part::File(part) => part.flush(bytes),
        }
    }

    /// As [`flush`](Self::flush), but does not wait for it.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    pub(crate) fn flush_async(&self, bytes: Range<usize>) -> Result<(), Error> {
        match self {
            Part::Block(_) => Ok(()),
            Part::File(part) => part.flush_async(bytes),
        }
    }

    /// Brings the whole value to the disk, and that it is finished. Nothing to do without a file, or with one that this process
    /// has only read.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    pub(crate) fn flush_finished(&self) -> Result<(), Error> {
        match self {
            Part::Block(_) => Ok(()),
            Part::File(part) => part.flush_finished(),
        }
    }

    /// Says what will be done with the range. No effect on a block.
    ///
    /// # Errors
    ///
    /// `Os`, `FileFault::Failed`.
    pub(crate) fn advise(&self, advice: Advice) -> Result<(), Error> {
        match self {
            Part::Block(_) => Ok(()),
            Part::File(part) => part.advise(advice),
        }
    }

    /// Keeps the range in memory, or no longer. No effect on a block.
    ///
    /// # Errors
    ///
    /// `Os`, `FileFault::Failed`.
    pub(crate) fn lock_in_memory(&self, locked: bool) -> Result<(), Error> {
        match self {
            Part::Block(_) => Ok(()),
            Part::File(part) => part.lock_in_memory(locked),
        }
    }

    /// `SharedMut` to `Shared`.
    ///
    /// # Errors
    ///
    /// `NotAlone` unless this is the only handle anywhere and nothing is in flight.
    pub(crate) fn freeze(&self) -> Result<(), Error> {
        match self {
            Part::Block(part) => part.freeze(),
            Part::File(part) => part.freeze(),
        }
    }

    /// `Shared` to `SharedMut`: tokens of the old value expire, and the bytes are writable here afterwards.
    ///
    /// # Errors
    ///
    /// `NotAlone` unless this is the only handle anywhere and nothing is in flight; `Os` if a block can't be made writable;
    /// `FileFault::ReadOnly` and `FileFault::Locked`.
    pub(crate) fn thaw(&self) -> Result<(), Error> {
        match self {
            Part::Block(part) => part.thaw(),
            Part::File(part) => part.thaw(),
        }
    }

    /// Cuts the part at `at`: it keeps what is before, and what is returned has the rest.
    ///
    /// # Panics
    ///
    /// If `at` lies beyond its end.
    pub(crate) fn split_off(&mut self, at: usize) -> Part {
        assert!(at <= self.len(), "a part is cut within it");
        let tail = self.slice(at, self.len() - at);
        *self = self.slice(0, at);
        tail
    }

    /// Gives up what lies behind the first `len` bytes. If the part is all that there is of its block, the block is as long
    /// from now on.
    ///
    /// # Panics
    ///
    /// If the part is not as long.
    pub(crate) fn shorten(&mut self, len: usize) {
        match self {
            Part::Block(part) => part.shorten(len),
            Part::File(part) => part.shorten(len),
        }
    }

    /// The two must be of one whole to be put together.
    ///
    /// # Errors
    ///
    /// `OtherBlock`, `OtherFile`.
    pub(crate) fn of_one_block(&self, other: &Part) -> Result<(), Error> {
        match (self, other) {
            (Part::Block(part), Part::Block(other)) => part.of_one_block(other),
            _ if self.same_block(other) => Ok(()),
            _ => {
                let path = |part: &Part| part.path().map(Path::to_path_buf);
                Err(Error::OtherFile { path: path(self), other_path: path(other) })
            }
        }
    }

    /// All from the first byte of `parts`, which are of one whole and leave no gap, to the last: one handle in their place.
    /// None of nothing.
    pub(crate) fn together(parts: impl IntoIterator<Item = Part>) -> Option<Part> {
        let mut parts = parts.into_iter();
        let first = parts.next()?;
        let Range { start, end } = parts.fold(first.place(), |all, part| {
            let place = part.place();
            all.start.min(place.start)..all.end.max(place.end)
        });
        Some(first.whole_block().slice(start, end - start))
    }

    /// Issues a ticket; the part stays.
    ///
    /// # Errors
    ///
    /// `TicketsFull`, `CountLimit`, `NoSpace` (for tickets), `Exiting`, `Inherited`.
    pub(crate) fn issue(&self, kind: Kind, start: Start) -> Result<Issued, Error> {
        match self {
            Part::Block(part) => part.issue(kind, start).map(Issued::Block),
            // Whether a file can be sent its origin has said.
            Part::File(_) => Ok(Issued::File(kind)),
        }
    }

    /// What the part becomes on its way out: a ticket that can be claimed as soon as its token has left.
    ///
    /// # Errors
    ///
    /// As [`issue`](Self::issue); the part is given back.
    pub(crate) fn into_issued(self, kind: Kind) -> Result<Departing, (Part, Error)> {
        match self {
            Part::Block(part) => {
                let locator = part.locator();
                let issued = part.into_issued(kind).map_err(|(part, error)| (Part::Block(part), error))?;
                Ok(Departing { issued: Issued::Block(issued), way_back: Some(WayBack::Block(locator)) })
            }
            Part::File(part) => Ok(Departing { issued: Issued::File(kind), way_back: Some(WayBack::File(part)) }),
        }
    }

    /// Takes back what has been issued, if nobody has claimed it. A token of a file's `Shared` is as good as the file.
    pub(crate) fn revoke(&self, issued: Issued) {
        match (self, issued) {
            (Part::Block(part), Issued::Block(issued)) => {
                part.revoke(issued);
            }
            (Part::File(part), Issued::File(Kind::SharedMut)) => part.revoke(),
            _ => {}
        }
    }

    /// Drops the part of a `SharedMut` whose token has left: the receiver's turn.
    pub(crate) fn arm(self, issued: Issued) {
        match (self, issued) {
            (Part::Block(part), Issued::Block(issued)) => part.arm(issued),
            (Part::File(part), Issued::File(Kind::SharedMut)) => part.hand_over(),
            _ => {}
        }
    }
}

/// Apart, so that what every slice of a block runs through stays short.
#[inline(never)]
fn slice_of_file(part: &mapped::Part, offset: usize, len: usize) -> Part {
    Part::File(part.clone().narrow(offset, len))
}

/// A handle that has become a message, which has not left yet. Dropped, because the serializer fails or panics, it takes the
/// message back.
pub(crate) struct Departing {
    issued: Issued,
    way_back: Option<WayBack>,
}

enum WayBack {
    /// Where the ticket is.
    Block(Locator),
    /// The file stays open until its token has left.
    File(mapped::Part),
}

impl Departing {
    pub(crate) fn issued(&self) -> Issued {
        self.issued
    }

    /// The token has left.
    pub(crate) fn left(mut self) {
        if let Some(WayBack::File(part)) = self.way_back.take() {
            Part::File(part).arm(self.issued);
        }
    }
}

impl Drop for Departing {
    fn drop(&mut self) {
        match (self.way_back.take(), self.issued) {
            (Some(WayBack::Block(locator)), Issued::Block(issued)) => {
                // The segment stays mapped while a ticket of this process is in flight there, so it is found.
                let _ = Source::find(&locator).map(|source| source.revoke(issued));
            }
            (Some(WayBack::File(part)), issued) => Part::File(part).revoke(issued),
            _ => {}
        }
    }
}

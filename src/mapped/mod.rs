//! Files with values in them, as this process has them open: locked and mapped.
#![allow(unsafe_code)] // Bytes of a mapping become slices here, for the typed rooms above.
#![allow(dead_code, unused_variables)]

mod advice;
mod drafting;
mod opening;
mod reading;

use std::{ops::Range, path::Path, ptr::NonNull, sync::Arc};

pub use self::advice::Advice;
#[allow(unused_imports)]
pub(crate) use self::{
    drafting::{Description, Draft, Making, NewLayout, Then, anonymous},
    opening::{Access, How, Layout, Opened, open},
    reading::Reading,
};
use crate::{Counts, Error, Kind};

/// A file that this process has open, locked and mapped: shared by all handles on its value here.
#[derive(Debug)]
pub(crate) struct Mapped {}

/// What a token says of a file: enough to find the same value again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    /// Absolute; as the system encodes it (`OsStr::as_encoded_bytes`).
    pub(crate) path: Vec<u8>,
    pub(crate) identity: Identity,
    /// Of the value's first byte in the file.
    pub(crate) offset: u64,
    /// Bytes of the whole value.
    pub(crate) len: u64,
    pub(crate) fingerprint: u64,
}

/// What tells this value from whatever else the path may lead to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Identity {
    /// A file with a header: the file's id, and how often it has been taken for writing.
    Headed { id: u64, generation: u64 },
    /// A file without: where it is, and how long and of what time (nanoseconds) it was.
    Foreign { device: u64, inode: u64, size: u64, modified: u64 },
}

/// A range of the value in a file that this process has mapped: a handle without its type. Cloning it makes another
/// handle, by a count.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Part {
    hold: Arc<Mapped>,
    /// INVARIANT: `start..start + len` lies within the hold's value.
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: `start` leads into the mapping that `hold` keeps.
unsafe impl Send for Part {}
// SAFETY: as above; `&Part` gives out shared bytes only.
unsafe impl Sync for Part {}

impl Part {
    /// As for a block's part.
    ///
    /// # Safety
    ///
    /// Nobody, in any process, writes them while the slice lives.
    pub(crate) unsafe fn bytes(&self) -> &[u8] {
        // SAFETY: mapped by the invariant of `start`; not written, by the caller.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// # Safety
    ///
    /// The file is held for writing, and this part has its range alone.
    pub(crate) unsafe fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: mapped by the invariant of `start`; nobody else's, by the caller.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of the whole value.
    pub(crate) fn block_len(&self) -> usize {
        unimplemented!()
    }

    /// Offset of the range in the value, in bytes.
    pub(crate) fn offset(&self) -> usize {
        unimplemented!()
    }

    /// As for a block's part; panics likewise.
    pub(crate) fn narrow(self, offset: usize, len: usize) -> Part {
        unimplemented!()
    }

    pub(crate) fn whole_block(self) -> Part {
        unimplemented!()
    }

    /// Gives up what lies behind the first `len` bytes of the range. (The file stays as long as it is.)
    pub(crate) fn shorten(&mut self, len: usize) {
        unimplemented!()
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        unimplemented!()
    }

    pub(crate) fn same_block(&self, other: &Part) -> bool {
        unimplemented!()
    }

    pub(crate) fn same_range(&self, other: &Part) -> bool {
        unimplemented!()
    }

    /// Handles here; one holder, nothing in flight: of other processes nobody knows.
    pub(crate) fn counts(&self) -> Counts {
        unimplemented!()
    }

    /// Absolute; none of memory without a file.
    pub(crate) fn path(&self) -> Option<&Path> {
        unimplemented!()
    }

    /// `SharedMut` to `Shared`: state *finished*, and the lock is others' to share.
    ///
    /// # Errors
    ///
    /// `NotAlone`.
    pub(crate) fn freeze(&self) -> Result<(), Error> {
        unimplemented!()
    }

    /// `Shared` to `SharedMut`: the lock is this process's alone, another generation begins, state *being written*.
    ///
    /// # Errors
    ///
    /// `NotAlone`, `FileFault::ReadOnly`, `FileFault::Locked`.
    pub(crate) fn thaw(&self) -> Result<(), Error> {
        unimplemented!()
    }

    /// What a token of this handle says, and the key of its MAC.
    ///
    /// # Errors
    ///
    /// `FileFault::NotSent`; `Inherited` in a forked child.
    pub(crate) fn origin(&self, kind: Kind) -> Result<(Origin, [u8; 16]), Error> {
        unimplemented!()
    }

    /// Drops a `SharedMut`'s part whose token has left: unlocked, and left *being written* for whoever claims it.
    pub(crate) fn hand_over(self) {
        unimplemented!()
    }

    /// What has been emitted of a `SharedMut`'s token is worth nothing any more: another generation begins.
    pub(crate) fn revoke(&self) {
        unimplemented!()
    }

    /// Writes to the disk what has been written to these bytes of the range. Nothing to do without a file.
    pub(crate) fn flush(&self, range: Range<usize>) -> Result<(), Error> {
        unimplemented!()
    }

    /// Says how the range will be accessed. Nothing where the platform has no such advice.
    pub(crate) fn advise(&self, advice: Advice) -> Result<(), Error> {
        unimplemented!()
    }

    /// Keeps the range in memory, or no longer.
    pub(crate) fn lock_in_memory(&self, locked: bool) -> Result<(), Error> {
        unimplemented!()
    }

    /// As `flush`, but does not wait until it has been done.
    pub(crate) fn flush_async(&self, range: Range<usize>) -> Result<(), Error> {
        unimplemented!()
    }
}

/// A file that a token leads to, open, locked, and found to be the one that the token names as far as it can be said
/// without the key; not mapped for anybody yet.
pub(crate) struct Found {}

impl Found {
    /// Finds the file, waiting for its lock up to the configured deadline if `kind` is `SharedMut`. What this process has
    /// mapped already is found again without a system call.
    ///
    /// # Errors
    ///
    /// Those of opening, `FileFault::Owner`, `Changed`, `AlreadyClaimed`, `StillHeld`, `Locked`, `TooShort`.
    pub(crate) fn find(origin: &Origin, kind: Kind) -> Result<Found, Error> {
        unimplemented!()
    }

    /// The key of the MAC.
    pub(crate) fn secret(&self) -> &[u8; 16] {
        unimplemented!()
    }

    /// The value, as the claimed kind: of a `SharedMut` another generation begins, once `check` has passed.
    ///
    /// # Errors
    ///
    /// `Range`, `Misaligned`, `NoSpace`, those of `check` (the file is as it was).
    pub(crate) fn claim(
        self,
        start: usize,
        len: usize,
        alignment: usize,
        check: impl FnOnce(&Part) -> Result<(), Error>,
    ) -> Result<Part, Error> {
        unimplemented!()
    }
}

//! Files with values in them, as this process has them open: locked and mapped.
//!
//! ```text
//! open ── Opened, checked by who knows the type ── begin ──┐
//! Draft::new ── publish ──────────────────────────────────┤── Part
//! Found::find ── claim ───────────────────────────────────┘
//! ```
//!
//! A [`Part`] is a handle without its type: on a range of the value in one [`Mapped`] file. As long as there is one, the file
//! is locked: with others who read it, or alone by who writes it.
#![allow(unsafe_code)] // Bytes of a mapping become slices here, for the typed rooms above.

mod advice;
mod changing;
mod drafting;
mod found;
mod header;
mod held;
mod memory;
mod opening;
mod reading;
mod secret;
mod table;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    ops::Range,
    path::Path,
    ptr::NonNull,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    thread,
};

use memmap2::MmapRaw;

pub use self::advice::Advice;
#[cfg(fuzzing)]
pub(crate) use self::header::forged;
pub(crate) use self::{
    drafting::{Description, Draft, Making, NewLayout, Then, anonymous},
    found::Found,
    opening::{Access, How, Layout, Opened, open},
    reading::Reading,
};
use self::{
    header::{FINISHED, HEADER, Words},
    held::{Held, Home},
    table::{Key, table},
};
use crate::{Counts, Error, FileFault};

/// A file that this process has open, locked and mapped: shared by all handles on its value here. Or memory without a file,
/// which is as a file that nobody else can open.
pub(crate) struct Mapped {
    /// None: memory without a file. It goes first: unlocked, then unmapped.
    held: Option<Held>,
    map: MmapRaw,
    home: Home,
    access: Access,
    /// A [`Role`].
    role: AtomicU8,
    /// Where the value is in the mapping, and how long it is.
    /// INVARIANT: it lies within.
    start: usize,
    len: usize,
    /// Where the value begins in the file.
    offset: u64,
    fingerprint: u64,
    kind: FileKind,
}

/// What a file says of itself, or the system of it.
enum FileKind {
    /// INVARIANT: the mapping begins with the header; and it is one that may be written, if `access` says so.
    /// `on_disk` is the generation of which the disk has the header.
    Headed { id: u64, secret: [u8; 16], generation: AtomicU64, on_disk: AtomicU64 },
    /// As in [`Identity::Foreign`]; and the key of its tokens' MACs, once it has been asked for.
    Foreign { device: u64, inode: u64, size: u64, modified: AtomicU64, secret: OnceLock<[u8; 16]> },
}

/// What this process is to the value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Role {
    /// It has it open, and has changed nothing.
    Guest,
    /// It reads it.
    Reader,
    /// It writes it: what the file has of it is unfinished.
    Writer,
    /// It has written it, and leaves it to whoever claims it: unfinished as it is.
    Left,
}

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

impl Origin {
    fn key(&self) -> Key {
        let Origin { identity, offset, len, fingerprint, .. } = *self;
        Key { identity, offset, len, fingerprint }
    }
}

/// What tells this value from whatever else the path may lead to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Identity {
    /// A file with a header: the file's id, and a number that is another one each time that it is taken for writing: also
    /// than in a copy of the file.
    Headed { id: u64, generation: u64 },
    /// A file without: where it is, and how long and of what time (nanoseconds) it was.
    Foreign { device: u64, inode: u64, size: u64, modified: u64 },
}

/// A range of the value in a file that this process has mapped: a handle without its type. Cloning it makes another
/// handle, by a count.
#[derive(Clone)]
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

impl Mapped {
    fn role(&self) -> Role {
        // Acquire, with the release of `set_role`: whoever finds it read finds all that was written before.
        match self.role.load(Ordering::Acquire) {
            1 => Role::Reader,
            2 => Role::Writer,
            3 => Role::Left,
            _ => Role::Guest,
        }
    }

    fn set_role(&self, role: Role) {
        self.role.store(role as u8, Ordering::Release);
    }

    /// The words of the header that change; none if this process can't write them, or there is none.
    fn words(&self) -> Option<Words<'_>> {
        if self.access != Access::Write || !matches!(self.kind, FileKind::Headed { .. }) {
            return None;
        }
        // SAFETY: the header is mapped, and may be written; all who write it do so through these words.
        Some(unsafe { Words::at(memory::start(&self.map)) })
    }

    fn identity(&self) -> Identity {
        match &self.kind {
            FileKind::Headed { id, generation, .. } => {
                Identity::Headed { id: *id, generation: generation.load(Ordering::Relaxed) }
            }
            FileKind::Foreign { device, inode, size, modified, .. } => Identity::Foreign {
                device: *device,
                inode: *inode,
                size: *size,
                modified: modified.load(Ordering::Relaxed),
            },
        }
    }

    /// What it is found by in the table; none if it can't be: what is written there is nobody else's.
    fn key(&self) -> Option<Key> {
        let can_be = self.held.is_some() && self.access != Access::Private;
        can_be.then(|| self.value_key())
    }

    fn value_key(&self) -> Key {
        let Mapped { offset, fingerprint, .. } = *self;
        Key { identity: self.identity(), offset, len: self.len as u64, fingerprint }
    }

    /// The value's first byte.
    fn value(&self) -> NonNull<u8> {
        // SAFETY: the value lies within the mapping, by the invariant.
        unsafe { memory::start(&self.map).add(self.start) }
    }

    /// Why something can't be done with the file, or the memory.
    fn failed(&self, operation: &'static str, source: std::io::Error) -> Error {
        match &self.held {
            Some(held) => held.fault(FileFault::Failed { operation, source }),
            None => Error::Os { operation, source },
        }
    }

    fn fault(&self, fault: FileFault) -> Error {
        let path = self.held.as_ref().map(|held| held.path.clone()).unwrap_or_default();
        Error::File { path, fault }
    }
}

impl Drop for Mapped {
    /// Finished, unless who drops it panics, and of no earlier time than when it was begun; then unlocked. A forked child
    /// leaves everything as it is.
    fn drop(&mut self) {
        if !self.home.is_here() {
            return;
        }
        if let Some(key) = self.key() {
            table().take(&key, self);
        }
        if self.role() != Role::Writer {
            return;
        }
        self.look_again();
        if !thread::panicking()
            && let Some(words) = self.words()
        {
            // Release: all that was written is in the file before it.
            words.state.store(FINISHED.to_le(), Ordering::Release);
        }
    }
}

impl fmt::Debug for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.held.as_ref().map(|held| &held.path);
        f.debug_struct("Mapped").field("path", &path).field("access", &self.access).finish_non_exhaustive()
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("of", &self.hold).field("offset", &self.offset()).field("len", &self.len).finish()
    }
}

impl Part {
    fn whole(hold: Arc<Mapped>) -> Part {
        let (start, len) = (hold.value(), hold.len);
        Part { hold, start, len }
    }

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
        self.hold.len
    }

    /// Offset of the range in the value, in bytes.
    pub(crate) fn offset(&self) -> usize {
        self.start.addr().get() - self.hold.value().addr().get()
    }

    /// As for a block's part; panics likewise.
    pub(crate) fn narrow(self, offset: usize, len: usize) -> Part {
        assert!(offset <= self.len && len <= self.len - offset, "a part of a part lies within it");
        // SAFETY: within the range, by the line above.
        let start = unsafe { self.start.add(offset) };
        Part { hold: self.hold, start, len }
    }

    pub(crate) fn whole_block(self) -> Part {
        Part::whole(self.hold)
    }

    /// Gives up what lies behind the first `len` bytes of the range. (The file stays as long as it is.)
    pub(crate) fn shorten(&mut self, len: usize) {
        assert!(len <= self.len, "a part of a part lies within it");
        self.len = len;
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        self.hold.fingerprint
    }

    pub(crate) fn same_block(&self, other: &Part) -> bool {
        Arc::ptr_eq(&self.hold, &other.hold)
    }

    pub(crate) fn same_range(&self, other: &Part) -> bool {
        self.same_block(other) && (self.start, self.len) == (other.start, other.len)
    }

    /// Handles here; one holder, nothing in flight: of other processes nobody knows.
    pub(crate) fn counts(&self) -> Counts {
        Counts { handles: Arc::strong_count(&self.hold), holders: 1, in_flight: 0 }
    }

    /// Absolute; none of memory without a file.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.hold.held.as_ref().map(|held| held.path.as_path())
    }

    /// Says how the range will be accessed. Nothing where the platform has no such advice.
    pub(crate) fn advise(&self, advice: Advice) -> Result<(), Error> {
        let done = memory::advise(&self.hold.map, advice, self.hold.start + self.offset(), self.len);
        done.map_err(|error| self.hold.failed("madvise", error))
    }

    /// Keeps the whole value in memory, or no longer.
    pub(crate) fn lock_in_memory(&self, locked: bool) -> Result<(), Error> {
        memory::lock(&self.hold.map, locked).map_err(|error| self.hold.failed("mlock", error))
    }

    /// Writes to the disk what has been written to these bytes of the range; before the first of them, that the file is
    /// being written. Nothing to do without a file.
    pub(crate) fn flush(&self, range: Range<usize>) -> Result<(), Error> {
        self.flush_by(range, |mapped, offset, len| {
            mapped.flush_header()?;
            mapped.bring_to_disk(offset, len)
        })
    }

    /// As `flush`, but waits only until the disk has that the file is being written.
    pub(crate) fn flush_async(&self, range: Range<usize>) -> Result<(), Error> {
        self.flush_by(range, |mapped, offset, len| {
            mapped.flush_header()?;
            mapped.map.flush_async_range(offset, len)
        })
    }

    /// Writes the whole value to the disk, and then, not before it, what the header says of it now.
    pub(crate) fn flush_finished(&self) -> Result<(), Error> {
        let whole = self.clone().whole_block();
        whole.flush_by(0..whole.len, Mapped::bring_to_disk)?;
        let mapped = &*self.hold;
        match mapped.words() {
            Some(_) => mapped.bring_to_disk(0, HEADER).map_err(|error| mapped.failed("msync", error)),
            None => Ok(()),
        }
    }

    fn flush_by(
        &self,
        range: Range<usize>,
        flush: impl FnOnce(&Mapped, usize, usize) -> std::io::Result<()>,
    ) -> Result<(), Error> {
        let Range { start, end } = range;
        if start > end || end > self.len {
            return Err(Error::Range { start, end, length: self.len });
        }
        if self.hold.held.is_none() || self.hold.access != Access::Write || start == end {
            return Ok(());
        }
        let done = flush(&self.hold, self.hold.start + self.offset() + start, end - start);
        done.map_err(|error| self.hold.failed("msync", error))
    }
}

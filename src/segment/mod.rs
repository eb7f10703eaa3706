//! An object of the operating system, mapped, and who lives in it.
//!
//! This is the contract that `pool` builds on; nothing above this room knows which backing a segment has. A segment is
//! `control` bytes of control area followed by `data` bytes of data area, both multiples of [`GRANULE`].
//!
//! Two things know that a process lives: the lock that it holds on the byte of its slot ([`Backing::Anonymous`]), and the
//! lock on its identity file ([`Backing::Named`]). The kernel lets go of both at its death, however it dies.

// Allowed here: a segment is memory that the system maps, and its bounds are this room's promise.
#![allow(unsafe_code)]

#[cfg(target_os = "linux")]
mod anonymous;
#[cfg(not(target_os = "linux"))]
#[path = "anonymous_elsewhere.rs"]
mod anonymous;
mod estates;
mod identity;
mod named;
#[cfg(target_os = "linux")]
mod sweep_lock;
#[cfg(not(target_os = "linux"))]
#[path = "sweep_lock_elsewhere.rs"]
mod sweep_lock;
pub(crate) mod wills;

use std::{
    io,
    ops::Range,
    ptr::NonNull,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use self::{anonymous::Anonymous, named::Named};
pub(crate) use self::{
    estates::{Peek, estates},
    identity::{bury_dead, clean_exit},
    sweep_lock::SweepLock,
    wills::WillName,
};
use crate::{
    Backing, Error, SegmentId,
    sys::{self, Object, Refusal, Whereabouts},
};

/// Control and data areas are multiples of this many bytes: every platform's page and mapping granularity divides it.
pub(crate) const GRANULE: usize = 64 << 10;

/// How many bytes from the start of a segment a peer reads before it believes or maps anything.
pub(crate) const PREFIX: usize = 256;

/// One process's entrance to a segment: on Linux its id and the number of its descriptor of the memfd.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Door {
    pub(crate) pid: u32,
    pub(crate) fd: u32,
}

/// What a handle carries to reach its segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Locator {
    pub(crate) id: SegmentId,
    pub(crate) backing: Backing,
    pub(crate) sender: Door,
    pub(crate) owner: Door,
}

/// Whether the process that occupied a slot is still there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Liveness {
    Alive,
    Dead,
    Unknown,
}

/// What the first [`PREFIX`] bytes of a segment say, once the pool has checked them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) control: usize,
    pub(crate) data: usize,
}

/// A segment, mapped in this process until it is dropped.
///
/// A forked child inherits it as it inherits other memory: dropping it there has no effect outside of the child.
pub(crate) struct Segment {
    id: SegmentId,
    /// The process that mapped it; in another one, a forked child, this value lets go of nothing and changes nothing.
    pid: u32,
    /// What tells that process from a child that has the same id.
    lineage: u32,
    owner: Door,
    /// It was attached, not created.
    guest: bool,
    /// `control` bytes that may be written, then `data` bytes that may be read. Multiples of [`GRANULE`], at least one.
    base: NonNull<u8>,
    control: usize,
    data: usize,
    /// The data area may be written. false → true, once, after the system has been told.
    writable: AtomicBool,
    /// The slots that this process has occupied through this value.
    occupied: Mutex<Vec<u32>>,
    mapping: Mapping,
}

/// What keeps the memory mapped, and where it comes from.
enum Mapping {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there are none"))]
    Anonymous(Anonymous),
    Named(Named),
}

/// What a backing hands over: a mapping that begins at `base` and is as long as the sizes say.
struct Mapped {
    base: NonNull<u8>,
    sizes: Sizes,
    mapping: Mapping,
}

// SAFETY: the mapping is not bound to a thread. What is in it, nobody accesses through this value; the rest is atomics, a
// mutex, and descriptors.
unsafe impl Send for Segment {}
// SAFETY: as above; what takes `&self` are system calls, which the kernel puts in an order.
unsafe impl Sync for Segment {}

impl Segment {
    /// An id for a new segment, which nobody can guess.
    ///
    /// # Errors
    ///
    /// [`Error::Os`], if the system has no random numbers.
    pub(crate) fn new_id() -> Result<SegmentId, Error> {
        Ok(SegmentId(anonymous::marked(sys::random_u64()?)))
    }

    /// A new segment, mapped writable, nothing backed yet (on Linux), all zero. `control` and `data` are multiples of
    /// [`GRANULE`], at least one.
    ///
    /// # Errors
    ///
    /// [`Error::Os`], also where the backing does not exist; [`Error::NoSpace`] where it has no holes.
    pub(crate) fn create(backing: Backing, id: SegmentId, control: usize, data: usize) -> Result<Segment, Error> {
        let sizes = Sizes { control, data };
        let len = sizes.len().ok_or(Error::TooLarge { requested: usize::MAX, limit: isize::MAX.cast_unsigned() })?;
        // Beyond it the system does not refuse, it kills.
        let largest = sys::largest_file();
        if len as u64 > largest {
            return Err(Error::NoSpace { requested: len as u64, available: largest });
        }
        let pid = sys::process_id();
        let (mapped, fd) = match backing {
            Backing::Anonymous => anonymous::create(sizes, len)?,
            Backing::Named => (named::create(id, sizes, len)?, 0),
        };
        Ok(Segment::new(id, pid, Door { pid, fd }, mapped, true))
    }

    /// Attaches a segment of another process, or once more one of this process.
    ///
    /// `check` is given a copy of the first [`PREFIX`] bytes, and the object's size, and says how much to map; it is
    /// called once for each door that leads to something, at most twice. The control area is mapped writable, the data
    /// area is not. The sender's door is tried first, then the owner's: a number may be gone, or be another's by now.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`], [`Error::Unreachable`], [`Error::NotTheSegment`], [`Error::Os`], [`Error::NoSpace`], and those of
    /// `check`. If both doors fail, the error that says most.
    pub(crate) fn attach(
        locator: &Locator,
        mut check: impl FnMut(&[u8; PREFIX], u64) -> Result<Sizes, Error>,
    ) -> Result<Segment, Error> {
        let pid = sys::process_id();
        let mapped = match locator.backing {
            Backing::Anonymous => anonymous::attach(locator, &mut check)?,
            Backing::Named => named::attach(locator, &mut check)?,
        };
        let data = mapped.base.as_ptr().wrapping_add(mapped.sizes.control);
        let segment = Segment::new(locator.id, pid, locator.owner, mapped, false);
        let data = NonNull::new(data).unwrap_or(segment.base);
        // SAFETY: the data area is pages of this mapping, which nobody else knows of yet.
        unsafe { sys::protect(data, segment.data, false) }?;
        Ok(segment)
    }

    fn new(id: SegmentId, pid: u32, owner: Door, mapped: Mapped, writable: bool) -> Self {
        let Mapped { base, sizes: Sizes { control, data }, mapping } = mapped;
        // SAFETY: these are the pages of a mapping of this process's own.
        unsafe { sys::exclude_from_core_dumps(base, control + data) };
        let guest = !writable;
        let (writable, occupied) = (AtomicBool::new(writable), Mutex::new(Vec::new()));
        Segment { id, pid, lineage: sys::lineage(), owner, guest, base, control, data, writable, occupied, mapping }
    }

    pub(crate) fn id(&self) -> SegmentId {
        self.id
    }

    /// What a token needs, to be claimed as long as this process, or the owner, has the segment.
    pub(crate) fn locator(&self) -> Locator {
        let (backing, fd) = match &self.mapping {
            Mapping::Anonymous(anonymous) => (Backing::Anonymous, anonymous.number()),
            Mapping::Named(_) => (Backing::Named, 0),
        };
        Locator { id: self.id, backing, sender: Door { pid: self.pid, fd }, owner: self.owner }
    }

    /// What any program of this user opens to map the object, as long as this process has the segment.
    pub(crate) fn whereabouts(&self) -> Whereabouts {
        match &self.mapping {
            Mapping::Anonymous(anonymous) => anonymous.whereabouts(self.pid),
            Mapping::Named(_) => named::whereabouts(self.id),
        }
    }

    /// Where the control area begins; valid, for reading and writing, until the segment is dropped.
    pub(crate) fn control(&self) -> NonNull<u8> {
        self.base
    }

    pub(crate) fn control_len(&self) -> usize {
        self.control
    }

    /// Where the data area begins; valid until the segment is dropped, for reading, and for writing in the process that
    /// made the segment and after [`make_writable`](Self::make_writable).
    pub(crate) fn data(&self) -> NonNull<u8> {
        // SAFETY: the control area lies before the data area in one mapping.
        unsafe { self.base.add(self.control) }
    }

    pub(crate) fn data_len(&self) -> usize {
        self.data
    }

    /// Backs bytes (offsets from the segment's start) with memory, so that touching them can't fail. Nothing to do where
    /// there are no holes. After an error a part of them may be backed; [`punch`](Self::punch) gives it back.
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`], [`Error::Range`] beyond the end, [`Error::Os`].
    pub(crate) fn reserve(&self, range: Range<usize>) -> Result<(), Error> {
        let Some(bytes) = self.bytes(&range) else {
            return Err(Error::Range { start: range.start, end: range.end, length: self.control + self.data });
        };
        let requested = bytes.end - bytes.start;
        self.object().reserve(bytes).map_err(|error| {
            let available = self.available();
            no_space(error, requested, if available == u64::MAX { 0 } else { available }, "fallocate")
        })
    }

    /// Writes to the segment, from an offset from its start on, without touching the mapping; false if the backing can't, or
    /// has not written all. Into memory that nobody has used that is faster than through the mapping: no page is faulted in
    /// and zeroed first.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) -> bool {
        let range = offset..offset.saturating_add(bytes.len());
        self.bytes(&range).is_some_and(|range| self.object().write_at(range.start, bytes))
    }

    /// Touches memory that is reserved (offsets from the segment's start), so that its first use costs no page fault. What it
    /// holds stays as it is. Only in a segment that this process has created: there the data area is writable.
    pub(crate) fn prefault(&self, range: Range<usize>) {
        if self.bytes(&range).is_some() && !self.guest {
            // SAFETY: within the mapping, by the line above.
            let start = unsafe { self.base.add(range.start) };
            // SAFETY: mapped, and writable in the segment's creator.
            unsafe { sys::prefault(start, range.len()) };
        }
    }

    /// Bytes that the backing's file system leaves; `u64::MAX` where it has no limit of its own.
    pub(crate) fn available(&self) -> u64 {
        match &self.mapping {
            Mapping::Anonymous(_) => u64::MAX,
            Mapping::Named(named) => named.object().available(),
        }
    }

    /// Gives the memory of whole pages (offsets from the segment's start) back to the system. They read as zero
    /// afterwards, and have to be reserved again. False if nothing was done.
    pub(crate) fn punch(&self, range: Range<usize>) -> bool {
        let whole = |at: usize| at.is_multiple_of(sys::page_size());
        debug_assert!(whole(range.start) && whole(range.end), "pages are punched, not {range:?}");
        self.bytes(&range).is_some_and(|bytes| self.object().punch(bytes))
    }

    /// Makes the data area writable in this process, once and for all.
    ///
    /// # Errors
    ///
    /// [`Error::Os`].
    pub(crate) fn make_writable(&self) -> Result<(), Error> {
        // Acquire pairs with the Release below: the system has been told.
        if !self.writable.load(Ordering::Acquire) {
            // SAFETY: these are the pages of this mapping's data area, and they are allowed more than before. Two threads
            // that come at once ask for the same.
            unsafe { sys::protect(self.data(), self.data, true) }?;
            self.writable.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Takes the lock of a participant slot; false if another has it, in this process or another.
    ///
    /// # Errors
    ///
    /// [`Error::Os`]; [`Error::NoSpace`] if there is no room for this process's identity file.
    pub(crate) fn occupy(&self, slot: u32) -> Result<bool, Error> {
        if !self.is_ours() {
            return Ok(false);
        }
        let mut occupied = self.occupied();
        if occupied.contains(&slot) {
            return Ok(false);
        }
        let taken = match &self.mapping {
            Mapping::Anonymous(anonymous) => anonymous.lock(slot)?,
            Mapping::Named(_) => {
                if self.guest {
                    identity::enlist(self.id)?;
                }
                true
            }
        };
        if taken {
            occupied.push(slot);
        }
        Ok(taken)
    }

    /// Lets go of the lock of a slot that this process has occupied.
    pub(crate) fn vacate(&self, slot: u32) {
        if !self.is_ours() {
            return; // a forked child must not unlock what it has in common with its parent
        }
        let mut occupied = self.occupied();
        let Some(index) = occupied.iter().position(|taken| *taken == slot) else { return };
        occupied.swap_remove(index);
        match &self.mapping {
            Mapping::Anonymous(anonymous) => anonymous.unlock(slot),
            Mapping::Named(_) if self.guest => identity::strike(self.id),
            Mapping::Named(_) => {}
        }
    }

    /// Takes the right to sweep this segment; none if another process has it, or it can't be had. Threads of one process
    /// are not kept apart.
    pub(crate) fn lock_sweep(&self) -> Option<SweepLock<'_>> {
        self.is_ours().then(|| sweep_lock::take(self)).flatten()
    }

    /// What this process writes into its slot, for others to ask by.
    ///
    /// # Errors
    ///
    /// [`Error::Os`] and [`Error::NoSpace`], if the identity file can't be made.
    pub(crate) fn identity(&self) -> Result<u64, Error> {
        match &self.mapping {
            Mapping::Anonymous(_) => Ok(0),
            Mapping::Named(_) => identity::number(),
        }
    }

    /// Is the process dead that occupied `slot`, and wrote `identity` there?
    pub(crate) fn liveness(&self, slot: u32, identity: u64) -> Liveness {
        let Mapping::Anonymous(anonymous) = &self.mapping else { return identity::liveness(identity) };
        if self.occupied().contains(&slot) {
            return Liveness::Alive; // a description does not see its own locks
        }
        anonymous.liveness(slot)
    }

    /// Takes the name away, so that nobody attaches any more; those who have the segment keep it.
    pub(crate) fn remove_name(&self) {
        if let Mapping::Named(named) = &self.mapping
            && self.is_ours()
        {
            named.remove_name(self.id);
        }
    }

    /// After the name has been removed: of a participant known by `identity` that is dead, or has `exited`, and is in no
    /// other segment that is left, the identity file goes too.
    pub(crate) fn bury(&self, identity: u64, exited: bool) {
        if matches!(self.mapping, Mapping::Named(_)) && self.is_ours() {
            identity::bury(identity, exited);
        }
    }

    fn is_ours(&self) -> bool {
        self.lineage == sys::lineage()
    }

    fn occupied(&self) -> MutexGuard<'_, Vec<u32>> {
        self.occupied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn object(&self) -> &Object {
        match &self.mapping {
            Mapping::Anonymous(anonymous) => anonymous.object(),
            Mapping::Named(named) => named.object(),
        }
    }

    fn bytes(&self, range: &Range<usize>) -> Option<Range<u64>> {
        let fits = range.start <= range.end && range.end <= self.control + self.data;
        fits.then_some(range.start as u64..range.end as u64)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // The locks of an anonymous segment go with its descriptor.
        if matches!(self.mapping, Mapping::Named(_)) && self.is_ours() {
            let slots = if self.guest { self.occupied().len() } else { 0 };
            (0..slots).for_each(|_| identity::strike(self.id));
        }
    }
}

impl Sizes {
    /// Bytes in both areas; none if they can't be a segment's.
    fn len(self) -> Option<usize> {
        let whole = |area: usize| area != 0 && area.is_multiple_of(GRANULE);
        let len = self.control.checked_add(self.data).filter(|len| *len <= isize::MAX.cast_unsigned())?;
        (whole(self.control) && whole(self.data)).then_some(len)
    }
}

/// Asks `check` how much of an object to map: at most as much as there is.
fn examine(locator: &Locator, path: &str, object: &Object, check: Check<'_>) -> Result<(Sizes, usize), Error> {
    let size = object.size().map_err(|error| Error::os("size of a segment", error))?;
    let mut prefix = [0; PREFIX];
    object.read_at(0, &mut prefix).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => not_the_segment(locator, path.to_owned(), format!("an object of {size} bytes")),
        _ => Error::os("read of a segment", error),
    })?;
    let sizes = check(&prefix, size)?;
    match sizes.len() {
        Some(len) if len as u64 <= size => Ok((sizes, len)),
        _ => Err(Error::Corrupt {
            segment: locator.id,
            what: "its size",
            expected: format!("at least {} + {}, each a multiple of {GRANULE}", sizes.control, sizes.data),
            found: size,
        }),
    }
}

/// See [`Segment::attach`].
type Check<'a> = &'a mut dyn FnMut(&[u8; PREFIX], u64) -> Result<Sizes, Error>;

/// The error for an object that can't be had from process `pid`; `path` says where it was looked for.
fn refused(locator: &Locator, pid: u32, path: String, refusal: Refusal) -> Error {
    let segment = locator.id;
    match refusal {
        Refusal::Absent => Error::Gone { segment, sender: locator.sender.pid, owner: locator.owner.pid },
        Refusal::Forbidden(source) => Error::Unreachable { segment, pid, source },
        Refusal::Foreign(found) => not_the_segment(locator, path, found),
        Refusal::Failed(operation, source) => Error::os(operation, source),
    }
}

fn not_the_segment(locator: &Locator, path: String, found: String) -> Error {
    let expected = match locator.backing {
        Backing::Anonymous => "a memfd of sealed size, of this user",
        Backing::Named => "a shared memory object of this user",
    };
    Error::NotTheSegment { segment: locator.id, locator: path, expected, found }
}

/// Is it for want of memory that a call failed?
fn no_space(error: io::Error, requested: u64, available: u64, operation: &'static str) -> Error {
    if sys::is_no_space(&error) { Error::NoSpace { requested, available } } else { Error::os(operation, error) }
}

#[cfg(test)]
mod tests;

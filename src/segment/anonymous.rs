//! Segments without a name: memfds, reached through the `/proc` of a process that has them.
//!
//! Each process has two descriptions of the object: one that is mapped, and closed at once, and one that is never mapped,
//! by whose descriptor others find the object, and which holds the locks of the process's slots.

use std::{io, ptr::NonNull};

use super::{Check, Door, Liveness, Locator, Mapped, Mapping, Sizes, examine, no_space, refused};
use crate::{
    Error,
    sys::{self, Object, Whereabouts},
};

/// A mapped memfd.
pub(super) struct Anonymous {
    object: Object,
    /// The whole mapping, unmapped on drop.
    base: NonNull<u8>,
    len: usize,
}

impl Anonymous {
    fn map(object: Object, len: usize) -> io::Result<Self> {
        Ok(Anonymous { base: object.map(len, true)?, object, len })
    }

    pub(super) fn object(&self) -> &Object {
        &self.object
    }

    /// The number of the descriptor by which others find the object.
    pub(super) fn number(&self) -> u32 {
        self.object.number()
    }

    /// See [`super::Segment::whereabouts`]; `pid` is this process.
    pub(super) fn whereabouts(&self, pid: u32) -> Whereabouts {
        Whereabouts::Path(format!("/proc/{pid}/fd/{}", self.number()).into())
    }

    /// Takes the lock of a slot; false if another description has it.
    pub(super) fn lock(&self, slot: u32) -> Result<bool, Error> {
        self.object.lock(slot).map_err(|error| Error::os("fcntl", error))
    }

    pub(super) fn unlock(&self, slot: u32) {
        self.object.unlock(slot);
    }

    /// Whether another description has the lock of a slot.
    pub(super) fn liveness(&self, slot: u32) -> Liveness {
        match self.object.is_locked(slot) {
            Ok(true) => Liveness::Alive,
            Ok(false) => Liveness::Dead,
            Err(_) => Liveness::Unknown,
        }
    }
}

impl Drop for Anonymous {
    fn drop(&mut self) {
        // SAFETY: mapped by `map`; a `Segment` promises what is in it only until it is dropped.
        unsafe { sys::unmap(self.base, self.len) };
    }
}

/// See [`super::Segment::create`]; also the number of the descriptor.
pub(super) fn create(sizes: Sizes, len: usize) -> Result<(Mapped, u32), Error> {
    let object = Object::anonymous(len as u64).map_err(|error| no_space(error, len as u64, 0, "memfd_create"))?;
    let number = object.number();
    Ok((mapped(object, sizes, len)?, number))
}

/// See [`super::Segment::attach`].
pub(super) fn attach(locator: &Locator, check: Check<'_>) -> Result<Mapped, Error> {
    let first = match enter(locator, locator.sender, check) {
        Err(error) if locator.owner != locator.sender => error,
        other => return other.map_err(|error| numbers_count(locator, error)),
    };
    enter(locator, locator.owner, check)
        .map_err(|second| if says_more(&second) > says_more(&first) { second } else { first })
        .map_err(|error| numbers_count(locator, error))
}

/// Which bits of an id are a mark: they say in which PID namespace the segment was made, by the end of its number. Zero
/// says nothing.
const MARK: u64 = 0xffff;

/// What 64 random bits become in the id of a segment.
pub(super) fn marked(random: u64) -> u64 {
    random & !MARK | sys::pid_namespace().unwrap_or(0) & MARK
}

/// The number of a process counts only in the PID namespace where the segment was made, and where `/proc` shows that one;
/// elsewhere what was found by it says nothing.
fn numbers_count(locator: &Locator, error: Error) -> Error {
    if !matches!(error, Error::Gone { .. } | Error::NotTheSegment { .. } | Error::Unreachable { .. }) {
        return error;
    }
    let Some(here) = sys::pid_namespace() else { return error };
    let (mark, here) = (locator.id.0 & MARK, here & MARK);
    let why = if mark != 0 && here != 0 && mark != here {
        "its number is that of another PID namespace than this process's: have both in one"
    } else if !sys::proc_is_our_own() {
        "the `/proc` of this process shows another PID namespace than its own: mount one that shows its own"
    } else {
        return error;
    };
    let why = format!("{why}, or choose `Backing::Named` where the value is made");
    let source = io::Error::new(io::ErrorKind::PermissionDenied, why);
    Error::Unreachable { segment: locator.id, pid: locator.sender.pid, source }
}

fn enter(locator: &Locator, door: Door, check: Check<'_>) -> Result<Mapped, Error> {
    let path = || format!("descriptor {} of process {}", door.fd, door.pid);
    let object = Object::open_door(door.pid, door.fd).map_err(|refusal| refused(locator, door.pid, path(), refusal))?;
    let (sizes, len) = examine(locator, &path(), &object, check)?;
    mapped(object, sizes, len)
}

fn mapped(object: Object, sizes: Sizes, len: usize) -> Result<Mapped, Error> {
    let anonymous = Anonymous::map(object, len).map_err(|error| no_space(error, len as u64, 0, "mmap"))?;
    Ok(Mapped { base: anonymous.base, sizes, mapping: Mapping::Anonymous(anonymous) })
}

/// How much an error says of the segment, when two doors have led to two errors.
fn says_more(error: &Error) -> u8 {
    match error {
        Error::Gone { .. } => 0,          // nothing is there
        Error::NotTheSegment { .. } => 1, // something else is there: the number is another's by now, or always was
        Error::Unreachable { .. } => 2,   // something is there, and could be the segment
        _ => 3,                           // the segment is there, and can't be used; or this process can't go on
    }
}

//! What the dead have left by name, and how to look at it without mapping anything.

use std::{fs, path::Path};

use super::{Liveness, identity, named};
use crate::{
    SegmentId,
    sys::{self, Object},
};

/// What the names of the files begin with that whoever sweeps locks, where a segment itself has no locks.
pub(super) const SWEEP: &str = "commonage-sweep-";

/// A dead process's identity file, and the named segments that it lists: its own, and those in which it was a guest.
#[derive(Debug)]
pub(crate) struct Estate {
    number: u64,
    segments: Vec<SegmentId>,
}

/// Those of all dead processes of this user, that which was changed longest ago first. What a process has left that died
/// in the middle of making its identity file, or of sweeping, is removed.
///
/// One look at the directory; only files whose names say that they are this crate's are opened.
pub(crate) fn estates() -> Vec<Estate> {
    let mut found = Vec::new();
    for entry in sys::named_directories().into_iter().flat_map(fs::read_dir).flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        match identity::parse(name) {
            Some(identity::Named::InView(number)) => {
                let left = identity::left_by(number);
                found.extend(left.map(|(changed, segments)| (changed, Estate { number, segments })));
            }
            Some(identity::Named::Hidden) => remove_unlocked(&entry.path()),
            None if name.strip_prefix(SWEEP).and_then(named::number_of).is_some() => remove_unlocked(&entry.path()),
            None if sys::is_removed(name) => drop(sys::remove_file(&entry.path())),
            None => {}
        }
    }
    found.sort_by_key(|(changed, _)| *changed);
    found.into_iter().map(|(_, estate)| estate).collect()
}

/// Removes a file that nobody has locked. Whoever is about to lock it finds it gone, and makes another.
fn remove_unlocked(path: &Path) {
    if let Ok(_locked) = identity::open_unlocked(path) {
        let _ = sys::remove_file(path);
    }
}

impl Estate {
    /// The segments whose names it lists; whether they are there, nobody has looked.
    pub(crate) fn segments(&self) -> &[SegmentId] {
        &self.segments
    }

    /// Removes the identity file if no segment that it lists is left where it is known; true if it is gone. `knows` is
    /// asked, of a segment that is left, whether the process with this identity is a participant there.
    pub(crate) fn settle(self, knows: impl Fn(SegmentId, u64) -> bool) -> bool {
        identity::bury_listing(self.number, &self.segments, |id| knows(id, self.number))
    }
}

/// A named segment, open but not mapped: reading it never faults and never makes memory.
#[derive(Debug)]
pub(crate) struct Peek {
    id: SegmentId,
    object: Object,
    size: u64,
}

impl Peek {
    /// None if nothing has the name, or something that is not private to this user.
    pub(crate) fn open(id: SegmentId) -> Option<Peek> {
        let object = Object::open_named(&named::name_of(id)).ok()?;
        let size = object.size().ok()?;
        Some(Peek { id, object, size })
    }

    /// Bytes that it has.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Reads bytes from an offset on; false if not all of them can be read. What has no memory reads as zero.
    pub(crate) fn read(&self, offset: u64, bytes: &mut [u8]) -> bool {
        self.object.read_at(offset, bytes).is_ok()
    }

    /// Is the process dead that wrote `identity` into a slot of this segment?
    pub(crate) fn liveness(&self, identity: u64) -> Liveness {
        identity::liveness(identity)
    }

    /// Takes the name away; those who have the segment keep it. False if that failed.
    pub(crate) fn remove(self) -> bool {
        sys::unlink_named(&named::name_of(self.id)).is_ok()
    }
}

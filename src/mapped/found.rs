//! What a token leads to.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Access, How, Identity, Layout, Mapped, Opened, Origin, Part, Reading,
    header::PAGE,
    held::{Held, absolute, not_had},
    opening::wanted,
    table::{Key, table},
};
use crate::{
    Config, Error, FileFault, Kind,
    sys::{self, DiskFile},
};

/// How long a claim waits for a handle of this very process: only another thread can drop it meanwhile.
const OWN_DEADLINE: Duration = Duration::from_secs(1);

/// A file that a token leads to, open, locked, and found to be the one that the token names as far as it can be said
/// without the key. It is not mapped before it is claimed: until the token has been verified nothing of it takes memory, or
/// blocks of a disk.
pub(crate) struct Found {
    way: Way,
    secret: [u8; 16],
}

enum Way {
    /// It was mapped already, to be read.
    Here(Arc<Mapped>),
    Locked {
        held: Held,
        how: How,
        origin: Origin,
        kind: Kind,
    },
}

impl Found {
    /// Finds the file, waiting for its lock up to the configured deadline if `kind` is `SharedMut`. What this process has
    /// mapped already is found again without a system call.
    ///
    /// # Errors
    ///
    /// Those of opening, `FileFault::Owner`, `Changed`, `AlreadyClaimed`, `StillHeld`, `Locked`, `TooShort`.
    pub(crate) fn find(origin: Origin, kind: Kind) -> Result<Found, Error> {
        let key = origin.key();
        let here = if kind == Kind::Shared { table().read(&key) } else { None };
        if let Some(here) = here {
            must_be(&key, &here.value_key(), kind).map_err(|fault| here.fault(fault))?;
            let secret = here.secret();
            return Ok(Found { way: Way::Here(here), secret });
        }
        let layout = match origin.identity {
            Identity::Headed { .. } => Layout::Headed,
            Identity::Foreign { .. } => {
                Layout::Foreign { offset: origin.offset, len: Some(origin.len), fingerprint: origin.fingerprint }
            }
        };
        let access = match kind {
            Kind::Shared => Access::Read,
            Kind::SharedMut => Access::Write,
        };
        let mut how = How { layout, ..How::new(access) };
        if kind == Kind::SharedMut {
            let deadline = Config::current().claim_deadline;
            let own = table().is_written(&key);
            how.lock_timeout = if own { deadline.min(OWN_DEADLINE) } else { deadline };
        }
        let path = path_of(&origin)?;
        DiskFile::must_be_there(&path).map_err(|error| not_had(&path, error))?;
        let began = Instant::now();
        // No generation comes again: who has the file by another one has taken it away.
        let in_vain = |held: &Held| match (kind, origin.identity) {
            (Kind::SharedMut, Identity::Headed { id, generation }) => {
                let (header, now) = held.header()?;
                (header.id == id && now.generation != generation).then_some(FileFault::AlreadyClaimed)
            }
            _ => None,
        };
        let held = Held::open_unless(path, wanted(access), how.lock_timeout, in_vain).map_err(|error| match error {
            Error::File { path, fault: FileFault::Locked { .. } } if kind == Kind::SharedMut => {
                Error::File { path, fault: FileFault::StillHeld { waited: began.elapsed() } }
            }
            error => error,
        })?;
        let facts = held.file.facts().map_err(|error| held.error(error))?;
        if let Some(found) = DiskFile::stranger(&facts) {
            return Err(held.fault(FileFault::Owner { found }));
        }
        // Whether its writer has finished it is said of the right one only.
        let reading = Reading::of(held, &How { unfinished: true, ..how })?;
        must_be(&key, &reading.value_key(), kind).map_err(|fault| reading.fault(fault))?;
        let secret = reading.secret()?;
        Ok(Found { way: Way::Locked { held: reading.into_held(), how, origin, kind }, secret })
    }

    /// The key of the MAC.
    pub(crate) fn secret(&self) -> &[u8; 16] {
        &self.secret
    }

    /// The value, as the claimed kind: of a `SharedMut` another generation begins, once `check` has passed.
    ///
    /// # Errors
    ///
    /// Those of opening, `Range`, `Alignment`, those of `check` (the file is as it was).
    pub(crate) fn claim(
        self,
        start: usize,
        len: usize,
        alignment: usize,
        check: impl FnOnce(&Part) -> Result<(), Error>,
    ) -> Result<Part, Error> {
        let (whole, opened) = match self.way {
            Way::Here(mapped) => (Part::whole(mapped), None),
            Way::Locked { held, how, origin, kind } => {
                let opened = Opened::of(held, &how, Some((&origin, kind)))?;
                (opened.part().clone(), Some(opened))
            }
        };
        let length = whole.len();
        if start > length || len > length - start {
            return Err(Error::Range { start, end: start.saturating_add(len), length });
        }
        if !alignment.is_power_of_two() || alignment > PAGE {
            return Err(Error::Alignment { requested: alignment, limit: PAGE });
        }
        let part = whole.narrow(start, len);
        if part.start.addr().get() % alignment != 0 {
            let fault = FileFault::Misaligned {
                type_name: "the type that was claimed",
                offset: part.hold.offset + start as u64,
                alignment: alignment as u64,
            };
            return Err(part.hold.fault(fault));
        }
        check(&part)?;
        if let Some(opened) = opened {
            opened.begin();
        }
        Ok(part)
    }
}

fn path_of(origin: &Origin) -> Result<PathBuf, Error> {
    let shown = || PathBuf::from(String::from_utf8_lossy(&origin.path).into_owned());
    let no_path = |why| Error::File { path: shown(), fault: FileFault::Path(why) };
    let path = sys::path_in(&origin.path);
    absolute(path.ok_or_else(|| no_path("it is not absolute, or none of a file of this machine"))?)
}

/// Is it the value that the token names?
///
/// # Errors
///
/// `FileFault::AlreadyClaimed`, `FileFault::Changed`.
pub(super) fn must_be(named: &Key, there: &Key, kind: Kind) -> Result<(), FileFault> {
    let same = |what, expected, found| {
        if expected == found { Ok(()) } else { Err(FileFault::Changed { what, expected, found }) }
    };
    match (named.identity, there.identity) {
        (Identity::Headed { id, generation }, Identity::Headed { id: found, generation: now }) => {
            same("its id", id, found)?;
            if kind == Kind::SharedMut && generation != now {
                return Err(FileFault::AlreadyClaimed);
            }
            same("its generation", generation, now)?;
        }
        (
            Identity::Foreign { device, inode, size, modified },
            Identity::Foreign { device: other, inode: found, size: len, modified: time },
        ) => {
            same("its device", device, other)?;
            same("its number", inode, found)?;
            same("its size", size, len)?;
            same("the time of its last change", modified, time)?;
        }
        // It was opened as the token has it.
        _ => return Err(FileFault::Changed { what: "its form", expected: 0, found: 1 }),
    }
    same("where the value begins", named.offset, there.offset)?;
    same("the length of the value", named.len, there.len)?;
    same("the fingerprint of its type", named.fingerprint, there.fingerprint)
}

//! What a token leads to.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Access, How, Identity, Layout, Mapped, Opened, Origin, Part,
    header::PAGE,
    held::{Held, absolute},
    opening::wanted,
    table::table,
};
use crate::{Config, Error, FileFault, Kind, sys};

/// How long a claim waits for a handle of this very process: only another thread can drop it meanwhile.
const OWN_DEADLINE: Duration = Duration::from_secs(1);

/// A file that a token leads to, open, locked, and found to be the one that the token names as far as it can be said
/// without the key; not mapped for anybody yet.
pub(crate) struct Found {
    way: Way,
    secret: [u8; 16],
}

enum Way {
    /// It was mapped already, to be read.
    Here(Arc<Mapped>),
    Opened(Opened),
}

impl Found {
    /// Finds the file, waiting for its lock up to the configured deadline if `kind` is `SharedMut`. What this process has
    /// mapped already is found again without a system call.
    ///
    /// # Errors
    ///
    /// Those of opening, `FileFault::Owner`, `Changed`, `AlreadyClaimed`, `StillHeld`, `Locked`, `TooShort`.
    pub(crate) fn find(origin: &Origin, kind: Kind) -> Result<Found, Error> {
        let key = (origin.identity, origin.offset, origin.len, origin.fingerprint);
        let here = if kind == Kind::Shared { table().read(&key) } else { None };
        if let Some(here) = here {
            here.must_be(origin, kind).map_err(|fault| here.fault(fault))?;
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
        let path = path_of(origin)?;
        let began = Instant::now();
        // Generations only go up: who has the file by another one has taken it away.
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
        let opened = Opened::of(held, &how, Some((origin, kind)))?;
        let secret = opened.part().hold.secret();
        Ok(Found { way: Way::Opened(opened), secret })
    }

    /// The key of the MAC.
    pub(crate) fn secret(&self) -> &[u8; 16] {
        &self.secret
    }

    /// The value, as the claimed kind: of a `SharedMut` another generation begins, once `check` has passed.
    ///
    /// # Errors
    ///
    /// `Range`, `Alignment`, those of `check` (the file is as it was).
    pub(crate) fn claim(
        self,
        start: usize,
        len: usize,
        alignment: usize,
        check: impl FnOnce(&Part) -> Result<(), Error>,
    ) -> Result<Part, Error> {
        let whole = match &self.way {
            Way::Here(mapped) => Part::whole(Arc::clone(mapped)),
            Way::Opened(opened) => opened.part().clone(),
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
        if let Way::Opened(opened) = self.way {
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

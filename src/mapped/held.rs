//! Whose a file is, and the lock that says so.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::header::{BEING_WRITTEN, HEADER, Header, Now};
use crate::{
    Error, FileAccess, FileFault,
    sys::{self, Address, DiskFile, PlaceError},
};

/// The process that something belongs to: no forked child's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Home {
    lineage: u32,
    process: u32,
}

impl Home {
    pub(super) fn here() -> Home {
        Home { lineage: sys::lineage(), process: sys::process_id() }
    }

    pub(super) fn is_here(self) -> bool {
        self.lineage == sys::lineage()
    }

    /// # Errors
    ///
    /// [`Error::Inherited`].
    pub(super) fn must_be_here(self) -> Result<(), Error> {
        if self.is_here() { Ok(()) } else { Err(Error::Inherited { process: self.process }) }
    }
}

/// An open file, locked, until it is dropped in the process that locked it: a forked child only closes it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) file: DiskFile,
    /// Absolute.
    pub(super) path: PathBuf,
    home: Home,
}

impl Held {
    /// Opens what is there, and locks it. Each time that it could not be locked, what has the name is opened anew: it may be
    /// another by then.
    pub(super) fn open(path: PathBuf, access: FileAccess, timeout: Duration) -> Result<Held, Error> {
        Self::open_unless(path, access, timeout, |_| None)
    }

    /// As [`open`](Self::open), but waits no longer once `in_vain` says why not, of a file that others have.
    pub(super) fn open_unless(
        mut path: PathBuf,
        access: FileAccess,
        timeout: Duration,
        in_vain: impl Fn(&Held) -> Option<FileFault>,
    ) -> Result<Held, Error> {
        let alone = access == FileAccess::Write;
        let home = Home::here();
        let began = Instant::now();
        let mut pause = Duration::from_micros(50);
        loop {
            let mut refused = None;
            if let Some(file) = DiskFile::open(&path, alone).map_err(|error| not_had(&path, error))? {
                let held = Held { file, path, home };
                if held.file.lock(alone).map_err(|error| held.error(error))? {
                    return Ok(held);
                }
                if let Some(fault) = in_vain(&held) {
                    return Err(held.fault(fault));
                }
                path = held.path.clone();
                refused = Some(held);
            }
            let Some(left) = timeout.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) else {
                return Err(refused.map_or_else(|| who_has(path, access), |held| held.locked(access)));
            };
            drop(refused);
            thread::sleep(pause.min(left));
            pause = (pause * 2).min(Duration::from_millis(5));
        }
    }

    /// Of a file that has been locked already.
    pub(super) fn of(file: DiskFile, path: PathBuf, home: Home) -> Held {
        Held { file, path, home }
    }

    /// What is said to whom others leave no room.
    pub(super) fn locked(&self, wanted: FileAccess) -> Error {
        let (written, process) = self.file.writer();
        let by = if written { process.or_else(|| self.writer()) } else { None };
        self.fault(FileFault::Locked { wanted, process: sys::process_id(), by })
    }

    /// The process that writes it, as the header says, if there is one.
    fn writer(&self) -> Option<u32> {
        let (_, now) = self.header()?;
        (now.state == BEING_WRITTEN).then_some(now.writer)
    }

    /// What the header says at this moment, whoever has the file; if it can be read, and is one.
    pub(super) fn header(&self) -> Option<(Header, Now)> {
        let mut bytes = [0; HEADER];
        sys::read_at(self.file.file(), &mut bytes, 0).ok()?;
        Header::parse(&bytes).ok()
    }

    pub(super) fn fault(&self, fault: FileFault) -> Error {
        Error::File { path: self.path.clone(), fault }
    }

    pub(super) fn error(&self, error: PlaceError) -> Error {
        not_had(&self.path, error)
    }
}

/// What is said to whom others leave no room, not even to open it.
pub(super) fn who_has(path: PathBuf, wanted: FileAccess) -> Error {
    match DiskFile::open(&path, false) {
        Ok(Some(file)) => Held { file, path, home: Home::here() }.locked(wanted),
        _ => Error::File { path, fault: FileFault::Locked { wanted, process: sys::process_id(), by: None } },
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Others keep the description that has the lock: a mapping, a forked child.
        if self.home.is_here() {
            self.file.unlock();
        }
    }
}

/// # Errors
///
/// [`FileFault::Path`].
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Error> {
    match Address::path(path) {
        Ok(Address::Path(path)) => Ok(path),
        Ok(Address::Name(_)) => Err(Error::File { path: path.to_owned(), fault: FileFault::Path("it is a name") }),
        Err(why) => Err(Error::File { path: path.to_owned(), fault: FileFault::Path(why) }),
    }
}

/// Why a file can't be had.
pub(super) fn not_had(path: &Path, error: PlaceError) -> Error {
    let fault = match error {
        PlaceError::Exists => FileFault::Exists,
        PlaceError::Absent => FileFault::Absent,
        PlaceError::NoDirectory => FileFault::NoDirectory,
        PlaceError::Denied(error) => FileFault::Denied(error),
        PlaceError::NotAFile(what) => FileFault::NotAFile(what),
        PlaceError::NoSpace { requested, available } => return Error::NoSpace { requested, available },
        PlaceError::Failed(operation, source) => FileFault::Failed { operation, source },
    };
    Error::File { path: path.to_owned(), fault }
}

//! Who a process is to those who share named segments with it: a file of its own that it keeps locked.
//!
//! - It is locked under a temporary name, then renamed into view: whoever can take the lock of a file in view knows that
//!   its process is dead. A file that is not there says nothing.
//! - It lists the names of the process's own segments, one a line, from before each is created until after it is removed:
//!   what a dead process has left can be found.
//! - It is there while it lists anything, or a slot is occupied under its number; then its process removes it.
//! - A forked child inherits neither the descriptor nor the identity: it makes its own when it needs one.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use super::{Liveness, named, no_space};
use crate::{
    Error, SegmentId,
    sys::{self, PerProcess, Uninherited},
};

/// Bytes in a line: a name and its end.
const LINE: usize = 28;
/// How often another file may be made, if one is swept away before it is locked.
const TRIES: usize = 16;
/// No process lists as much: what is longer is no identity file.
const LONGEST: u64 = 64 << 20;

const FIRST: &str = "commonage-id-";
/// What the temporary name ends in.
const HIDDEN: &str = ".new";

/// What this process knows of itself.
#[derive(Default)]
struct Own {
    file: Option<Identity>,
    /// The number of the last file. A new one has the same: a slot may have been given it while there was none.
    number: Option<u64>,
    /// What the file lists, in its order.
    names: Vec<SegmentId>,
}

struct Identity {
    number: u64,
    /// Locked.
    file: Uninherited<File>,
}

static OWN: PerProcess<Mutex<Own>> = PerProcess::new();

/// The numbers of processes that this one has found dead, the last ones: no other process ever gets the number of a dead one.
/// A sweeper asks again and again while others change what it counts, and whoever asks the system each time never comes to
/// an end where that takes long.
static DEAD: PerProcess<Mutex<VecDeque<u64>>> = PerProcess::new();
/// How many of them are kept.
const MOST_DEAD: usize = 64;

/// The number of this process's identity file, which is made if there is none.
pub(super) fn number() -> Result<u64, Error> {
    Ok(own().identity()?.number)
}

/// Lists the name of a segment that is about to be created, or in which a slot is about to be occupied.
pub(super) fn enlist(id: SegmentId) -> Result<(), Error> {
    let mut own = own();
    let at = own.names.len();
    match own.write_line(at, id) {
        Ok(()) => {
            own.names.push(id);
            Ok(())
        }
        Err(error) => {
            own.remove_if_done();
            Err(no_space(error, LINE as u64, 0, "write of an identity file"))
        }
    }
}

/// Strikes the name of a segment that is no more, or in which this process is no more. Nothing if it is not listed.
pub(super) fn strike(id: SegmentId) {
    let mut own = own();
    let Some(at) = own.names.iter().position(|name| *name == id) else { return };
    let last = own.names.len() - 1;
    // The last line takes the place of this one, and only then is gone: whoever reads in between finds it twice.
    let moved = own.names[last];
    if (at == last || own.write_line(at, moved).is_ok())
        && let Some(identity) = &own.file
        && let Ok(file) = identity.file.get()
    {
        // A name too many is looked for in vain, and does no harm.
        let _ = file.set_len((last * LINE) as u64);
    }
    own.names.swap_remove(at);
    own.remove_if_done();
}

/// Is the process dead whose identity file has this number?
pub(super) fn liveness(number: u64) -> Liveness {
    if own().file.as_ref().is_some_and(|identity| identity.number == number) {
        return Liveness::Alive;
    }
    if dead().contains(&number) {
        return Liveness::Dead;
    }
    match open_unlocked(&path(number)) {
        Ok(_) => {
            let mut dead = dead();
            dead.truncate(MOST_DEAD - 1);
            dead.push_front(number);
            Liveness::Dead
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Liveness::Alive,
        Err(_) => Liveness::Unknown,
    }
}

/// Opens a file that no process has locked, and that is in view: one in view that is not locked is a dead process's.
/// One that is out of view was removed by its own process, and another may have its name by now.
pub(super) fn open_unlocked(path: &Path) -> io::Result<File> {
    let file = sys::open_private(path)?;
    // Shared, so that two who ask at once don't take each other for the process.
    sys::try_lock_shared(&file)?;
    if sys::is_in_view(&file, path) { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Removes the identity file of a dead process, or of one that is at its clean exit, if nothing that it lists is left: then
/// there is no segment any more where somebody would ask for it.
pub(super) fn bury(number: u64, exited: bool) {
    // A living process's own is locked; one that exits makes nothing more.
    let path = path(number);
    let file = if exited { sys::open_private(&path) } else { open_unlocked(&path) };
    if let Ok(file) = file
        && sys::is_in_view(&file, &path)
        && let Some(names) = names_in(&file)
    {
        bury_listing(number, &names, |_| true);
    }
}

/// As `bury`, of a process that is dead: `knows` says of a segment that is left whether the process is a participant there.
pub(crate) fn bury_dead(number: u64, knows: impl Fn(SegmentId) -> bool) {
    if let Some((_, names)) = left_by(number) {
        bury_listing(number, &names, knows);
    }
}

/// As `bury`, of a process that is known to be dead and to have listed nothing else; `knows` says of a segment that is left
/// whether the process is a participant there. True if its file is gone.
pub(super) fn bury_listing(number: u64, names: &[SegmentId], knows: impl Fn(SegmentId) -> bool) -> bool {
    let path = path(number);
    let gone = names.iter().all(|id| named::is_gone(*id) || !knows(*id))
        && (sys::remove_file(&path).is_ok() || matches!(fs::exists(&path), Ok(false)));
    if gone {
        dead().retain(|dead| *dead != number);
    }
    gone
}

/// When a dead process has last changed its identity file, and the names in it; none if it lives, or nobody knows.
pub(super) fn left_by(number: u64) -> Option<(SystemTime, Vec<SegmentId>)> {
    let file = open_unlocked(&path(number)).ok()?;
    Some((file.metadata().ok()?.modified().ok()?, names_in(&file)?))
}

/// The names that an identity file lists, each once; lines that are none are left out.
fn names_in(file: &File) -> Option<Vec<SegmentId>> {
    let mut text = Vec::new();
    let read = file.take(LONGEST).read_to_end(&mut text).ok()?;
    let lines = text.split(|byte| *byte == b'\n').filter_map(|line| str::from_utf8(line).ok());
    let mut names: Vec<_> = lines.filter_map(named::id_of).collect();
    names.sort_unstable();
    names.dedup();
    ((read as u64) < LONGEST).then_some(names)
}

/// At a clean exit: removes this process's identity file if nothing that it lists is left. Else it stays, unlocked when
/// the process has ended, so that others know that it is dead, and bury it with the last segment.
pub(crate) fn clean_exit() {
    if let Some(own) = OWN.existing() {
        let own = own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(identity) = &own.file
            && own.names.iter().all(|id| named::is_gone(*id))
        {
            // The lock stays until the process has ended: its threads may still read what its slots hold.
            let _ = sys::remove_file(&path(identity.number));
        }
    }
}

/// See [`DEAD`].
fn dead() -> MutexGuard<'static, VecDeque<u64>> {
    DEAD.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// This process's own, locked.
fn own() -> MutexGuard<'static, Own> {
    OWN.get().lock().unwrap_or_else(PoisonError::into_inner)
}

impl Own {
    fn identity(&mut self) -> Result<&Identity, Error> {
        if self.file.is_none() {
            let made = Identity::make(self.number);
            let made =
                made.map_err(|error| no_space(in_directory(error), LINE as u64, 0, "creation of an identity file"))?;
            self.number = Some(made.number);
            self.file = Some(made);
        }
        self.file.as_ref().ok_or_else(|| Error::os("creation of an identity file", io::ErrorKind::NotFound))
    }

    fn write_line(&mut self, at: usize, id: SegmentId) -> io::Result<()> {
        let mut file = match self.identity() {
            Ok(identity) => identity.file.get()?,
            Err(Error::Os { source, .. }) => return Err(source),
            Err(_) => return Err(io::ErrorKind::StorageFull.into()),
        };
        file.seek(SeekFrom::Start((at * LINE) as u64))?;
        file.write_all(format!("{}\n", named::name_of(id)).as_bytes())
    }

    fn remove_if_done(&mut self) {
        if self.names.is_empty()
            && let Some(identity) = self.file.take()
        {
            // Out of view first, and only then unlocked.
            let _ = sys::remove_file(&path(identity.number));
        }
    }
}

impl Identity {
    fn make(number: Option<u64>) -> io::Result<Self> {
        for _ in 0..TRIES {
            // 56 bits: a slot's mark has room for them, and for its flags.
            let number = number.map_or_else(|| getrandom::u64().map(|bits| bits >> 8), Ok)?;
            if number == 0 {
                continue; // what a slot holds before its participant has written
            }
            let (hidden, path) = (hidden_path(number), path(number));
            let file = match Uninherited::create_private(&hidden) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            // Whoever sweeps may take an unlocked file with such a name for a dead process's: then another one is made.
            let shown = match sys::try_lock(file.get()?) {
                Ok(()) => sys::rename_file(&hidden, &path),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(io::ErrorKind::NotFound.into()),
                Err(error) => Err(error),
            };
            match shown {
                Ok(()) => return Ok(Identity { number, file }),
                Err(error) => {
                    let _ = sys::remove_file(&hidden);
                    if error.kind() != io::ErrorKind::NotFound {
                        return Err(error);
                    }
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

/// The error, and where it was.
fn in_directory(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", sys::named_directory().display()))
}

/// Where an identity file is in view.
fn path(number: u64) -> PathBuf {
    sys::named_directory().join(format!("{FIRST}{number:016x}"))
}

/// Where it is before.
fn hidden_path(number: u64) -> PathBuf {
    sys::named_directory().join(format!("{FIRST}{number:016x}{HIDDEN}"))
}

/// What the name of a file says.
pub(super) enum Named {
    /// It is the identity file with this number.
    InView(u64),
    /// It is to become one.
    Hidden,
}

/// What the name of a file says, if it is that of an identity file.
pub(super) fn parse(file_name: &str) -> Option<Named> {
    let rest = file_name.strip_prefix(FIRST)?;
    match rest.strip_suffix(HIDDEN) {
        None => named::number_of(rest).map(Named::InView),
        Some(digits) => named::number_of(digits).map(|_| Named::Hidden),
    }
}

//! Who a process is to those who share named segments with it: a file of its own that it keeps locked.
//!
//! - It is locked under a temporary name, then renamed into view: whoever can take the lock of a file in view knows that
//!   its process is dead. A file that is not there says nothing.
//! - It lists the names of the process's own segments, one a line, from before each is created until after it is removed:
//!   what a dead process has left can be found.
//! - It is there while it lists anything, or a slot is occupied under its number; then its process removes it.
//! - A forked child has its parent's descriptor, but not its identity: it closes the one, and makes its own of the other.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
    ptr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicPtr, Ordering},
    },
    thread,
};

use super::{Liveness, named, no_space};
use crate::{Error, SegmentId, sys};

/// Bytes in a line: a name and its end.
const LINE: usize = 28;
/// How often another file may be made, if one is swept away before it is locked.
const TRIES: usize = 16;

/// What this process knows of itself. Leaked: a forked child can't tell whether a thread of its parent was using it.
struct Process {
    pid: u32,
    own: Mutex<Own>,
}

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
    file: File,
}

/// The `Process` of the process that has last looked; null before. Only ever replaced in a forked child.
static PROCESS: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());

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
    {
        // A name too many is looked for in vain, and does no harm.
        let _ = identity.file.set_len((last * LINE) as u64);
    }
    own.names.swap_remove(at);
    own.remove_if_done();
}

/// Is the process dead whose identity file has this number?
pub(super) fn liveness(number: u64) -> Liveness {
    if own().file.as_ref().is_some_and(|identity| identity.number == number) {
        return Liveness::Alive;
    }
    let Ok(file) = sys::open_private(&path(number)) else { return Liveness::Unknown };
    // Shared, so that two who ask at once don't take each other for the process.
    match file.try_lock_shared() {
        Ok(()) => Liveness::Dead,
        Err(TryLockError::WouldBlock) => Liveness::Alive,
        Err(TryLockError::Error(_)) => Liveness::Unknown,
    }
}

/// Removes the identity file of a dead process, or of one that is at its clean exit, if nothing that it lists is left: then
/// there is no segment any more where somebody would ask for it.
pub(super) fn bury(number: u64, exited: bool) {
    let Ok(mut file) = sys::open_private(&path(number)) else { return };
    // Whoever asks whether the process lives has the lock for a moment.
    let locked = || {
        let taken = file.try_lock().is_ok();
        if !taken {
            thread::yield_now();
        }
        taken
    };
    // A living process's own is locked; one that exits makes nothing more. One that is out of view was its process's to
    // remove, and another may have its name by now.
    if !(exited || (0..TRIES).any(|_| locked())) || !sys::is_in_view(&file) {
        return;
    }
    let mut names = String::new();
    if file.read_to_string(&mut names).is_ok() && names.lines().all(named::is_gone) {
        let _ = fs::remove_file(path(number));
    }
}

/// At a clean exit: removes this process's identity file if nothing that it lists is left. Else it stays, unlocked when
/// the process has ended, so that others know that it is dead, and bury it with the last segment.
pub(crate) fn clean_exit() {
    let process = PROCESS.load(Ordering::Acquire);
    // SAFETY: what is stored in `PROCESS` is never freed.
    if let Some(process) = unsafe { process.as_ref() }
        && process.pid == sys::process_id()
    {
        let own = process.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(identity) = &own.file
            && own.names.iter().all(|id| named::is_gone(&named::name_of(*id)))
        {
            // The lock stays until the process has ended: its threads may still read what its slots hold.
            let _ = fs::remove_file(path(identity.number));
        }
    }
}

/// This process's own, locked.
fn own() -> MutexGuard<'static, Own> {
    let pid = sys::process_id();
    let mut found = PROCESS.load(Ordering::Acquire);
    loop {
        // SAFETY: what is stored in `PROCESS` is never freed.
        let process = unsafe { found.as_ref() };
        if let Some(process) = process.filter(|process| process.pid == pid) {
            return process.own.lock().unwrap_or_else(PoisonError::into_inner);
        }
        let made = Box::into_raw(Box::new(Process { pid, own: Mutex::default() }));
        match PROCESS.compare_exchange(found, made, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                // Closes the descriptor that a forked child has inherited; the parent's lock stays. If a thread of the
                // parent was at it when the child was forked, the descriptor stays open as well.
                if let Some(mut inherited) = process.and_then(|process| process.own.try_lock().ok()) {
                    inherited.file = None;
                }
                found = made;
            }
            Err(theirs) => {
                // SAFETY: made above, and not stored.
                drop(unsafe { Box::from_raw(made) });
                found = theirs;
            }
        }
    }
}

impl Own {
    fn identity(&mut self) -> Result<&Identity, Error> {
        if self.file.is_none() {
            let made = Identity::make(self.number);
            let made = made.map_err(|error| no_space(error, LINE as u64, 0, "creation of an identity file"))?;
            self.number = Some(made.number);
            self.file = Some(made);
        }
        self.file.as_ref().ok_or_else(|| Error::os("creation of an identity file", io::ErrorKind::NotFound))
    }

    fn write_line(&mut self, at: usize, id: SegmentId) -> io::Result<()> {
        let mut file = match self.identity() {
            Ok(identity) => &identity.file,
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
            let _ = fs::remove_file(path(identity.number));
        }
    }
}

impl Identity {
    fn make(number: Option<u64>) -> io::Result<Self> {
        for _ in 0..TRIES {
            let number = number.map_or_else(getrandom::u64, Ok)?;
            if number == 0 {
                continue; // what a slot holds before its participant has written
            }
            let (hidden, path) = (hidden_path(number), path(number));
            let file = match sys::create_private(&hidden) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            // Whoever sweeps may take an unlocked file with such a name for a dead process's: then another one is made.
            let shown = match file.try_lock() {
                Ok(()) => fs::rename(&hidden, &path),
                Err(TryLockError::WouldBlock) => Err(io::ErrorKind::NotFound.into()),
                Err(TryLockError::Error(error)) => Err(error),
            };
            match shown {
                Ok(()) => return Ok(Identity { number, file }),
                Err(error) => {
                    let _ = fs::remove_file(&hidden);
                    if error.kind() != io::ErrorKind::NotFound {
                        return Err(error);
                    }
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

/// Where an identity file is in view.
fn path(number: u64) -> PathBuf {
    sys::named_directory().join(format!("commonage-id-{number:016x}"))
}

/// Where it is before.
fn hidden_path(number: u64) -> PathBuf {
    sys::named_directory().join(format!("commonage-id-{number:016x}.new"))
}

/// What whoever sweeps will do.
#[cfg(test)]
pub(super) fn remove_file_of(number: u64) {
    fs::remove_file(path(number)).expect("a dead process's identity file");
}

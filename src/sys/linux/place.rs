//! Links: a name is a file in `/dev/shm`, as `shm_open` of the C libraries has it; a path is a file anywhere.

use std::{
    ffi::CStr,
    ops::Range,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    ptr::NonNull,
};

use rustix::{
    fs::{Access, AtFlags, CWD, Mode, OFlags, SeekFrom, access, fstatfs, linkat, open, seek},
    io::Errno,
    mm::{Advice, madvise},
    path::Arg,
};

pub(crate) use super::super::unix::place::{Identity, Place};
use super::{
    super::unix::{
        above_standard,
        place::{
            Temporary, is_there, no_space, not_made, open_file, process_exists, refused, remove_file, set_len,
            set_mode, write_zeros,
        },
    },
    available_memory,
    barred::has_ended,
    object::{available, link_to, reserve},
};
use crate::sys::{
    Facts, page_size,
    place::{Address, Mapping, PlaceError},
};

const DIRECTORY: &str = "/dev/shm";
/// Bytes of the longest name of a file.
const LONGEST: usize = 255;
/// From so many bytes on, it is asked first whether they are there: that costs as much as making the smaller ones.
const LARGE: u64 = 4 << 20;

/// A link comes into view whole, by name as by path.
pub(crate) const NAMES_APPEAR_UNREADY: bool = false;

/// Whether this platform can hold the name.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.len() > LONGEST { Err("it is longer than 255 bytes") } else { Ok(()) }
}

/// Something new that nobody sees: a file without a name, or, where there are none, one with another name. A process that
/// dies leaves nothing of the first.
#[derive(Debug)]
pub(crate) struct Draft {
    place: Place,
    mapping: Mapping,
    at: Address,
    temporary: Option<Temporary>,
}

impl Draft {
    /// `len` bytes, all zero, reserved, mapped to be written to; with these permission bits, whatever the umask.
    ///
    /// # Errors
    ///
    /// All but [`PlaceError::Absent`] and [`PlaceError::NotAFile`].
    pub(crate) fn new(at: &Address, len: u64, mode: u32) -> Result<Draft, PlaceError> {
        if with_path(at, |path| Ok(is_there(path))).unwrap_or(false) {
            return Err(PlaceError::Exists); // rather than to find out that there is no room for two
        }
        match Draft::without_a_name(at, len, mode)? {
            Some(draft) => Ok(draft),
            None => Draft::with_another_name(at, len, mode),
        }
    }

    /// None where there are no such files, or where they can't be given a name.
    pub(in crate::sys) fn without_a_name(at: &Address, len: u64, mode: u32) -> Result<Option<Draft>, PlaceError> {
        let fd = open_nameless(&directory_of(at))?;
        fd.map(|fd| Draft::of(fd, None, at, len, mode)).transpose()
    }

    pub(in crate::sys) fn with_another_name(at: &Address, len: u64, mode: u32) -> Result<Draft, PlaceError> {
        let (temporary, fd) = match at {
            Address::Name(_) => Temporary::beside(&Path::new(DIRECTORY).join("name"))?,
            Address::Path(path) => Temporary::beside(path)?,
        };
        Draft::of(fd, Some(temporary), at, len, mode)
    }

    fn of(fd: OwnedFd, temporary: Option<Temporary>, at: &Address, len: u64, mode: u32) -> Result<Draft, PlaceError> {
        set_mode(&fd, mode)?;
        extend(&fd, 0..len)?;
        let place = Place::of_file(fd)?;
        let size = usize::try_from(len).map_err(|_| not_made("mmap", Errno::NOMEM))?;
        let mapping = place.map(size, true)?;
        Ok(Draft { place, mapping, at: at.clone(), temporary })
    }

    /// Its bytes.
    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Where it will be.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Brings it into view, whole as it is, unless something has the name: then the bytes are given back, and nothing else
    /// is left of it.
    pub(crate) fn publish(self) -> Result<(Place, Mapping), (Mapping, PlaceError)> {
        let Draft { place, mapping, at, temporary } = self;
        let done = match temporary {
            Some(temporary) => {
                with_path(&at, |path| Ok(temporary.publish(path))).unwrap_or_else(|error| Err(not_made("link", error)))
            }
            None => {
                let door = link_to(&place);
                with_path(&at, |path| linkat(CWD, &door, CWD, path, AtFlags::SYMLINK_FOLLOW))
                    .map_err(|error| not_made("linkat", error))
            }
        };
        match done {
            Ok(()) => Ok((place, mapping)),
            Err(error) => Err((mapping, error)),
        }
    }
}

impl Place {
    /// What is there, if it is a file. A name is never a symbolic link.
    ///
    /// # Errors
    ///
    /// All but [`PlaceError::Exists`] and [`PlaceError::NoSpace`].
    pub(crate) fn open(at: &Address, writable: bool) -> Result<Place, PlaceError> {
        let more = match at {
            Address::Name(_) => OFlags::NOFOLLOW,
            Address::Path(_) => OFlags::empty(),
        };
        with_path(at, |path| Ok(open_file(path, writable, more))).unwrap_or_else(|error| Err(refused("open", error)))
    }
}

/// Puts something behind bytes that had nothing behind them.
pub(crate) fn back(place: &Place, mapping: &Mapping, writable: bool) -> Result<(), PlaceError> {
    let len = mapping.len();
    back_bytes(place, place.missing(len), mapping.base(), 0..len as u64, writable)
}

/// As [`back`], of some bytes of a file, which begin where the mapping does.
pub(crate) fn back_bytes(
    fd: impl AsFd,
    missing: u64,
    mapping: NonNull<u8>,
    bytes: Range<u64>,
    writable: bool,
) -> Result<(), PlaceError> {
    if writable {
        has_room(&fd, missing)?;
        return match reserve(&fd, bytes) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(no_room(&fd, "fallocate", error, missing)),
        };
    }
    if !is_in_memory(&fd) {
        return Ok(()); // a hole of a file on a disk reads as zeros, and takes nothing
    }
    // Bytes of a file need not begin where a page does, but only of whole pages can it be said.
    let before = mapping.addr().get() % page_size();
    let (start, len) = (mapping.as_ptr().wrapping_sub(before), before + (bytes.end - bytes.start) as usize);
    // In memory even a look at a hole takes a page. SAFETY: the advice changes nothing but what is resident.
    match unsafe { madvise(start.cast(), len, Advice::LinuxPopulateRead) } {
        // What would have been a signal.
        Err(Errno::FAULT) => Err(no_room(&fd, "madvise", Errno::NOSPC, missing)),
        _ => Ok(()), // before Linux 5.14 there is no such advice
    }
}

/// Has one of these bytes, of a file with as many blocks as bytes, nothing behind it that an access would need? Blocks can be
/// behind the end, and those of a disk also the file system's own. A file in memory is looked through only if it has more
/// blocks than bytes, because that takes as long as to touch all of its pages: one that has exactly as many, and some of them
/// behind its end, passes.
pub(crate) fn has_hole(fd: impl AsFd, facts: &Facts, bytes: &Range<u64>, writable: bool) -> bool {
    let exact = facts.backed == facts.size.next_multiple_of(page_size() as u64);
    if !writable && exact {
        return false;
    }
    let possible = if is_in_memory(&fd) { !exact } else { writable };
    // Where nobody says, there is none.
    possible && seek(fd, SeekFrom::Hole(bytes.start)).is_ok_and(|hole| hole < bytes.end)
}

/// A new file without a name, only this user's; none where there are no such files, or where they can't be given a name.
pub(crate) fn open_nameless(directory: &Path) -> Result<Option<OwnedFd>, PlaceError> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let fd = match open(directory, flags, Mode::RUSR | Mode::WUSR).and_then(above_standard) {
        Ok(fd) => fd,
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => return Ok(None),
        Err(error) => return Err(not_made("open of a file without a name", error)),
    };
    // Without `/proc` there is no other way to it for an ordinary user.
    Ok(access(link_to(&fd), Access::EXISTS).is_ok().then_some(fd))
}

/// Gives a file that has no name one, which nothing has.
pub(crate) fn link_nameless(fd: impl AsFd, path: &Path) -> rustix::io::Result<()> {
    linkat(CWD, link_to(fd), CWD, path, AtFlags::SYMLINK_FOLLOW)
}

/// Makes a file of `more.start` bytes as long as `more.end`, all zero and with something behind each byte.
pub(crate) fn extend(fd: impl AsFd, more: Range<u64>) -> Result<(), PlaceError> {
    let len = more.end - more.start;
    has_room(&fd, len)?;
    set_len(&fd, more.end)?;
    match reserve(&fd, more.clone()) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeros(&fd, more),
        Err(error) => Err(no_room(&fd, "fallocate", error, len)),
    }
}

/// The file that has the name now.
pub(crate) fn identity_at(at: &Address) -> Option<Identity> {
    with_path(at, |path| Ok(Identity::of_path(path))).ok().flatten()
}

/// Takes the name away, whatever has it.
pub(crate) fn unlink(at: &Address) -> rustix::io::Result<()> {
    with_path(at, |path| rustix::fs::unlink(path))
}

/// Takes the name of a file away.
///
/// # Errors
///
/// All but [`PlaceError::Exists`] and [`PlaceError::NoSpace`].
pub(crate) fn remove_place(at: &Address) -> Result<(), PlaceError> {
    with_path(at, |path| Ok(remove_file(path))).unwrap_or_else(|error| Err(refused("unlink", error)))
}

/// False if the process has surely ended, whether or not its parent knows of it. True for zero: nobody has said which.
pub(crate) fn process_lives(pid: u32) -> bool {
    process_exists(pid) && !has_ended(pid)
}

/// The path, without memory taken for it if it is short.
fn with_path<R>(at: &Address, look: impl FnOnce(&CStr) -> rustix::io::Result<R>) -> rustix::io::Result<R> {
    match at {
        Address::Name(name) => {
            let mut path = [0; DIRECTORY.len() + 1 + LONGEST + 1];
            let end = DIRECTORY.len() + 1 + name.len();
            path[..DIRECTORY.len()].copy_from_slice(DIRECTORY.as_bytes());
            path[DIRECTORY.len()] = b'/';
            let place = path.get_mut(DIRECTORY.len() + 1..end).ok_or(Errno::NAMETOOLONG)?;
            place.copy_from_slice(name.as_bytes());
            look(CStr::from_bytes_until_nul(&path).map_err(|_| Errno::NAMETOOLONG)?)
        }
        Address::Path(path) => path.as_path().into_with_c_str(look),
    }
}

fn directory_of(at: &Address) -> PathBuf {
    match at {
        Address::Name(_) => PathBuf::from(DIRECTORY),
        Address::Path(path) => path.parent().unwrap_or(Path::new("/")).to_owned(),
    }
}

/// Does the file's system keep it in memory, and nowhere else?
fn is_in_memory(fd: impl AsFd) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    fstatfs(fd).is_ok_and(|stat| stat.f_type as u64 == TMPFS)
}

/// Asks before anything is taken, where it is much: the first to say no could be the one who kills for it.
fn has_room(fd: impl AsFd, more: u64) -> Result<(), PlaceError> {
    if more < LARGE {
        return Ok(());
    }
    let memory = if is_in_memory(&fd) { available_memory() } else { u64::MAX };
    let left = available(fd).min(memory);
    if more > left { Err(PlaceError::NoSpace { requested: more, available: left }) } else { Ok(()) }
}

/// As [`no_space`], with what there is.
fn no_room(fd: impl AsFd, operation: &'static str, error: Errno, requested: u64) -> PlaceError {
    match no_space(operation, error, requested) {
        PlaceError::NoSpace { .. } => {
            // What is left may be more by now, or no use.
            let available = available(fd).min(requested.saturating_sub(1));
            PlaceError::NoSpace { requested, available }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;

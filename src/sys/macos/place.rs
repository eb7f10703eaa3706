//! Links: a name is that of a POSIX shared memory object, which is in view as soon as it is there; a path is a file.

use std::{mem, os::fd::OwnedFd, path::PathBuf};

use rustix::{
    fs::OFlags,
    io::Errno,
    shm::{self, Mode},
};

pub(crate) use super::super::unix::place::{Identity, Place};
use super::super::unix::{
    above_standard,
    place::{Temporary, is_there, not_made, open_file, refused, remove_file, set_len, set_mode, write_zeros},
};
use crate::sys::place::{Address, Mapping, PlaceError};

/// Bytes of the longest name, after the slash that the system wants (`PSHMNAMLEN` of macOS).
const LONGEST: usize = 30;

/// An object with a name is in view before it has any bytes.
pub(crate) const NAMES_APPEAR_UNREADY: bool = true;

/// Whether this platform can hold the name.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.len() > LONGEST { Err("it is longer than 30 bytes") } else { Ok(()) }
}

/// Something new. By path, nobody sees it: it is a file with another name. By name, it is in view, and empty for a moment,
/// as soon as it is there: who opens it must see by what it holds whether it is ready.
#[derive(Debug)]
pub(crate) struct Draft {
    place: Place,
    mapping: Mapping,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Named(Unready),
    File(Temporary, PathBuf),
}

/// An object by its name, removed on drop.
#[derive(Debug)]
struct Unready(String);

impl Drop for Unready {
    fn drop(&mut self) {
        let _ = shm::unlink(&self.0);
    }
}

impl Draft {
    /// `len` bytes, all zero, mapped to be written to; with these permission bits. Those of a file are set whatever the
    /// umask; those of an object can't be changed on macOS, and lack what the umask forbids. A file has its blocks.
    ///
    /// # Errors
    ///
    /// All but [`PlaceError::Absent`] and [`PlaceError::NotAFile`].
    pub(crate) fn new(at: &Address, len: u64, mode: u32) -> Result<Draft, PlaceError> {
        let size = usize::try_from(len).map_err(|_| not_made("mmap", Errno::NOMEM))?;
        match at {
            Address::Name(name) => {
                let (unready, fd) = create_object(&slashed(name), mode)?;
                let _ = set_mode(&fd, mode);
                set_len(&fd, len)?;
                let (place, _) = Place::of(fd)?;
                let mapping = place.map(size, true)?;
                Ok(Draft { place, mapping, way: Way::Named(unready) })
            }
            Address::Path(path) => {
                if is_there(path) {
                    return Err(PlaceError::Exists);
                }
                let (temporary, fd) = Temporary::beside(path)?;
                set_mode(&fd, mode)?;
                set_len(&fd, len)?;
                write_zeros(&fd, 0..len)?;
                let place = Place::of_file(fd)?;
                let mapping = place.map(size, true)?;
                Ok(Draft { place, mapping, way: Way::File(temporary, path.clone()) })
            }
        }
    }

    /// Its bytes.
    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Where it will be.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Brings a file into view, whole as it is, unless something has the name: then the bytes are given back, and nothing
    /// else is left of it.
    pub(crate) fn publish(self) -> Result<(Place, Mapping), (Mapping, PlaceError)> {
        let Draft { place, mapping, way } = self;
        let done = match way {
            Way::Named(unready) => {
                mem::forget(unready);
                Ok(())
            }
            Way::File(temporary, path) => temporary.publish(&path),
        };
        match done {
            Ok(()) => Ok((place, mapping)),
            Err(error) => Err((mapping, error)),
        }
    }
}

fn create_object(name: &str, mode: u32) -> Result<(Unready, OwnedFd), PlaceError> {
    let flags = shm::OFlags::RDWR | shm::OFlags::CREATE | shm::OFlags::EXCL;
    let fd = shm::open(name, flags, Mode::from_raw_mode((mode & 0o777) as _))
        .map_err(|error| not_made("shm_open", error))?;
    let unready = Unready(name.to_owned());
    let fd = above_standard(fd).map_err(|error| not_made("fcntl", error))?;
    Ok((unready, fd))
}

impl Place {
    /// What is there, if it is an object or a file.
    ///
    /// # Errors
    ///
    /// All but [`PlaceError::Exists`] and [`PlaceError::NoSpace`].
    pub(crate) fn open(at: &Address, writable: bool) -> Result<Place, PlaceError> {
        match at {
            Address::Name(name) => {
                let flags = if writable { shm::OFlags::RDWR } else { shm::OFlags::RDONLY };
                let fd = shm::open(&*slashed(name), flags, Mode::empty()).and_then(above_standard);
                Ok(Place::of(fd.map_err(|error| refused("shm_open", error))?)?.0)
            }
            Address::Path(path) => open_file(path, writable, OFlags::empty()),
        }
    }
}

/// Nothing: objects have no holes, and of files nobody says.
pub(crate) fn back(_place: &Place, _mapping: &Mapping, _writable: bool) -> Result<(), PlaceError> {
    Ok(())
}

/// What has the name now. On macOS an object has no number: whatever has the name of one is taken for it, by who has not
/// looked for itself (see [`Address::has_identities`]).
pub(crate) fn identity_at(at: &Address) -> Option<Identity> {
    match at {
        Address::Name(_) => Place::open(at, false).ok().map(Place::into_identity),
        Address::Path(path) => Identity::of_path(path),
    }
}

/// Takes the name away, whatever has it.
pub(crate) fn unlink(at: &Address) -> rustix::io::Result<()> {
    match at {
        Address::Name(name) => shm::unlink(&*slashed(name)),
        Address::Path(path) => rustix::fs::unlink(path),
    }
}

/// Takes the name of an object, or of a file, away.
///
/// # Errors
///
/// All but [`PlaceError::Exists`] and [`PlaceError::NoSpace`].
pub(crate) fn remove_place(at: &Address) -> Result<(), PlaceError> {
    match at {
        Address::Name(_) => unlink(at).map_err(|error| refused("shm_unlink", error)),
        Address::Path(path) => remove_file(path.as_path()),
    }
}

fn slashed(name: &str) -> String {
    format!("/{name}")
}

//! Links: what is the same on every Unix.

use std::{
    ffi::c_void,
    io,
    ops::Range,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    ptr::{self, NonNull},
};

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fchmod, fstat, ftruncate, linkat, open, statat, unlink},
    io::{Errno, pwrite, retry_on_intr},
    mm::{MapFlags, ProtFlags, mmap},
    path::Arg,
    process::{Pid, test_kill_process},
};

use super::{above_standard, identity_of, kind_of};
use crate::sys::{
    largest_file,
    place::{Address, Mapping, PlaceError},
    platform, random_u64,
};

/// An open object or file that a link can lie in.
#[derive(Debug)]
pub(crate) struct Place {
    fd: OwnedFd,
    size: u64,
    /// Bytes that have memory, or blocks of a disk, behind them.
    backed: u64,
    identity: Identity,
}

/// What tells an object from every other, as long as a mapping or a descriptor keeps it from going: device and inode.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Identity(u64, u64);

impl Place {
    /// What is open there, if it is a file.
    pub(crate) fn of_file(fd: OwnedFd) -> Result<Place, PlaceError> {
        let (place, stat) = Place::of(fd)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(place),
            kind => Err(PlaceError::NotAFile(kind_of(kind))),
        }
    }

    /// What is open there, whatever it is.
    #[allow(clippy::unnecessary_cast, reason = "these are other types on other platforms")]
    pub(crate) fn of(fd: OwnedFd) -> Result<(Place, Stat), PlaceError> {
        let stat = fstat(&fd).map_err(|error| refused("fstat", error))?;
        let backed = (stat.st_blocks as u64).saturating_mul(512);
        Ok((Place { fd, size: stat.st_size as u64, backed, identity: Identity::of(&stat) }, stat))
    }

    /// Bytes that it had when it was opened.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of the first `len` that may have nothing behind them.
    #[cfg(target_os = "linux")]
    pub(crate) fn missing(&self, len: usize) -> u64 {
        (self.size - self.backed).min(len as u64)
    }

    /// Has all of it memory, or blocks of a disk, behind it? Else mapping it makes that so.
    pub(crate) fn is_backed(&self) -> bool {
        self.backed >= self.size
    }

    /// What is to be kept of a place that is mapped: here, numbers.
    pub(crate) fn into_identity(self) -> Identity {
        self.identity
    }

    /// Maps the first `len` bytes, of at least as many. What has nothing behind it is backed first, where the platform
    /// can, so that no access finds the system without memory; what a peer cuts off later, nobody can help.
    ///
    /// # Errors
    ///
    /// [`PlaceError::NoSpace`], [`PlaceError::Failed`].
    pub(crate) fn map(&self, len: usize, writable: bool) -> Result<Mapping, PlaceError> {
        if len as u64 > self.size {
            return Err(PlaceError::Failed("mmap", io::ErrorKind::UnexpectedEof.into()));
        }
        let access = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let base = unsafe { mmap(ptr::null_mut::<c_void>(), len, access, MapFlags::SHARED, &self.fd, 0) };
        let base = base.map_err(|error| refused("mmap", error))?;
        let base = NonNull::new(base.cast()).ok_or(PlaceError::Failed("mmap", io::ErrorKind::OutOfMemory.into()))?;
        // SAFETY: mapped above, and nobody else knows of it.
        let mapping = unsafe { Mapping::new(base, len) };
        if self.backed < self.size {
            platform::back(self, &mapping, writable)?;
        }
        Ok(mapping)
    }
}

impl AsFd for Place {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Identity {
    /// Takes the name away, if it still leads to this very object; then the mapping goes. Nothing if it leads elsewhere, or
    /// nowhere. Another that comes to have the name between the look and the removal loses it.
    pub(crate) fn remove(self, at: &Address, mapping: Mapping) {
        // The mapping is what keeps the inode's number from being given to another file.
        if platform::identity_at(at) == Some(self) {
            let _ = platform::unlink(at);
        }
        drop(mapping);
    }

    fn of(stat: &Stat) -> Identity {
        let (device, inode) = identity_of(stat);
        Identity(device, inode)
    }

    /// The file at a path, if there is one; a symbolic link is not followed.
    pub(crate) fn of_path(path: impl Arg) -> Option<Identity> {
        statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).ok().map(|stat| Identity::of(&stat))
    }
}

/// Opens a file. Waits for nothing, and takes no terminal; `more` are further flags.
pub(crate) fn open_file(path: impl Arg, writable: bool, more: OFlags) -> Result<Place, PlaceError> {
    Place::of_file(open_whatever(path, writable, more)?)
}

/// As [`open_file`], whatever is there.
pub(crate) fn open_whatever(path: impl Arg, writable: bool, more: OFlags) -> Result<OwnedFd, PlaceError> {
    let access = if writable { OFlags::RDWR } else { OFlags::RDONLY };
    let flags = access | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | more;
    open(path, flags, Mode::empty()).and_then(above_standard).map_err(|error| refused("open", error))
}

/// Takes the name of a file away.
///
/// # Errors
///
/// All but [`PlaceError::Exists`] and [`PlaceError::NoSpace`].
pub(crate) fn remove_file(path: impl Arg + Copy) -> Result<(), PlaceError> {
    let stat = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| refused("stat", error))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => unlink(path).map_err(|error| refused("unlink", error)),
        kind => Err(PlaceError::NotAFile(kind_of(kind))),
    }
}

/// Is anything there? Asked before memory is taken: what is made still has to find out for itself.
pub(crate) fn is_there(path: impl Arg) -> bool {
    statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

/// A file under a name that nobody guesses, in the directory where it is to be; removed on drop.
#[derive(Debug)]
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    /// A new, empty file beside `path`.
    pub(crate) fn beside(path: &Path) -> Result<(Temporary, OwnedFd), PlaceError> {
        let random = random_u64().map_err(|error| PlaceError::Failed("getrandom", io::Error::other(error)))?;
        let path = path.with_file_name(format!(".commonage-{random:016x}"));
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(|error| not_made("open of a new file", error))?;
        let temporary = Temporary(path);
        let fd = above_standard(fd).map_err(|error| not_made("fcntl", error))?;
        Ok((temporary, fd))
    }

    /// Gives the file its name, unless something has it, and takes the other one away.
    pub(crate) fn publish(self, path: impl Arg) -> Result<(), PlaceError> {
        linkat(CWD, &self.0, CWD, path, AtFlags::empty()).map_err(|error| not_made("link", error))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = unlink(&self.0);
    }
}

/// Where a file system can't reserve: writes what is there already.
pub(crate) fn write_zeros(fd: impl AsFd, range: Range<u64>) -> Result<(), PlaceError> {
    static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
    let len = range.end - range.start;
    let mut done = range.start;
    while done < range.end {
        let step = usize::try_from(range.end - done).unwrap_or(usize::MAX).min(ZEROS.len());
        match retry_on_intr(|| pwrite(&fd, &ZEROS[..step], done)) {
            Ok(0) => return Err(no_space("pwrite", Errno::NOSPC, len)),
            Ok(wrote) => done += wrote as u64,
            Err(error) => return Err(no_space("pwrite", error, len)),
        }
    }
    Ok(())
}

/// Makes an empty file as long as that: all zero, and, but on Linux, without anything behind it.
pub(crate) fn set_len(fd: impl AsFd, len: u64) -> Result<(), PlaceError> {
    // A larger file would not be an error but a signal.
    if len > largest_file() {
        return Err(not_made("ftruncate", Errno::FBIG));
    }
    ftruncate(fd, len).map_err(|error| no_space("ftruncate", error, len))
}

/// Sets the permission bits, whatever the umask is.
pub(crate) fn set_mode(fd: impl AsFd, mode: u32) -> Result<(), PlaceError> {
    fchmod(fd, Mode::from_raw_mode((mode & 0o777) as _)).map_err(|error| not_made("fchmod", error))
}

/// Why something that may be there can't be had.
pub(crate) fn refused(operation: &'static str, error: Errno) -> PlaceError {
    match error {
        Errno::NOENT | Errno::NOTDIR => PlaceError::Absent,
        Errno::EXIST => PlaceError::Exists,
        Errno::ACCESS | Errno::PERM | Errno::ROFS => PlaceError::Denied(error.into()),
        Errno::ISDIR => PlaceError::NotAFile("a directory"),
        Errno::LOOP => PlaceError::NotAFile("a symbolic link"),
        // A socket is the first on Linux, the second on macOS.
        Errno::NXIO | Errno::OPNOTSUPP => PlaceError::NotAFile("a socket or a device"),
        _ => PlaceError::Failed(operation, error.into()),
    }
}

/// Why something new can't be made: what is not there then is its directory.
pub(crate) fn not_made(operation: &'static str, error: Errno) -> PlaceError {
    match error {
        Errno::EXIST => PlaceError::Exists,
        Errno::NOENT | Errno::NOTDIR => PlaceError::NoDirectory,
        Errno::ACCESS | Errno::PERM | Errno::ROFS => PlaceError::Denied(error.into()),
        _ => PlaceError::Failed(operation, error.into()),
    }
}

/// As [`not_made`], where it may be room that is missing.
pub(crate) fn no_space(operation: &'static str, error: Errno, requested: u64) -> PlaceError {
    match error {
        Errno::NOSPC | Errno::DQUOT | Errno::NOMEM => PlaceError::NoSpace { requested, available: 0 },
        error => not_made(operation, error),
    }
}

/// False if there is surely no such process.
pub(crate) fn process_exists(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return pid == 0; // nobody has said which
    };
    !matches!(test_kill_process(pid), Err(Errno::SRCH))
}

//! What is the same on every Unix.

mod disk_file;
#[cfg(any(test, not(target_os = "linux")))]
mod lock_file;
mod new_file;
pub(crate) mod place;
mod range_lock;
mod standard;
mod uninherited;

use std::{
    ffi::{OsStr, c_void},
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            ffi::OsStrExt,
            fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt},
        },
    },
    path::{Path, PathBuf},
    ptr::NonNull,
    time::Duration,
};

use rustix::{
    fs::{FileType, OFlags, Stat},
    mm::{MprotectFlags, mprotect},
    process::{Resource, geteuid, getrlimit},
};

#[cfg(any(test, not(target_os = "linux")))]
pub(crate) use self::lock_file::LockFile;
#[cfg(target_os = "linux")]
pub(crate) use self::range_lock::RangeLock;
#[cfg(target_os = "linux")]
pub(crate) use self::uninherited::{between_forks, close_inherited};
pub(crate) use self::{
    disk_file::DiskFile, new_file::NewFile, range_lock::range_lock, standard::StandardTaken, uninherited::Uninherited,
};
use crate::{Error, sys::named_directory};

/// Bytes in a page, at least: what `protect` and `Object::punch` go by.
pub(crate) fn page_size() -> usize {
    rustix::param::page_size()
}

/// How long before `now` something was, both in boot time. What has a time goes with the machine; and what is yet to come may
/// be so by another container's clock.
pub(crate) fn age(then: u64, now: u64) -> Duration {
    Duration::from_nanos(now.saturating_sub(then))
}

/// The path that these bytes, which came from elsewhere, are: absolute, and such that the system takes it for all of it.
pub(crate) fn path_in(bytes: &[u8]) -> Option<&Path> {
    let path = Path::new(OsStr::from_bytes(bytes));
    (path.is_absolute() && !bytes.contains(&0)).then_some(path)
}

/// Has `f` called at a clean exit of the process; false if the table of such calls is full.
pub(crate) fn at_exit(f: extern "C" fn()) -> bool {
    // SAFETY: `f` is a function without captures, so it is there as long as the code of the program is.
    unsafe { libc::atexit(f) == 0 }
}

/// Whether the system has ended all other threads of this process, wherever they were: not as long as one runs here.
pub(crate) fn threads_have_ended() -> bool {
    false
}

/// Sets what this process may do with mapped pages: read, or read and write.
///
/// # Safety
///
/// `start..start + len` are whole pages of one mapping of the caller's, and nothing that goes on needs more than is
/// allowed from now on.
pub(crate) unsafe fn protect(start: NonNull<u8>, len: usize, writable: bool) -> Result<(), Error> {
    let access = if writable { MprotectFlags::READ | MprotectFlags::WRITE } else { MprotectFlags::READ };
    // SAFETY: the caller's mapping, and its promise.
    unsafe { mprotect(start.as_ptr().cast::<c_void>(), len, access) }.map_err(|error| Error::os("mprotect", error))
}

/// Makes a file that is only this user's; an error if anything has the name.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    // What the process's umask has taken away it needs itself.
    if file.metadata()?.mode() & 0o777 != 0o600 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// Opens a file for reading, following no link and waiting for nothing; only a regular file that is only this user's will
/// do.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    private(OpenOptions::new().read(true), path)
}

fn private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = options.custom_flags(flags.bits().cast_signed()).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.uid() == geteuid().as_raw() && metadata.mode() & 0o077 == 0 {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file that is only this user's"))
    }
}

/// Reads bytes of a file, all that are asked for.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(bytes, offset)
}

/// Writes bytes to a file, at an offset.
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// Writes bytes to a file, behind what has been written. They may change meanwhile: the system copies them.
///
/// # Safety
///
/// `data..data + len` is mapped for reading until the call returns.
pub(crate) unsafe fn write_from(file: &File, data: NonNull<u8>, len: usize) -> io::Result<()> {
    const STEP: usize = 1 << 30; // macOS refuses 2 GiB
    let mut done = 0;
    while done < len {
        // SAFETY: lies within the caller's bytes.
        let rest = unsafe { data.add(done) }.as_ptr().cast::<c_void>();
        // SAFETY: no more of the caller's bytes than are left; the system only reads them.
        let wrote = unsafe { libc::write(file.as_raw_fd(), rest, STEP.min(len - done)) };
        match usize::try_from(wrote) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(wrote) => done += wrote,
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
    Ok(())
}

/// Bytes of the largest file that this process may make.
pub(crate) fn largest_file() -> u64 {
    getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX)
}

/// Whether an open file still has a name.
pub(crate) fn is_in_view(file: &File, _path: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
}

/// Takes away the name of a file, which must be one: when this returns nothing has it, and of all who try at once one
/// succeeds. The file goes with its last descriptor.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// Gives a file another name, in place of what has it.
pub(crate) fn rename_file(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Whether a file has a name that says that it is removed: it has none then.
pub(crate) fn is_removed(_name: &str) -> bool {
    false
}

/// Takes the lock of a file for this description; `WouldBlock` if another has it, in this process or another.
pub(crate) fn try_lock(file: &File) -> io::Result<()> {
    Ok(file.try_lock()?)
}

/// As `try_lock`, but others may have it so, too.
pub(crate) fn try_lock_shared(file: &File) -> io::Result<()> {
    Ok(file.try_lock_shared()?)
}

/// Is it for want of room that a call failed?
pub(crate) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::OutOfMemory | io::ErrorKind::QuotaExceeded)
}

/// Bytes that a new named segment can have, at most: what makes it will say.
pub(crate) fn room_for_named() -> u64 {
    u64::MAX
}

/// Nothing: what has no memory yet is reserved piece by piece, or is never without.
///
/// # Errors
///
/// None; see Windows.
pub(crate) fn back_named(_name: &str, _len: u64) -> io::Result<()> {
    Ok(())
}

/// Where files are that last as long as named segments do.
pub(crate) fn named_directories() -> Vec<PathBuf> {
    vec![named_directory()]
}

/// The same description under a number that no program takes for its standard input or output.
pub(crate) fn above_standard(fd: OwnedFd) -> rustix::io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    let higher = rustix::io::fcntl_dupfd_cloexec(&fd, 3)?;
    // `fd` goes only now: its number would be the one found otherwise.
    drop(fd);
    Ok(higher)
}

/// What something is that is no file, in words.
pub(crate) fn kind_of(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "a directory",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice => "a terminal or another character device",
        FileType::BlockDevice => "a block device",
        FileType::Symlink => "a symbolic link",
        _ => "no file",
    }
}

/// Device and inode.
#[allow(clippy::unnecessary_cast, reason = "these are other types on other platforms")]
pub(crate) fn identity_of(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

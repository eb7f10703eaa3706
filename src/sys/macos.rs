//! macOS.
//!
//! What it lacks of what Linux has, and what there is instead:
//!
//! | | |
//! |---|---|
//! | shared memory without a name | [`Backing::Named`](crate::Backing) is the only one |
//! | a list of the names that there are | files of processes that list their own segments, in [`named_directory`] |
//! | locks on an object | locked files there; for locks in links, the system's id of a process and when it was started |
//! | holes, and giving memory back from the middle of an object | a segment is given back as a whole; its memory is the system's to page out |
//! | an object's length that can change, its own number, its mode | each is set when it is made; a link's header has a number of its own |
//! | names of more than 30 bytes | an error |
//! | `futex` | calls for the same since macOS 14.4; before that, who waits looks once a millisecond |
//! | descriptors in `/proc` | none needed |
//! | `read` and `write` on an object | a mapping |
//!
//! Pages have 16 KiB on Apple's processors and 4 KiB on Intel's, also for a program of the one that runs on the other:
//! what processes share goes by neither.

mod announced;
mod disk_file;
mod place;
mod process;
mod wait;

use std::{
    fs::File,
    io,
    ops::Range,
    os::fd::OwnedFd,
    path::PathBuf,
    ptr::{self, NonNull},
};

use rustix::{
    fs::fstat,
    io::Errno,
    mm::{MapFlags, ProtFlags, mmap, munmap},
    process::geteuid,
    shm,
    time::{ClockId, clock_gettime},
};

pub(crate) use self::{
    announced::{Announced, new_id, own_id, renew, replace, set_own_id},
    disk_file::{back_bytes, extend, guard, has_hole, link_nameless, open_nameless},
    place::{Draft, Identity, NAMES_APPEAR_UNREADY, Place, back, check_name, identity_at, remove_place, unlink},
    process::process_lives,
    wait::{wait, wait_on, wake_all, wake_one},
};
pub(crate) use super::unix::{
    DiskFile, LockFile, NewFile, Uninherited, age, at_exit, back_named, create_private, is_in_view, is_no_space,
    is_removed, largest_file, named_directories, open_private, page_size, protect, read_at, remove_file, rename_file,
    room_for_named, threads_have_ended, try_lock, try_lock_shared, write_at, write_from,
};
use crate::{
    Error,
    sys::{Refusal, Whereabouts},
};

/// What was written through a mapping need not be on the disk when the file has been synced.
pub(crate) const SYNC_INCLUDES_MAPPINGS: bool = false;

/// What was written through a mapping is on the disk when the mapping has been flushed: only a sync of the
/// file (`F_FULLFSYNC`) has the disk write down what it was given.
pub(crate) const FLUSH_REACHES_DISK: bool = false;

/// Has what was written to a file be on the disk; where the file system can't have the disk's cache be written down, in that.
pub(crate) fn sync_file(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOTSUP | Errno::INVAL | Errno::NOTTY)) => {
            Ok(rustix::fs::fsync(file)?)
        }
        done => done,
    }
}

/// Memory can't be taken out of the middle of an object.
pub(crate) const PUNCHES: bool = false;

/// The id of this process.
pub(crate) fn process_id() -> u32 {
    std::process::id()
}

/// A number that tells this process from those that it was forked from: here the id that the system has given it.
pub(crate) fn lineage() -> u32 {
    process_id()
}

/// Nanoseconds since a moment that is the same for every process; on macOS time asleep is included.
pub(crate) fn boot_time() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned().wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec.cast_unsigned())
}

/// Bytes that the machine has: what is left of them nobody says cheaply.
pub(crate) fn available_memory() -> u64 {
    // SAFETY: asks for a number.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    u64::try_from(pages).map_or(u64::MAX, |pages| pages.saturating_mul(page_size() as u64))
}

/// Nothing: core dumps can't be told to leave pages out.
///
/// # Safety
///
/// None needed; see Linux.
pub(crate) unsafe fn exclude_from_core_dumps(_start: NonNull<u8>, _len: usize) {}

/// False: there is no call for it.
///
/// # Safety
///
/// None needed; see Linux.
pub(crate) unsafe fn populate(_start: NonNull<u8>, _len: usize) -> bool {
    false
}

/// Takes away what was mapped.
///
/// # Safety
///
/// `start..start + len` is a whole mapping of the caller's, and nothing refers into it.
pub(crate) unsafe fn unmap(start: NonNull<u8>, len: usize) {
    // SAFETY: the caller's promise. It only fails for addresses that are no pages.
    let _ = unsafe { munmap(start.as_ptr().cast(), len) };
}

/// There is nothing to look into.
pub(crate) fn may_be_looked_into() -> bool {
    false
}

/// There is no memory without a name that another process could reach.
pub(crate) fn anonymous_works() -> bool {
    false
}

/// Nothing: a write will say if there is no room.
///
/// # Errors
///
/// None; see Linux.
pub(crate) fn reserve_file(_file: &File, _len: u64) -> Result<(), Error> {
    Ok(())
}

/// Where the named object with this name is.
pub(crate) fn whereabouts_of(name: &str) -> Whereabouts {
    Whereabouts::Name(name.to_owned())
}

/// Where files lie that last as long as named segments do.
pub(crate) fn named_directory() -> PathBuf {
    std::env::temp_dir()
}

/// A POSIX shared memory object, as this process has it open. It has no holes.
#[derive(Debug)]
pub(crate) struct Object(OwnedFd);

impl Object {
    /// The object with this name, which must be private to this user.
    pub(crate) fn open_named(name: &str) -> Result<Object, Refusal> {
        let object = match shm::open(name, shm::OFlags::RDWR, shm::Mode::empty()) {
            Ok(fd) => Object(fd),
            Err(Errno::NOENT) => return Err(Refusal::Absent),
            Err(error @ (Errno::ACCESS | Errno::PERM)) => return Err(Refusal::Forbidden(error.into())),
            Err(error) => return Err(Refusal::Failed("shm_open", error.into())),
        };
        let stat = fstat(&object.0).map_err(|error| Refusal::Failed("fstat", error.into()))?;
        if stat.st_uid != geteuid().as_raw() {
            return Err(Refusal::Foreign(format!("an object of user {}", stat.st_uid)));
        }
        if stat.st_mode & 0o077 != 0 {
            return Err(Refusal::Foreign(format!(
                "an object that is open to others (mode {:o})",
                stat.st_mode & 0o777
            )));
        }
        Ok(object)
    }

    /// Is it the same object, by whatever name?
    pub(crate) fn is_same(&self, other: &Object) -> bool {
        match (fstat(&self.0), fstat(&other.0)) {
            (Ok(a), Ok(b)) => (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino),
            _ => false,
        }
    }

    /// Bytes that the object has.
    pub(crate) fn size(&self) -> io::Result<u64> {
        Ok(fstat(&self.0)?.st_size.cast_unsigned())
    }

    /// Bytes of the object, from an offset on. These objects can't be read but through a mapping.
    pub(crate) fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= i64::MAX.cast_unsigned());
        let Some(end) = end.filter(|end| self.size().is_ok_and(|size| *end <= size)) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let start = offset - offset % page_size() as u64;
        let Ok(len @ 1..) = usize::try_from(end - start) else { return Ok(()) };
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let pages = unsafe { mmap(ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, &self.0, start) }?;
        // SAFETY: the object has bytes up to `end`, so the offset, less than a page, lies in the mapping.
        let from = unsafe { pages.cast::<u8>().add((offset - start) as usize) };
        // SAFETY: they were mapped above for reading, the object is at least as long, and there are no holes. Bytes that
        // change meanwhile are copied as they are: the copy is what gets checked.
        unsafe { ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) };
        // SAFETY: mapped above, and nothing refers into it any more.
        let _ = unsafe { munmap(pages, len) };
        Ok(())
    }

    /// Nothing: there are no holes.
    pub(crate) fn reserve(&self, _range: Range<u64>) -> io::Result<()> {
        Ok(())
    }

    /// Not possible here: a mapping is the only way to the bytes.
    pub(crate) fn write_at(&self, _offset: u64, _bytes: &[u8]) -> bool {
        false
    }

    /// Not possible here.
    pub(crate) fn punch(&self, _range: Range<u64>) -> bool {
        false
    }

    /// These objects belong to no file system.
    pub(crate) fn available(&self) -> u64 {
        u64::MAX
    }
}

/// Takes a name away; nothing if it is gone.
pub(crate) fn unlink_named(name: &str) -> io::Result<()> {
    match shm::unlink(name) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

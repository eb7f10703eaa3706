//! Files that hold values.
//!
//! Who has one open says what others may do with it meanwhile: read it, and no more. What can't be had then is had by nobody
//! who goes another way than this crate's, either. One who has written a file, and only reads it by now, has it open to be
//! written all the same: others may read it with him if they let him. So whether others read or write is said by a
//! lock, too, of a byte far behind all that a file holds.
//!
//! A lock can be made a shared one without a moment in between: the same handle may have both, and the first to go is the one
//! for itself alone. The other way there is a moment in between. A second byte is locked by all who lock the first, while
//! they do so, and by one who goes that way: so nobody else locks it in that moment.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::windows::{fs::OpenOptionsExt, io::AsRawHandle},
    path::Path,
    ptr::NonNull,
    thread,
    time::Duration,
};

use windows_sys::Win32::{
    Foundation::ERROR_SHARING_VIOLATION,
    Storage::FileSystem::{
        BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_DIRECTORY, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE,
        GetFileInformationByHandle, LOCKFILE_EXCLUSIVE_LOCK, UnlockFileEx,
    },
    System::{
        IO::{OVERLAPPED, OVERLAPPED_0, OVERLAPPED_0_0},
        Memory::{VirtualLock, VirtualUnlock},
    },
};

use super::{
    files::{has_code, lock_at},
    place::{is_on_a_disk, refused},
};
use crate::sys::{Facts, PlaceError};

/// Which bytes the locks cover: 2^62 is that of the file.
const FILE: OVERLAPPED_0_0 = OVERLAPPED_0_0 { Offset: 0, OffsetHigh: 1 << 30 };
const GATE: OVERLAPPED_0_0 = OVERLAPPED_0_0 { Offset: 1, OffsetHigh: 1 << 30 };
/// How often the gate is tried, a millisecond apart: it is locked for a moment.
const TRIES: u32 = 200;

/// An open file, by a handle of its own.
#[derive(Debug)]
pub(crate) struct DiskFile(File);

impl DiskFile {
    /// Opens what is there; none if others have it open in a way that leaves no room for this.
    ///
    /// # Errors
    ///
    /// All but [`PlaceError::Exists`] and [`PlaceError::NoSpace`].
    pub(crate) fn open(path: &Path, writable: bool) -> Result<Option<DiskFile>, PlaceError> {
        let mut options = OpenOptions::new();
        options.read(true).write(writable).share_mode(FILE_SHARE_READ);
        let failed = |error| match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => PlaceError::NotAFile("a directory"),
            _ => refused("CreateFile", error),
        };
        match options.open(path) {
            Ok(file) => return Ok(Some(DiskFile(file))),
            Err(error) if !is_shared(&error) => return Err(failed(error)),
            Err(_) if writable => return Ok(None),
            Err(_) => {}
        }
        // One who has written it may have it open still.
        options.share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE);
        match options.open(path) {
            Ok(file) => Ok(Some(DiskFile(file))),
            Err(error) if is_shared(&error) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Nothing to ask: no path that came from elsewhere leads to a device, see `path_in`.
    ///
    /// # Errors
    ///
    /// None; see Unix.
    pub(crate) fn must_be_there(_path: &Path) -> Result<(), PlaceError> {
        Ok(())
    }

    /// Of a new file.
    pub(super) fn of(file: File) -> DiskFile {
        DiskFile(file)
    }

    /// To be mapped, read and written.
    pub(crate) fn file(&self) -> &File {
        &self.0
    }

    /// # Errors
    ///
    /// [`PlaceError::NotAFile`], [`PlaceError::Failed`].
    pub(crate) fn facts(&self) -> Result<Facts, PlaceError> {
        if !is_on_a_disk(&self.0) {
            return Err(PlaceError::NotAFile("a device or a pipe"));
        }
        let mut info = BY_HANDLE_FILE_INFORMATION::default();
        // SAFETY: the file is open; fills in the struct.
        if unsafe { GetFileInformationByHandle(self.0.as_raw_handle(), &raw mut info) } == 0 {
            return Err(refused("GetFileInformationByHandle", io::Error::last_os_error()));
        }
        if info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY != 0 {
            return Err(PlaceError::NotAFile("a directory"));
        }
        let whole = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        let size = whole(info.nFileSizeHigh, info.nFileSizeLow);
        Ok(Facts {
            size,
            backed: size, // the system sees to it
            device: info.dwVolumeSerialNumber.into(),
            inode: whole(info.nFileIndexHigh, info.nFileIndexLow),
            modified: 0,
            user: 0,
            mode: 0,
        })
    }

    /// Locks it, alone or with others; false if another handle has it in a way that leaves no room for this.
    ///
    /// # Errors
    ///
    /// [`PlaceError::Failed`].
    pub(crate) fn lock(&self, alone: bool) -> Result<bool, PlaceError> {
        if !self.enter(false)? {
            return Ok(false);
        }
        let locked = self.take(FILE, alone);
        self.release(GATE);
        locked
    }

    /// Alone, after it was locked with others; false if others still have it: it is locked as it was then.
    ///
    /// # Errors
    ///
    /// [`PlaceError::Failed`].
    pub(crate) fn take_alone(&self) -> Result<bool, PlaceError> {
        if !self.enter(true)? {
            return Ok(false);
        }
        self.release(FILE);
        let alone = self.take(FILE, true);
        // Nobody else has locked it since: all who do so pass the gate.
        let kept = if matches!(alone, Ok(true)) { Ok(true) } else { self.take(FILE, false) };
        self.release(GATE);
        match (alone?, kept?) {
            (alone, true) => Ok(alone),
            (_, false) => Err(PlaceError::Failed("LockFileEx", io::ErrorKind::WouldBlock.into())),
        }
    }

    /// With others, after it was locked alone. At no moment is it not locked.
    ///
    /// # Errors
    ///
    /// [`PlaceError::Failed`].
    pub(crate) fn share(&self) -> Result<(), PlaceError> {
        if !self.take(FILE, false)? {
            return Err(PlaceError::Failed("LockFileEx", io::ErrorKind::WouldBlock.into()));
        }
        self.release(FILE); // the one that was there first
        Ok(())
    }

    /// Lets go of the lock.
    pub(crate) fn unlock(&self) {
        self.release(FILE);
    }

    /// Whether another has it alone. Which process that is, the system does not say.
    pub(crate) fn writer(&self) -> (bool, Option<u32>) {
        let free = self.take(FILE, false).unwrap_or(true);
        if free {
            self.release(FILE);
        }
        (!free, None)
    }

    /// Locks the gate; false if others stand in it for long.
    fn enter(&self, alone: bool) -> Result<bool, PlaceError> {
        for _ in 0..TRIES {
            if self.take(GATE, alone)? {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(false)
    }

    fn take(&self, byte: OVERLAPPED_0_0, alone: bool) -> Result<bool, PlaceError> {
        match lock_at(&self.0, byte, if alone { LOCKFILE_EXCLUSIVE_LOCK } else { 0 }) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(PlaceError::Failed("LockFileEx", error)),
        }
    }

    fn release(&self, byte: OVERLAPPED_0_0) {
        let mut at = OVERLAPPED { Anonymous: OVERLAPPED_0 { Anonymous: byte }, ..Default::default() };
        // SAFETY: the file is open, and not for calls that go on when they have returned.
        unsafe { UnlockFileEx(self.0.as_raw_handle(), 0, 1, 0, &raw mut at) };
    }

    /// Nothing: here files are not known by their times.
    pub(crate) fn set_later(&self, _time: u64) {}

    /// Nothing: the system sees to it.
    ///
    /// # Errors
    ///
    /// None; see Unix.
    pub(crate) fn back(
        &self,
        _facts: &Facts,
        _offset: u64,
        _mapping: NonNull<u8>,
        _len: usize,
        _writable: bool,
    ) -> Result<(), PlaceError> {
        Ok(())
    }

    /// None: as long as it is open here nobody cuts it.
    pub(crate) fn stranger(_facts: &Facts) -> Option<String> {
        None
    }

    /// What is missing for the system itself to keep everybody from changing it: always something.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub(crate) fn guard(&self) -> Result<(), &'static str> {
        Err("a program can have mapped it to be written, and closed its handle: share modes do not show that")
    }
}

fn is_shared(error: &io::Error) -> bool {
    has_code(error, &[ERROR_SHARING_VIOLATION])
}

/// Keeps memory in memory, or no longer.
///
/// # Safety
///
/// `start..start + len` is mapped.
pub(crate) unsafe fn lock_pages(start: NonNull<u8>, len: usize, locked: bool) -> io::Result<()> {
    let start = start.as_ptr().cast();
    let done = match locked {
        _ if len == 0 => 1,
        // SAFETY: the caller's mapping; what is in it does not change.
        true => unsafe { VirtualLock(start, len) },
        // SAFETY: as above.
        false => unsafe { VirtualUnlock(start, len) },
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

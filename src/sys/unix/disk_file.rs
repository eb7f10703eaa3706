//! Files that hold values: what is the same on every Unix.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd},
    path::Path,
    ptr::NonNull,
    time::{Duration, SystemTime},
};

use rustix::{
    fs::{FileType, OFlags, Stat, Timespec, Timestamps, UTIME_NOW, fstat, futimens, stat},
    io::Errno,
    process::geteuid,
};

use super::{
    identity_of, kind_of, page_size,
    place::{open_whatever, refused},
    range_lock,
};
use crate::sys::{Facts, PlaceError, platform};

/// An open file, by a description of its own.
#[derive(Debug)]
pub(crate) struct DiskFile(File);

impl DiskFile {
    /// Opens what is there; never none, see Windows. That it is a file is not known before [`facts`](Self::facts) or
    /// [`lock`](Self::lock) have been asked for.
    ///
    /// # Errors
    ///
    /// All but [`PlaceError::Exists`] and [`PlaceError::NoSpace`].
    pub(crate) fn open(path: &Path, writable: bool) -> Result<Option<DiskFile>, PlaceError> {
        Ok(Some(DiskFile(open_whatever(path, writable, OFlags::empty())?.into())))
    }

    /// Is there a file, and nothing that does something when it is opened, as a device does, or a pipe?
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub(crate) fn must_be_there(path: &Path) -> Result<(), PlaceError> {
        regular(&stat(path).map_err(|error| refused("stat", error))?)
    }

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
    #[allow(clippy::unnecessary_cast, reason = "these are other types on other platforms")]
    pub(crate) fn facts(&self) -> Result<Facts, PlaceError> {
        let stat = fstat(&self.0).map_err(|error| refused("fstat", error))?;
        regular(&stat)?;
        let (device, inode) = identity_of(&stat);
        let seconds = (stat.st_mtime as u64).wrapping_mul(1_000_000_000);
        Ok(Facts {
            size: stat.st_size as u64,
            backed: (stat.st_blocks as u64).saturating_mul(512),
            device,
            inode,
            modified: seconds.wrapping_add(stat.st_mtime_nsec as u64),
            user: stat.st_uid,
            mode: stat.st_mode as u32 & 0o7777,
        })
    }

    /// Locks it, alone or with others; false if another description has it in a way that leaves no room for this. What it had
    /// before becomes that, in one step; if it can't be had, it has what it had.
    ///
    /// # Errors
    ///
    /// [`PlaceError::NotAFile`], [`PlaceError::Failed`].
    pub(crate) fn lock(&self, alone: bool) -> Result<bool, PlaceError> {
        let kind = if alone { libc::F_WRLCK } else { libc::F_RDLCK };
        match range_lock(&self.0, libc::F_OFD_SETLK, kind, 0, 0) {
            Ok(_) => Ok(true),
            Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
            // Of some things that are no files there are no locks.
            Err(error) => Err(self.facts().err().unwrap_or_else(|| refused("fcntl(F_OFD_SETLK)", error))),
        }
    }

    /// Alone, after it was locked with others; false if others still have it: it is locked as it was then.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    pub(crate) fn take_alone(&self) -> Result<bool, PlaceError> {
        self.lock(true)
    }

    /// With others, after it was locked alone. At no moment is it not locked.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    pub(crate) fn share(&self) -> Result<(), PlaceError> {
        match self.lock(false)? {
            true => Ok(()),
            false => Err(PlaceError::Failed("fcntl(F_OFD_SETLK)", io::ErrorKind::WouldBlock.into())),
        }
    }

    /// Lets go of the lock.
    pub(crate) fn unlock(&self) {
        let _ = range_lock(&self.0, libc::F_OFD_SETLK, libc::F_UNLCK, 0, 0);
    }

    /// Whether another has it alone, and which process, if the system knows: of locks that belong to a process it does.
    pub(crate) fn writer(&self) -> (bool, Option<u32>) {
        let Ok(found) = range_lock(&self.0, libc::F_OFD_GETLK, libc::F_RDLCK, 0, 0) else {
            return (false, None);
        };
        let process = u32::try_from(found.process).ok().filter(|process| *process != 0);
        match found.is(libc::F_WRLCK) {
            true => (true, process),
            false => (false, None),
        }
    }

    /// Has the time of its last change, in nanoseconds, be another than `time`: now, or as soon after that as the file system
    /// can tell. If that is not allowed, it is now.
    pub(crate) fn set_later(&self, time: u64) {
        let now = SystemTime::now();
        // What lies before 1970 is as large as no other.
        let time_or_epoch = if time > i64::MAX as u64 { 0 } else { time };
        for least in [1, 2_000_000_000] {
            let later = now.max(SystemTime::UNIX_EPOCH + Duration::from_nanos(time_or_epoch + least));
            if self.0.set_modified(later).is_err() {
                let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
                let _ = futimens(&self.0, &Timestamps { last_access: now, last_modification: now });
            }
            if self.facts().is_ok_and(|facts| facts.modified != time) {
                return;
            }
        }
    }

    /// Puts something behind bytes of the file that may have nothing behind them, so that no access finds the system without
    /// room: `len` bytes from `offset` on, mapped at `mapping`.
    ///
    /// # Errors
    ///
    /// [`PlaceError::NoSpace`], [`PlaceError::Failed`].
    pub(crate) fn back(
        &self,
        facts: &Facts,
        offset: u64,
        mapping: NonNull<u8>,
        len: usize,
        writable: bool,
    ) -> Result<(), PlaceError> {
        let bytes = offset..offset + len as u64;
        let missing = facts.size.saturating_sub(facts.backed).min(len as u64);
        match missing {
            _ if len == 0 => Ok(()),
            // As many blocks as bytes, and some of them are elsewhere.
            0 if platform::has_hole(&self.0, facts, &bytes, writable) => {
                platform::back_bytes(&self.0, page_size() as u64, mapping, bytes, writable)
            }
            0 => Ok(()),
            missing => platform::back_bytes(&self.0, missing, mapping, bytes, writable),
        }
    }

    /// Why others than this user and root could cut it while it is mapped, if they could.
    pub(crate) fn stranger(facts: &Facts) -> Option<String> {
        if facts.user != 0 && facts.user != geteuid().as_raw() {
            return Some(format!("it is a file of user {}", facts.user));
        }
        (facts.mode & 0o002 != 0).then(|| format!("all users can write it (mode {:o})", facts.mode & 0o777))
    }

    /// What is missing for the system itself to keep everybody from changing it; nothing if it does.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub(crate) fn guard(&self) -> Result<(), &'static str> {
        platform::guard(&self.0)
    }
}

fn regular(stat: &Stat) -> Result<(), PlaceError> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        kind => Err(PlaceError::NotAFile(kind_of(kind))),
    }
}

impl AsFd for DiskFile {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for DiskFile {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

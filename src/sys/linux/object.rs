//! A memfd, or a file in `/dev/shm`, through one open file description of this process's own.

use std::{
    ffi::c_void,
    fs, io,
    ops::Range,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::PermissionsExt,
    },
    ptr::{self, NonNull},
};

use rustix::{
    fs::{
        FallocateFlags, FileType, MemfdFlags, Mode, OFlags, SealFlags, Stat, fallocate, fcntl_add_seals,
        fcntl_get_seals, fstat, fstatvfs, ftruncate, memfd_create, open, readlink,
    },
    io::{Errno, pread, pwrite, retry_on_intr},
    mm::{MapFlags, ProtFlags, mmap},
    process::geteuid,
    shm,
};

use super::{
    super::unix::{RangeLock, range_lock},
    barred,
};
use crate::sys::{
    Refusal, Uninherited, largest_file, named_directory,
    unix::{above_standard, kind_of},
};

/// A memfd whose size nobody can change, and whose seals neither.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);
/// Seals of a memfd that nobody can write to: never a segment.
const READ_ONLY: SealFlags = SealFlags::WRITE.union(SealFlags::FUTURE_WRITE);
/// An interrupted `fallocate` takes back all it has done, so no call is so long that signals could starve it.
const STEP: u64 = 4 << 20;

/// A shared memory object of the system, as this process has it open. Its locks are this process's alone: a forked child
/// has it no more.
#[derive(Debug)]
pub(crate) struct Object(Uninherited<OwnedFd>);

impl Object {
    /// A new object without a name, sparse, all zero, of this size for ever.
    pub(crate) fn anonymous(size: u64) -> io::Result<Object> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let create = || match memfd_create("commonage", flags | MemfdFlags::NOEXEC_SEAL) {
            Err(Errno::INVAL) => memfd_create("commonage", flags), // before Linux 6.3
            other => other,
        };
        let fd = Uninherited::open(|| create().and_then(above_standard))?;
        ftruncate(fd.get()?, size)?;
        fcntl_add_seals(fd.get()?, SEALS)?;
        Ok(Object(fd))
    }

    /// The memfd that process `pid` has as its descriptor `number`, through a description of this process's own.
    ///
    /// What is not a memfd is never opened but as a place (`O_PATH`): opening a device, a pipe or a terminal acts.
    pub(crate) fn open_door(pid: u32, number: u32) -> Result<Object, Refusal> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let place = match open(format!("/proc/{pid}/fd/{number}"), flags, Mode::empty()) {
            Ok(place) => place,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::SRCH) => return Err(barred::by_absence(pid)),
            Err(error @ (Errno::ACCESS | Errno::PERM)) => return Err(barred::by_right(pid, error)),
            Err(error) => return Err(Refusal::Failed("open of a descriptor of another process", error.into())),
        };
        let stat = fstat(&place).map_err(|error| Refusal::Failed("fstat", error.into()))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::RegularFile {
            return Err(Refusal::Foreign(kind_of(kind).to_owned()));
        }
        let path = link_to(&place);
        let target = readlink(&path, Vec::new()).map_err(|error| Refusal::Failed("readlink", error.into()))?;
        if !target.as_bytes().starts_with(b"/memfd:") {
            return Err(Refusal::Foreign(format!("the file {}", target.to_string_lossy())));
        }
        // Who may look into everybody's descriptors is to believe nobody else's all the same.
        if stat.st_uid != geteuid().as_raw() {
            return Err(Refusal::Foreign(format!("a memfd of user {}", stat.st_uid)));
        }
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let object = match Uninherited::open(|| open(&path, flags, Mode::empty()).and_then(above_standard)) {
            Ok(fd) => Object(fd),
            Err(error @ (Errno::ACCESS | Errno::PERM)) => return Err(barred::by_right(pid, error)),
            Err(error) => return Err(Refusal::Failed("open of a memfd of another process", error.into())),
        };
        match object.0.get().and_then(fcntl_get_seals) {
            Ok(seals) if seals.contains(SEALS) && !seals.intersects(READ_ONLY) => Ok(object),
            Ok(seals) if seals.intersects(READ_ONLY) => {
                Err(Refusal::Foreign("a memfd that is sealed against writing".into()))
            }
            _ => Err(Refusal::Foreign("a memfd whose size is not sealed".into())),
        }
    }

    /// The object with this name, which must be private to this user. Follows no link and waits for nothing.
    pub(crate) fn open_named(name: &str) -> Result<Object, Refusal> {
        let more = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let flags = shm::OFlags::RDWR | shm::OFlags::from_bits_retain(more.bits());
        let open = || Uninherited::open(|| shm::open(name, flags, shm::Mode::empty()).and_then(above_standard));
        let object = match open().or_else(|error| if make_usable(name) { open() } else { Err(error) }) {
            Ok(fd) => Object(fd),
            Err(Errno::NOENT) => return Err(absent_by_name()),
            Err(error @ (Errno::ACCESS | Errno::PERM)) => return Err(barred::by_name(name, error)),
            Err(Errno::LOOP) => return Err(Refusal::Foreign("a symbolic link".into())),
            Err(Errno::ISDIR) => return Err(Refusal::Foreign("a directory".into())),
            Err(Errno::NXIO) => return Err(Refusal::Foreign("a socket or a device".into())),
            Err(error @ Errno::ROFS) => {
                let why = format!("{}: {}", named_directory().display(), io::Error::from(error));
                return Err(Refusal::Failed("shm_open", io::Error::new(io::ErrorKind::ReadOnlyFilesystem, why)));
            }
            Err(error) => return Err(Refusal::Failed("shm_open", error.into())),
        };
        let stat = object.stat().map_err(|error| Refusal::Failed("fstat", error.into()))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::RegularFile {
            return Err(Refusal::Foreign(kind_of(kind).to_owned()));
        }
        if stat.st_uid != geteuid().as_raw() {
            return Err(Refusal::Foreign(format!("a file of user {}", stat.st_uid)));
        }
        if stat.st_mode & 0o077 != 0 {
            return Err(Refusal::Foreign(format!("a file that is open to others (mode {:o})", stat.st_mode & 0o777)));
        }
        Ok(object)
    }

    /// The number of the descriptor: what others find the object by.
    pub(crate) fn number(&self) -> u32 {
        self.0.number().cast_unsigned()
    }

    /// A second description of the same object.
    pub(crate) fn reopen(&self) -> io::Result<Object> {
        let path = link_to(self.0.get()?);
        let open = || open(&path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).and_then(above_standard);
        match Uninherited::open(open) {
            Ok(fd) => Ok(Object(fd)),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("there is no {path}: mount `/proc`, or choose `Backing::Named`"),
            )),
            Err(error) => Err(error.into()),
        }
    }

    /// Is it the same object, by whatever name?
    pub(crate) fn is_same(&self, other: &Object) -> bool {
        match (self.stat(), other.stat()) {
            (Ok(a), Ok(b)) => (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino),
            _ => false,
        }
    }

    /// Bytes that the object has.
    pub(crate) fn size(&self) -> io::Result<u64> {
        Ok(self.stat()?.st_size.cast_unsigned())
    }

    fn stat(&self) -> rustix::io::Result<Stat> {
        fstat(self.0.get()?)
    }

    /// Bytes of the object, from an offset on; read, not mapped: a hole that can't be filled must not be touched.
    pub(crate) fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let fd = self.0.get()?;
        let mut done = 0;
        while done < bytes.len() {
            let rest = &mut bytes[done..];
            let at = offset.checked_add(done as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
            match retry_on_intr(|| pread(fd, &mut *rest, at))? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => done += read,
            }
        }
        Ok(())
    }

    /// Writes to the object, which is as long; false if not all could be written. Pages that nobody has touched are written
    /// without being zeroed or faulted in first.
    pub(crate) fn write_at(&self, offset: u64, bytes: &[u8]) -> bool {
        let Ok(fd) = self.0.get() else { return false };
        // A limit that is younger than the object: who writes beyond it is ended by a signal.
        if offset + bytes.len() as u64 > largest_file() {
            return false;
        }
        let mut done = 0;
        while done < bytes.len() {
            match retry_on_intr(|| pwrite(fd, &bytes[done..], offset + done as u64)) {
                Ok(0) | Err(_) => return false,
                Ok(wrote) => done += wrote,
            }
        }
        true
    }

    /// Maps the first `len` bytes through a second description, which is closed again: a mapping pins its description, in
    /// a forked child too, and with it the locks that this one is for.
    pub(crate) fn map(&self, len: usize, writable: bool) -> io::Result<NonNull<u8>> {
        let access = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        let second = self.reopen()?;
        let fd = second.0.get()?;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let base = unsafe { mmap(ptr::null_mut::<c_void>(), len, access, MapFlags::SHARED, fd, 0) }?;
        NonNull::new(base.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// Backs a range with memory. After an error a part of it may be backed.
    pub(crate) fn reserve(&self, range: Range<u64>) -> io::Result<()> {
        Ok(reserve(self.0.get()?, range)?)
    }

    /// Makes a hole of a range of pages; false if the system can't.
    pub(crate) fn punch(&self, range: Range<u64>) -> bool {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let punch = |fd| retry_on_intr(|| fallocate(fd, flags, range.start, range.end - range.start));
        range.is_empty() || self.0.get().and_then(punch).is_ok()
    }

    /// Bytes that the object's file system has left; `u64::MAX` where it has no limit.
    pub(crate) fn available(&self) -> u64 {
        self.0.get().map_or(u64::MAX, available)
    }

    /// Takes the lock of one byte for this description; false if another has it.
    pub(crate) fn lock(&self, byte: u32) -> io::Result<bool> {
        match self.byte_lock(libc::F_OFD_SETLK, libc::F_WRLCK, byte) {
            Ok(_) => Ok(true),
            Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets go of the lock of one byte.
    pub(crate) fn unlock(&self, byte: u32) {
        // Letting go of a lock in the middle of others' may need memory: the lock then stays until the description goes.
        let _ = self.byte_lock(libc::F_OFD_SETLK, libc::F_UNLCK, byte);
    }

    /// Has another description the lock of this byte?
    pub(crate) fn is_locked(&self, byte: u32) -> io::Result<bool> {
        Ok(!self.byte_lock(libc::F_OFD_GETLK, libc::F_WRLCK, byte)?.is(libc::F_UNLCK))
    }

    fn byte_lock(&self, command: i32, kind: i32, byte: u32) -> rustix::io::Result<RangeLock> {
        range_lock(self.0.get()?, command, kind, byte.into(), 1)
    }
}

/// Gives this user what its umask has taken away of an object that it has made; false if that is not why it can't be had.
fn make_usable(name: &str) -> bool {
    let unusable = |found: &Stat| {
        FileType::from_raw_mode(found.st_mode) == FileType::RegularFile
            && found.st_uid == geteuid().as_raw()
            && found.st_mode & 0o077 == 0
            && found.st_mode & 0o600 != 0o600
    };
    // What is changed is what was looked at, whatever has the name by then.
    let path = named_directory().join(name.trim_start_matches('/'));
    let place = open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    place.is_ok_and(|place| {
        fstat(&place).is_ok_and(|found| unusable(&found))
            && fs::set_permissions(link_to(&place), fs::Permissions::from_mode(0o600)).is_ok()
    })
}

/// The refusal for a name that nothing has: where there is no directory for names, nobody knows whose it is.
fn absent_by_name() -> Refusal {
    let directory = named_directory();
    if directory.is_dir() {
        return Refusal::Absent;
    }
    let why = format!("there is no directory {}, where memory with a name is found", directory.display());
    Refusal::Failed("shm_open", io::Error::new(io::ErrorKind::NotFound, why))
}

/// Takes a name away; nothing if it is gone.
pub(crate) fn unlink_named(name: &str) -> io::Result<()> {
    match shm::unlink(name) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// See [`Object::reserve`].
pub(super) fn reserve(fd: impl AsFd, range: Range<u64>) -> rustix::io::Result<()> {
    let mut at = range.start;
    while at < range.end {
        let len = STEP.min(range.end - at);
        retry_on_intr(|| fallocate(&fd, FallocateFlags::empty(), at, len))?;
        at += len;
    }
    Ok(())
}

/// See [`Object::available`].
pub(super) fn available(fd: impl AsFd) -> u64 {
    match fstatvfs(fd) {
        Ok(stat) if stat.f_blocks != 0 => stat.f_bavail.saturating_mul(stat.f_frsize),
        _ => u64::MAX,
    }
}

/// The way in `/proc` to what this process has open.
pub(super) fn link_to(fd: impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::{MetadataExt, symlink},
        thread,
    };

    use rustix::fs::{CWD, RenameFlags, renameat_with};

    use super::*;
    use crate::sys::random_u64;

    #[test]
    fn what_is_put_in_the_place_of_an_object_is_not_made_usable() {
        let unique = random_u64().unwrap();
        let name = |what: &str| format!("commonage-test-{what}-{unique:016x}");
        let [target, link, object] = ["target", "link", "object"].map(|what| named_directory().join(name(what)));
        fs::write(&target, "").unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&target, &link).unwrap();
        fs::write(&object, "").unwrap();
        thread::scope(|threads| {
            let swaps = threads.spawn(|| {
                for _ in 0..20_000 {
                    renameat_with(CWD, &link, CWD, &object, RenameFlags::EXCHANGE).unwrap();
                    for path in [&link, &object] {
                        if fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
                            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                            let place = open(path, flags, Mode::empty()).unwrap();
                            fs::set_permissions(link_to(&place), fs::Permissions::from_mode(0o000)).unwrap();
                        }
                    }
                }
            });
            while !swaps.is_finished() {
                make_usable(&name("object"));
            }
        });
        let mode = fs::metadata(&target).map(|found| found.mode() & 0o777);
        for path in [target, link, object] {
            let _ = fs::remove_file(path);
        }
        assert_eq!(mode.unwrap(), 0o640);
    }
}

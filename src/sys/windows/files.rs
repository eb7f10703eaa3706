//! Files of this user's, and how they go.
//!
//! A file that is removed while somebody has it open keeps its name until the last handle is closed (newer systems have
//! another way, which a mapped file, older systems and other file systems refuse). So it is given another name first, one
//! that is looked for by nobody, and it goes under that one: the name that it had is free at once.
//!
//! Locks are mandatory: nobody reads or writes what another handle has locked. So what is locked is a byte far behind all
//! that a file holds.

use std::{
    borrow::Cow,
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    mem,
    os::windows::{
        ffi::OsStrExt,
        fs::{FileExt, OpenOptionsExt},
        io::AsRawHandle,
    },
    path::{Path, PathBuf},
    ptr::{self, NonNull},
    thread,
    time::{Duration, Instant},
};

use windows_sys::Win32::{
    Foundation::{
        ERROR_COMMITMENT_LIMIT, ERROR_DISK_FULL, ERROR_DISK_QUOTA_EXCEEDED, ERROR_HANDLE_DISK_FULL, ERROR_IO_PENDING,
        ERROR_LOCK_VIOLATION, ERROR_NO_SYSTEM_RESOURCES, ERROR_NOT_ENOUGH_MEMORY, ERROR_NOT_ENOUGH_QUOTA,
        ERROR_OUTOFMEMORY, ERROR_SHARING_VIOLATION, GENERIC_READ,
    },
    Storage::FileSystem::{
        BY_HANDLE_FILE_INFORMATION, DELETE, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_DELETE_ON_CLOSE,
        FILE_FLAG_OPEN_REPARSE_POINT, FILE_RENAME_INFO, FILE_RENAME_INFO_0, FILE_SHARE_READ, FILE_SHARE_WRITE,
        FILE_STANDARD_INFO, FileRenameInfo, FileStandardInfo, GetDiskFreeSpaceExW, GetFileInformationByHandle,
        GetFileInformationByHandleEx, GetFinalPathNameByHandleW, LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY,
        LockFileEx, SetFileInformationByHandle,
    },
    System::IO::{OVERLAPPED, OVERLAPPED_0, OVERLAPPED_0_0},
};

use super::owner::is_ours;
use crate::{Error, sys::random_u64};

/// What the names of files begin with that are removed, and still open somewhere.
const REMOVED: &str = "commonage-gone-";
/// How long a removal waits for one that has opened the file to remove it, or to do something else of a moment.
const PATIENCE: Duration = Duration::from_secs(2);
/// Which byte a lock covers: 2^62.
const LOCKED: OVERLAPPED_0_0 = OVERLAPPED_0_0 { Offset: 0, OffsetHigh: 1 << 30 };

/// Makes a file; an error if anything has the name. The directory is this user's.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).open(path)
}

/// Opens a file for reading, following no link; only a regular file of this user's will do.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    let file = open_whatever(path, GENERIC_READ)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file"));
    }
    if !is_ours(&file)? {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "a file of another user"));
    }
    Ok(file)
}

/// Opens a file, a directory or a link.
pub(super) fn open_whatever(path: &Path, access: u32) -> io::Result<File> {
    let flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS;
    OpenOptions::new().access_mode(access).custom_flags(flags).open(path)
}

/// Reads bytes of a file, all that are asked for.
pub(crate) fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_read(bytes, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                bytes = &mut bytes[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}

/// Writes bytes to a file, behind what has been written. They may change meanwhile.
///
/// # Safety
///
/// `data..data + len` is mapped for reading until the call returns.
pub(crate) unsafe fn write_from(mut file: &File, data: NonNull<u8>, len: usize) -> io::Result<()> {
    let mut copy = [0; 4096];
    let mut done = 0;
    while done < len {
        let step = copy.len().min(len - done);
        // SAFETY: lies within the caller's bytes.
        let rest = unsafe { data.add(done) }.as_ptr();
        // SAFETY: as many of the caller's bytes as there are, or less, and they are not in `copy`. Bytes that change
        // meanwhile are copied as they are.
        unsafe { ptr::copy_nonoverlapping(rest, copy.as_mut_ptr(), step) };
        file.write_all(&copy[..step])?;
        done += step;
    }
    Ok(())
}

/// Writes bytes to a file, at an offset.
pub(crate) fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_write(bytes, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            wrote => {
                bytes = &bytes[wrote..];
                offset += wrote as u64;
            }
        }
    }
    Ok(())
}

/// Makes room for an empty file's bytes, and makes it as long.
///
/// # Errors
///
/// [`Error::NoSpace`], [`Error::Os`].
pub(crate) fn reserve_file(file: &File, len: u64) -> Result<(), Error> {
    let available = path_of(file).and_then(|path| Some(room_in(path.parent()?))).unwrap_or(u64::MAX);
    if len > available {
        return Err(Error::NoSpace { requested: len, available }); // and nothing has been taken from others for it
    }
    file.set_len(len).map_err(|error| {
        if is_no_space(&error) {
            Error::NoSpace { requested: len, available: 0 }
        } else {
            Error::os("SetEndOfFile", error)
        }
    })
}

/// Puts a disk's blocks behind all of a file that is new: as long as this, all zero, and nobody's but the caller's. Most file
/// systems did so when it got its length. Those that did not would end whoever touches its mapping when they are full.
pub(super) fn fill(file: &File, len: u64) -> io::Result<()> {
    if allocated(file).is_none_or(|bytes| bytes >= len) {
        return Ok(());
    }
    let zeros = vec![0; 1 << 20];
    let mut done = 0;
    while done < len {
        let step = usize::try_from(len - done).map_or(zeros.len(), |rest| rest.min(zeros.len()));
        match file.seek_write(&zeros[..step], done)? {
            0 => return Err(io::Error::from_raw_os_error(ERROR_DISK_FULL.cast_signed())),
            written => done += written as u64,
        }
    }
    Ok(())
}

/// Bytes that a file takes of its file system; none where nobody says.
fn allocated(file: &File) -> Option<u64> {
    let mut info = FILE_STANDARD_INFO::default();
    let (at, size) = ((&raw mut info).cast(), mem::size_of_val(&info) as u32);
    // SAFETY: the file is open; fills in the struct, whose size it is told.
    let told = unsafe { GetFileInformationByHandleEx(file.as_raw_handle(), FileStandardInfo, at, size) } != 0;
    told.then_some(info.AllocationSize.cast_unsigned())
}

/// Bytes that this user may still write in a directory; `u64::MAX` where nobody says.
pub(super) fn room_in(directory: &Path) -> u64 {
    let (name, mut room) = (wide(directory), 0);
    // SAFETY: the name ends in a zero and lives longer than the call; fills in the one number that it is given.
    let told = unsafe { GetDiskFreeSpaceExW(name.as_ptr(), &raw mut room, ptr::null_mut(), ptr::null_mut()) } != 0;
    if told { room } else { u64::MAX }
}

/// Takes away the name of a file, which must be one: when this returns nothing has it, whoever has the file open, and of all
/// who try at once one succeeds. The file goes with its last handle.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    // Others may read and write it meanwhile, but not remove or rename it.
    options.access_mode(DELETE).share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE);
    options.custom_flags(FILE_FLAG_DELETE_ON_CLOSE | FILE_FLAG_OPEN_REPARSE_POINT);
    // Nobody looks for one that is removed already: it is neither waited for nor given another name.
    let again = path.file_name().and_then(OsStr::to_str).is_some_and(is_removed);
    let patience = if again { Duration::ZERO } else { PATIENCE };
    // Before anything is done: what fails has removed nothing.
    let random = random_u64().map_err(io::Error::other)?;
    let file = unshared(patience, || options.open(path))?;
    // It goes with the handle, whatever becomes of this: should the name stay, then as long as the file is open.
    if !again {
        let _ = rename(&file, &path.with_file_name(format!("{REMOVED}{random:016x}")), false);
    }
    Ok(())
}

/// Gives a file another name, in place of what has it.
pub(crate) fn rename_file(from: &Path, to: &Path) -> io::Result<()> {
    unshared(PATIENCE, || fs::rename(from, to))
}

/// Does it again, for so long, while somebody has the file open and lets nobody do it: who looks at files as they are made
/// does so for a moment.
fn unshared<R>(patience: Duration, mut work: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    let began = Instant::now();
    loop {
        match work() {
            Err(error) if has_code(&error, &[ERROR_SHARING_VIOLATION]) && began.elapsed() < patience => {
                thread::sleep(Duration::from_millis(1));
            }
            done => return done,
        }
    }
}

/// Whether a file has a name that says that it is removed: it goes with its last handle, or stays if the system has ended
/// before.
pub(crate) fn is_removed(name: &str) -> bool {
    let all_digits = |rest: &str| rest.len() == 16 && rest.bytes().all(|digit| digit.is_ascii_hexdigit());
    name.strip_prefix(REMOVED).is_some_and(all_digits)
}

/// Gives an open file another name: one that nothing has, or in place of what has it.
pub(super) fn rename(file: &File, to: &Path, replace: bool) -> io::Result<()> {
    let name = wide(&of_any_length(to));
    // The struct ends in the name, of which it has room for one unit. Words, for their alignment.
    let len = mem::size_of::<FILE_RENAME_INFO>() + mem::size_of_val(&*name);
    let mut words = vec![0_u64; len.div_ceil(8)];
    let info = words.as_mut_ptr().cast::<FILE_RENAME_INFO>();
    // SAFETY: the struct fits and is aligned; all zero it is one that replaces nothing.
    let how = unsafe { &raw mut (*info).Anonymous };
    // SAFETY: a field of that struct.
    unsafe { how.write(FILE_RENAME_INFO_0 { Flags: replace.into() }) };
    // SAFETY: as above.
    let length = unsafe { &raw mut (*info).FileNameLength };
    // SAFETY: a field of that struct.
    unsafe { length.write((mem::size_of_val(&*name) - 2) as u32) };
    // SAFETY: as above.
    let rest = unsafe { &raw mut (*info).FileName }.cast::<u16>();
    // SAFETY: there is room for all of it, by `len`, and the two are different vectors.
    unsafe { ptr::copy_nonoverlapping(name.as_ptr(), rest, name.len()) };
    // SAFETY: the file is open, and the struct as long as that.
    let done = unsafe { SetFileInformationByHandle(file.as_raw_handle(), FileRenameInfo, info.cast(), len as u32) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether an open file still has this name.
pub(crate) fn is_in_view(file: &File, path: &Path) -> bool {
    open_whatever(path, 0).is_ok_and(|found| is_same(&found, file))
}

/// Are two open files one?
pub(super) fn is_same(a: &File, b: &File) -> bool {
    number_of(a).is_some_and(|number| Some(number) == number_of(b))
}

/// Volume and file.
pub(super) type FileNumber = (u32, u32, u32);

/// What tells a file from others, as long as it is open.
pub(super) fn number_of(file: &File) -> Option<FileNumber> {
    let mut info = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the file is open; fills in the struct.
    let filled = unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut info) } != 0;
    filled.then_some((info.dwVolumeSerialNumber, info.nFileIndexHigh, info.nFileIndexLow))
}

/// Takes the lock of a file for this handle; `WouldBlock` if another has it, in this process or another.
pub(crate) fn try_lock(file: &File) -> io::Result<()> {
    lock(file, LOCKFILE_EXCLUSIVE_LOCK)
}

/// As `try_lock`, but others may have it so, too.
pub(crate) fn try_lock_shared(file: &File) -> io::Result<()> {
    lock(file, 0)
}

fn lock(file: &File, how: u32) -> io::Result<()> {
    lock_at(file, LOCKED, how)
}

/// Takes the lock of one byte, if it can be had at once.
pub(super) fn lock_at(file: &File, byte: OVERLAPPED_0_0, how: u32) -> io::Result<()> {
    let mut at = OVERLAPPED { Anonymous: OVERLAPPED_0 { Anonymous: byte }, ..Default::default() };
    // SAFETY: the file is open, and not for calls that go on when they have returned.
    let done = unsafe { LockFileEx(file.as_raw_handle(), how | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &raw mut at) };
    if done != 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        error if has_code(&error, &[ERROR_LOCK_VIOLATION, ERROR_IO_PENDING]) => Err(io::ErrorKind::WouldBlock.into()),
        error => Err(error),
    }
}

/// Is it for want of room that a call failed?
pub(crate) fn is_no_space(error: &io::Error) -> bool {
    let codes = [
        ERROR_COMMITMENT_LIMIT,
        ERROR_DISK_FULL,
        ERROR_DISK_QUOTA_EXCEEDED,
        ERROR_HANDLE_DISK_FULL,
        ERROR_NO_SYSTEM_RESOURCES,
        ERROR_NOT_ENOUGH_MEMORY,
        ERROR_NOT_ENOUGH_QUOTA,
        ERROR_OUTOFMEMORY,
    ];
    has_code(error, &codes)
}

pub(super) fn has_code(error: &io::Error, codes: &[u32]) -> bool {
    error.raw_os_error().is_some_and(|code| codes.contains(&code.cast_unsigned()))
}

/// The name as the system takes it: it ends in a zero.
pub(super) fn wide(path: &Path) -> Vec<u16> {
    path.as_os_str().encode_wide().chain([0]).collect()
}

/// The same path, as the system's own calls take it, however long it is. The standard library's take any.
pub(super) fn of_any_length(path: &Path) -> Cow<'_, Path> {
    // With a name of eight, a dot and three, it is one of 260 units.
    const SHORT: usize = 248;
    let whole = || Some(fs::canonicalize(path.parent()?).ok()?.join(path.file_name()?));
    let long = path.as_os_str().len() >= SHORT;
    long.then(whole).flatten().map_or(Cow::Borrowed(path), Cow::Owned)
}

/// Where an open file is.
fn path_of(file: &File) -> Option<PathBuf> {
    use std::{ffi::OsString, os::windows::ffi::OsStringExt};
    let mut name = vec![0; 1 << 10];
    for _ in 0..2 {
        // SAFETY: the file is open; fills in as many units as it is told.
        let len = unsafe { GetFinalPathNameByHandleW(file.as_raw_handle(), name.as_mut_ptr(), name.len() as u32, 0) };
        match len as usize {
            0 => return None,
            len if len < name.len() => return Some(OsString::from_wide(&name[..len]).into()),
            len => name.resize(len, 0),
        }
    }
    None
}

/// What only this process has: there is no `fork`.
#[derive(Debug)]
pub(crate) struct Uninherited<T>(T);

impl<T> Uninherited<T> {
    /// The handle.
    ///
    /// # Errors
    ///
    /// None; see Unix.
    pub(crate) fn get(&self) -> io::Result<&T> {
        Ok(&self.0)
    }
}

impl Uninherited<File> {
    /// Makes a file; an error if anything has the name.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn create_private(path: &Path) -> io::Result<Self> {
        create_private(path).map(Uninherited)
    }
}

/// A file that nobody else can open; the system removes it with the handle.
#[derive(Debug)]
pub(crate) struct LockFile(#[expect(dead_code, reason = "it is there to be closed")] File);

impl LockFile {
    /// Takes the lock with this name; none if another process has it, or it can't be had.
    pub(crate) fn take(path: PathBuf) -> Option<LockFile> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).share_mode(0);
        options
            .custom_flags(FILE_FLAG_DELETE_ON_CLOSE | FILE_FLAG_OPEN_REPARSE_POINT)
            .access_mode(GENERIC_READ | DELETE);
        options.open(path).ok().map(LockFile)
    }
}

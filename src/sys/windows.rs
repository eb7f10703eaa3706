//! Windows.

mod announced;
mod place;

use std::{
    ffi::c_void,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    mem,
    ops::Range,
    os::windows::{
        fs::{FileExt, OpenOptionsExt},
        io::{FromRawHandle, OwnedHandle},
    },
    path::{Path, PathBuf},
    process,
    ptr::{self, NonNull},
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use windows_sys::Win32::{
    Foundation::{ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND, GENERIC_READ, GENERIC_WRITE},
    Storage::FileSystem::{
        DELETE, FILE_ATTRIBUTE_TEMPORARY, FILE_FLAG_DELETE_ON_CLOSE, FILE_FLAG_OPEN_REPARSE_POINT, FILE_SHARE_DELETE,
        FILE_SHARE_READ, FILE_SHARE_WRITE,
    },
    System::{
        Memory::{
            FILE_MAP_READ, MEMORY_BASIC_INFORMATION, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, OpenFileMappingW,
            PAGE_READONLY, PAGE_READWRITE, UnmapViewOfFile, VirtualProtect, VirtualQuery,
        },
        SystemInformation::{GetSystemInfo, GetTickCount64, GlobalMemoryStatusEx, MEMORYSTATUSEX, SYSTEM_INFO},
    },
};

pub(crate) use self::announced::{Announced, new_id, own_id, set_own_id};
pub(crate) use self::place::{
    Draft, Identity, NAMES_APPEAR_UNREADY, Place, check_name, process_lives, remove_place, unmap,
};
use crate::{Error, sys::Refusal};

// SAFETY: the C runtime's function, as the C standard has it.
unsafe extern "C" {
    fn atexit(f: extern "C" fn()) -> i32;
}

/// Bytes in a page: what `protect` goes by.
pub(crate) fn page_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| {
        let mut info = SYSTEM_INFO::default();
        // SAFETY: fills in the struct that it is given.
        unsafe { GetSystemInfo(&raw mut info) };
        info.dwPageSize as usize
    })
}

/// Memory can't be taken out of the middle of an object.
pub(crate) const PUNCHES: bool = false;

/// The id of this process.
pub(crate) fn process_id() -> u32 {
    process::id()
}

/// A number that tells this process from those that it was forked from: here the id that the system has given it.
pub(crate) fn lineage() -> u32 {
    process_id()
}

/// Nanoseconds since the machine was started, time asleep included, to 16 ms.
pub(crate) fn boot_time() -> u64 {
    // SAFETY: asks for a number.
    unsafe { GetTickCount64() }.wrapping_mul(1_000_000)
}

/// Bytes that may be used before something fails for it; `u64::MAX` where nobody says.
pub(crate) fn available_memory() -> u64 {
    let mut status = MEMORYSTATUSEX { dwLength: mem::size_of::<MEMORYSTATUSEX>() as u32, ..Default::default() };
    // SAFETY: fills in the struct that it is given, whose size it has been told.
    if unsafe { GlobalMemoryStatusEx(&raw mut status) } == 0 {
        return u64::MAX;
    }
    status.ullAvailPhys.max(status.ullAvailPageFile)
}

/// Sleeps for a moment if `word` is `expected`: there is no call that waits across processes.
pub(crate) fn wait(word: &AtomicU32, expected: u32, at_most: Duration) {
    if word.load(Ordering::Acquire) == expected {
        thread::sleep(at_most.min(Duration::from_millis(1)));
    }
}

/// As `wait`, on a word of 64 bits.
pub(crate) fn wait_on(word: &AtomicU64, expected: u64, at_most: Duration) {
    if word.load(Ordering::Acquire) == expected {
        thread::sleep(at_most.min(Duration::from_millis(1)));
    }
}

/// Nothing: those who wait look again by themselves.
pub(crate) fn wake_all(_word: &AtomicU32) {}

/// Nothing, as `wake_all`.
pub(crate) fn wake_one(_word: &AtomicU64) {}

/// Has `f` called when `main` returns; `std::process::exit` does not call it. False if the table of such calls is full.
pub(crate) fn at_exit(f: extern "C" fn()) -> bool {
    // SAFETY: `f` is a function without captures, so it is there as long as the code of the program is.
    unsafe { atexit(f) == 0 }
}

/// Sets what this process may do with mapped pages: read, or read and write.
///
/// # Safety
///
/// `start..start + len` are whole pages of one mapping of the caller's, and nothing that goes on needs more than is
/// allowed from now on.
pub(crate) unsafe fn protect(start: NonNull<u8>, len: usize, writable: bool) -> Result<(), Error> {
    let access = if writable { PAGE_READWRITE } else { PAGE_READONLY };
    let mut before = 0;
    // SAFETY: the caller's mapping, and its promise.
    if unsafe { VirtualProtect(start.as_ptr().cast::<c_void>(), len, access, &raw mut before) } == 0 {
        return Err(Error::os("VirtualProtect", io::Error::last_os_error()));
    }
    Ok(())
}

/// Nothing: views of files are not in dumps unless they are asked for.
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

/// There is nothing to look into.
pub(crate) fn may_be_looked_into() -> bool {
    false
}

/// There is no memory without a name that another process could reach by a number.
pub(crate) fn anonymous_works() -> bool {
    false
}

/// Where files lie that last as long as named segments do: the user's own directory.
pub(crate) fn named_directory() -> PathBuf {
    std::env::temp_dir()
}

/// Makes a file; an error if anything has the name. The directory is this user's.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).open(path)
}

/// Opens a file for reading, following no link; only a regular file will do.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file"))
    }
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

/// Nothing: a write will say if there is no room.
///
/// # Errors
///
/// None; see Linux.
pub(crate) fn reserve_file(_file: &File, _len: u64) -> Result<(), Error> {
    Ok(())
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

/// A named file mapping, as this process has it open. It has no holes.
#[derive(Debug)]
pub(crate) struct Object(OwnedHandle);

impl Object {
    /// The mapping with this name. Names are the session's, and the file behind it lies in the user's own directory.
    pub(crate) fn open_named(name: &str) -> Result<Object, Refusal> {
        let wide: Vec<u16> = name.encode_utf16().chain([0]).collect();
        // SAFETY: the name ends in a zero, and lives longer than the call.
        let handle = unsafe { OpenFileMappingW(FILE_MAP_READ, 0, wide.as_ptr()) };
        if handle.is_null() {
            let error = io::Error::last_os_error();
            return Err(match error.raw_os_error().map(i32::cast_unsigned) {
                Some(ERROR_FILE_NOT_FOUND) => Refusal::Absent,
                Some(ERROR_ACCESS_DENIED) => Refusal::Forbidden(error),
                _ => Refusal::Failed("OpenFileMapping", error),
            });
        }
        // SAFETY: a new handle that is nobody else's.
        Ok(Object(unsafe { OwnedHandle::from_raw_handle(handle) }))
    }

    /// A name leads to one object as long as a handle on it is open, and this is one.
    pub(crate) fn is_same(&self, _other: &Object) -> bool {
        true
    }

    /// Bytes that the mapping has.
    pub(crate) fn size(&self) -> io::Result<u64> {
        self.with_view(|_, size| size)
    }

    /// Bytes of the mapping, from an offset on.
    pub(crate) fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.with_view(|view, size| {
            if offset.checked_add(bytes.len() as u64).is_none_or(|end| end > size) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            // SAFETY: the view has more bytes than that, as the system has said.
            let from = unsafe { view.add(offset as usize) };
            // SAFETY: as many are left behind it; the target is not in the view. Bytes that change meanwhile are copied as
            // they are: the copy is what gets checked.
            unsafe { ptr::copy_nonoverlapping(from.cast_const(), bytes.as_mut_ptr(), bytes.len()) };
            Ok(())
        })?
    }

    fn with_view<R>(&self, look: impl FnOnce(*mut u8, u64) -> R) -> io::Result<R> {
        use std::os::windows::io::AsRawHandle;
        // SAFETY: the handle is open; a new view, at an address that the system chooses.
        let view = unsafe { MapViewOfFile(self.0.as_raw_handle(), FILE_MAP_READ, 0, 0, 0) };
        if view.Value.is_null() {
            return Err(io::Error::last_os_error());
        }
        let view = View(view);
        let mut info = MEMORY_BASIC_INFORMATION::default();
        // SAFETY: fills in the struct, whose size it is told.
        let filled = unsafe { VirtualQuery(view.0.Value, &raw mut info, mem::size_of_val(&info)) };
        if filled == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(look(view.0.Value.cast(), info.RegionSize as u64))
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

    /// The file has its full size from the beginning.
    pub(crate) fn available(&self) -> u64 {
        u64::MAX
    }
}

/// A view that is unmapped when it goes.
struct View(MEMORY_MAPPED_VIEW_ADDRESS);

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: the view was mapped by whoever made this, and nothing refers into it any more.
        unsafe { UnmapViewOfFile(self.0) };
    }
}

/// Takes a name away; nothing if it is gone. As the `shared_memory` crate does it, whose files these are: the file is
/// renamed, so that it is not found, and goes with its last handle.
pub(crate) fn unlink_named(name: &str) -> io::Result<()> {
    let directory = std::env::temp_dir().join("shared_memory-rs");
    let name = name.trim_start_matches('/');
    let path = directory.join(name);
    let opened = OpenOptions::new()
        .access_mode(GENERIC_READ | GENERIC_WRITE | DELETE)
        .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
        .attributes(FILE_ATTRIBUTE_TEMPORARY)
        .custom_flags(FILE_FLAG_DELETE_ON_CLOSE)
        .open(&path);
    match opened {
        Ok(_closed_after_the_rename) => fs::rename(&path, directory.join(format!("{name}_deleted"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Bytes of the largest file that this process may make.
pub(crate) fn largest_file() -> u64 {
    u64::MAX
}

/// Whether an open file still has a name.
pub(crate) fn is_in_view(_file: &File) -> bool {
    true
}

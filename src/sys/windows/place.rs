//! Links: a name is that of a file mapping, which is in view as soon as it is there and goes with its last handle; a path
//! is a file.

use std::{
    fs::{self, File, OpenOptions},
    io, mem,
    os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle},
    path::PathBuf,
    ptr::{self, NonNull},
};

use windows_sys::Win32::{
    Foundation::{
        ERROR_ACCESS_DENIED, ERROR_ALREADY_EXISTS, ERROR_FILE_EXISTS, ERROR_FILE_NOT_FOUND, ERROR_INVALID_HANDLE,
        ERROR_INVALID_PARAMETER, ERROR_PATH_NOT_FOUND, HANDLE, INVALID_HANDLE_VALUE, SetLastError, WAIT_OBJECT_0,
    },
    Storage::FileSystem::{FILE_TYPE_DISK, GetFileType, MoveFileExW},
    System::{
        Memory::{
            CreateFileMappingW, FILE_MAP_READ, FILE_MAP_WRITE, MEM_COMMIT, MEMORY_BASIC_INFORMATION,
            MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, OpenFileMappingW, PAGE_READONLY, PAGE_READWRITE,
            UnmapViewOfFile, VirtualQuery,
        },
        Threading::{OpenProcess, PROCESS_SYNCHRONIZE, WaitForSingleObject},
    },
};

use super::files::{FileNumber, fill, is_no_space, number_of, of_any_length, room_in, wide};
use crate::sys::{
    place::{Address, Mapping, PlaceError},
    random_u64,
};

/// UTF-16 units of the longest name, `Local\` or `Global\` included.
const LONGEST: usize = 260;

/// A file mapping is in view as soon as it is there, all zero.
pub(crate) const NAMES_APPEAR_UNREADY: bool = true;

/// Whether this platform can hold the name.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.encode_utf16().count() > LONGEST {
        return Err("it is longer than 260 UTF-16 units");
    }
    let rest = ["Local\\", "Global\\"].into_iter().find_map(|space| name.strip_prefix(space)).unwrap_or(name);
    match rest {
        "" => Err("there is nothing behind the backslash"),
        rest if rest.contains('\\') => Err("it has a backslash in it, other than that of `Local\\` or `Global\\`"),
        _ => Ok(()),
    }
}

/// An open file mapping or file that a link can lie in. The name of a mapping is there as long as this, or the identity.
#[derive(Debug)]
pub(crate) struct Place {
    object: Identity,
    size: u64,
}

/// What a link lies in, kept open: the name of a file mapping goes with its last handle.
#[derive(Debug)]
pub(crate) enum Identity {
    Named(OwnedHandle),
    /// The second is what tells it from others, as the system said when it was opened.
    File(File, Option<FileNumber>),
}

/// Something new. By path, nobody sees it: it is a file with another name. By name, it is in view as soon as it is there:
/// who opens it must see by what it holds whether it is ready.
#[derive(Debug)]
pub(crate) struct Draft {
    mapping: Mapping,
    place: Place,
    /// Dropped after all that is open on the file.
    file: Option<(Temporary, PathBuf)>,
}

/// A file under a name that nobody guesses; removed on drop.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Draft {
    /// `len` bytes, all zero, mapped to be written to. There are no permission bits: what the process has for new objects
    /// holds, and a new file has what its directory says.
    ///
    /// # Errors
    ///
    /// All but [`PlaceError::Absent`].
    pub(crate) fn new(at: &Address, len: u64, _mode: u32) -> Result<Draft, PlaceError> {
        let size = usize::try_from(len).map_err(|_| no_room(len))?;
        match at {
            Address::Name(name) => {
                let place = Place { object: Identity::Named(create_named(name, len)?), size: len };
                let mapping = place.map(size, true)?;
                Ok(Draft { mapping, place, file: None })
            }
            Address::Path(path) => {
                if fs::symlink_metadata(path).is_ok() {
                    return Err(PlaceError::Exists);
                }
                let available = path.parent().map_or(u64::MAX, room_in);
                if len > available {
                    return Err(PlaceError::NoSpace { requested: len, available });
                }
                let random = random_u64().map_err(|error| PlaceError::Failed("getrandom", io::Error::other(error)))?;
                let beside = path.with_file_name(format!(".commonage-{random:016x}"));
                let file = OpenOptions::new().read(true).write(true).create_new(true).open(&beside);
                let file = file.map_err(|error| not_made("CreateFile", error, len))?;
                let temporary = Temporary(beside);
                file.set_len(len).map_err(|error| not_made("SetEndOfFile", error, len))?;
                fill(&file, len).map_err(|error| not_made("WriteFile", error, len))?;
                let number = number_of(&file);
                let place = Place { object: Identity::File(file, number), size: len };
                let mapping = place.map(size, true)?;
                Ok(Draft { mapping, place, file: Some((temporary, path.clone())) })
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
        let Draft { mapping, place, file } = self;
        let Some((temporary, path)) = file else { return Ok((place, mapping)) };
        let (from, to) = (wide(&of_any_length(&temporary.0)), wide(&of_any_length(&path)));
        // SAFETY: both end in a zero and live longer than the call. Without flags nothing is replaced.
        if unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), 0) } == 0 {
            let error = not_made("MoveFileEx", io::Error::last_os_error(), place.size);
            drop(place);
            return Err((mapping, error));
        }
        mem::forget(temporary);
        Ok((place, mapping))
    }
}

impl Place {
    /// What is there, if it is a file mapping or a file.
    ///
    /// # Errors
    ///
    /// All but [`PlaceError::Exists`] and [`PlaceError::NoSpace`].
    pub(crate) fn open(at: &Address, writable: bool) -> Result<Place, PlaceError> {
        match at {
            Address::Name(name) => {
                let object = open_named(name, writable)?;
                let size = size_of_named(&object)?;
                Ok(Place { object: Identity::Named(object), size })
            }
            Address::Path(path) => {
                let file = OpenOptions::new().read(true).write(writable).open(path);
                let file = file.map_err(|error| match fs::metadata(path) {
                    Ok(metadata) if metadata.is_dir() => PlaceError::NotAFile("a directory"),
                    _ => refused("CreateFile", error),
                })?;
                if !is_on_a_disk(&file) {
                    return Err(PlaceError::NotAFile("a device or a pipe"));
                }
                let metadata = file.metadata().map_err(|error| refused("GetFileInformationByHandle", error))?;
                if metadata.is_dir() {
                    return Err(PlaceError::NotAFile("a directory"));
                }
                let number = number_of(&file);
                Ok(Place { size: metadata.len(), object: Identity::File(file, number) })
            }
        }
    }

    /// The system sees to it that there is something behind each byte.
    pub(crate) fn is_backed(&self) -> bool {
        true
    }

    /// Bytes that it had when it was opened; of a file mapping, up to the end of its last page.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// What is to be kept of a place that is mapped.
    pub(crate) fn into_identity(self) -> Identity {
        self.object
    }

    /// Maps the first `len` bytes, of at least as many. The system has room for them all.
    ///
    /// # Errors
    ///
    /// [`PlaceError::NoSpace`], [`PlaceError::Failed`].
    pub(crate) fn map(&self, len: usize, writable: bool) -> Result<Mapping, PlaceError> {
        if len == 0 || len as u64 > self.size {
            return Err(PlaceError::Failed("MapViewOfFile", io::ErrorKind::UnexpectedEof.into()));
        }
        let section = match &self.object {
            Identity::Named(_) => None,
            Identity::File(file, _) => Some(section_of(file, writable)?),
        };
        let handle = match (&self.object, &section) {
            (Identity::Named(handle), _) => handle.as_raw_handle(),
            (_, Some(section)) => section.as_raw_handle(),
            (Identity::File(file, _), None) => file.as_raw_handle(),
        };
        // SAFETY: the handle is open; a new view, at an address that the system chooses.
        let view = unsafe { MapViewOfFile(handle, access(writable), 0, 0, len) };
        let base = NonNull::new(view.Value.cast::<u8>());
        let base = base.ok_or_else(|| not_made("MapViewOfFile", io::Error::last_os_error(), len as u64))?;
        // SAFETY: mapped above, and nobody else knows of it.
        Ok(unsafe { Mapping::new(base, len) })
    }
}

impl Identity {
    /// Takes the path away, if it still leads to this very file, once nothing of this process's is open on it: as long as
    /// another process has it mapped, the system may refuse, and the file stays. A name goes by itself, with the last
    /// handle on it anywhere.
    pub(crate) fn remove(self, at: &Address, mapping: Mapping) {
        drop(mapping);
        if let (Identity::File(file, number), Address::Path(path)) = (self, at) {
            let same = number.is_some() && File::open(path).is_ok_and(|now| number_of(&now) == number);
            drop(file);
            if same {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Takes the path of a file away. A name can't be taken away: it goes with its last handle.
///
/// # Errors
///
/// All but [`PlaceError::Exists`] and [`PlaceError::NoSpace`]; [`PlaceError::Denied`] for a name that is there.
pub(crate) fn remove_place(at: &Address) -> Result<(), PlaceError> {
    match at {
        Address::Name(name) => {
            drop(open_named(name, false)?);
            let reason = "the name is there as long as a process has it open, and goes by itself";
            Err(PlaceError::Denied(io::Error::other(reason)))
        }
        Address::Path(path) => {
            let metadata = fs::symlink_metadata(path).map_err(|error| refused("GetFileInformationByName", error))?;
            match metadata.file_type() {
                kind if kind.is_dir() => Err(PlaceError::NotAFile("a directory")),
                kind if kind.is_symlink() => Err(PlaceError::NotAFile("a symbolic link")),
                _ => fs::remove_file(path).map_err(|error| refused("DeleteFile", error)),
            }
        }
    }
}

/// False if the process has surely ended. True for zero: nobody has said which.
pub(crate) fn process_lives(pid: u32) -> bool {
    if pid == 0 {
        return true;
    }
    // SAFETY: asks for a handle.
    let handle = unsafe { OpenProcess(PROCESS_SYNCHRONIZE, 0, pid) };
    if handle.is_null() {
        return code(&io::Error::last_os_error()) != Some(ERROR_INVALID_PARAMETER);
    }
    // SAFETY: a new handle that is nobody else's.
    let process = unsafe { OwnedHandle::from_raw_handle(handle) };
    // SAFETY: the handle is open; the call waits for nothing.
    unsafe { WaitForSingleObject(process.as_raw_handle(), 0) != WAIT_OBJECT_0 }
}

/// Takes away what was mapped.
///
/// # Safety
///
/// There is a whole view of the caller's at `start`, and nothing refers into it.
pub(crate) unsafe fn unmap(start: NonNull<u8>, _len: usize) {
    // SAFETY: the caller's promise.
    unsafe { UnmapViewOfFile(MEMORY_MAPPED_VIEW_ADDRESS { Value: start.as_ptr().cast() }) };
}

fn create_named(name: &str, len: u64) -> Result<OwnedHandle, PlaceError> {
    let (high, low) = ((len >> 32) as u32, len as u32);
    let name = wide(name.as_ref());
    // SAFETY: a word of this thread's. What an earlier call has left there would be taken for this one's.
    unsafe { SetLastError(0) };
    // SAFETY: the name ends in a zero, and lives longer than the call; there are no attributes.
    let handle =
        unsafe { CreateFileMappingW(INVALID_HANDLE_VALUE, ptr::null(), PAGE_READWRITE, high, low, name.as_ptr()) };
    let error = io::Error::last_os_error();
    let handle = owned(handle).ok_or_else(|| not_made("CreateFileMapping", copy_of(&error), len))?;
    if code(&error) == Some(ERROR_ALREADY_EXISTS) {
        return Err(PlaceError::Exists); // and the handle on what is there is closed
    }
    Ok(handle)
}

fn open_named(name: &str, writable: bool) -> Result<OwnedHandle, PlaceError> {
    let name = wide(name.as_ref());
    // SAFETY: the name ends in a zero, and lives longer than the call.
    let handle = unsafe { OpenFileMappingW(access(writable), 0, name.as_ptr()) };
    owned(handle).ok_or_else(|| refused("OpenFileMapping", io::Error::last_os_error()))
}

/// What is asked for, of a mapping that may be another program's: no more than is needed.
fn access(writable: bool) -> u32 {
    if writable { FILE_MAP_READ | FILE_MAP_WRITE } else { FILE_MAP_READ }
}

/// Bytes that can be touched. Another program may have made a mapping that takes its memory piece by piece.
fn size_of_named(handle: &OwnedHandle) -> Result<u64, PlaceError> {
    // SAFETY: the handle is open; a new view of all of it, at an address that the system chooses.
    let view = unsafe { MapViewOfFile(handle.as_raw_handle(), FILE_MAP_READ, 0, 0, 0) };
    let Some(base) = NonNull::new(view.Value.cast::<u8>()) else {
        return Err(refused("MapViewOfFile", io::Error::last_os_error()));
    };
    // SAFETY: mapped above, and nobody else knows of it.
    let view = unsafe { Mapping::new(base, 0) };
    let mut info = MEMORY_BASIC_INFORMATION::default();
    // SAFETY: fills in the struct, whose size it is told.
    let filled = unsafe { VirtualQuery(view.base().as_ptr().cast(), &raw mut info, mem::size_of_val(&info)) };
    if filled == 0 {
        return Err(refused("VirtualQuery", io::Error::last_os_error()));
    }
    // The view is one region as far as all its pages are alike.
    Ok(if info.State == MEM_COMMIT { info.RegionSize as u64 } else { 0 })
}

/// Whether it is no device and no pipe: of those the system says nothing of what it says of files.
pub(super) fn is_on_a_disk(file: &File) -> bool {
    // SAFETY: the file is open.
    unsafe { GetFileType(file.as_raw_handle()) == FILE_TYPE_DISK }
}

fn section_of(file: &File, writable: bool) -> Result<OwnedHandle, PlaceError> {
    let access = if writable { PAGE_READWRITE } else { PAGE_READONLY };
    // SAFETY: the file is open; there is no name, there are no attributes, and the length is the file's.
    let handle = unsafe { CreateFileMappingW(file.as_raw_handle(), ptr::null(), access, 0, 0, ptr::null()) };
    owned(handle).ok_or_else(|| not_made("CreateFileMapping", io::Error::last_os_error(), 0))
}

fn owned(handle: HANDLE) -> Option<OwnedHandle> {
    // SAFETY: a new handle that is nobody else's.
    (!handle.is_null()).then(|| unsafe { OwnedHandle::from_raw_handle(handle) })
}

fn code(error: &io::Error) -> Option<u32> {
    error.raw_os_error().map(i32::cast_unsigned)
}

fn copy_of(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

fn no_room(requested: u64) -> PlaceError {
    PlaceError::NoSpace { requested, available: 0 }
}

/// Why something that may be there can't be had.
pub(super) fn refused(operation: &'static str, error: io::Error) -> PlaceError {
    match code(&error) {
        Some(ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND) => PlaceError::Absent,
        Some(ERROR_ACCESS_DENIED) => PlaceError::Denied(error),
        Some(ERROR_INVALID_HANDLE) => PlaceError::NotAFile("an event, a mutex or another object"),
        _ => PlaceError::Failed(operation, error),
    }
}

/// Why something new can't be made.
pub(super) fn not_made(operation: &'static str, error: io::Error, requested: u64) -> PlaceError {
    if is_no_space(&error) {
        return no_room(requested);
    }
    match code(&error) {
        Some(ERROR_ALREADY_EXISTS | ERROR_FILE_EXISTS) => PlaceError::Exists,
        Some(ERROR_PATH_NOT_FOUND) => PlaceError::NoDirectory,
        Some(ERROR_ACCESS_DENIED) => PlaceError::Denied(error),
        Some(ERROR_INVALID_HANDLE) => PlaceError::NotAFile("an event, a mutex or another object"),
        _ => PlaceError::Failed(operation, error),
    }
}

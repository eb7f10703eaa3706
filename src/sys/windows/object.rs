//! Named segments: files that the `shared_memory` crate makes, in a directory of its own, and maps.
//!
//! It is the file that has the name, and that is there when no process has it mapped any more. What this looks at is the
//! file, too, and it reads through views: those of one file all show the same, which the system does not promise of calls
//! that read.

use std::{
    fs::File,
    io,
    ops::Range,
    os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle},
    path::PathBuf,
    ptr,
    sync::OnceLock,
};

use windows_sys::Win32::{
    Foundation::{ERROR_PATH_NOT_FOUND, GENERIC_READ, GENERIC_WRITE},
    System::{
        Memory::{
            CreateFileMappingW, FILE_MAP_READ, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, PAGE_READONLY,
            UnmapViewOfFile,
        },
        SystemInformation::{GetSystemInfo, SYSTEM_INFO},
    },
};

use super::{
    files::{fill, is_same, open_whatever, remove_file, room_in},
    owner::is_ours,
};
use crate::sys::{Refusal, Whereabouts};

/// The file of a named segment, as this process has it open. It has no holes.
#[derive(Debug)]
pub(crate) struct Object(File);

impl Object {
    /// The file with this name, in the user's own directory. Follows no link.
    pub(crate) fn open_named(name: &str) -> Result<Object, Refusal> {
        let file = open_whatever(&path_of(name), GENERIC_READ).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Refusal::Absent,
            _ if error.raw_os_error() == Some(ERROR_PATH_NOT_FOUND.cast_signed()) => Refusal::Absent,
            io::ErrorKind::PermissionDenied => Refusal::Forbidden(error),
            _ => Refusal::Failed("CreateFile", error),
        })?;
        let kind = file.metadata().map_err(|error| Refusal::Failed("GetFileInformationByHandle", error))?.file_type();
        if kind.is_symlink() {
            return Err(Refusal::Foreign("a symbolic link".into()));
        }
        if kind.is_dir() {
            return Err(Refusal::Foreign("a directory".into()));
        }
        match is_ours(&file) {
            Ok(true) => Ok(Object(file)),
            Ok(false) => Err(Refusal::Foreign("a file of another user".into())),
            Err(error) => Err(Refusal::Failed("GetKernelObjectSecurity", error)),
        }
    }

    /// Is it the same file, by whatever name?
    pub(crate) fn is_same(&self, other: &Object) -> bool {
        is_same(&self.0, &other.0)
    }

    /// Bytes that the file has.
    pub(crate) fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// Bytes of the file, from an offset on.
    pub(crate) fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let size = self.size()?;
        let Some(end) = offset.checked_add(bytes.len() as u64).filter(|end| *end <= size) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let start = offset - offset % granularity();
        let Ok(len @ 1..) = usize::try_from(end - start) else { return Ok(()) };
        let section = self.section()?;
        let (high, low) = ((start >> 32) as u32, start as u32);
        // SAFETY: the handle is open; a new view, at an address that the system chooses. It is none if the file has become
        // shorter, and as long as it is there, the file becomes no shorter.
        let view = unsafe { MapViewOfFile(section.as_raw_handle(), FILE_MAP_READ, high, low, len) };
        if view.Value.is_null() {
            return Err(io::Error::last_os_error());
        }
        let view = View(view);
        // SAFETY: less than `len`, which the view has.
        let from = unsafe { view.0.Value.cast::<u8>().add((offset - start) as usize) };
        // SAFETY: as many are left behind it; the target is not in the view. Bytes that change meanwhile are copied as they
        // are: the copy is what gets checked.
        unsafe { ptr::copy_nonoverlapping(from.cast_const(), bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    fn section(&self) -> io::Result<OwnedHandle> {
        // SAFETY: the file is open; there is no name, there are no attributes, and the length is the file's.
        let section =
            unsafe { CreateFileMappingW(self.0.as_raw_handle(), ptr::null(), PAGE_READONLY, 0, 0, ptr::null()) };
        if section.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new handle that is nobody else's.
        Ok(unsafe { OwnedHandle::from_raw_handle(section) })
    }

    /// Nothing: the file has all of its bytes from the beginning.
    pub(crate) fn reserve(&self, _range: Range<u64>) -> io::Result<()> {
        Ok(())
    }

    /// Not done here: what is written so need not show in a view at once.
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

/// Puts a disk's blocks behind all of what was just made with a name, which nobody else has looked at yet.
pub(crate) fn back_named(name: &str, len: u64) -> io::Result<()> {
    fill(&open_whatever(&path_of(name), GENERIC_READ | GENERIC_WRITE)?, len)
}

/// Takes a name away; nothing if it is gone.
pub(crate) fn unlink_named(name: &str) -> io::Result<()> {
    match remove_file(&path_of(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Bytes that a new named segment can have, at most.
pub(crate) fn room_for_named() -> u64 {
    room_in(&std::env::temp_dir())
}

/// Where files lie that last as long as named segments do: the user's own directory.
pub(crate) fn named_directory() -> PathBuf {
    std::env::temp_dir()
}

/// Where such files are, and the segments themselves.
pub(crate) fn named_directories() -> Vec<PathBuf> {
    vec![named_directory(), segments()]
}

/// Where the `shared_memory` crate makes its files.
fn segments() -> PathBuf {
    named_directory().join("shared_memory-rs")
}

/// Where the named object with this name is.
pub(crate) fn whereabouts_of(name: &str) -> Whereabouts {
    Whereabouts::Path(path_of(name))
}

fn path_of(name: &str) -> PathBuf {
    segments().join(name.trim_start_matches('/'))
}

/// What the offset of a view is a multiple of.
fn granularity() -> u64 {
    static GRANULARITY: OnceLock<u64> = OnceLock::new();
    *GRANULARITY.get_or_init(|| {
        let mut info = SYSTEM_INFO::default();
        // SAFETY: fills in the struct that it is given.
        unsafe { GetSystemInfo(&raw mut info) };
        info.dwAllocationGranularity.into()
    })
}

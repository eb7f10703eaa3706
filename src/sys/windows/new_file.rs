//! A file that is made: nobody sees it before it is whole. Till then it has another name, which follows from its own. As
//! long as its maker has it open nobody can remove it; one that can be removed is of a maker that died, and goes.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io, mem,
    os::windows::{fs::OpenOptionsExt, io::AsRawHandle},
    path::{Path, PathBuf},
};

use windows_sys::Win32::{
    Foundation::{ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, GENERIC_READ, GENERIC_WRITE},
    Storage::FileSystem::{
        DELETE, FILE_DISPOSITION_INFO, FILE_SHARE_READ, FileDispositionInfo, SetFileInformationByHandle,
    },
};

use super::{
    DiskFile,
    files::{fill, has_code, rename, room_in, write_at},
    place::not_made,
};
use crate::sys::PlaceError;

/// A new file, locked alone. Dropped, nothing is left of it.
#[derive(Debug)]
pub(crate) struct NewFile {
    file: DiskFile,
    len: u64,
    path: PathBuf,
    /// Whether it has the name of a draft.
    named: bool,
}

impl NewFile {
    /// `len` bytes, all zero, reserved. There are no permission bits: it has what its directory says. The path is absolute.
    /// If the file must be new, what has its name is found before room is taken for another, and once more when it is
    /// published.
    ///
    /// # Errors
    ///
    /// All but [`PlaceError::Absent`]; [`PlaceError::Exists`] if another process is making the same file.
    pub(crate) fn create(path: &Path, len: u64, _mode: u32, must_be_new: bool) -> Result<NewFile, PlaceError> {
        if must_be_new && fs::symlink_metadata(path).is_ok() {
            return Err(PlaceError::Exists);
        }
        let available = path.parent().map_or(u64::MAX, room_in);
        if len > available {
            return Err(PlaceError::NoSpace { requested: len, available });
        }
        let draft = draft_name(path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).access_mode(GENERIC_READ | GENERIC_WRITE | DELETE);
        options.share_mode(FILE_SHARE_READ);
        let make = || options.open(&draft);
        let file = match make() {
            // What a maker that died has left.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && fs::remove_file(&draft).is_ok() => make(),
            done => done,
        };
        let file = file.map_err(|error| match has_code(&error, &[ERROR_SHARING_VIOLATION]) {
            true => PlaceError::Exists,
            false => not_made("CreateFile", error, len),
        })?;
        let mut new = NewFile { file: DiskFile::of(file), len, path: path.to_owned(), named: true };
        match new.prepare() {
            Ok(()) => Ok(new),
            Err(error) => {
                new.discard();
                Err(error)
            }
        }
    }

    fn prepare(&self) -> Result<(), PlaceError> {
        if !self.file.lock(true)? {
            return Err(PlaceError::Exists);
        }
        self.file.file().set_len(self.len).map_err(|error| not_made("SetEndOfFile", error, self.len))?;
        fill(self.file.file(), self.len).map_err(|error| not_made("WriteFile", error, self.len))
    }

    /// Makes it longer, by zeros with something behind them.
    ///
    /// # Errors
    ///
    /// [`PlaceError::NoSpace`], [`PlaceError::Failed`].
    pub(crate) fn extend(&mut self, len: u64) -> Result<(), PlaceError> {
        let zeros = [0; 4096];
        while self.len < len {
            let step = usize::try_from(len - self.len).map_or(zeros.len(), |rest| rest.min(zeros.len()));
            write_at(self.file.file(), &zeros[..step], self.len).map_err(|error| not_made("WriteFile", error, len))?;
            self.len += step as u64;
        }
        Ok(())
    }

    pub(crate) fn file(&self) -> &DiskFile {
        &self.file
    }

    /// Where it will be.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Brings it into view, whole as it is, in place of what has the name, or only if nothing has. After an error it is a
    /// draft as before.
    ///
    /// # Errors
    ///
    /// [`PlaceError::Exists`] if nothing was to have the name, or somebody has the file open that has it; `NotAFile`,
    /// `NoDirectory`, `Denied`, `NoSpace`, `Failed`.
    pub(crate) fn publish(&mut self, must_be_new: bool) -> Result<(), PlaceError> {
        if let Err(error) = rename(self.file.file(), &self.path, !must_be_new) {
            if !must_be_new && has_code(&error, &[ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION]) {
                match fs::symlink_metadata(&self.path) {
                    Ok(metadata) if metadata.is_dir() => return Err(PlaceError::NotAFile("a directory")),
                    Ok(_) if is_open(&self.path) => return Err(PlaceError::Exists),
                    _ => {}
                }
            }
            return Err(not_made("SetFileInformationByHandle", error, self.len));
        }
        self.named = false;
        Ok(())
    }

    /// Has what was written be on the disk.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn sync(&self) -> io::Result<()> {
        super::sync_file(self.file.file())
    }

    /// Nothing: the file system sees to it that names are on the disk.
    ///
    /// # Errors
    ///
    /// None; see Unix.
    pub(crate) fn sync_name(&self) -> io::Result<()> {
        Ok(())
    }

    /// The file, in view by now.
    pub(crate) fn into_file(self) -> DiskFile {
        self.file
    }

    /// Has it go with its handle, if it has the draft's name. Nobody has it mapped.
    pub(crate) fn discard(&mut self) {
        if !mem::take(&mut self.named) {
            return;
        }
        let info = FILE_DISPOSITION_INFO { DeleteFile: true };
        let (at, size) = ((&raw const info).cast(), mem::size_of_val(&info) as u32);
        // SAFETY: the file is open, and the struct as long as that.
        unsafe { SetFileInformationByHandle(self.file.file().as_raw_handle(), FileDispositionInfo, at, size) };
    }
}

/// Whether somebody has the file open in a way that keeps it from being replaced.
fn is_open(path: &Path) -> bool {
    let found: io::Result<File> = OpenOptions::new().access_mode(DELETE).share_mode(0).open(path);
    found.is_err_and(|error| has_code(&error, &[ERROR_SHARING_VIOLATION]))
}

/// `.NAME.commonage-draft`, in the same directory.
fn draft_name(path: &Path) -> PathBuf {
    let mut draft = OsString::from(".");
    draft.push(path.file_name().unwrap_or(OsStr::new("")));
    draft.push(".commonage-draft");
    path.with_file_name(draft)
}

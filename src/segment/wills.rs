//! Wills: files that hold what a process had sent, and nobody had claimed, when it exited.
//!
//! A will holds the data of one message. Its name says which: segment, ticket and epoch. What stands in the file is the
//! same for all messages of a block, so they may share one file under several names (links).
//!
//! ```text
//! header    0 magic:u64 │ 8 version:u32 │ 12 exclusive:u32 (0 or 1) │ 16 segment:u64 │ 24 secret:16 B
//!          40 block:u32 │ 44 zero:u32 │ 48 serial:u64 │ 56 fingerprint:u64 │ 64 length:u64 │ 72 zero:56 B
//! data    128 length × u8
//! ```
//!
//! All numbers are little-endian and of fixed width.
//!
//! - A will is written under a temporary name of its mover's own and renamed into view: what is in view is complete.
//! - Whoever takes its name away has the message. No name is used twice: a ticket has each epoch once.
//! - It has no participants and no owner: what nobody claims is swept by age.
//! - It is opened as other files of this crate are: following no link, waiting for nothing, and only a regular file that
//!   is only this user's will do. What stands in it is checked before it is believed.

use std::{
    array,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    ptr::NonNull,
    time::{Duration, SystemTime},
};

use super::no_space;
use crate::{Config, Error, SegmentId, sys};

const MAGIC: [u8; 8] = *b"commwill";
const VERSION: u32 = 1;
/// Where the data begins.
const DATA: usize = 128;

/// What the names of all wills begin with.
const FIRST: &str = "commonage-will-";
/// What temporary names end in.
const LAST: &str = ".new";
/// A mover that has written nothing for so long is dead.
const SILENCE: Duration = Duration::from_secs(60);

/// Which message: names the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct WillName {
    pub(crate) segment: SegmentId,
    pub(crate) ticket: u32,
    /// 48 bits.
    pub(crate) epoch: u64,
}

/// What stands before the data, for whoever claims it: what the dead segment's header would have said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct WillHeader {
    pub(crate) secret: [u8; 16],
    pub(crate) block: u32,
    pub(crate) serial: u64,
    pub(crate) fingerprint: u64,
    pub(crate) exclusive: bool,
    /// Bytes of data.
    pub(crate) len: u64,
}

/// A will that is not in view yet. Dropped before it is shown, it is removed.
#[derive(Debug)]
pub(crate) struct Draft {
    directory: PathBuf,
    name: WillName,
    /// Its temporary name; none once it is in view.
    hidden: Option<PathBuf>,
}

/// A will that is or was in view, open for reading.
#[derive(Debug)]
pub(crate) struct Will {
    path: PathBuf,
    file: File,
    header: WillHeader,
}

/// Is there one in view? It is not opened.
pub(crate) fn exists(name: WillName) -> bool {
    exists_in(&directory(), name)
}

/// Removes the wills that are older than `age`, and the temporary files of movers that died. How many in view were
/// removed.
///
/// Age is what the system's clock says since the file was last written; one that was written in the future has none. Of a
/// mover that may be alive nothing is removed, unless `age` is zero.
pub(crate) fn sweep(age: Duration) -> usize {
    sweep_in(&directory(), age)
}

impl Draft {
    /// Copies the bytes at `data`, as many as the header says, into a new file. The kernel reads them: threads of this
    /// process may still be writing.
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`], [`Error::Os`]; then nothing is left of it.
    ///
    /// # Safety
    ///
    /// `data..data + header.len` is mapped for reading until the call returns.
    pub(crate) unsafe fn write(name: WillName, header: &WillHeader, data: NonNull<u8>) -> Result<Draft, Error> {
        // SAFETY: the caller's promise.
        unsafe { Draft::write_in(directory(), name, header, data) }
    }

    /// # Safety
    ///
    /// See [`write`](Self::write).
    unsafe fn write_in(
        directory: PathBuf,
        name: WillName,
        header: &WillHeader,
        data: NonNull<u8>,
    ) -> Result<Draft, Error> {
        let too_large = || Error::TooLarge { requested: usize::MAX, limit: isize::MAX.cast_unsigned() };
        let len = usize::try_from(header.len).map_err(|_| too_large())?;
        let whole = header.len.checked_add(DATA as u64).ok_or_else(too_large)?;
        // Beyond it the system does not refuse, it kills.
        let largest = sys::largest_file();
        if whole > largest {
            return Err(Error::NoSpace { requested: whole, available: largest });
        }
        let failed = |error| no_space(error, whole, 0, "write of a will");
        let hidden = directory.join(name.hidden()?);
        let mut file = sys::create_private(&hidden).map_err(failed)?;
        let draft = Draft { directory, name, hidden: Some(hidden) };
        sys::reserve_file(&file, whole)?;
        file.write_all(&header.encode(name.segment)).map_err(failed)?;
        // SAFETY: the caller's promise.
        unsafe { sys::write_from(&file, data, len) }.map_err(failed)?;
        Ok(draft)
    }

    /// A second message of the same block: the same file under another name, no second copy. This one may be in view by
    /// now.
    ///
    /// # Errors
    ///
    /// [`Error::Os`], if this one has been claimed, or the file system has no links: then the data has to be written
    /// again.
    pub(crate) fn link(&self, name: WillName) -> Result<Draft, Error> {
        let hidden = self.directory.join(name.hidden()?);
        let linked = match &self.hidden {
            Some(own) => fs::hard_link(own, &hidden),
            None => fs::hard_link(self.path(), &hidden),
        };
        linked.map_err(|error| Error::os("link of a will", error))?;
        Ok(Draft { directory: self.directory.clone(), name, hidden: Some(hidden) })
    }

    /// Brings it into view; from now on it belongs to whoever claims it.
    ///
    /// # Errors
    ///
    /// [`Error::Os`]; then it is as it was.
    pub(crate) fn show(&mut self) -> Result<(), Error> {
        if let Some(hidden) = &self.hidden {
            sys::rename_file(hidden, &self.path()).map_err(|error| Error::os("rename of a will", error))?;
            self.hidden = None;
        }
        Ok(())
    }

    /// Where it is in view, or will be.
    fn path(&self) -> PathBuf {
        self.directory.join(self.name.in_view())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            // What can't be removed now is swept later.
            let _ = sys::remove_file(hidden);
        }
    }
}

impl Will {
    /// The will of this message, if there is one in view, and it is one.
    pub(crate) fn open(name: WillName) -> Option<Will> {
        Will::open_in(&directory(), name)
    }

    fn open_in(directory: &Path, name: WillName) -> Option<Will> {
        let path = directory.join(name.in_view());
        let file = sys::open_private(&path).ok()?;
        let mut bytes = [0; DATA];
        sys::read_at(&file, &mut bytes, 0).ok()?;
        let header = WillHeader::decode(&bytes, name.segment)?;
        let whole = header.len.checked_add(DATA as u64)?;
        (file.metadata().ok()?.len() >= whole).then_some(Will { path, file, header })
    }

    pub(crate) fn header(&self) -> &WillHeader {
        &self.header
    }

    /// Reads bytes of the data, as many as are asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Range`] beyond the end of the data, [`Error::Os`].
    pub(crate) fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let end = offset.checked_add(bytes.len() as u64);
        if end.is_none_or(|end| end > self.header.len) {
            let shown = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
            let (start, length) = (shown(offset), shown(self.header.len));
            return Err(Error::Range { start, end: start.saturating_add(bytes.len()), length });
        }
        // Can't overflow: `open` has added the length, which is no less.
        sys::read_at(&self.file, bytes, DATA as u64 + offset).map_err(|error| Error::os("read of a will", error))
    }

    /// Takes it out of view: true for exactly one of all who try, in any process.
    pub(crate) fn take(self) -> bool {
        sys::remove_file(&self.path).is_ok()
    }
}

impl WillName {
    fn in_view(&self) -> String {
        format!("{FIRST}{:016x}-{:08x}-{:012x}", self.segment.0, self.ticket, self.epoch)
    }

    /// A temporary name that nobody else has.
    fn hidden(&self) -> Result<String, Error> {
        Ok(format!("{}.{:016x}{LAST}", self.in_view(), sys::random_u64()?))
    }
}

impl WillHeader {
    fn encode(&self, segment: SegmentId) -> [u8; DATA] {
        let mut bytes = [0; DATA];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(12, &u32::from(self.exclusive).to_le_bytes());
        put(16, &segment.0.to_le_bytes());
        put(24, &self.secret);
        put(40, &self.block.to_le_bytes());
        put(48, &self.serial.to_le_bytes());
        put(56, &self.fingerprint.to_le_bytes());
        put(64, &self.len.to_le_bytes());
        bytes
    }

    /// None if no will of this segment begins with these bytes.
    fn decode(bytes: &[u8; DATA], segment: SegmentId) -> Option<WillHeader> {
        let header = WillHeader {
            secret: field(bytes, 24),
            block: u32::from_le_bytes(field(bytes, 40)),
            serial: u64::from_le_bytes(field(bytes, 48)),
            fingerprint: u64::from_le_bytes(field(bytes, 56)),
            exclusive: field::<4>(bytes, 12) != [0; 4],
            len: u64::from_le_bytes(field(bytes, 64)),
        };
        // All that is not in `header` has one value only.
        (header.encode(segment) == *bytes).then_some(header)
    }
}

fn field<const N: usize>(bytes: &[u8; DATA], at: usize) -> [u8; N] {
    array::from_fn(|i| bytes[at + i])
}

/// Where this process's wills are, and where it looks for others'.
fn directory() -> PathBuf {
    Config::current().wills.clone().unwrap_or_else(sys::named_directory)
}

fn exists_in(directory: &Path, name: WillName) -> bool {
    fs::symlink_metadata(directory.join(name.in_view())).is_ok_and(|found| found.is_file())
}

fn sweep_in(directory: &Path, age: Duration) -> usize {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let now = SystemTime::now();
    let mut removed = 0;
    for entry in entries.flatten() {
        let Some(in_view) = entry.file_name().to_str().and_then(in_view_if_ours) else { continue };
        let least = if in_view || age.is_zero() { age } else { age.max(SILENCE) };
        let path = entry.path();
        // What is not a file of this user's is not opened, and stays.
        let written = sys::open_private(&path).and_then(|file| file.metadata()).and_then(|found| found.modified());
        let old = |written| now.duration_since(written).unwrap_or_default() >= least;
        if written.is_ok_and(old) && sys::remove_file(&path).is_ok() && in_view {
            removed += 1;
        }
    }
    removed
}

/// Whether the file with this name is a will in view, or else one that has its temporary name, or is removed; none if it is
/// none of these.
fn in_view_if_ours(name: &str) -> Option<bool> {
    is_in_view(name).or(sys::is_removed(name).then_some(false))
}

/// Whether the file with this name is a will in view, or one that has its temporary name; none if it is neither.
fn is_in_view(name: &str) -> Option<bool> {
    let is_hex =
        |text: &str, digits| text.len() == digits && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    let rest = name.strip_prefix(FIRST)?;
    let (message, mark) = rest.split_once('.').map_or((rest, None), |(message, mark)| (message, Some(mark)));
    let numbers: Vec<&str> = message.split('-').collect();
    let [segment, ticket, epoch] = numbers[..] else { return None };
    let is_message = is_hex(segment, 16) && is_hex(ticket, 8) && is_hex(epoch, 12);
    let is_mark = mark.is_none_or(|mark| mark.strip_suffix(LAST).is_some_and(|mark| is_hex(mark, 16)));
    (is_message && is_mark).then_some(mark.is_none())
}

#[cfg(test)]
#[path = "tests/wills.rs"]
mod tests;

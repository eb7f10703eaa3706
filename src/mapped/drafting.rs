//! What is made: nobody sees it before it is whole.

use std::{
    fmt,
    ops::Range,
    path::Path,
    ptr::{self, NonNull},
    slice,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, AtomicU64},
    },
};

use memmap2::MmapRaw;

use super::{
    Access, Advice, FileKind, How, Mapped, Part, Role,
    header::{BEING_WRITTEN, FINISHED, HEADER, Header, Now, PAGE},
    held::{Held, Home, absolute, not_had, who_has},
    memory,
    opening::prepare,
};
use crate::{
    Error, FileAccess, FileFault, metadata,
    sys::{self, DiskFile, NewFile, PlaceError},
    title::Title,
};

/// How a file is made.
#[derive(Clone, Debug)]
pub(crate) struct Making {
    pub(crate) layout: NewLayout,
    /// Permission bits on Unix, whatever the umask.
    pub(crate) mode: u32,
    /// Something with this name is an error, also if it comes to be there meanwhile.
    pub(crate) must_be_new: bool,
    pub(crate) populate: bool,
    pub(crate) advice: Advice,
    pub(crate) lock_in_memory: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum NewLayout {
    /// The data lie at a multiple of this, and of a page. At most 4096: else `Error::Alignment`.
    Headed { alignment: usize },
    /// These bytes, and right behind them the value.
    Foreign { prefix: Vec<u8> },
}

/// What becomes of a draft in this process, once it is in view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Then {
    /// Nothing: it is unlocked and unmapped.
    Close,
    /// It is read: locked with others, from the moment when it comes into view.
    Read,
    /// It is written: locked alone, state *being written*.
    Write,
}

/// What a finished file says of its value. Of a foreign file only the fingerprint counts, for [`Part::fingerprint`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Description<'a> {
    pub(crate) fingerprint: u64,
    /// In postcard.
    pub(crate) metadata: &'a [u8],
}

/// A file that nobody sees yet: locked alone, its space reserved, mapped. Dropped, nothing is left of it.
pub(crate) struct Draft {
    /// None when it is a draft no more. It goes after the mapping, and is unlocked before.
    new: Option<NewFile>,
    map: Option<MmapRaw>,
    home: Home,
    making: Making,
    /// Where the data are in the file, and in the mapping, which is of all of it.
    /// INVARIANT: they lie within.
    data: Range<usize>,
}

impl Draft {
    /// `len` bytes of data, all zero.
    ///
    /// # Errors
    ///
    /// `Error::File`, `Error::NoSpace`, `Error::TooLarge`, `Error::Alignment`.
    pub(crate) fn new(path: &Path, len: usize, making: &Making) -> Result<Draft, Error> {
        let path = absolute(path)?;
        let start = match &making.layout {
            NewLayout::Headed { alignment } if !alignment.is_power_of_two() || *alignment > PAGE => {
                return Err(Error::Alignment { requested: *alignment, limit: PAGE });
            }
            NewLayout::Headed { .. } => sys::page_size().max(PAGE),
            NewLayout::Foreign { prefix } => prefix.len(),
        };
        let limit = isize::MAX.cast_unsigned();
        let end = start.checked_add(len).filter(|end| *end <= limit);
        let end = end.ok_or(Error::TooLarge { requested: len, limit: limit - start })?;
        let new = NewFile::create(&path, end as u64, making.mode, making.must_be_new);
        let new = new.map_err(|error| not_made(&path, error, making.must_be_new))?;
        let mut draft =
            Draft { new: Some(new), map: None, home: Home::here(), making: making.clone(), data: start..end };
        let map = memory::map(draft.file().file(), 0, end, Access::Write, making.populate);
        let map = map.map_err(|source| ("mmap", source)).and_then(|map| {
            // Now: what can't be had is found out before anybody sees the file.
            prepare(&map, start..end, making.advice, making.lock_in_memory)?;
            Ok(map)
        });
        draft.map = Some(map.map_err(|(operation, source)| draft.fault(FileFault::Failed { operation, source }))?);
        if let NewLayout::Foreign { prefix } = &making.layout {
            draft.put(0, prefix);
        }
        Ok(draft)
    }

    fn file(&self) -> &DiskFile {
        self.made().file()
    }

    fn made(&self) -> &NewFile {
        self.new.as_ref().expect("it is there until the draft is consumed")
    }

    fn fault(&self, fault: FileFault) -> Error {
        Error::File { path: self.path().to_owned(), fault }
    }

    /// Absolute: where it will be.
    pub(crate) fn path(&self) -> &Path {
        self.made().path()
    }

    /// The first byte of the data.
    fn start(&self) -> NonNull<u8> {
        let base = self.map.as_ref().map_or(NonNull::dangling(), memory::start);
        // SAFETY: the data lie within the mapping, by the invariant.
        unsafe { base.add(if self.map.is_some() { self.data.start } else { 0 }) }
    }

    /// The data.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped, by the invariant; nobody else has the file open, and the draft is borrowed.
        unsafe { slice::from_raw_parts(self.start().as_ptr(), self.data.len()) }
    }

    /// The data.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and it is borrowed alone.
        unsafe { slice::from_raw_parts_mut(self.start().as_ptr(), self.data.len()) }
    }

    /// Has the system write there: for large values faster than through the mapping, into pages that nobody has touched.
    ///
    /// # Panics
    ///
    /// If it is more than the data have room for.
    ///
    /// # Errors
    ///
    /// `Error::File`, `Error::NoSpace`.
    pub(crate) fn write_at(&mut self, offset: usize, bytes: &[u8]) -> Result<(), Error> {
        assert!(offset <= self.data.len() && bytes.len() <= self.data.len() - offset, "the data have room for it");
        self.write((self.data.start + offset) as u64, bytes)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        sys::write_at(self.file().file(), bytes, offset).map_err(|source| {
            if sys::is_no_space(&source) {
                return Error::NoSpace { requested: bytes.len() as u64, available: 0 };
            }
            self.fault(FileFault::Failed { operation: "write", source })
        })
    }

    /// Copies into the mapping.
    fn put(&mut self, offset: usize, bytes: &[u8]) {
        let Some(map) = &self.map else { return };
        assert!(offset <= map.len() && bytes.len() <= map.len() - offset, "it lies within the mapping");
        // SAFETY: within the mapping, by the line above.
        let to = unsafe { memory::start(map).add(offset) };
        // SAFETY: mapped for as many bytes, to be written, and this draft's alone; they are another place.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to.as_ptr(), bytes.len()) };
    }

    /// Brings the file into view, whole, in place of what has its name; `durable`: it is on the disk then. A part is
    /// returned unless it is closed.
    ///
    /// # Errors
    ///
    /// The draft; none if it is in view, and only its name may not be on the disk: `Error::File`, `Error::NoSpace`,
    /// `Metadata`, `Inherited`.
    pub(crate) fn publish(
        mut self,
        description: Description<'_>,
        durable: bool,
        then: Then,
    ) -> Result<Option<Part>, (Option<Draft>, Error)> {
        let header = match self.show(description, durable, then) {
            Ok(header) => header,
            Err(error) => return Err((Some(self), error)),
        };
        let (Some(new), Some(map)) = (self.new.take(), self.map.take()) else { return Ok(None) };
        let path = new.path().to_owned();
        let synced = if durable { new.sync_name() } else { Ok(()) };
        let held = Held::of(new.into_file(), path, self.home);
        if let Err(source) = synced {
            let operation = "fsync of the directory";
            return Err((None, held.fault(FileFault::Failed { operation, source })));
        }
        if then == Then::Close {
            return Ok(None);
        }
        self.keep(held, map, description.fingerprint, header, then).map(Some).map_err(|error| (None, error))
    }

    /// Writes what the file says of itself, and gives it its name. After an error it is a draft as before.
    fn show(&mut self, description: Description<'_>, durable: bool, then: Then) -> Result<Option<Header>, Error> {
        self.home.must_be_here()?;
        let header = match self.making.layout {
            NewLayout::Headed { .. } => Some(self.describe(description, then)?),
            NewLayout::Foreign { .. } => None,
        };
        if durable && let (Some(map), Some(new)) = (&self.map, &self.new) {
            let done = if sys::SYNC_INCLUDES_MAPPINGS { Ok(()) } else { map.flush() };
            done.and_then(|()| new.sync())
                .map_err(|source| self.fault(FileFault::Failed { operation: "fsync", source }))?;
        }
        // Nobody who sees it finds it locked alone, unless it is to be.
        if then != Then::Write {
            self.file().share().map_err(|error| not_had(self.path(), error))?;
        }
        let must_be_new = self.making.must_be_new;
        let Some(new) = &mut self.new else { return Ok(header) };
        if let Err(error) = new.publish(must_be_new) {
            let error = not_made(new.path(), error, must_be_new);
            let _ = new.file().take_alone(); // nobody else has it open
            return Err(error);
        }
        Ok(header)
    }

    /// The header and the metadata, where they are to be.
    fn describe(&mut self, description: Description<'_>, then: Then) -> Result<Header, Error> {
        let Description { fingerprint, metadata } = description;
        let len = u32::try_from(metadata.len()).ok().filter(|len| *len <= metadata::MOST);
        let metadata_len = len.ok_or_else(|| Error::Metadata {
            type_name: "value",
            reason: format!("they are {} bytes, of {} at most", metadata.len(), metadata::MOST),
        })?;
        let fits = metadata.len() <= self.data.start - HEADER;
        let at = if fits { HEADER } else { self.data.end };
        let title = Title {
            metadata_len,
            fingerprint,
            metadata: at as u64,
            data: self.data.start as u64,
            data_len: self.data.len() as u64,
        };
        let header = Header::new(title, metadata)?;
        if fits {
            self.put(at, metadata);
        } else {
            let end = at as u64 + metadata.len() as u64;
            if let Some(new) = &mut self.new {
                new.extend(end).map_err(|error| not_had(new.path(), error))?;
            }
            self.write(at as u64, metadata)?;
        }
        let state = if then == Then::Write { BEING_WRITTEN } else { FINISHED };
        self.put(0, &header.bytes(Now { generation: 1, state, writer: sys::process_id() }));
        Ok(header)
    }

    /// What is in view, as this process goes on to have it.
    fn keep(
        &self,
        held: Held,
        map: MmapRaw,
        fingerprint: u64,
        header: Option<Header>,
        then: Then,
    ) -> Result<Part, Error> {
        let facts = held.file.facts().map_err(|error| held.error(error))?;
        let kind = match header {
            Some(header) => FileKind::Headed {
                id: header.id,
                secret: header.secret,
                generation: AtomicU64::new(1),
                on_disk: AtomicU64::new(0),
            },
            None => FileKind::Foreign {
                device: facts.device,
                inode: facts.inode,
                size: facts.size,
                modified: AtomicU64::new(facts.modified),
                secret: OnceLock::new(),
            },
        };
        let role = if then == Then::Write { Role::Writer } else { Role::Reader };
        let mapped = Mapped {
            held: Some(held),
            map,
            home: self.home,
            access: Access::Write,
            role: AtomicU8::new(role as u8),
            start: self.data.start,
            len: self.data.len(),
            offset: self.data.start as u64,
            fingerprint,
            kind,
        };
        let part = Part::whole(Arc::new(mapped));
        part.register();
        Ok(part)
    }
}

/// As [`not_had`]. What may be there, and is not let go of, is another's.
fn not_made(path: &Path, error: PlaceError, must_be_new: bool) -> Error {
    match error {
        PlaceError::Exists if !must_be_new => who_has(path.to_owned(), FileAccess::Write),
        error => not_had(path, error),
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // A forked child has no name to take away.
        if let Some(new) = self.new.as_mut().filter(|_| self.home.is_here()) {
            self.map = None;
            new.discard();
        }
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.new.as_ref().map(NewFile::path);
        f.debug_struct("Draft").field("path", &path).field("len", &self.data.len()).finish_non_exhaustive()
    }
}

/// `len` bytes of this process's own, all zero, with what `how` says of populating, advice and locking in memory. Its part is
/// a writer's.
///
/// # Errors
///
/// `Error::NoSpace`, `Error::TooLarge`, `Error::Os`.
pub(crate) fn anonymous(len: usize, fingerprint: u64, how: &How) -> Result<Part, Error> {
    let limit = isize::MAX.cast_unsigned();
    if len > limit {
        return Err(Error::TooLarge { requested: len, limit });
    }
    let available = sys::available_memory();
    let no_space = |available| Error::NoSpace { requested: len as u64, available };
    if len as u64 > available {
        return Err(no_space(available)); // the first to say no could be the one who kills for it
    }
    let map = memory::anonymous(len, how.populate).map_err(|source| match sys::is_no_space(&source) {
        true => no_space(0),
        false => Error::os("mmap", source),
    })?;
    let mapped = Mapped {
        held: None,
        map,
        home: Home::here(),
        access: Access::Private,
        role: AtomicU8::new(Role::Writer as u8),
        start: 0,
        len,
        offset: 0,
        fingerprint,
        kind: FileKind::Foreign {
            device: 0,
            inode: 0,
            size: len as u64,
            modified: AtomicU64::new(0),
            secret: OnceLock::new(),
        },
    };
    prepare(&mapped.map, 0..len, how.advice, how.lock_in_memory)
        .map_err(|(operation, source)| mapped.failed(operation, source))?;
    Ok(Part::whole(Arc::new(mapped)))
}

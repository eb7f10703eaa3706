//! What is there already.

use std::{
    io,
    ops::Range,
    path::Path,
    ptr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, AtomicU64},
    },
    time::Duration,
};

use memmap2::MmapRaw;

use super::{
    Advice, FileKind, Mapped, Origin, Part, Role,
    found::must_be,
    header::{self, BEING_WRITTEN, HEADER, Header, Now},
    held::{Held, Home, absolute},
    memory,
};
use crate::{Error, FileAccess, FileFault, Kind};

/// What is to be done with a file's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Locked with all who read.
    Read,
    /// Locked alone.
    Write,
    /// Locked with all who read; what is written reaches neither the file nor anybody else.
    Private,
}

/// What the bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Layout {
    /// The file says it, in its header.
    Headed,
    /// The caller says it.
    Foreign {
        /// Of the value's first byte in the file. The address is a multiple of whatever this is a multiple of, up to 4096.
        offset: u64,
        /// Bytes of the value; none: all to the end of the file.
        len: Option<u64>,
        /// Of the type, for [`Part::fingerprint`].
        fingerprint: u64,
    },
}

/// How a file is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    pub(crate) access: Access,
    pub(crate) layout: Layout,
    /// All of it is in memory when it is open.
    pub(crate) populate: bool,
    pub(crate) advice: Advice,
    /// It stays in memory.
    pub(crate) lock_in_memory: bool,
    /// How long to wait for those who have it in another way.
    pub(crate) lock_timeout: Duration,
    /// Also what its writer has left unfinished.
    pub(crate) unfinished: bool,
    /// Only if the system itself keeps others from changing it.
    pub(crate) guarded: bool,
}

impl How {
    /// A file with a header, without anything special.
    pub(crate) fn new(access: Access) -> How {
        How {
            access,
            layout: Layout::Headed,
            populate: false,
            advice: Advice::Normal,
            lock_in_memory: false,
            lock_timeout: Duration::ZERO,
            unfinished: false,
            guarded: false,
        }
    }
}

/// An open file: locked, mapped, and all that can be checked without its type has been. For a writer nothing has been changed
/// yet; dropped, it is as it was.
#[derive(Debug)]
pub(crate) struct Opened {
    part: Part,
    /// A copy.
    metadata: Vec<u8>,
}

/// Opens a file that is there.
///
/// # Errors
///
/// `Error::File`, `Error::NoSpace`.
pub(crate) fn open(path: &Path, how: &How) -> Result<Opened, Error> {
    let held = Held::open(absolute(path)?, wanted(how.access), how.lock_timeout)?;
    Opened::of(held, how, None)
}

impl Opened {
    /// Of a file that is locked. It must be the one that the token names, if there is one.
    pub(super) fn of(held: Held, how: &How, token: Option<(&Origin, Kind)>) -> Result<Opened, Error> {
        // First: what is asked of the file after that stays so.
        if how.guarded {
            held.file.guard().map_err(|why| held.fault(FileFault::Unguarded { why }))?;
        }
        let facts = held.file.facts().map_err(|error| held.error(error))?;
        let (offset, len) = range(&how.layout, facts.size).map_err(|fault| held.fault(fault))?;
        let size = usize::try_from(len).ok().filter(|len| isize::try_from(*len).is_ok());
        let too_large = Error::TooLarge { requested: usize::MAX, limit: isize::MAX.cast_unsigned() };
        let size = size.ok_or(too_large)?;
        let map = memory::map(held.file.file(), offset, size, how.access, how.populate);
        let map = map.map_err(|source| held.fault(FileFault::Failed { operation: "mmap", source }))?;
        let backed = held.file.back(&facts, offset, memory::start(&map), size, how.access == Access::Write);
        backed.map_err(|error| held.error(error))?;
        let mut mapped = Mapped {
            map,
            home: Home::here(),
            access: how.access,
            role: AtomicU8::new(Role::Guest as u8),
            start: 0,
            len: size,
            offset,
            fingerprint: 0,
            kind: FileKind::Foreign {
                device: facts.device,
                inode: facts.inode,
                size: facts.size,
                modified: AtomicU64::new(facts.modified),
                secret: OnceLock::new(),
            },
            held: Some(held),
        };
        let (metadata, now) = match how.layout {
            Layout::Headed => {
                let (metadata, now) = read_header(&mut mapped, facts.size).map_err(|fault| mapped.fault(fault))?;
                (metadata, Some(now))
            }
            Layout::Foreign { fingerprint, .. } => {
                mapped.fingerprint = fingerprint;
                (Vec::new(), None)
            }
        };
        if let Some((origin, kind)) = token {
            must_be(&origin.key(), &mapped.value_key(), kind).map_err(|fault| mapped.fault(fault))?;
        }
        if let Some(now) = now.filter(|now| now.state == BEING_WRITTEN)
            && how.access != Access::Write
            && !how.unfinished
        {
            return Err(mapped.fault(FileFault::Unfinished { process: now.writer }));
        }
        let value = mapped.start..mapped.start + mapped.len;
        prepare(&mapped.map, value, how.advice, how.lock_in_memory)
            .map_err(|(operation, source)| mapped.failed(operation, source))?;
        Ok(Opened { part: Part::whole(Arc::new(mapped)), metadata })
    }

    /// Of the value's type, as the header says; of a foreign file, as the caller has said.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.part.fingerprint()
    }

    /// In postcard; none of a foreign file.
    pub(crate) fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    /// The whole value, to be checked: as nobody else's bytes yet.
    pub(crate) fn part(&self) -> &Part {
        &self.part
    }

    /// Of a foreign file, the value is only this range of what has been mapped (bytes from the layout's offset).
    ///
    /// # Errors
    ///
    /// `FileFault::TooShort`; `NotAlone` if there is another handle on it.
    #[cfg(any(test, feature = "ndarray"))] // of an `.npy` file
    pub(crate) fn narrow(&mut self, range: Range<u64>) -> Result<(), Error> {
        let counts = self.part.counts();
        let mapped = Arc::get_mut(&mut self.part.hold).ok_or(Error::NotAlone(counts))?;
        let (start, end) = (range.start.min(range.end), range.end);
        if end > mapped.len as u64 {
            let (expected, found) = (mapped.offset.saturating_add(end), mapped.offset + mapped.len as u64);
            return Err(mapped.fault(FileFault::TooShort { expected, found }));
        }
        // It lies within the value that it was, so it is no more than a `usize` holds.
        mapped.start += start as usize;
        mapped.len = (end - start) as usize;
        mapped.offset += start;
        (self.part.start, self.part.len) = (mapped.value(), mapped.len);
        Ok(())
    }

    /// The value: for a writer another generation begins, state *being written*.
    pub(crate) fn begin(self) -> Part {
        let mapped = &self.part.hold;
        match mapped.access {
            Access::Read => mapped.set_role(Role::Reader),
            Access::Write | Access::Private => {
                mapped.begin_writing();
                mapped.begin_time_if_fresh();
            }
        }
        self.part.register();
        self.part
    }
}

/// What the lock has to be for.
pub(super) fn wanted(access: Access) -> FileAccess {
    match access {
        Access::Write => FileAccess::Write,
        Access::Read | Access::Private => FileAccess::Read,
    }
}

/// What is to be mapped, of a file of so many bytes: offset and length.
pub(super) fn range(layout: &Layout, size: u64) -> Result<(u64, u64), FileFault> {
    match *layout {
        Layout::Headed => Ok((0, size)),
        Layout::Foreign { offset, len, .. } => {
            let end = offset.saturating_add(len.unwrap_or(0));
            if end > size {
                return Err(FileFault::TooShort { expected: end, found: size });
            }
            Ok((offset, len.unwrap_or(size - offset)))
        }
    }
}

/// Where the value is, by the header that the mapping begins with: all of a file of so many bytes.
fn read_header(mapped: &mut Mapped, size: u64) -> Result<(Vec<u8>, Now), FileFault> {
    let mut bytes = [0; HEADER];
    let there = HEADER.min(mapped.len);
    copy(mapped, 0, &mut bytes[..there]);
    let (header, now) = Header::parse(&header::first(&bytes[..there])?)?;
    let parts = header.parts(size)?;
    let mut metadata = vec![0; parts.metadata.len()];
    copy(mapped, parts.metadata.start, &mut metadata);
    header.verify(&metadata)?;
    now.check()?;
    (mapped.start, mapped.len, mapped.offset) = (parts.data.start, parts.data.len(), parts.data.start as u64);
    mapped.fingerprint = header.title.fingerprint;
    let generation = AtomicU64::new(now.generation);
    mapped.kind = FileKind::Headed { id: header.id, secret: header.secret, generation, on_disk: AtomicU64::new(0) };
    Ok((metadata, now))
}

/// Copies bytes of the mapping, whatever they are by now: the copy is what gets checked.
pub(super) fn copy(mapped: &Mapped, from: usize, to: &mut [u8]) {
    assert!(from <= mapped.map.len() && to.len() <= mapped.map.len() - from, "it lies within the mapping");
    // SAFETY: within the mapping, by the line above.
    let from = unsafe { memory::start(&mapped.map).add(from) };
    // SAFETY: mapped for as many bytes, and another place than the copy.
    unsafe { ptr::copy_nonoverlapping(from.as_ptr(), to.as_mut_ptr(), to.len()) };
}

/// What the caller wants of the memory, and of where the value is in it.
///
/// # Errors
///
/// The operation that failed, and why.
pub(super) fn prepare(
    map: &MmapRaw,
    value: Range<usize>,
    advice: Advice,
    lock_in_memory: bool,
) -> Result<(), (&'static str, io::Error)> {
    if advice != Advice::Normal {
        memory::advise(map, advice, value.start, value.len()).map_err(|error| ("madvise", error))?;
    }
    if lock_in_memory {
        memory::lock(map, true).map_err(|error| ("mlock", error))?;
    }
    Ok(())
}

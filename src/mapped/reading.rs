//! Reading a file without mapping it: nobody who cuts it then can end this process.

use std::{io, path::Path};

use super::{
    How, Identity, Layout,
    header::{self, BEING_WRITTEN, HEADER, Header},
    held::{Held, absolute},
    opening::range,
    table::Key,
};
use crate::{
    Error, FileAccess, FileFault,
    sys::{self, Facts},
};

/// A file, open and locked for reading, all that can be checked without its type checked, and not mapped.
#[derive(Debug)]
pub(crate) struct Reading {
    held: Held,
    /// Bytes of the file.
    pub(super) size: u64,
    identity: Identity,
    /// The key of its tokens' MACs, as the header has it; a foreign file has none.
    pub(super) secret: Option<[u8; 16]>,
    fingerprint: u64,
    metadata: Vec<u8>,
    /// Of the value's first byte in the file.
    offset: u64,
    pub(super) len: usize,
}

impl Reading {
    /// As [`open`](super::open) for reading. What `how` says of memory has no effect.
    ///
    /// # Errors
    ///
    /// `Error::File`.
    pub(crate) fn open(path: &Path, how: &How) -> Result<Reading, Error> {
        Self::of(Held::open(absolute(path)?, FileAccess::Read, how.lock_timeout)?, how)
    }

    /// Of a file that is locked.
    pub(super) fn of(held: Held, how: &How) -> Result<Reading, Error> {
        let facts = held.file.facts().map_err(|error| held.error(error))?;
        let (offset, len) = range(&how.layout, facts.size).map_err(|fault| held.fault(fault))?;
        let Facts { size, device, inode, modified, .. } = facts;
        let identity = Identity::Foreign { device, inode, size, modified };
        let mut reading =
            Reading { held, size, identity, secret: None, fingerprint: 0, metadata: Vec::new(), offset, len: 0 };
        match how.layout {
            Layout::Headed => reading.read_header(how.unfinished)?,
            Layout::Foreign { fingerprint, .. } => {
                let limit = isize::MAX.cast_unsigned();
                let fits = usize::try_from(len).ok().filter(|len| *len <= limit);
                reading.len = fits.ok_or(Error::TooLarge { requested: usize::MAX, limit })?;
                reading.fingerprint = fingerprint;
            }
        }
        Ok(reading)
    }

    fn read_header(&mut self, unfinished: bool) -> Result<(), Error> {
        let mut bytes = [0; HEADER];
        let there = HEADER.min(usize::try_from(self.size).unwrap_or(HEADER));
        self.read(0, &mut bytes[..there])?;
        let parts = header::first(&bytes[..there]).and_then(|bytes| {
            let (header, now) = Header::parse(&bytes)?;
            let parts = header.parts(self.size)?;
            Ok((header, now, parts))
        });
        let (header, now, parts) = parts.map_err(|fault| self.held.fault(fault))?;
        let mut metadata = vec![0; parts.metadata.len()];
        self.read(parts.metadata.start as u64, &mut metadata)?;
        header.verify(&metadata).and_then(|()| now.check()).map_err(|fault| self.held.fault(fault))?;
        if now.state == BEING_WRITTEN && !unfinished {
            return Err(self.held.fault(FileFault::Unfinished { process: now.writer }));
        }
        self.identity = Identity::Headed { id: header.id, generation: now.generation };
        self.secret = Some(header.secret);
        self.metadata = metadata;
        self.fingerprint = header.title.fingerprint;
        (self.offset, self.len) = (parts.data.start as u64, parts.data.len());
        Ok(())
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), Error> {
        sys::read_at(self.held.file.file(), bytes, offset).map_err(|source| {
            if source.kind() != io::ErrorKind::UnexpectedEof {
                return self.held.fault(FileFault::Failed { operation: "read", source });
            }
            let found = self.held.file.facts().map_or(0, |facts| facts.size);
            self.held.fault(FileFault::TooShort { expected: offset.saturating_add(bytes.len() as u64), found })
        })
    }

    pub(super) fn value_key(&self) -> Key {
        let Reading { identity, fingerprint, offset, .. } = *self;
        Key { identity, offset, len: self.len as u64, fingerprint }
    }

    pub(super) fn fault(&self, fault: FileFault) -> Error {
        self.held.fault(fault)
    }

    /// The file, locked as it is.
    pub(super) fn into_held(self) -> Held {
        self.held
    }

    /// As the header says; of a foreign file, as the caller has said.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// In postcard; none of a foreign file.
    pub(crate) fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    /// Bytes of the value.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Copies bytes of the value, from an offset on.
    ///
    /// # Errors
    ///
    /// `Range`; `FileFault::TooShort` if there are fewer by now, `FileFault::Failed`.
    pub(crate) fn read_at(&self, offset: usize, bytes: &mut [u8]) -> Result<(), Error> {
        if offset > self.len || bytes.len() > self.len - offset {
            let end = offset.saturating_add(bytes.len());
            return Err(Error::Range { start: offset, end, length: self.len });
        }
        self.read(self.offset + offset as u64, bytes)
    }
}

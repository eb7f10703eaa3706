//! What a file says of the value in it: its first page.
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 48 | the [title](crate::title) | where metadata and data are, and of what type |
//! | 48 | 8 | id of the file | random |
//! | 56 | 16 | secret | the key of the MAC of its tokens; random |
//! | 72 | 8 | checksum | SipHash-1-3, without a key, of all before it and of the metadata |
//! | 80 | 8 | generation | 1 in a new file; greater, by a random number, each time that it is taken for writing |
//! | 88 | 4 | state | 0: finished; 1: being written |
//! | 92 | 4 | writer | id of the process that has taken it for writing last |
//! | 96 | | the metadata, in postcard | or behind the data, if there is no room for them |
//! | a page | | the data | at a multiple of the page size, and of 4096 at least |
//!
//! All numbers are little-endian. The last three change while the file is there, and only while it is locked alone.

use std::{
    hash::Hasher,
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64},
};

use siphasher::sip::SipHasher13;

use crate::{
    Error, FileFault, sys,
    title::{Field, Parts, TITLE, Title, TitleFault},
};

/// Bytes of a header.
pub(super) const HEADER: usize = 96;
/// The least page: no data begin before its end, or anywhere else but at a multiple of it.
pub(super) const PAGE: usize = 4096;
const MAGIC: u64 = u64::from_le_bytes(*b"cmn-file");
/// Changes with the layout.
const VERSION: u32 = 1;

const ID: Field = Field(48, 8);
const SECRET: usize = 56;
const CHECKSUM: Field = Field(72, 8);
const GENERATION: Field = Field(80, 8);
const STATE: Field = Field(88, 4);
const WRITER: Field = Field(92, 4);

pub(super) const FINISHED: u32 = 0;
pub(super) const BEING_WRITTEN: u32 = 1;

const _: () = {
    assert!(ID.0 == TITLE && SECRET == ID.0 + ID.1 && CHECKSUM.0 == SECRET + 16);
    assert!(GENERATION.0 == CHECKSUM.0 + CHECKSUM.1 && STATE.0 == GENERATION.0 + GENERATION.1);
    assert!(WRITER.0 == STATE.0 + STATE.1 && HEADER == WRITER.0 + WRITER.1);
    assert!(GENERATION.0.is_multiple_of(8) && STATE.0.is_multiple_of(4) && HEADER < PAGE);
};

/// What stands there from the beginning, and does not change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) title: Title,
    pub(super) id: u64,
    pub(super) secret: [u8; 16],
    checksum: u64,
}

/// What changes, as it was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Now {
    pub(super) generation: u64,
    pub(super) state: u32,
    pub(super) writer: u32,
}

impl Header {
    /// Of a new file.
    pub(super) fn new(title: Title, metadata: &[u8]) -> Result<Header, Error> {
        let mut secret = [0; 16];
        secret[..8].copy_from_slice(&sys::random_u64()?.to_le_bytes());
        secret[8..].copy_from_slice(&sys::random_u64()?.to_le_bytes());
        let mut header = Header { title, id: sys::random_u64()?, secret, checksum: 0 };
        header.checksum = header.sum(metadata);
        Ok(header)
    }

    pub(super) fn bytes(&self, now: Now) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..TITLE].copy_from_slice(&self.title.bytes(MAGIC, VERSION));
        ID.put(&mut bytes, self.id);
        bytes[SECRET..SECRET + 16].copy_from_slice(&self.secret);
        CHECKSUM.put(&mut bytes, self.checksum);
        GENERATION.put(&mut bytes, now.generation);
        STATE.put(&mut bytes, now.state.into());
        WRITER.put(&mut bytes, now.writer.into());
        bytes
    }

    /// # Errors
    ///
    /// [`FileFault::NoHeader`], [`FileFault::Version`].
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Result<(Header, Now), FileFault> {
        let (title, _) = bytes.split_first_chunk::<TITLE>().ok_or(FileFault::NoHeader { found: 0 })?;
        let title = Title::parse(title, MAGIC, VERSION).map_err(fault)?;
        let mut secret = [0; 16];
        secret.copy_from_slice(&bytes[SECRET..SECRET + 16]);
        let header = Header { title, id: ID.get(bytes), secret, checksum: CHECKSUM.get(bytes) };
        let now =
            Now { generation: GENERATION.get(bytes), state: STATE.get(bytes) as u32, writer: WRITER.get(bytes) as u32 };
        Ok((header, now))
    }

    /// Where the parts are, in a file of so many bytes.
    ///
    /// # Errors
    ///
    /// [`FileFault::Header`], [`FileFault::TooShort`].
    pub(super) fn parts(&self, size: u64) -> Result<Parts, FileFault> {
        let parts = self.title.parts(HEADER, PAGE).map_err(fault)?;
        if parts.metadata.start < parts.data.end && parts.data.start < parts.metadata.end {
            let found = parts.metadata.start as u64;
            return Err(FileFault::Header { what: "beginning of the metadata", found });
        }
        if parts.end > size {
            return Err(FileFault::TooShort { expected: parts.end, found: size });
        }
        Ok(parts)
    }

    /// Is all of it as it was written, and are these the metadata that it was written with?
    ///
    /// # Errors
    ///
    /// [`FileFault::Header`].
    pub(super) fn verify(&self, metadata: &[u8]) -> Result<(), FileFault> {
        if self.sum(metadata) == self.checksum {
            return Ok(());
        }
        Err(FileFault::Header { what: "checksum", found: self.checksum })
    }

    fn sum(&self, metadata: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new();
        hasher.write(&self.title.bytes(MAGIC, VERSION));
        hasher.write(&self.id.to_le_bytes());
        hasher.write(&self.secret);
        hasher.write(metadata);
        hasher.finish()
    }
}

impl Now {
    /// # Errors
    ///
    /// [`FileFault::Header`].
    pub(super) fn check(&self) -> Result<(), FileFault> {
        match self.state {
            FINISHED | BEING_WRITTEN => Ok(()),
            state => Err(FileFault::Header { what: "state", found: state.into() }),
        }
    }
}

/// What a file begins with that may be too short for a header.
///
/// # Errors
///
/// [`FileFault::NoHeader`], [`FileFault::TooShort`].
pub(super) fn first(bytes: &[u8]) -> Result<[u8; HEADER], FileFault> {
    if let Some(bytes) = bytes.first_chunk::<HEADER>() {
        return Ok(*bytes);
    }
    // What is there says more than how little it is.
    if let Some(found) = bytes.first_chunk().map(|first| u64::from_le_bytes(*first))
        && found != MAGIC
    {
        return Err(FileFault::NoHeader { found });
    }
    Err(FileFault::TooShort { expected: HEADER as u64, found: bytes.len() as u64 })
}

fn fault(fault: TitleFault) -> FileFault {
    match fault {
        TitleFault::Magic(found) => FileFault::NoHeader { found },
        TitleFault::Version(found) => FileFault::Version { expected: VERSION, found },
        TitleFault::Field(what, found) => FileFault::Header { what, found },
    }
}

/// The words of a header that change, in a mapping that may be written. As they stand there: little-endian.
pub(super) struct Words<'a> {
    pub(super) generation: &'a AtomicU64,
    pub(super) state: &'a AtomicU32,
    pub(super) writer: &'a AtomicU32,
}

impl Words<'_> {
    /// # Safety
    ///
    /// `base` is where the first page of a file is mapped, to be written, for as long as the words are there; and whoever else
    /// accesses them does so through atomics.
    pub(super) unsafe fn at<'a>(base: NonNull<u8>) -> Words<'a> {
        // SAFETY: within the page.
        let generation = unsafe { base.add(GENERATION.0) }.cast();
        // SAFETY: within the page.
        let state = unsafe { base.add(STATE.0) }.cast();
        // SAFETY: within the page.
        let writer = unsafe { base.add(WRITER.0) }.cast();
        Words {
            // SAFETY: mapped, by the caller, and aligned, by the assertions above.
            generation: unsafe { AtomicU64::from_ptr(generation.as_ptr()) },
            // SAFETY: as above.
            state: unsafe { AtomicU32::from_ptr(state.as_ptr()) },
            // SAFETY: as above.
            writer: unsafe { AtomicU32::from_ptr(writer.as_ptr()) },
        }
    }
}

/// For files that say anything, with a right checksum.
#[cfg(fuzzing)]
pub(crate) fn forged(said: &crate::fuzzing::FileSaid, metadata: &[u8]) -> [u8; HEADER] {
    let title = Title {
        metadata_len: said.metadata_len,
        fingerprint: said.fingerprint,
        metadata: said.metadata,
        data: said.data,
        data_len: said.data_len,
    };
    let mut header = Header { title, id: said.id, secret: [7; 16], checksum: 0 };
    header.checksum = header.sum(metadata);
    header.bytes(Now { generation: said.generation, state: said.state, writer: said.writer })
}

//! What memory, or a file, says at its beginning of the value in it. Those who have more to say do so right behind it.
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 8 | magic | |
//! | 8 | 4 | version of the layout | |
//! | 12 | 4 | length of the metadata | in bytes |
//! | 16 | 8 | fingerprint of the type | |
//! | 24 | 8 | where the metadata begin | |
//! | 32 | 8 | where the data begin | |
//! | 40 | 8 | length of the data | in bytes |
//!
//! All numbers are little-endian.

use std::ops::Range;

use crate::metadata;

/// Bytes of a title.
pub(crate) const TITLE: usize = 48;

/// The fields behind magic and version, as they stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Title {
    pub(crate) metadata_len: u32,
    pub(crate) fingerprint: u64,
    pub(crate) metadata: u64,
    pub(crate) data: u64,
    pub(crate) data_len: u64,
}

/// Where the parts of a value are; `end` is behind all of them.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) metadata: Range<usize>,
    pub(crate) data: Range<usize>,
    pub(crate) end: u64,
}

/// Why bytes are no title.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TitleFault {
    /// They begin with this.
    Magic(u64),
    /// Another layout.
    Version(u32),
    /// A field that can't be as it is: which, and what it is.
    Field(&'static str, u64),
}

const _: () = {
    assert!(Field::ALL[6].0 + Field::ALL[6].1 == TITLE);
    let mut at = 1;
    while at < Field::ALL.len() {
        assert!(Field::ALL[at - 1].0 + Field::ALL[at - 1].1 == Field::ALL[at].0);
        assert!(Field::ALL[at].0.is_multiple_of(Field::ALL[at].1));
        at += 1;
    }
};

/// Offset and size.
#[derive(Clone, Copy)]
pub(crate) struct Field(pub(crate) usize, pub(crate) usize);

impl Field {
    const MAGIC: Field = Field(0, 8);
    const VERSION: Field = Field(8, 4);
    const METADATA_LEN: Field = Field(12, 4);
    const FINGERPRINT: Field = Field(16, 8);
    const METADATA: Field = Field(24, 8);
    const DATA: Field = Field(32, 8);
    const DATA_LEN: Field = Field(40, 8);
    const ALL: [Field; 7] = [
        Field::MAGIC,
        Field::VERSION,
        Field::METADATA_LEN,
        Field::FINGERPRINT,
        Field::METADATA,
        Field::DATA,
        Field::DATA_LEN,
    ];

    /// The number that stands there. The bytes reach so far.
    pub(crate) fn get(self, bytes: &[u8]) -> u64 {
        let mut number = [0; 8];
        number[..self.1].copy_from_slice(&bytes[self.0..self.0 + self.1]);
        u64::from_le_bytes(number)
    }

    pub(crate) fn put(self, bytes: &mut [u8], value: u64) {
        bytes[self.0..self.0 + self.1].copy_from_slice(&value.to_le_bytes()[..self.1]);
    }
}

impl Title {
    pub(crate) fn bytes(&self, magic: u64, version: u32) -> [u8; TITLE] {
        let mut bytes = [0; TITLE];
        Field::MAGIC.put(&mut bytes, magic);
        Field::VERSION.put(&mut bytes, version.into());
        Field::METADATA_LEN.put(&mut bytes, self.metadata_len.into());
        Field::FINGERPRINT.put(&mut bytes, self.fingerprint);
        Field::METADATA.put(&mut bytes, self.metadata);
        Field::DATA.put(&mut bytes, self.data);
        Field::DATA_LEN.put(&mut bytes, self.data_len);
        bytes
    }

    /// # Errors
    ///
    /// [`TitleFault::Magic`], [`TitleFault::Version`].
    pub(crate) fn parse(bytes: &[u8; TITLE], magic: u64, version: u32) -> Result<Self, TitleFault> {
        let found = Field::MAGIC.get(bytes);
        if found != magic {
            return Err(TitleFault::Magic(found));
        }
        let found = Field::VERSION.get(bytes) as u32;
        if found != version {
            return Err(TitleFault::Version(found));
        }
        Ok(Title {
            metadata_len: Field::METADATA_LEN.get(bytes) as u32,
            fingerprint: Field::FINGERPRINT.get(bytes),
            metadata: Field::METADATA.get(bytes),
            data: Field::DATA.get(bytes),
            data_len: Field::DATA_LEN.get(bytes),
        })
    }

    /// Where the parts are, of a header of so many bytes: the data at a multiple of `start`, and not before it.
    ///
    /// # Errors
    ///
    /// [`TitleFault::Field`].
    pub(crate) fn parts(&self, header: usize, start: usize) -> Result<Parts, TitleFault> {
        let start = start as u64;
        if self.data < start || !self.data.is_multiple_of(start) {
            return Err(TitleFault::Field("beginning of the data", self.data));
        }
        if self.metadata < header as u64 {
            return Err(TitleFault::Field("beginning of the metadata", self.metadata));
        }
        let limit = isize::MAX.cast_unsigned();
        let range = |what, start: u64, len: u64| {
            let end = start.checked_add(len).filter(|end| *end <= limit as u64).ok_or(TitleFault::Field(what, len))?;
            Ok(start as usize..end as usize)
        };
        if self.metadata_len > metadata::MOST {
            return Err(TitleFault::Field("length of the metadata", self.metadata_len.into()));
        }
        let metadata = range("length of the metadata", self.metadata, self.metadata_len.into())?;
        let data = range("length of the data", self.data, self.data_len)?;
        let end = metadata.end.max(data.end) as u64;
        Ok(Parts { metadata, data, end })
    }
}

//! What a sealed memfd says of itself.
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 8 | magic | |
//! | 8 | 4 | layout version | |
//! | 12 | 4 | length of the metadata | in bytes |
//! | 16 | 8 | fingerprint of the type | |
//! | 24 | 8 | where the metadata begin | right behind the header, or behind the data if there is no room for them |
//! | 32 | 8 | where the data begin | a multiple of 128, and of the type's alignment |
//! | 40 | 8 | length of the data | in bytes |
//! | 48 | | the metadata, in postcard | |
//! | 128 | | the data | or later, if the type's alignment is more |
//!
//! All numbers are little-endian.

use std::{any::type_name, ops::Range};

use crate::{DescriptorFault, Error, ShmemChecked, metadata};

/// Bytes of a header.
pub(super) const HEADER: usize = 48;
/// Where data begin at the earliest: the metadata have room before it.
pub(super) const DATA: usize = 128;
const MAGIC: u64 = u64::from_le_bytes(*b"cmn seal");
/// Changes with the layout.
const VERSION: u32 = 1;

/// The fields behind magic and version, as they stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) metadata_len: u32,
    pub(super) fingerprint: u64,
    pub(super) metadata: u64,
    pub(super) data: u64,
    pub(super) data_len: u64,
}

/// Where in the memory the parts of a value are; `end` is behind all of them.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) metadata: Range<usize>,
    pub(super) data: Range<usize>,
    pub(super) end: u64,
}

const _: () = {
    assert!(Field::ALL[6].0 + Field::ALL[6].1 == HEADER);
    let mut at = 1;
    while at < Field::ALL.len() {
        assert!(Field::ALL[at - 1].0 + Field::ALL[at - 1].1 == Field::ALL[at].0);
        assert!(Field::ALL[at].0.is_multiple_of(Field::ALL[at].1));
        at += 1;
    }
    assert!(HEADER < DATA);
};

/// Offset and size.
struct Field(usize, usize);

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

    fn get(&self, bytes: &[u8; HEADER]) -> u64 {
        let mut number = [0; 8];
        number[..self.1].copy_from_slice(&bytes[self.0..self.0 + self.1]);
        u64::from_le_bytes(number)
    }

    fn put(&self, bytes: &mut [u8; HEADER], value: u64) {
        bytes[self.0..self.0 + self.1].copy_from_slice(&value.to_le_bytes()[..self.1]);
    }
}

impl Header {
    pub(super) fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        Field::MAGIC.put(&mut bytes, MAGIC);
        Field::VERSION.put(&mut bytes, VERSION.into());
        Field::METADATA_LEN.put(&mut bytes, self.metadata_len.into());
        Field::FINGERPRINT.put(&mut bytes, self.fingerprint);
        Field::METADATA.put(&mut bytes, self.metadata);
        Field::DATA.put(&mut bytes, self.data);
        Field::DATA_LEN.put(&mut bytes, self.data_len);
        bytes
    }

    /// # Errors
    ///
    /// [`DescriptorFault::NotASealedValue`], [`DescriptorFault::Version`].
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Result<Self, Error> {
        let magic = Field::MAGIC.get(bytes);
        if magic != MAGIC {
            return Err(no_value("first number", magic));
        }
        let version = Field::VERSION.get(bytes) as u32;
        if version != VERSION {
            return Err(Error::Descriptor(DescriptorFault::Version { expected: VERSION, found: version }));
        }
        Ok(Header {
            metadata_len: Field::METADATA_LEN.get(bytes) as u32,
            fingerprint: Field::FINGERPRINT.get(bytes),
            metadata: Field::METADATA.get(bytes),
            data: Field::DATA.get(bytes),
            data_len: Field::DATA_LEN.get(bytes),
        })
    }

    /// Where a `T` is.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`], [`DescriptorFault::NotASealedValue`].
    pub(super) fn parts<T: ShmemChecked + ?Sized>(&self) -> Result<Parts, Error> {
        let fingerprint = T::fingerprint();
        if self.fingerprint != fingerprint {
            return Err(Error::WrongType {
                expected: type_name::<T>(),
                expected_fingerprint: fingerprint,
                found_fingerprint: self.fingerprint,
            });
        }
        let start = start_of_data::<T>()? as u64;
        if self.data < start || !self.data.is_multiple_of(start) {
            return Err(no_value("beginning of the data", self.data));
        }
        if self.metadata < HEADER as u64 {
            return Err(no_value("beginning of the metadata", self.metadata));
        }
        let limit = isize::MAX.cast_unsigned();
        let range = |what, start: u64, len: u64| {
            let end = start.checked_add(len).filter(|end| *end <= limit as u64).ok_or(no_value(what, len))?;
            Ok::<_, Error>(start as usize..end as usize)
        };
        if self.metadata_len > metadata::MOST {
            return Err(no_value("length of the metadata", self.metadata_len.into()));
        }
        let metadata = range("length of the metadata", self.metadata, self.metadata_len.into())?;
        let data = range("length of the data", self.data, self.data_len)?;
        let end = metadata.end.max(data.end) as u64;
        Ok(Parts { metadata, data, end })
    }
}

/// Where the data of a `T` begin.
///
/// # Errors
///
/// [`Error::Alignment`].
pub(super) fn start_of_data<T: ShmemChecked + ?Sized>() -> Result<usize, Error> {
    // Memory is mapped at whole pages, and none is smaller.
    const LIMIT: usize = 4096;
    let requested = T::ALIGNMENT;
    if !requested.is_power_of_two() || requested > LIMIT {
        return Err(Error::Alignment { requested, limit: LIMIT });
    }
    Ok(requested.max(DATA))
}

fn no_value(what: &'static str, found: u64) -> Error {
    Error::Descriptor(DescriptorFault::NotASealedValue { what, found })
}

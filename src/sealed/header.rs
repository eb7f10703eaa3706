//! What a sealed memfd says of itself: a [title](crate::title), the metadata in postcard right behind it, or behind the data
//! if there is no room for them, and the data, at offset 128 or at a multiple of it if the type's alignment is more.

use std::any::type_name;

pub(super) use crate::title::{Parts, TITLE as HEADER};
use crate::{
    DescriptorFault, Error, ShmemChecked,
    title::{Title, TitleFault},
};

/// Where data begin at the earliest: the metadata have room before it.
pub(super) const DATA: usize = 128;
const MAGIC: u64 = u64::from_le_bytes(*b"cmn seal");
/// Changes with the layout.
const VERSION: u32 = 1;

const _: () = assert!(HEADER < DATA);

/// The fields behind magic and version, as they stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header(pub(super) Title);

impl Header {
    pub(super) fn bytes(&self) -> [u8; HEADER] {
        self.0.bytes(MAGIC, VERSION)
    }

    /// # Errors
    ///
    /// [`DescriptorFault::NotASealedValue`], [`DescriptorFault::Version`].
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Result<Self, Error> {
        Title::parse(bytes, MAGIC, VERSION).map(Header).map_err(no_value)
    }

    /// Where a `T` is.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`], [`DescriptorFault::NotASealedValue`].
    pub(super) fn parts<T: ShmemChecked + ?Sized>(&self) -> Result<Parts, Error> {
        let fingerprint = T::fingerprint();
        if self.0.fingerprint != fingerprint {
            return Err(Error::WrongType {
                expected: type_name::<T>(),
                expected_fingerprint: fingerprint,
                found_fingerprint: self.0.fingerprint,
            });
        }
        self.0.parts(HEADER, start_of_data::<T>()?).map_err(no_value)
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

fn no_value(fault: TitleFault) -> Error {
    Error::Descriptor(match fault {
        TitleFault::Magic(found) => DescriptorFault::NotASealedValue { what: "first number", found },
        TitleFault::Version(found) => DescriptorFault::Version { expected: VERSION, found },
        TitleFault::Field(what, found) => DescriptorFault::NotASealedValue { what, found },
    })
}

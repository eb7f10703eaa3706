//! Metadata as they stand in a token, and in memory or in a file that says of itself what is in it.

use std::any::type_name;

use crate::{Error, ShmemBacked};

/// The most metadata, in bytes: what is made of those of a stranger takes memory of this process's own, and more than they do.
pub(crate) const MOST: u32 = 1 << 20;

/// In postcard.
///
/// # Errors
///
/// [`Error::Metadata`].
pub(crate) fn encode<T: ShmemBacked + ?Sized>(metadata: &T::MetaData) -> Result<Vec<u8>, Error> {
    let bytes = postcard::to_allocvec(metadata).map_err(|error| unfit::<T>(error.to_string()))?;
    match u32::try_from(bytes.len()) {
        Ok(..=MOST) => Ok(bytes),
        _ => Err(unfit::<T>(format!("they are {} bytes, of {MOST} at most", bytes.len()))),
    }
}

/// From postcard, of which nothing may be left.
///
/// # Errors
///
/// [`Error::Metadata`].
#[inline]
pub(crate) fn decode<T: ShmemBacked + ?Sized>(bytes: &[u8]) -> Result<T::MetaData, Error> {
    match postcard::take_from_bytes::<T::MetaData>(bytes) {
        Ok((metadata, [])) => Ok(metadata),
        Ok((_, rest)) => Err(unfit::<T>(format!("{} bytes are left behind them", rest.len()))),
        Err(error) => Err(unfit::<T>(error.to_string())),
    }
}

#[cold]
fn unfit<T: ?Sized>(reason: String) -> Error {
    Error::Metadata { type_name: type_name::<T>(), reason }
}

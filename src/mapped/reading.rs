//! Reading a file without mapping it: nobody who cuts it then can end this process.

use std::path::Path;

use super::How;
use crate::Error;

/// A file, open and locked for reading, all that can be checked without its type checked, and not mapped.
#[derive(Debug)]
pub(crate) struct Reading {
    fingerprint: u64,
    metadata: Vec<u8>,
    len: usize,
}

impl Reading {
    /// As [`open`](super::open) for reading. What `how` says of memory has no effect.
    ///
    /// # Errors
    ///
    /// `Error::File`.
    pub(crate) fn open(path: &Path, how: &How) -> Result<Reading, Error> {
        unimplemented!()
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
    /// `FileFault::TooShort` if there are fewer by now, `FileFault::Failed`.
    pub(crate) fn read_at(&self, offset: usize, bytes: &mut [u8]) -> Result<(), Error> {
        unimplemented!()
    }
}

//! What is there already.

use std::{ops::Range, path::Path, time::Duration};

use super::{Advice, Part};
use crate::Error;

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
    unimplemented!()
}

impl Opened {
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
    /// `FileFault::TooShort`.
    pub(crate) fn narrow(&mut self, range: Range<u64>) -> Result<(), Error> {
        unimplemented!()
    }

    /// The value: for a writer another generation begins, state *being written*.
    pub(crate) fn begin(self) -> Part {
        unimplemented!()
    }
}

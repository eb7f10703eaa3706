//! What is made: nobody sees it before it is whole.

use std::path::Path;

use super::{Advice, How, Part};
use crate::Error;

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
#[derive(Debug)]
pub(crate) struct Draft {}

impl Draft {
    /// `len` bytes of data, all zero.
    ///
    /// # Errors
    ///
    /// `Error::File`, `Error::NoSpace`, `Error::TooLarge`, `Error::Alignment`.
    pub(crate) fn new(path: &Path, len: usize, making: &Making) -> Result<Draft, Error> {
        unimplemented!()
    }

    /// Absolute: where it will be.
    pub(crate) fn path(&self) -> &Path {
        unimplemented!()
    }

    /// The data.
    pub(crate) fn bytes(&self) -> &[u8] {
        unimplemented!()
    }

    /// The data.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        unimplemented!()
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
        unimplemented!()
    }

    /// Brings the file into view, whole, in place of what has its name; `durable`: it is on the disk then. A part is
    /// returned unless it is closed.
    ///
    /// # Errors
    ///
    /// The draft, unless a part of this could not be undone (then none): `Error::File`, `Error::NoSpace`, `Inherited`.
    pub(crate) fn publish(
        self,
        description: Description<'_>,
        durable: bool,
        then: Then,
    ) -> Result<Option<Part>, (Option<Draft>, Error)> {
        unimplemented!()
    }
}

/// `len` bytes of this process's own, all zero, with what `how` says of populating, advice and locking in memory. Its part is
/// a writer's.
///
/// # Errors
///
/// `Error::NoSpace`, `Error::Os`.
pub(crate) fn anonymous(len: usize, fingerprint: u64, how: &How) -> Result<Part, Error> {
    unimplemented!()
}

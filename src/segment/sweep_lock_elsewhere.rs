//! The lock of whoever sweeps a segment: a file beside it. The object itself has no locks here.

use std::marker::PhantomData;

use super::{Segment, estates};
use crate::sys::{self, LockFile};

/// The right to sweep a segment, which one process has at a time; it goes with this value, or with the process.
pub(crate) struct SweepLock<'a> {
    _file: LockFile,
    segment: PhantomData<&'a Segment>,
}

pub(super) fn take(segment: &Segment) -> Option<SweepLock<'_>> {
    let path = sys::named_directory().join(format!("{}{}", estates::SWEEP, segment.id()));
    LockFile::take(path).map(|_file| SweepLock { _file, segment: PhantomData })
}

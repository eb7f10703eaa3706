//! The lock of whoever sweeps a segment: a byte of the object, as those of the slots.

use super::Segment;
use crate::sys::Object;

/// Far behind all slots.
const BYTE: u32 = u32::MAX;

/// The right to sweep a segment, which one process has at a time; it goes with this value, or with the process.
pub(crate) struct SweepLock<'a>(&'a Object);

pub(super) fn take(segment: &Segment) -> Option<SweepLock<'_>> {
    let object = segment.object();
    matches!(object.lock(BYTE), Ok(true)).then(|| SweepLock(object))
}

impl Drop for SweepLock<'_> {
    fn drop(&mut self) {
        self.0.unlock(BYTE);
    }
}

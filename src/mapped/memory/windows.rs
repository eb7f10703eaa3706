//! What Windows can be told of memory.

use std::io;

use memmap2::MmapRaw;

use super::start;
use crate::{mapped::Advice, sys};

/// Nothing: there is no such advice.
pub(in crate::mapped) fn advise(_map: &MmapRaw, _advice: Advice, _offset: usize, _len: usize) -> io::Result<()> {
    Ok(())
}

/// Keeps all of it in memory, or no longer.
pub(in crate::mapped) fn lock(map: &MmapRaw, locked: bool) -> io::Result<()> {
    // SAFETY: all of a mapping that is there.
    unsafe { sys::lock_pages(start(map), map.len(), locked) }
}

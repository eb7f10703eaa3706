//! What a Unix can be told of memory.

use std::io;

use memmap2::MmapRaw;

use crate::mapped::Advice;

/// Says how bytes of it will be accessed.
pub(in crate::mapped) fn advise(map: &MmapRaw, advice: Advice, offset: usize, len: usize) -> io::Result<()> {
    let advice = match advice {
        Advice::Normal => memmap2::Advice::Normal,
        Advice::Random => memmap2::Advice::Random,
        Advice::Sequential => memmap2::Advice::Sequential,
        Advice::WillNeed => memmap2::Advice::WillNeed,
        Advice::HugePages => match huge_pages() {
            Some(advice) => advice,
            None => return Ok(()),
        },
    };
    match map.advise_range(advice, offset, len) {
        // Not of this kind of file, or not by this kernel: it is advice.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        done => done,
    }
}

#[cfg(target_os = "linux")]
fn huge_pages() -> Option<memmap2::Advice> {
    Some(memmap2::Advice::HugePage)
}

#[cfg(not(target_os = "linux"))]
fn huge_pages() -> Option<memmap2::Advice> {
    None
}

/// Keeps all of it in memory, or no longer.
pub(in crate::mapped) fn lock(map: &MmapRaw, locked: bool) -> io::Result<()> {
    if locked { map.lock() } else { map.unlock() }
}

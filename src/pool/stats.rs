//! What this process's pool has at the moment.

use crate::pool::owner;

/// What this process's pool has at the moment of the call: the segments that it has made, and what is in them, whoever
/// holds it. Values of other processes' pools that this process holds are not in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Segments: shared memory objects of the system.
    pub segments: usize,
    /// Values, in whatever process they are held, and those that are on their way.
    pub blocks: usize,
    /// Bytes of the blocks of those values, each as large as the pool made it: at least as large as the value.
    pub live: u64,
    /// Bytes that have memory, and that no value uses: the next values are made of them.
    pub warm: u64,
    /// Bytes that have memory in the data areas: `live` and `warm` together, and the small blocks that threads have cached,
    /// and what such blocks leave of their pages.
    pub reserved: u64,
    /// Tickets that have been issued for those values, by whatever process, and have not been claimed or revoked.
    pub tickets: usize,
    /// Occupied participant slots, summed over the segments, this process's own included: a process that has two of the
    /// segments mapped counts twice. One that died counts until it has been swept.
    pub participants: usize,
}

/// What this process's pool has at the moment.
///
/// ```
/// use commonage::{SharedSlice, stats};
/// let value = SharedSlice::<u8>::copy_from(&[7; 1000])?;
/// let with = stats();
/// assert_eq!((with.blocks, with.segments, with.participants), (1, 1, 1));
/// assert!(with.live >= 1000 && with.live <= with.reserved);
/// drop(value);
/// assert_eq!(stats().blocks, 0);
/// # Ok::<(), commonage::Error>(())
/// ```
pub fn stats() -> Stats {
    owner::stats()
}

//! Files that hold values: what the platforms have in common. Each of them has a `DiskFile` and a `NewFile` of its own.
//!
//! ```text
//! DiskFile::open ── lock ── facts ──> mapped by who has it           what is there
//! NewFile::create ── publish ──> DiskFile                            what is made: in view when it is whole
//! ```
//!
//! The locks are those of the one description by which the file is open: of all of the file, alone or with others who
//! have it so. A mapping, a copy of the descriptor and a forked child each keep the description, so what is not to be
//! locked any more is unlocked; and the system unlocks what a process has that ends.

/// What the system says of an open file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Facts {
    /// Bytes that it has.
    pub(crate) size: u64,
    /// Bytes of them that have memory, or blocks of a disk, behind them.
    pub(crate) backed: u64,
    /// The two tell it from others, as long as it is there.
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// When it was last changed, in nanoseconds; zero where what is written through a mapping is not said in time.
    pub(crate) modified: u64,
    /// Its user, and permission bits; zero where there are none.
    pub(crate) user: u32,
    pub(crate) mode: u32,
}

//! What can go wrong with a ring while it is used.

/// Why a call on a ring did not do what it was asked for. Nothing has been pushed or popped, but for what an `Unfinished` slice
/// says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RingError {
    /// There is less room than was asked for.
    #[error("the ring is full")]
    Full,
    /// There are fewer elements than were asked for.
    #[error("the ring is empty")]
    Empty,
    /// The other side has ended: dropped, or its process killed. A receiver has had everything that was sent before, or can
    /// still pop what it did not wait for.
    #[error("the other side of the ring has ended")]
    Closed,
    /// The time has passed.
    #[error("the time for it has passed")]
    TimedOut,
    /// More elements than the ring will ever have room for.
    #[error("more than the capacity of the ring, {capacity}")]
    TooMany {
        /// Elements that it has room for.
        capacity: usize,
    },
    /// The other side says what can't be: its index is out of range, or has gone backwards. This side is of no use any more.
    #[error("the other side's index can't be {found}: {least} to {most} expected")]
    Corrupt {
        /// The index that it has published.
        found: u64,
        /// The least that it could be.
        least: u64,
        /// The most.
        most: u64,
    },
    /// This side was inherited from the parent process by `fork`: only the parent can use it.
    #[error("this side of the ring was inherited by fork: only the parent can use it")]
    Inherited,
}

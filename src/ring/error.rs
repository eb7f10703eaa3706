//! What can go wrong with a ring: while it is attached to, and while it is used.

/// Why memory can't be attached to as a ring. It comes in an [`Error::Ring`](crate::Error::Ring).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RingFault {
    /// There is no room for a single element.
    #[error("{found} bytes are too few: {needed} needed")]
    TooShort {
        /// Bytes that there are.
        found: usize,
        /// Bytes that a ring of one element needs.
        needed: usize,
    },
    /// The memory does not begin where a ring can.
    #[error("it begins at {address:#x}, which is no multiple of {alignment}")]
    Misaligned {
        /// Where it begins.
        address: usize,
        /// What that must be a multiple of.
        alignment: usize,
    },
    /// The other side has attached to it as a ring of other elements, or of another capacity.
    #[error("the other side has another element type or capacity: {expected:016x} expected, {found:016x} found")]
    Kind {
        /// The number of this side's type and capacity.
        expected: u64,
        /// The number of the other side's.
        found: u64,
    },
    /// What stands there are not the indices of a ring.
    #[error("its indices can't be {head} and {tail}: they are further apart than its capacity of {capacity}")]
    Indices {
        /// The index of the next element to be popped.
        head: u64,
        /// The index of the next element to be pushed.
        tail: u64,
        /// Elements that it has room for.
        capacity: u64,
    },
}

/// Why a call on a ring did not do what it was asked for. Nothing has been pushed or popped.
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

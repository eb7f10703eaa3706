//! What stands between memory and a ring.

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

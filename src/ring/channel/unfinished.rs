//! A slice of which a part is done.

use crate::ring::RingError;

/// Why not all of a slice was pushed, or popped, and how much of it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{error}, after {done} elements")]
pub struct Unfinished {
    /// How many elements from the beginning of the slice have been pushed, or popped.
    pub done: usize,
    /// What has ended it.
    #[source]
    pub error: RingError,
}

impl From<Unfinished> for RingError {
    fn from(unfinished: Unfinished) -> Self {
        unfinished.error
    }
}

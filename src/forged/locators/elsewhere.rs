//! Where there is no memory without a name: what a locator leads to is said by a name alone.

use super::*;

/// What keeps something where it was made.
pub(super) type Kept = Left;

pub(super) fn kept(left: Left) -> Kept {
    left
}

/// Nothing has no name.
pub(super) fn without_a_name(_bytes: &[u8]) -> (Door, Kept) {
    unreachable!("no backing of this platform")
}

/// In the directory of names there are files and directories only.
pub(super) fn other_things_are_not_the_segment() {}

/// A file is one like another.
pub(super) fn other_objects_are_not_the_segment() {}

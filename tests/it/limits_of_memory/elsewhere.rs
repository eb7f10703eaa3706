//! A file system has room for segments as a whole: all of their memory is reserved when they are made.

use commonage::Error;

use super::MIB;
use crate::scene::until;

/// Bytes of a file system with room for a few values.
pub(super) const SMALL: u64 = 4 * MIB;
/// With room for an owner of 2 MB and its heir of 2.5 MB, one after the other, and what the heir has before: nearly all of
/// its first segment, of 16 MiB. Their segments are of 4 MiB.
pub(super) const FOR_ONE: u64 = 22 * MIB;
pub(super) const BEFORE: usize = 14_500_000;

/// A file that was mapped may take its room for a moment longer than its process lives.
pub(super) fn when_freed<T>(make: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    until("what nobody has any more is free", || match make() {
        Err(Error::NoSpace { .. }) => None,
        made => Some(made),
    })
}

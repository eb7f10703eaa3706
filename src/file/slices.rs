//! Slices that are written in their file.

use std::path::Path;

use bytemuck::{CheckedBitPattern, NoUninit, Zeroable};

use super::{Draft, Options, making};
use crate::{Error, ShmemBacked, backed::room_for};

impl<E: NoUninit + CheckedBitPattern> Draft<[E]> {
    /// A draft of the `len` elements that `f` makes of their indices, in order. Each is written where it stays.
    ///
    /// ```
    /// use commonage::file::{self, Draft};
    /// # let directory = std::env::temp_dir().join(format!("commonage-docs-from-fn-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("squares");
    /// Draft::<[u64]>::from_fn(&path, 1000, |index| (index * index) as u64)?.publish()?;
    /// assert_eq!(file::read::<[u64]>(&path)?[30], 900);
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`write`](super::write).
    pub fn from_fn(path: impl AsRef<Path>, len: usize, f: impl FnMut(usize) -> E) -> Result<Self, Error> {
        super::options::<[E]>().draft_from_fn(path, len, f)
    }

    /// A draft of `len` zeroes, which new files consist of: nothing is written.
    ///
    /// # Errors
    ///
    /// As [`write`](super::write).
    pub fn zeroed(path: impl AsRef<Path>, len: usize) -> Result<Self, Error>
    where
        E: Zeroable,
    {
        super::options::<[E]>().draft_zeroed(path, len)
    }
}

impl<E: NoUninit + CheckedBitPattern> Options<[E]> {
    /// [`Draft::from_fn`] with these options.
    ///
    /// # Errors
    ///
    /// As [`write`](super::write).
    pub fn draft_from_fn(
        &self,
        path: impl AsRef<Path>,
        len: usize,
        mut f: impl FnMut(usize) -> E,
    ) -> Result<Draft<[E]>, Error> {
        making::draft(self, path.as_ref(), len.saturating_mul(size_of::<E>()), |data| {
            for (index, room) in room_for(data, len).iter_mut().enumerate() {
                room.write(f(index));
            }
            len
        })
    }

    /// [`Draft::zeroed`] with these options.
    ///
    /// # Errors
    ///
    /// As [`write`](super::write).
    pub fn draft_zeroed(&self, path: impl AsRef<Path>, len: usize) -> Result<Draft<[E]>, Error>
    where
        E: Zeroable,
    {
        let bytes = <[E]>::required_memory_arg(&(E::zeroed(), len));
        // Zeroes are valid elements: that is `Zeroable`.
        making::draft(self, path.as_ref(), bytes, |_| len)
    }
}

//! What handles on values in files have besides.

use std::{ops::Range, path::Path};

use super::SharedMut;
use crate::{Error, ShmemBacked, mapped::Advice};

/// Of values in a [`file`](crate::file). See there how they come to be.
impl<T> SharedMut<T>
where
    T: ShmemBacked + ?Sized,
{
    /// The file that the value is in, as an absolute path; none if it is in a pool, or in memory without a file.
    ///
    /// It is where the file was when this process opened it: it may have been renamed or removed since.
    pub fn path(&self) -> Option<&Path> {
        self.hold.part().path()
    }

    /// Brings what has been written to the disk, and waits until it is there. Whoever opens the file sees what has been
    /// written in any case, at once; this is for machines that lose power. Nothing to do where there is no file. That the
    /// value is finished is said by [`freeze`](Self::freeze), and brought there by
    /// [`Shared::flush`](crate::Shared::flush).
    ///
    /// ```
    /// use commonage::file;
    /// # let directory = std::env::temp_dir().join(format!("commonage-docs-flush-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("counters");
    /// // SAFETY: nobody changes the file but through this crate.
    /// let mut counters = unsafe { file::create::<[u64]>(&path, &(0, 1000)) }?;
    /// counters[7] += 1;
    /// counters.flush_range(7 * 8..8 * 8)?;
    /// counters.fill(1);
    /// counters.flush()?;
    /// # drop(counters);
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Serialized`] if the handle has been serialized; [`FileFault::Failed`](crate::FileFault::Failed) of the file:
    /// then some of it may not be on the disk.
    pub fn flush(&self) -> Result<(), Error> {
        let part = self.hold.live_part()?;
        part.flush(0..part.len())
    }

    /// Has the system bring to the disk what has been written, in its own time: Linux does so in any case, within about half a
    /// minute. What it waits for is only, once, that the file says there that it is being written.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    pub fn flush_async(&self) -> Result<(), Error> {
        let part = self.hold.live_part()?;
        part.flush_async(0..part.len())
    }

    /// [`flush`](Self::flush), of these bytes of the value only, and of what is on the same pages.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush), and [`Error::Range`] if the bytes do not lie within the value.
    pub fn flush_range(&self, bytes: Range<usize>) -> Result<(), Error> {
        let part = self.hold.live_part()?;
        if bytes.start > bytes.end || bytes.end > part.len() {
            return Err(Error::Range { start: bytes.start, end: bytes.end, length: part.len() });
        }
        part.flush(bytes)
    }

    /// Says what will be done with this range of the file, for the system to act upon. No effect on a value in a pool, nor
    /// where the platform has no such advice.
    ///
    /// # Errors
    ///
    /// As [`Shared::advise`](crate::Shared::advise), and [`Error::Serialized`] if the handle has been serialized.
    pub fn advise(&self, advice: Advice) -> Result<(), Error> {
        self.hold.live_part()?.advise(advice)
    }

    /// Keeps the file's value in memory, all of it, so that no look at it waits for a disk, until
    /// [`unlock_from_memory`](Self::unlock_from_memory), or until the last handle here is gone. What was not in memory is read
    /// now. No effect on a value in a pool.
    ///
    /// # Errors
    ///
    /// As [`Shared::lock_in_memory`](crate::Shared::lock_in_memory), and [`Error::Serialized`] if the handle has been
    /// serialized.
    pub fn lock_in_memory(&self) -> Result<(), Error> {
        self.hold.live_part()?.lock_in_memory(true)
    }

    /// Undoes [`lock_in_memory`](Self::lock_in_memory), by whichever handle here that was done.
    ///
    /// # Errors
    ///
    /// As [`lock_in_memory`](Self::lock_in_memory).
    pub fn unlock_from_memory(&self) -> Result<(), Error> {
        self.hold.live_part()?.lock_in_memory(false)
    }
}

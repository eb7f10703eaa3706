//! What handles on values in files have besides.

use std::path::Path;

use super::Shared;
use crate::{Error, ShmemBacked, mapped::Advice};

/// Of values in a [`file`](crate::file). See there how they come to be.
impl<T> Shared<T>
where
    T: ShmemBacked + ?Sized,
{
    /// The file that the value is in, as an absolute path; none if it is in a pool, or in memory without a file.
    ///
    /// It is where the file was when this process opened it: it may have been renamed or removed since.
    ///
    /// ```
    /// use commonage::{SharedStr, file};
    /// # let directory = std::env::temp_dir().join(format!("commonage-docs-path-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("words");
    /// file::write(&path, "aardvark abacus")?;
    /// // SAFETY: nobody changes the file but through this crate.
    /// let words: SharedStr = unsafe { file::open(&path) }?;
    /// assert_eq!(words.path(), Some(&*path));
    ///
    /// // What is sent leads to the same file: no copy.
    /// let received = SharedStr::from_token(&words.slice(9..).into_token()?)?;
    /// assert_eq!(&*received, "abacus");
    /// assert_eq!(received.path(), Some(&*path));
    ///
    /// assert_eq!(SharedStr::copy_from("in the pool")?.path(), None);
    /// # drop((words, received));
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn path(&self) -> Option<&Path> {
        self.part.path()
    }

    /// Brings the whole value to the disk, and after it that its writer has finished, and waits until both are there: after a
    /// loss of power the file is opened as it is now. Nothing to do where there is no file, or where this process has
    /// opened it to read: that is for its writer to do. Of a file that was made with
    /// [`durable(false)`](crate::file::Options::durable) the system has to bring there the rest: its name, and metadata for
    /// which the header's page has no room.
    ///
    /// ```
    /// use commonage::file;
    /// # let directory = std::env::temp_dir().join(format!("commonage-docs-finished-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("table");
    /// // SAFETY: nobody changes the file but through this crate.
    /// let mut table = unsafe { file::create::<[u64]>(&path, &(0, 1000)) }?;
    /// table.fill(1);
    /// // First the numbers alone, while the file says that it is being written: it never says too early that it is not.
    /// table.flush()?;
    /// table.freeze()?.flush()?;
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`FileFault::Failed`](crate::FileFault::Failed) of the file: then some of it may not be on the disk.
    pub fn flush(&self) -> Result<(), Error> {
        self.part.flush_finished()
    }

    /// Says what will be done with this range of the file, for the system to act upon. No effect on a value in a pool, nor
    /// where the platform has no such advice.
    ///
    /// # Errors
    ///
    /// [`Error::Os`], or [`FileFault::Failed`](crate::FileFault::Failed) of the file.
    pub fn advise(&self, advice: Advice) -> Result<(), Error> {
        self.part.advise(advice)
    }

    /// Keeps the file's value in memory, all of it, so that no look at it waits for a disk, until
    /// [`unlock_from_memory`](Self::unlock_from_memory), or until the last handle here is gone. What was not in memory is read
    /// now. No effect on a value in a pool.
    ///
    /// # Errors
    ///
    /// [`Error::Os`], or [`FileFault::Failed`](crate::FileFault::Failed) of the file: above all if it is more than this process
    /// may lock (`RLIMIT_MEMLOCK`, `ulimit -l`).
    pub fn lock_in_memory(&self) -> Result<(), Error> {
        self.part.lock_in_memory(true)
    }

    /// Undoes [`lock_in_memory`](Self::lock_in_memory), by whichever handle here that was done.
    ///
    /// # Errors
    ///
    /// As [`lock_in_memory`](Self::lock_in_memory).
    pub fn unlock_from_memory(&self) -> Result<(), Error> {
        self.part.lock_in_memory(false)
    }
}

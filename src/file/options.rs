//! How a file is made or opened.

#![allow(unsafe_code)] // What maps a file that a stranger can cut is for its caller to answer for.

use std::{any::type_name, fmt, marker::PhantomData, path::Path, time::Duration};

use super::{Advice, Draft, making, raw::Foreign};
#[cfg(doc)]
use crate::FileFault;
use crate::{Error, Shared, SharedMut, ShmemBacked, ShmemChecked, mapped::Access};

/// How a file is made or opened: what [`options`](super::options) returns. It has the functions that the
/// [module](super) has, and makes any number of files.
///
/// ```
/// use commonage::file;
/// use std::time::Duration;
/// # let directory = std::env::temp_dir().join(format!("commonage-docs-options-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("table");
///
/// let options = file::options::<[u32]>().mode(0o640).must_be_new().lock_timeout(Duration::from_secs(5));
/// options.write(&path, &[1, 4, 9])?;
/// assert_eq!(options.read(&path)?, [1, 4, 9]);
/// assert!(options.write(&path, &[]).is_err());
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Options<T: ShmemBacked + ?Sized> {
    pub(super) mode: u32,
    pub(super) must_be_new: bool,
    pub(super) durable: bool,
    pub(super) populate: bool,
    pub(super) advice: Advice,
    pub(super) lock_in_memory: bool,
    pub(super) lock_timeout: Duration,
    pub(super) unfinished: bool,
    /// The file says nothing of the value.
    pub(super) foreign: Option<Foreign<T::MetaData>>,
    /// Of the value in a file that says nothing of it.
    pub(super) offset: u64,
    of: PhantomData<fn() -> Box<T>>,
}

impl<T: ShmemBacked + ?Sized> Options<T> {
    pub(super) fn usual() -> Self {
        Options {
            mode: 0o600,
            must_be_new: false,
            durable: true,
            populate: false,
            advice: Advice::Normal,
            lock_in_memory: false,
            lock_timeout: Duration::ZERO,
            unfinished: false,
            foreign: None,
            offset: 0,
            of: PhantomData,
        }
    }

    /// The permission bits of a file that is made, exactly, whatever the process's umask; 0600 unless said otherwise.
    /// Who reads a mapped file needs no right to write it. No effect on Windows, nor on a file that is opened.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// What is made is not to take the place of a file that is there: that is [`FileFault::Exists`] then, also if the
    /// other comes into view meanwhile. No effect on a file that is opened.
    #[must_use]
    pub fn must_be_new(mut self) -> Self {
        self.must_be_new = true;
        self
    }

    /// Whether what is made is on the disk, under its name, when it has been brought into view: so it is unless this
    /// says `false`. Then it is the system's to write it, some time soon, and a loss of power may leave anything. No
    /// effect on a file that is opened: see [`SharedMut::flush`].
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// All of what is mapped is read, and entered in the page tables, before the function returns: later looks at it
    /// don't wait for the disk. No effect on [`read`](Self::read) and [`write`](Self::write), which map nothing.
    #[must_use]
    pub fn populate(mut self) -> Self {
        self.populate = true;
        self
    }

    /// What will be done with it, for the system to act upon. It can be said later too: [`Shared::advise`],
    /// [`SharedMut::advise`]. No effect where the platform has no such advice, nor on what is not mapped.
    ///
    /// ```
    /// use commonage::{file, file::Advice};
    /// # let directory = std::env::temp_dir().join(format!("commonage-docs-advice-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("samples");
    /// file::write(&path, &[1.5f64, 2.5][..])?;
    /// // SAFETY: nobody changes the file but through this crate.
    /// let samples = unsafe { file::options::<[f64]>().advice(Advice::Random).open(&path) }?;
    /// assert_eq!(samples[1], 2.5);
    /// # drop(samples);
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn advice(mut self, advice: Advice) -> Self {
        self.advice = advice;
        self
    }

    /// What is mapped is read, and stays in memory as long as it is mapped. The system allows a process only so much
    /// (`RLIMIT_MEMLOCK`, the working set on Windows); beyond that it is [`FileFault::Failed`]. No effect on what is
    /// not mapped.
    #[must_use]
    pub fn lock_in_memory(mut self) -> Self {
        self.lock_in_memory = true;
        self
    }

    /// How long to wait for others who have the file open in a way that leaves no room: not at all, unless this says
    /// otherwise. Then it is [`FileFault::Locked`]. No effect on what is made, which nobody else has.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// Readers take also what its writer has left unfinished, because it was killed, or has panicked. No effect on
    /// writers, who always do, nor on files without a header, which don't say it. Who gets it sent takes it only while
    /// this process has it open and is the same; elsewhere it is [`FileFault::Unfinished`].
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        self.unfinished = true;
        self
    }

    /// [`write`](super::write) with these options.
    ///
    /// # Errors
    ///
    /// As [`write`](super::write).
    pub fn write(&self, path: impl AsRef<Path>, src: &T) -> Result<(), Error> {
        Ok(making::copy(self, path.as_ref(), src, self.writing()?)?.publish()?)
    }

    /// [`write_shared`](super::write_shared) with these options.
    ///
    /// # Errors
    ///
    /// As [`write`](super::write).
    pub fn write_shared(&self, path: impl AsRef<Path>, shared: &Shared<T>) -> Result<(), Error> {
        let (bytes, metadata) = shared.raw();
        Ok(making::copy_bytes(self, path.as_ref(), bytes, metadata.clone(), self.writing()?)?.publish()?)
    }

    /// [`write_shared_mut`](super::write_shared_mut) with these options.
    ///
    /// # Errors
    ///
    /// As [`write`](super::write).
    ///
    /// # Panics
    ///
    /// If the handle has been [serialized](SharedMut#serialization).
    #[track_caller]
    pub fn write_shared_mut(&self, path: impl AsRef<Path>, shared: &SharedMut<T>) -> Result<(), Error> {
        let (bytes, metadata) = shared.raw();
        Ok(making::copy_bytes(self, path.as_ref(), bytes, metadata.clone(), self.writing()?)?.publish()?)
    }

    /// [`draft`](super::draft) with these options.
    ///
    /// # Errors
    ///
    /// As [`draft`](super::draft).
    pub fn draft(&self, path: impl AsRef<Path>, arg: &T::NewArg) -> Result<Draft<T>, Error> {
        making::draft(self, path.as_ref(), T::required_memory_arg(arg), |data| T::new(data, arg))
    }

    /// [`anonymous`](super::anonymous) with these options. What they say of a file has no effect.
    ///
    /// # Errors
    ///
    /// As [`anonymous`](super::anonymous).
    pub fn anonymous(&self, arg: &T::NewArg) -> Result<SharedMut<T>, Error> {
        making::anonymous(self, arg)
    }

    /// [`open`](super::open) with these options.
    ///
    /// # Errors
    ///
    /// As [`open`](super::open).
    ///
    /// # Safety
    ///
    /// As for [`open`](super::open).
    pub unsafe fn open(&self, path: impl AsRef<Path>) -> Result<Shared<T>, Error> {
        // SAFETY: as the caller promises.
        let (part, metadata) = unsafe { making::open(self, path.as_ref(), Access::Read) }?;
        Ok(Shared::from_parts(part, metadata))
    }

    /// [`open_mut`](super::open_mut) with these options.
    ///
    /// # Errors
    ///
    /// As [`open_mut`](super::open_mut).
    ///
    /// # Safety
    ///
    /// As for [`open`](super::open).
    pub unsafe fn open_mut(&self, path: impl AsRef<Path>) -> Result<SharedMut<T>, Error> {
        // SAFETY: as the caller promises.
        let (part, metadata) = unsafe { making::open(self, path.as_ref(), Access::Write) }?;
        Ok(SharedMut::from_parts(part, metadata))
    }

    /// [`open_private`](super::open_private) with these options.
    ///
    /// # Errors
    ///
    /// As [`open`](super::open).
    ///
    /// # Safety
    ///
    /// As for [`open`](super::open).
    pub unsafe fn open_private(&self, path: impl AsRef<Path>) -> Result<SharedMut<T>, Error> {
        // SAFETY: as the caller promises.
        let (part, metadata) = unsafe { making::open(self, path.as_ref(), Access::Private) }?;
        Ok(SharedMut::from_parts(part, metadata))
    }

    /// [`create`](super::create) with these options.
    ///
    /// # Errors
    ///
    /// As [`create`](super::create).
    ///
    /// # Safety
    ///
    /// As for [`create`](super::create).
    pub unsafe fn create(&self, path: impl AsRef<Path>, arg: &T::NewArg) -> Result<SharedMut<T>, Error> {
        // SAFETY: as the caller promises.
        Ok(unsafe { self.draft(path, arg)?.publish_mut() }?)
    }

    /// [`create_from`](super::create_from) with these options.
    ///
    /// # Errors
    ///
    /// As [`create`](super::create).
    ///
    /// # Safety
    ///
    /// As for [`create`](super::create).
    pub unsafe fn create_from(&self, path: impl AsRef<Path>, src: &T) -> Result<SharedMut<T>, Error> {
        // SAFETY: as the caller promises.
        Ok(unsafe { making::copy(self, path.as_ref(), src, self.making()?)?.publish_mut() }?)
    }
}

impl<T: ShmemChecked + ?Sized> Options<T> {
    /// [`read`](super::read) with these options.
    ///
    /// # Errors
    ///
    /// As [`read`](super::read).
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Shared<T>, Error> {
        making::read(self, path.as_ref())
    }

    /// [`open_guarded`](super::open_guarded) with these options.
    ///
    /// # Errors
    ///
    /// As [`open_guarded`](super::open_guarded).
    pub fn open_guarded(&self, path: impl AsRef<Path>) -> Result<Shared<T>, Error> {
        let (part, metadata) = making::open_guarded(self, path.as_ref())?;
        Ok(Shared::from_parts(part, metadata))
    }
}

impl<T: ShmemBacked + ?Sized> Clone for Options<T> {
    fn clone(&self) -> Self {
        Options { foreign: self.foreign.clone(), ..*self }
    }
}

impl<T: ShmemBacked + ?Sized> fmt::Debug for Options<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("type", &format_args!("{}", type_name::<T>()))
            .field("mode", &format_args!("{:#o}", self.mode))
            .field("must_be_new", &self.must_be_new)
            .field("durable", &self.durable)
            .field("populate", &self.populate)
            .field("advice", &self.advice)
            .field("lock_in_memory", &self.lock_in_memory)
            .field("lock_timeout", &self.lock_timeout)
            .field("unfinished", &self.unfinished)
            .field("raw", &self.foreign.is_some())
            .field("offset", &self.offset)
            .finish()
    }
}

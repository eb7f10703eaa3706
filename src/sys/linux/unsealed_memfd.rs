//! A memfd that is being written, and will be sealed.

use std::{
    os::fd::OwnedFd,
    ptr::{self, NonNull},
    slice,
};

use rustix::{
    fs::{Mode, SealFlags, fchmod, ftruncate},
    io::{Errno, pwrite, retry_on_intr},
    mm::{Advice, MapFlags, ProtFlags, madvise, mmap},
};

use super::{
    exclude_from_core_dumps, lineage,
    memfd::{self, Leave, Pages},
    sealed_memfd::SealedMemfd,
    unmap,
};
#[cfg(doc)]
use crate::DescriptorFault;
use crate::{
    Error, HugePages,
    sys::{prefault, unix::between_forks},
};

/// A memfd that only this process writes, and nobody else has.
pub(crate) struct UnsealedMemfd {
    fd: OwnedFd,
    /// What there is of it, all of it with memory.
    size: u64,
    pages: Pages,
    /// Whom to ask for more.
    leave: Leave,
}

/// All of it, mapped writable. Until this is dropped the memfd can't be sealed.
pub(crate) struct WritableMemfd<'a> {
    base: NonNull<u8>,
    len: usize,
    /// The process that mapped it: a forked child has no such mapping.
    lineage: u32,
    memfd: &'a UnsealedMemfd,
}

impl UnsealedMemfd {
    /// A new one, empty. `leave` is asked whenever it is to become longer, unless it is of huge pages, which have been set
    /// aside.
    ///
    /// # Errors
    ///
    /// [`Error::Os`].
    pub(crate) fn create(name: &str, huge: Option<HugePages>, leave: Leave) -> Result<Self, Error> {
        let fd = memfd::create(name, huge).map_err(|error| Error::os("memfd_create", error))?;
        let pages = Pages::of(&fd)?;
        Ok(UnsealedMemfd { fd, size: 0, pages, leave })
    }

    /// Makes it at least so long: whole pages. What is new is all zero, with memory for all of it.
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`], [`Error::TooLarge`], those of `leave`, [`Error::Os`].
    pub(crate) fn extend(&mut self, len: usize) -> Result<(), Error> {
        self.set_len(self.pages.whole(len as u64)?)
    }

    /// Makes it just so long, as [`extend`](Self::extend) does, or shorter.
    ///
    /// # Errors
    ///
    /// As [`extend`](Self::extend); huge pages are only had whole.
    pub(crate) fn set_len(&mut self, len: usize) -> Result<(), Error> {
        self.pages.whole(len as u64)?;
        let size = len as u64;
        if size < self.size {
            ftruncate(&self.fd, size).map_err(|error| Error::os("ftruncate", error))?;
        } else {
            memfd::extend(&self.fd, self.size..size, self.pages, self.leave)?;
        }
        self.size = size;
        Ok(())
    }

    /// Writes bytes from an offset on, where there is room for them.
    ///
    /// # Errors
    ///
    /// [`Error::Os`].
    pub(crate) fn write_at(&mut self, offset: usize, bytes: &[u8]) -> Result<(), Error> {
        if self.pages.huge {
            // Huge pages can be read, but not written, by a call.
            self.map()?.bytes_mut()[offset..offset + bytes.len()].copy_from_slice(bytes);
            return Ok(());
        }
        let mut done = 0;
        while done < bytes.len() {
            match retry_on_intr(|| pwrite(&self.fd, &bytes[done..], (offset + done) as u64)) {
                Ok(0) => return Err(Error::os("pwrite", Errno::IO)),
                Ok(wrote) => done += wrote,
                Err(error) => return Err(Error::os("pwrite", error)),
            }
        }
        Ok(())
    }

    /// Maps it writable. No child that is forked meanwhile has the mapping: it would keep this process from sealing.
    ///
    /// # Errors
    ///
    /// [`Error::Os`].
    pub(crate) fn map(&mut self) -> Result<WritableMemfd<'_>, Error> {
        let len = self.size as usize;
        let mapped_len = len.max(1); // nothing can't be mapped
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let mapped = between_forks(|| {
            // SAFETY: a new mapping, at an address that the kernel chooses.
            let base = unsafe { mmap(ptr::null_mut(), mapped_len, access, MapFlags::SHARED, &self.fd, 0) }?;
            // SAFETY: mapped above; the advice changes nothing in this process. A kernel always knows it.
            let _ = unsafe { madvise(base, mapped_len, Advice::LinuxDontFork) };
            Ok(base)
        });
        let base = mapped.flatten().map_err(|error: Errno| Error::os("mmap", error))?;
        let base = NonNull::new(base.cast()).ok_or_else(|| Error::os("mmap", Errno::NOMEM))?;
        // SAFETY: these are the pages of a mapping of this process's own.
        unsafe { exclude_from_core_dumps(base, mapped_len) };
        Ok(WritableMemfd { base, len, lineage: lineage(), memfd: self })
    }

    /// Seals it: nobody writes to it any more.
    ///
    /// # Errors
    ///
    /// [`Error::Os`]; [`DescriptorFault::Writable`], if another process has found it and mapped it.
    pub(crate) fn seal(self, seals: SealFlags) -> Result<SealedMemfd, Error> {
        fchmod(&self.fd, Mode::from_raw_mode(0o444)).map_err(|error| Error::os("fchmod", error))?;
        SealedMemfd::seal(self.fd, seals, true)
    }
}

impl WritableMemfd<'_> {
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: mapped as long as this is there, which is borrowed; no other mapping is there, and what has the
        // descriptor is this process's own.
        unsafe { slice::from_raw_parts_mut(self.base.as_ptr(), self.len) }
    }

    /// Puts zeroes into the pages that nobody has written to. Their memory is reserved, but the system takes them for holes.
    pub(crate) fn fill_holes(&mut self) {
        let first = memfd::first_hole(&self.memfd.fd).unwrap_or(0).min(self.len as u64) as usize;
        // SAFETY: within the mapping.
        let start = unsafe { self.base.add(first) };
        // SAFETY: mapped and writable, by this value alone.
        unsafe { prefault(start, self.len - first) };
    }
}

impl Drop for WritableMemfd<'_> {
    fn drop(&mut self) {
        if self.lineage == lineage() {
            // SAFETY: mapped by this process in `map`; what was borrowed from it was borrowed from this value.
            unsafe { unmap(self.base, self.len.max(1)) };
        }
    }
}

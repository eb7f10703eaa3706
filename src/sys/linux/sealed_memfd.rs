//! A memfd that is sealed, and from then on only read, by whoever has it.

use std::{
    ffi::c_void,
    os::fd::OwnedFd,
    ptr::{self, NonNull},
    slice,
};

use rustix::{
    fs::{SealFlags, fcntl_add_seals},
    io::{Errno, pread, retry_on_intr},
    mm::{Advice, MapFlags, ProtFlags, madvise, mmap},
};

use super::{
    exclude_from_core_dumps,
    memfd::{self, Pages},
    unmap,
};
use crate::{DescriptorFault, Error};

/// What no value is without: against writing, and against being cut short.
const NEEDED: SealFlags = SealFlags::WRITE.union(SealFlags::SHRINK);

/// A memfd that nobody writes to any more, or cuts short.
pub(crate) struct SealedMemfd {
    fd: OwnedFd,
    size: u64,
    pages: Pages,
}

/// The first bytes of a sealed memfd, mapped for reading as long as this is there.
#[derive(Debug)]
pub(crate) struct ReadOnlyMapping {
    base: NonNull<u8>,
    len: usize,
    /// All that is mapped: whole pages.
    whole: usize,
}

// SAFETY: the mapping is not bound to a thread, and nobody writes what it shows.
unsafe impl Send for ReadOnlyMapping {}
// SAFETY: as above.
unsafe impl Sync for ReadOnlyMapping {}

impl SealedMemfd {
    /// Takes a descriptor of anybody's.
    ///
    /// # Errors
    ///
    /// [`DescriptorFault::NotMemory`], [`DescriptorFault::Unsealed`], [`DescriptorFault::HugePages`] unless `huge`;
    /// [`Error::Os`].
    pub(crate) fn new(fd: OwnedFd, huge: bool) -> Result<Self, Error> {
        let seals = memfd::seals_of(&fd)?;
        if !seals.contains(NEEDED) {
            return Err(memfd::unsealed(&fd, NEEDED, seals));
        }
        let pages = Pages::received(&fd, huge)?;
        Ok(SealedMemfd { size: memfd::size_of(&fd)?, fd, pages })
    }

    /// As [`new`](Self::new), of what may not be sealed yet: it is sealed first.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`DescriptorFault::Writable`].
    pub(crate) fn seal(fd: OwnedFd, seals: SealFlags, huge: bool) -> Result<Self, Error> {
        let found = memfd::seals_of(&fd)?;
        let missing = seals.union(NEEDED).difference(found);
        if !missing.is_empty() {
            match fcntl_add_seals(&fd, missing) {
                Ok(()) => {}
                Err(Errno::BUSY) => return Err(Error::Descriptor(DescriptorFault::Writable)),
                // It is sealed against that, or open for reading only; if it has what is needed, that will do.
                Err(Errno::PERM) if found.contains(NEEDED) => {}
                Err(Errno::PERM | Errno::BADF) => return Err(memfd::unsealed(&fd, NEEDED, found)),
                Err(error) => return Err(Error::os("F_ADD_SEALS", error)),
            }
        }
        Self::new(fd, huge)
    }

    /// Its length.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn into_fd(self) -> OwnedFd {
        self.fd
    }

    /// Its first bytes.
    ///
    /// # Errors
    ///
    /// [`DescriptorFault::TooShort`], [`Error::Os`].
    pub(crate) fn first<const N: usize>(&self) -> Result<[u8; N], Error> {
        self.must_have(N as u64)?;
        let mut bytes = [0; N];
        let mut done = 0;
        while done < N {
            match retry_on_intr(|| pread(&self.fd, &mut bytes[done..], done as u64)) {
                Ok(0) => return Err(self.too_short(N as u64)),
                Ok(read) => done += read,
                Err(error) => return Err(Error::os("pread", error)),
            }
        }
        Ok(bytes)
    }

    /// # Errors
    ///
    /// [`DescriptorFault::TooShort`].
    pub(crate) fn must_have(&self, bytes: u64) -> Result<(), Error> {
        if bytes > self.size { Err(self.too_short(bytes)) } else { Ok(()) }
    }

    fn too_short(&self, needed: u64) -> Error {
        Error::Descriptor(DescriptorFault::TooShort { size: self.size, needed })
    }

    /// Maps its first `len` bytes, which it must have: with memory, so that looking at them asks the system for nothing.
    ///
    /// # Errors
    ///
    /// [`DescriptorFault::TooShort`], [`DescriptorFault::Sparse`], [`Error::NoSpace`], [`Error::TooLarge`], [`Error::Os`].
    pub(crate) fn map(&self, len: u64) -> Result<ReadOnlyMapping, Error> {
        self.must_have(len)?;
        memfd::must_be_backed(&self.fd, len, self.pages)?;
        let whole = self.pages.whole(len.max(1))?;
        let map = |flags| {
            // SAFETY: a new mapping, at an address that the kernel chooses.
            unsafe { mmap(ptr::null_mut::<c_void>(), whole, ProtFlags::READ, flags, &self.fd, 0) }
        };
        let base = match map(MapFlags::SHARED | MapFlags::NORESERVE) {
            // Before Linux 6.7. Nobody writes to it, so that nothing becomes private.
            Err(Errno::PERM) => map(MapFlags::PRIVATE | MapFlags::NORESERVE),
            other => other,
        };
        let base = base.map_err(|error| self.not_mapped(error, whole, "mmap"))?;
        let base = NonNull::new(base.cast()).ok_or_else(|| Error::os("mmap", Errno::NOMEM))?;
        let mapping = ReadOnlyMapping { base, len: len as usize, whole };
        // SAFETY: these are the pages of a mapping of this process's own.
        unsafe { exclude_from_core_dumps(base, whole) };
        if self.pages.huge {
            // Where the holes are nobody says; a huge page that is missing would be the end of this process.
            // SAFETY: mapped above; the advice changes nothing but what is resident.
            unsafe { madvise(base.as_ptr().cast(), whole, Advice::LinuxPopulateRead) }
                .map_err(|error| self.not_mapped(error, whole, "MADV_POPULATE_READ"))?;
        }
        Ok(mapping)
    }

    fn not_mapped(&self, error: Errno, requested: usize, operation: &'static str) -> Error {
        match error {
            Errno::NOMEM | Errno::FAULT if self.pages.huge => self.pages.no_space(requested as u64),
            error => Error::os(operation, error),
        }
    }
}

impl ReadOnlyMapping {
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped as long as this is there; the memory is sealed against writing and against being cut short.
        unsafe { slice::from_raw_parts(self.base.as_ptr(), self.len) }
    }
}

impl Drop for ReadOnlyMapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `SealedMemfd::map`; what was borrowed from it was borrowed from this value. A forked child has
        // inherited it, and has it at the same place.
        unsafe { unmap(self.base, self.whole) };
    }
}

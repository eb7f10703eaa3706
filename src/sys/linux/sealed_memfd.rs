//! A memfd that is sealed, and from then on only read, by whoever has it.

use std::{
    ffi::c_void,
    fs,
    os::fd::{AsFd, OwnedFd},
    ptr::{self, NonNull},
    slice,
};

use rustix::{
    fs::{OFlags, SealFlags, SeekFrom, fcntl_add_seals, fcntl_get_seals, fcntl_getfl, fstat, fstatfs, seek},
    io::{Errno, pread, retry_on_intr},
    mm::{Advice, MapFlags, ProtFlags, madvise, mmap},
};

use super::{descriptors::kind_of_descriptor, exclude_from_core_dumps, unmap};
use crate::{DescriptorFault, Error, sys::page_size};

/// What no value is without: against writing, and against being cut short.
const NEEDED: SealFlags = SealFlags::WRITE.union(SealFlags::SHRINK);
/// What `fstatfs` says of memory that consists of huge pages.
const HUGETLBFS_MAGIC: u32 = 0x9584_58f6;

/// A memfd that nobody writes to any more, or cuts short.
pub(crate) struct SealedMemfd {
    fd: OwnedFd,
    size: u64,
    /// Bytes of a page.
    page: u64,
    huge: bool,
}

/// The first bytes of a sealed memfd, mapped for reading as long as this is there.
#[derive(Debug)]
pub(crate) struct ReadOnlyMapping {
    base: NonNull<u8>,
    len: usize,
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
        let seals = seals_of(&fd)?;
        if !seals.contains(NEEDED) {
            return Err(unsealed(&fd, seals));
        }
        // Only memory has these seals: from here on no file system but that of the kernel's own is asked.
        let is_huge = is_huge(&fd)?;
        if is_huge && !huge {
            return Err(Error::Descriptor(DescriptorFault::HugePages));
        }
        let stat = fstat(&fd).map_err(|error| Error::os("fstat", error))?;
        let page = if is_huge { page_of(&fd)? } else { page_size() as u64 };
        Ok(SealedMemfd { fd, size: stat.st_size.cast_unsigned(), page, huge: is_huge })
    }

    /// As [`new`](Self::new), of what may not be sealed yet: it is sealed first.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`DescriptorFault::Writable`].
    pub(crate) fn seal(fd: OwnedFd, seals: SealFlags, huge: bool) -> Result<Self, Error> {
        let found = seals_of(&fd)?;
        let missing = seals.union(NEEDED).difference(found);
        if !missing.is_empty() {
            match fcntl_add_seals(&fd, missing) {
                Ok(()) => {}
                Err(Errno::BUSY) => return Err(Error::Descriptor(DescriptorFault::Writable)),
                // It is sealed against that, or open for reading only; if it has what is needed, that will do.
                Err(Errno::PERM) if found.contains(NEEDED) => {}
                Err(Errno::PERM | Errno::BADF) => return Err(unsealed(&fd, found)),
                Err(error) => return Err(Error::os("F_ADD_SEALS", error)),
            }
        }
        Self::new(fd, huge)
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
        self.must_be_backed(len)?;
        let limit = isize::MAX.cast_unsigned();
        let whole = len.max(1).checked_next_multiple_of(self.page).filter(|len| *len <= limit as u64);
        let requested = usize::try_from(len).unwrap_or(usize::MAX);
        let whole = whole.ok_or(Error::TooLarge { requested, limit })? as usize;
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
        let mapping = ReadOnlyMapping { base, len: whole };
        // SAFETY: these are the pages of a mapping of this process's own.
        unsafe { exclude_from_core_dumps(base, whole) };
        if self.huge {
            // Where the holes are nobody says; a huge page that is missing would be the end of this process.
            // SAFETY: mapped above; the advice changes nothing but what is resident.
            unsafe { madvise(base.as_ptr().cast(), whole, Advice::LinuxPopulateRead) }
                .map_err(|error| self.not_mapped(error, whole, "MADV_POPULATE_READ"))?;
        }
        Ok(mapping)
    }

    fn not_mapped(&self, error: Errno, requested: usize, operation: &'static str) -> Error {
        match error {
            Errno::NOMEM | Errno::FAULT if self.huge => {
                Error::NoSpace { requested: requested as u64, available: free_huge_pages(self.page) }
            }
            error => Error::os(operation, error),
        }
    }

    /// Has every page up to `len` its memory?
    fn must_be_backed(&self, len: u64) -> Result<(), Error> {
        let sparse = |backed| Err(Error::Descriptor(DescriptorFault::Sparse { size: self.size, backed }));
        let stat = fstat(&self.fd).map_err(|error| Error::os("fstat", error))?;
        let blocks = stat.st_blocks.cast_unsigned().saturating_mul(512);
        if blocks < len {
            return sparse(blocks);
        }
        // There can be memory behind the end, and a hole before it.
        match first_hole(&self.fd) {
            Ok(hole) if hole < len && !self.huge => sparse(hole),
            Ok(_) => Ok(()),
            Err(error) => Err(Error::os("lseek", error)),
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
        unsafe { unmap(self.base, self.len) };
    }
}

/// The seals of a memfd that can be read.
fn seals_of(fd: &OwnedFd) -> Result<SealFlags, Error> {
    let not_memory = |found: String| Err(Error::Descriptor(DescriptorFault::NotMemory { found }));
    let flags = fcntl_getfl(fd).map_err(|error| Error::os("F_GETFL", error))?;
    match fcntl_get_seals(fd) {
        Ok(_) if flags & OFlags::ACCMODE == OFlags::WRONLY => not_memory("a descriptor for writing only".to_owned()),
        Ok(seals) => Ok(seals),
        Err(Errno::INVAL | Errno::BADF) => not_memory(kind_of_descriptor(fd.as_fd())),
        Err(error) => Err(Error::os("F_GET_SEALS", error)),
    }
}

/// The error for what lacks seals.
fn unsealed(fd: &OwnedFd, found: SealFlags) -> Error {
    // A memfd has no name. What has one is in a file system where seals can be asked for, and not added.
    Error::Descriptor(match fstat(fd) {
        Ok(stat) if stat.st_nlink > 0 => DescriptorFault::NotMemory { found: "a file that has a name".to_owned() },
        _ => DescriptorFault::Unsealed { missing: words(NEEDED.difference(found)), found: words(found) },
    })
}

fn words(seals: SealFlags) -> String {
    let names = [
        (SealFlags::WRITE, "write"),
        (SealFlags::FUTURE_WRITE, "future write"),
        (SealFlags::SHRINK, "shrink"),
        (SealFlags::GROW, "grow"),
        (SealFlags::SEAL, "seal"),
    ];
    let words: Vec<_> = names.iter().filter(|(seal, _)| seals.contains(*seal)).map(|(_, name)| *name).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// Where the first page is that has no memory, or that nobody has written to; where there is none, the end.
pub(super) fn first_hole(fd: &OwnedFd) -> rustix::io::Result<u64> {
    match seek(fd, SeekFrom::Hole(0)) {
        Err(Errno::NXIO) => Ok(0), // it is empty
        other => other,
    }
}

fn is_huge(fd: &OwnedFd) -> Result<bool, Error> {
    let stat = fstatfs(fd).map_err(|error| Error::os("fstatfs", error))?;
    Ok(stat.f_type as u32 == HUGETLBFS_MAGIC)
}

/// Bytes of a huge page of memory that consists of such.
pub(super) fn page_of(fd: &OwnedFd) -> Result<u64, Error> {
    let stat = fstat(fd).map_err(|error| Error::os("fstat", error))?;
    #[allow(clippy::unnecessary_cast, reason = "it is another type on other machines")]
    Ok((stat.st_blksize as u64).max(page_size() as u64))
}

/// Bytes of huge pages of a size that are set aside, and nobody has.
pub(super) fn free_huge_pages(page: u64) -> u64 {
    let path = format!("/sys/kernel/mm/hugepages/hugepages-{}kB/free_hugepages", page / 1024);
    let free = fs::read_to_string(path).ok().and_then(|number| number.trim().parse::<u64>().ok());
    free.unwrap_or(0).saturating_mul(page)
}

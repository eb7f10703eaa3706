//! What the memory of a ring and that of a sealed value have in common: how a memfd is made, and what is asked of one that
//! came from anybody.

use std::{
    fs,
    ops::Range,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::{
        MemfdFlags, OFlags, SealFlags, SeekFrom, fcntl_get_seals, fcntl_getfl, fstat, fstatfs, ftruncate, memfd_create,
        seek,
    },
    io::Errno,
};

use super::{descriptors::kind_of_descriptor, object::reserve};
use crate::{
    DescriptorFault, Error, HugePages,
    sys::{largest_file, page_size, unix::above_standard},
};

/// Who is asked whether so many bytes may be had, before they are taken.
pub(super) type Leave = fn(u64) -> Result<(), Error>;

/// What a memfd consists of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pages {
    /// Bytes of one.
    pub(super) size: u64,
    pub(super) huge: bool,
}

impl Pages {
    /// # Errors
    ///
    /// [`Error::Os`].
    pub(super) fn of(fd: impl AsFd) -> Result<Self, Error> {
        const HUGETLBFS: u32 = 0x9584_58f6;
        let stat = fstatfs(fd).map_err(|error| Error::os("fstatfs", error))?;
        let usual = page_size() as u64;
        let huge = stat.f_type as u32 == HUGETLBFS;
        Ok(Pages { size: if huge { (stat.f_bsize as u64).max(usual) } else { usual }, huge })
    }

    /// As [`of`](Self::of), of what came from anybody.
    ///
    /// # Errors
    ///
    /// [`DescriptorFault::HugePages`] unless `huge`; [`Error::Os`].
    pub(super) fn received(fd: impl AsFd, huge: bool) -> Result<Self, Error> {
        let pages = Pages::of(fd)?;
        if pages.huge && !huge { Err(Error::Descriptor(DescriptorFault::HugePages)) } else { Ok(pages) }
    }

    /// `len` bytes, rounded up to whole pages.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`].
    pub(super) fn whole(self, len: u64) -> Result<usize, Error> {
        let limit = isize::MAX.cast_unsigned();
        let whole = len.checked_next_multiple_of(self.size).filter(|len| *len <= limit as u64);
        let requested = usize::try_from(len).unwrap_or(usize::MAX);
        whole.map(|len| len as usize).ok_or(Error::TooLarge { requested, limit })
    }

    /// That so many bytes can't be had.
    pub(super) fn no_space(self, requested: u64) -> Error {
        Error::NoSpace { requested, available: if self.huge { self.set_aside() } else { 0 } }
    }

    /// Bytes of such huge pages that are set aside, and nobody has.
    fn set_aside(self) -> u64 {
        let path = format!("/sys/kernel/mm/hugepages/hugepages-{}kB/free_hugepages", self.size / 1024);
        let free = fs::read_to_string(path).ok().and_then(|number| number.trim().parse::<u64>().ok());
        free.unwrap_or(0).saturating_mul(self.size)
    }
}

/// A new one, empty, that can be sealed, and that nobody executes.
pub(super) fn create(name: &str, huge: Option<HugePages>) -> rustix::io::Result<OwnedFd> {
    let pages = huge.map_or(MemfdFlags::empty(), HugePages::flags);
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | pages;
    let fd = match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => memfd_create(name, flags), // before Linux 6.3
        other => other,
    };
    fd.and_then(above_standard)
}

/// Makes it as long as the end of `new`, with memory for these bytes. `leave` is asked first, unless it is of huge pages, which
/// have been set aside.
///
/// # Errors
///
/// [`Error::NoSpace`], those of `leave`, [`Error::Os`].
pub(super) fn extend(fd: impl AsFd, new: Range<u64>, pages: Pages, leave: Leave) -> Result<(), Error> {
    // Beyond it the system does not refuse, it kills.
    let (size, largest) = (new.end, largest_file());
    if size > largest {
        return Err(Error::NoSpace { requested: size, available: largest });
    }
    if !pages.huge {
        leave(new.end.saturating_sub(new.start))?;
    }
    let failed = |operation| {
        move |error| match error {
            Errno::NOSPC | Errno::NOMEM | Errno::DQUOT => pages.no_space(size),
            error => Error::os(operation, error),
        }
    };
    ftruncate(&fd, size).map_err(failed("ftruncate"))?;
    reserve(&fd, new).map_err(failed("fallocate"))
}

/// The seals of a memfd that can be read. What has seals lies in memory: only of that more is asked, because others could
/// keep this process waiting.
///
/// # Errors
///
/// [`DescriptorFault::NotMemory`], [`Error::Os`].
pub(super) fn seals_of(fd: impl AsFd) -> Result<SealFlags, Error> {
    let not_memory = |found: String| Err(Error::Descriptor(DescriptorFault::NotMemory { found }));
    let flags = fcntl_getfl(&fd).map_err(|error| Error::os("F_GETFL", error))?;
    match fcntl_get_seals(&fd) {
        Ok(_) if flags & OFlags::ACCMODE == OFlags::WRONLY => not_memory("a descriptor for writing only".to_owned()),
        Ok(seals) => Ok(seals),
        Err(Errno::INVAL | Errno::BADF) => not_memory(kind_of_descriptor(fd.as_fd())),
        Err(error) => Err(Error::os("F_GET_SEALS", error)),
    }
}

/// The error for what lacks seals.
pub(super) fn unsealed(fd: impl AsFd, needed: SealFlags, found: SealFlags) -> Error {
    // A memfd has no name. What has one is in a file system where seals can be asked for, and not added.
    Error::Descriptor(match fstat(fd) {
        Ok(stat) if stat.st_nlink > 0 => DescriptorFault::NotMemory { found: "a file that has a name".to_owned() },
        _ => DescriptorFault::Unsealed { missing: words(needed.difference(found)), found: words(found) },
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

/// Its length, which its seals keep as it is.
///
/// # Errors
///
/// [`Error::Os`].
pub(super) fn size_of(fd: impl AsFd) -> Result<u64, Error> {
    Ok(fstat(fd).map_err(|error| Error::os("fstat", error))?.st_size.cast_unsigned())
}

/// Has every page of the first `len` bytes its memory? Where holes are of huge pages nobody says: those are still to be
/// asked for.
///
/// # Errors
///
/// [`DescriptorFault::Sparse`], [`Error::Os`].
pub(super) fn must_be_backed(fd: impl AsFd, len: u64, pages: Pages) -> Result<(), Error> {
    let stat = fstat(&fd).map_err(|error| Error::os("fstat", error))?;
    let size = stat.st_size.cast_unsigned();
    let sparse = |backed| Err(Error::Descriptor(DescriptorFault::Sparse { size, backed }));
    let blocks = stat.st_blocks.cast_unsigned().saturating_mul(512);
    if blocks < len {
        return sparse(blocks);
    }
    // There can be memory behind the end, and a hole before it.
    match first_hole(&fd) {
        Ok(hole) if hole < len && !pages.huge => sparse(hole),
        Ok(_) => Ok(()),
        Err(error) => Err(Error::os("lseek", error)),
    }
}

/// Where the first page is that has no memory, or that nobody has written to; where there is none, the end.
pub(super) fn first_hole(fd: impl AsFd) -> rustix::io::Result<u64> {
    // The position is everybody's who has the description, and some read from there on.
    let position = seek(&fd, SeekFrom::Current(0))?;
    let hole = match seek(&fd, SeekFrom::Hole(0)) {
        Err(Errno::NXIO) => Ok(0), // it is empty
        other => other,
    };
    seek(&fd, SeekFrom::Start(position))?;
    hole
}

//! The memory of a ring between two processes: a memfd whose size nobody can change, and which both can write to.

use std::{
    ffi::c_void,
    os::fd::{AsFd, OwnedFd},
    ptr::{self, NonNull},
};

use rustix::{
    fs::{
        MemfdFlags, Mode, SealFlags, fchmod, fcntl_add_seals, fcntl_get_seals, fstat, fstatfs, ftruncate, memfd_create,
    },
    io::Errno,
    mm::{MapFlags, ProtFlags, mlock, mmap},
};

use super::{
    available_memory, kind_of_descriptor,
    object::{available, reserve},
    populate,
};
use crate::{
    DescriptorFault, Error, HugePages,
    sys::{self, Mapping, Uninherited, largest_file, page_size, unix::above_standard},
};

/// What keeps its size as it is.
const SIZE: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);
/// Of a memfd that nobody can write to, or nobody who maps it now.
const READ_ONLY: SealFlags = SealFlags::WRITE.union(SealFlags::FUTURE_WRITE);
/// From so many bytes on, it is asked first whether they are there: that costs as much as making the smaller ones.
const LARGE: u64 = 4 << 20;

/// A memfd, mapped to be written to, all of which has memory when it is made or received. A forked child has the mapping,
/// and not the descriptor.
#[derive(Debug)]
pub(crate) struct RingMemory {
    fd: Uninherited<OwnedFd>,
    mapping: Mapping,
}

impl RingMemory {
    /// New memory, all zero, of at least `len` bytes: whole pages.
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`], [`Error::TooLarge`], [`Error::Os`].
    pub(crate) fn create(name: &str, len: usize, huge: Option<HugePages>) -> Result<RingMemory, Error> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | huge.map_or(MemfdFlags::empty(), flag_of);
        let create = || match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
            Err(Errno::INVAL) => memfd_create(name, flags), // before Linux 6.3
            other => other,
        };
        let no_space = |error| match error {
            Errno::NOSPC | Errno::NOMEM | Errno::DQUOT => Some(Error::NoSpace { requested: len as u64, available: 0 }),
            _ => None,
        };
        let failed = |operation| move |error| no_space(error).unwrap_or_else(|| Error::os(operation, error));
        let fd = Uninherited::open(|| create().and_then(above_standard)).map_err(failed("memfd_create"))?;
        let open = fd.get().map_err(|error| Error::os("memfd_create", error))?;
        let page = match huge {
            Some(_) => huge_page_size(open)?.unwrap_or(page_size()),
            None => page_size(),
        };
        let limit = isize::MAX.cast_unsigned() - page;
        if len > limit {
            return Err(Error::TooLarge { requested: len, limit });
        }
        let len = len.next_multiple_of(page);
        // Who asks too much is told so, and not ended by a signal.
        if len as u64 > largest_file() {
            return Err(Error::os("ftruncate", Errno::FBIG));
        }
        let left = match huge {
            None if len as u64 >= LARGE => available(open).min(available_memory()),
            _ => u64::MAX,
        };
        if len as u64 > left {
            return Err(Error::NoSpace { requested: len as u64, available: left });
        }
        fchmod(open, Mode::RUSR | Mode::WUSR).map_err(|error| Error::os("fchmod", error))?;
        ftruncate(open, len as u64).map_err(failed("ftruncate"))?;
        reserve(open, 0..len as u64).map_err(failed("fallocate"))?;
        fcntl_add_seals(open, SIZE | SealFlags::SEAL).map_err(|error| Error::os("fcntl(F_ADD_SEALS)", error))?;
        let mapping = map(open, len, huge.is_some())?;
        Ok(RingMemory { fd, mapping })
    }

    /// Memory that somebody else has made, of at least `least` bytes. Nothing is touched before it is known to be there.
    ///
    /// # Errors
    ///
    /// [`Error::Descriptor`], [`Error::Os`].
    pub(crate) fn received(fd: OwnedFd, least: usize, huge_pages_too: bool) -> Result<RingMemory, Error> {
        // What has seals lies in memory: only of that more is asked, because others could keep this process waiting.
        let Ok(seals) = fcntl_get_seals(&fd) else {
            return Err(Error::Descriptor(DescriptorFault::NotMemory { found: kind_of_descriptor(fd.as_fd()) }));
        };
        if !seals.contains(SIZE) {
            let missing = format!("{:?}", SIZE - seals);
            return Err(Error::Descriptor(DescriptorFault::Unsealed { missing, found: format!("{seals:?}") }));
        }
        if seals.intersects(READ_ONLY) {
            return Err(Error::Descriptor(DescriptorFault::WriteSealed));
        }
        let huge = huge_page_size(&fd)?;
        if huge.is_some() && !huge_pages_too {
            return Err(Error::Descriptor(DescriptorFault::HugePages));
        }
        let stat = fstat(&fd).map_err(|error| Error::os("fstat", error))?;
        // Nobody changes the size.
        let size = stat.st_size.cast_unsigned();
        if size < least as u64 {
            return Err(Error::Descriptor(DescriptorFault::TooShort { size, needed: least as u64 }));
        }
        let backed = stat.st_blocks.cast_unsigned().saturating_mul(512).min(size);
        if backed < size {
            return Err(Error::Descriptor(DescriptorFault::Sparse { size, backed }));
        }
        let limit = isize::MAX.cast_unsigned();
        let len = usize::try_from(size).ok().filter(|len| *len <= limit);
        let len = len.ok_or(Error::TooLarge { requested: usize::MAX, limit })?;
        let mapping = map(&fd, len, huge.is_some())?;
        let fd = Uninherited::open(|| above_standard(fd)).map_err(|error| Error::os("fcntl(F_DUPFD)", error))?;
        Ok(RingMemory { fd, mapping })
    }

    /// Its bytes, which others may write to.
    pub(crate) fn bytes(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.mapping.base(), self.mapping.len())
    }

    /// Keeps all of it in memory, whatever the system needs memory for.
    ///
    /// # Errors
    ///
    /// [`Error::Os`].
    pub(crate) fn lock(&self) -> Result<(), Error> {
        // SAFETY: this value's mapping; where its pages are changes nothing in it.
        unsafe { mlock(self.mapping.base().as_ptr().cast(), self.mapping.len()) }
            .map_err(|error| Error::os("mlock", error))
    }

    /// The descriptor; the mapping goes.
    ///
    /// # Errors
    ///
    /// In a forked child: that there is none.
    pub(crate) fn into_fd(self) -> rustix::io::Result<OwnedFd> {
        self.fd.take()
    }

    /// The descriptor.
    ///
    /// # Errors
    ///
    /// In a forked child: that there is none.
    pub(crate) fn fd(&self) -> rustix::io::Result<&OwnedFd> {
        self.fd.get()
    }
}

fn flag_of(pages: HugePages) -> MemfdFlags {
    MemfdFlags::HUGETLB
        | match pages {
            HugePages::Default => MemfdFlags::empty(),
            HugePages::Size2MiB => MemfdFlags::HUGE_2MB,
            HugePages::Size1GiB => MemfdFlags::HUGE_1GB,
        }
}

/// Bytes in a page of what consists of huge pages.
fn huge_page_size(fd: impl AsFd) -> Result<Option<usize>, Error> {
    const HUGETLBFS: u64 = 0x9584_58f6;
    let stat = fstatfs(fd).map_err(|error| Error::os("fstatfs", error))?;
    Ok((stat.f_type as u64 & 0xffff_ffff == HUGETLBFS).then_some(stat.f_bsize as usize))
}

/// Maps all of it, and puts its pages under the mapping: no access waits for one as long as nobody takes it away.
fn map(fd: impl AsFd, len: usize, huge: bool) -> Result<Mapping, Error> {
    // SAFETY: a new mapping, at an address that the kernel chooses.
    let base =
        unsafe { mmap(ptr::null_mut::<c_void>(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, fd, 0) };
    let base = base.map_err(|error| Error::os("mmap", error))?;
    let base = NonNull::new(base.cast()).ok_or(Error::os("mmap", Errno::NOMEM))?;
    // SAFETY: mapped above, and nobody else knows of it.
    let mapping = unsafe { Mapping::new(base, len) };
    if !huge {
        // SAFETY: mapped above; others access it as atomics, or copy values that may be any bytes.
        unsafe { sys::prefault(base, len) };
        return Ok(mapping);
    }
    // What can't be had of huge pages is a signal when it is touched, and an error when it is asked for.
    // SAFETY: mapped above.
    if unsafe { populate(base, len) } {
        Ok(mapping)
    } else {
        Err(Error::NoSpace { requested: len as u64, available: 0 })
    }
}

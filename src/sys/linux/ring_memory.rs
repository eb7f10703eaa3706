//! The memory of a ring between two processes: a memfd whose size nobody can change, and which both can write to.

use std::{
    ffi::c_void,
    os::fd::{AsFd, OwnedFd},
    ptr::{self, NonNull},
};

use rustix::{
    fs::{Mode, SealFlags, fchmod, fcntl_add_seals},
    io::Errno,
    mm::{MapFlags, ProtFlags, mlock, mmap},
};

use super::{
    memfd::{self, Leave, Pages},
    populate,
};
use crate::{
    DescriptorFault, Error, HugePages,
    sys::{self, Mapping, Uninherited, unix::above_standard},
};

/// What keeps its size as it is.
const SIZE: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);
/// Of a memfd that nobody can write to, or nobody who maps it now.
const READ_ONLY: SealFlags = SealFlags::WRITE.union(SealFlags::FUTURE_WRITE);

/// A memfd, mapped to be written to, all of which has memory when it is made or received. A forked child has the mapping,
/// and not the descriptor.
#[derive(Debug)]
pub(crate) struct RingMemory {
    fd: Uninherited<OwnedFd>,
    mapping: Mapping,
}

impl RingMemory {
    /// New memory, all zero, of at least `len` bytes: whole pages. `leave` is asked whether it may be had.
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`], [`Error::TooLarge`], those of `leave`, [`Error::Os`].
    pub(crate) fn create(name: &str, len: usize, huge: Option<HugePages>, leave: Leave) -> Result<RingMemory, Error> {
        let failed = |operation| move |error| Error::os(operation, error);
        let fd = Uninherited::open(|| memfd::create(name, huge)).map_err(failed("memfd_create"))?;
        let open = fd.get().map_err(failed("memfd_create"))?;
        let pages = Pages::of(open)?;
        let len = pages.whole(len as u64)?;
        fchmod(open, Mode::RUSR | Mode::WUSR).map_err(failed("fchmod"))?;
        memfd::extend(open, 0..len as u64, pages, leave)?;
        fcntl_add_seals(open, SIZE | SealFlags::SEAL).map_err(failed("F_ADD_SEALS"))?;
        let mapping = map(open, len, pages)?;
        Ok(RingMemory { fd, mapping })
    }

    /// Memory that somebody else has made, of at least `least` bytes. Nothing is touched before it is known to be there.
    ///
    /// # Errors
    ///
    /// [`Error::Descriptor`], [`Error::TooLarge`], [`Error::NoSpace`], [`Error::Os`].
    pub(crate) fn received(fd: OwnedFd, least: usize, huge_pages_too: bool) -> Result<RingMemory, Error> {
        let seals = memfd::seals_of(&fd)?;
        if !seals.contains(SIZE) {
            return Err(memfd::unsealed(&fd, SIZE, seals));
        }
        if seals.intersects(READ_ONLY) {
            return Err(Error::Descriptor(DescriptorFault::WriteSealed));
        }
        let pages = Pages::received(&fd, huge_pages_too)?;
        let (size, needed) = (memfd::size_of(&fd)?, least as u64);
        if size < needed {
            return Err(Error::Descriptor(DescriptorFault::TooShort { size, needed }));
        }
        memfd::must_be_backed(&fd, size, pages)?;
        pages.whole(size)?;
        let mapping = map(&fd, size as usize, pages)?;
        let fd = Uninherited::open(|| above_standard(fd)).map_err(|error| Error::os("F_DUPFD_CLOEXEC", error))?;
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

/// Maps all of it, and puts its pages under the mapping: no access waits for one as long as nobody takes it away.
fn map(fd: impl AsFd, len: usize, pages: Pages) -> Result<Mapping, Error> {
    // SAFETY: a new mapping, at an address that the kernel chooses.
    let base =
        unsafe { mmap(ptr::null_mut::<c_void>(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, fd, 0) };
    let base = base.map_err(|error| Error::os("mmap", error))?;
    let base = NonNull::new(base.cast()).ok_or(Error::os("mmap", Errno::NOMEM))?;
    // SAFETY: mapped above, and nobody else knows of it.
    let mapping = unsafe { Mapping::new(base, len) };
    if !pages.huge {
        // SAFETY: mapped above; others access it as atomics, or copy values that may be any bytes.
        unsafe { sys::prefault(base, len) };
        return Ok(mapping);
    }
    // What can't be had of huge pages is a signal when it is touched, and an error when it is asked for.
    // SAFETY: mapped above.
    if unsafe { populate(base, len) } { Ok(mapping) } else { Err(pages.no_space(len as u64)) }
}

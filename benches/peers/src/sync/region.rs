//! Named shared memory by system calls, and nothing else.
#![allow(unsafe_code)] // that is what it is

use std::{ffi::c_void, ptr, ptr::NonNull};

use rustix::{
    fs::{fstat, ftruncate},
    mm::{MapFlags, ProtFlags, mmap, munmap},
    shm::{self, Mode, OFlags},
};

use crate::Outcome;

/// A mapping; its name goes with whoever has created it.
pub(crate) struct Region {
    base: NonNull<u8>,
    len: usize,
    created: Option<String>,
}

impl Region {
    /// A new one, all zero.
    pub(crate) fn create(name: &str, len: usize) -> Outcome<Self> {
        let fd = shm::open(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, Mode::RUSR | Mode::WUSR)?;
        ftruncate(&fd, len as u64)?;
        let base = map(fd, len, true)?;
        Ok(Region { base, len, created: Some(name.to_owned()) })
    }

    /// One that is there, and is as long.
    pub(crate) fn open(name: &str, len: usize, writable: bool) -> Outcome<Self> {
        let fd = shm::open(name, if writable { OFlags::RDWR } else { OFlags::RDONLY }, Mode::empty())?;
        if fstat(&fd)?.st_size < len as i64 {
            return Err("the memory is too short".into());
        }
        Ok(Region { base: map(fd, len, writable)?, len, created: None })
    }

    /// Where it is: at the beginning of a page.
    pub(crate) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }
}

fn map(fd: rustix::fd::OwnedFd, len: usize, writable: bool) -> Outcome<NonNull<u8>> {
    let access = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
    // SAFETY: a new mapping, at an address that the kernel chooses.
    let base = unsafe { mmap(ptr::null_mut::<c_void>(), len, access, MapFlags::SHARED, &fd, 0) }?;
    Ok(NonNull::new(base.cast()).ok_or("mapped nowhere")?)
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: mapped by this value, and whoever refers into it keeps the value.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.len) };
        if let Some(name) = &self.created {
            let _ = shm::unlink(&**name);
        }
    }
}

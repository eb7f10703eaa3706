//! Who opens memory by its name, reads what is there and closes it again; and who makes it.
#![allow(unsafe_code)] // plain data that others may write, calls to the kernel, and the peers' views of memory

use std::{ffi::c_void, ptr};

use commonage::{Link, link::ReadWrite, sync::Mutex};
use rustix::{
    fs::fstat,
    mm::{MapFlags, ProtFlags, mmap, munmap},
    shm::{self, Mode, OFlags},
};
use shared_memory::{Shmem, ShmemConf};
use shmem_bind::{Builder, ShmemBox};

use super::{Region, Value};
use crate::{
    Outcome,
    peers::{ByHand, COMMONAGE, Peer, sum},
};

/// A value under a name.
pub(crate) trait Linked: 'static {
    const NAME: &'static str;
    /// What keeps the name, and takes it away when it goes.
    type Made: 'static;

    fn make(name: &str, value: Value) -> Outcome<Self::Made>;
    /// Opens it, sums it and closes it.
    fn look(name: &str) -> Outcome<u64>;
}

/// A link that is read, or, where `WRITABLE`, could be written to.
pub(crate) struct PlainLink<const WRITABLE: bool>;

impl<const WRITABLE: bool> Linked for PlainLink<WRITABLE> {
    const NAME: &'static str = COMMONAGE;
    type Made = Link<Value, ReadWrite>;

    fn make(name: &str, value: Value) -> Outcome<Self::Made> {
        Ok(Link::create_with(name, value)?)
    }

    fn look(name: &str) -> Outcome<u64> {
        if WRITABLE {
            let link = Link::<Value, ReadWrite>::open_existing(name)?;
            // SAFETY: nobody writes to it.
            return Ok(sum(unsafe { link.get() }));
        }
        let link = Link::<Value>::open(name)?;
        // SAFETY: nobody writes to it.
        Ok(sum(unsafe { link.get() }))
    }
}

/// A link to a value in a mutex.
pub(crate) struct LockedLink;

impl Linked for LockedLink {
    const NAME: &'static str = COMMONAGE;
    type Made = Link<Mutex<Value>, ReadWrite>;

    fn make(name: &str, value: Value) -> Outcome<Self::Made> {
        Ok(Link::create_with(name, Mutex::new(value))?)
    }

    fn look(name: &str) -> Outcome<u64> {
        let link = Link::<Mutex<Value>, ReadWrite>::open_existing(name)?;
        let guard = link.lock().unwrap_or_else(|died| died.into_guard());
        Ok(sum(&*guard))
    }
}

/// The crate `shmem-bind`.
pub(crate) struct ShmemBind;

impl ShmemBind {
    fn open(name: &str) -> Outcome<ShmemBox<Value>> {
        // It hands the name to the system as it is: it has to end in a zero.
        let memory = Builder::new(&format!("{name}\0")).with_size(size_of::<Value>() as i64).open()?;
        // SAFETY: the memory is as long, and any bytes are numbers.
        Ok(unsafe { memory.boxed() })
    }
}

impl Linked for ShmemBind {
    const NAME: &'static str = "shmem-bind";
    type Made = ShmemBox<Value>;

    fn make(name: &str, value: Value) -> Outcome<Self::Made> {
        let mut made = Self::open(name)?;
        *made = value;
        Ok(made)
    }

    fn look(name: &str) -> Outcome<u64> {
        Ok(sum(&*Self::open(name)?))
    }
}

/// The crate `shared_memory`.
pub(crate) struct SharedMemory;

impl Linked for SharedMemory {
    const NAME: &'static str = ByHand::NAME;
    type Made = Shmem;

    fn make(name: &str, value: Value) -> Outcome<Self::Made> {
        let made = ShmemConf::new().os_id(name).size(size_of::<Value>()).create()?;
        // SAFETY: it is as long, and nobody else knows of it.
        unsafe { made.as_ptr().cast::<Value>().write(value) };
        Ok(made)
    }

    fn look(name: &str) -> Outcome<u64> {
        let memory = ShmemConf::new().os_id(name).size(size_of::<Value>()).open()?;
        if memory.len() < size_of::<Value>() {
            return Err("the memory is too short".into());
        }
        // SAFETY: it is as long, and nobody writes to it.
        Ok(sum(unsafe { &*memory.as_ptr().cast::<Value>() }))
    }
}

/// `shm_open`, `mmap`, `munmap` and `close`; where `SIZE`, it is asked whether the memory is long enough.
pub(crate) struct RawCalls<const WRITABLE: bool, const SIZE: bool>;

impl<const WRITABLE: bool, const SIZE: bool> Linked for RawCalls<WRITABLE, SIZE> {
    const NAME: &'static str = if SIZE { "raw calls + fstat" } else { "raw calls" };
    type Made = Region;

    fn make(name: &str, value: Value) -> Outcome<Self::Made> {
        let made = Region::create(name, size_of::<Value>())?;
        // SAFETY: it is as long, and nobody else knows of it.
        unsafe { made.base().cast::<Value>().write(value) };
        Ok(made)
    }

    fn look(name: &str) -> Outcome<u64> {
        let (flags, access) = if WRITABLE {
            (OFlags::RDWR, ProtFlags::READ | ProtFlags::WRITE)
        } else {
            (OFlags::RDONLY, ProtFlags::READ)
        };
        let fd = shm::open(name, flags, Mode::empty())?;
        if SIZE && fstat(&fd)?.st_size < size_of::<Value>() as i64 {
            return Err("the memory is too short".into());
        }
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let base = unsafe { mmap(ptr::null_mut::<c_void>(), size_of::<Value>(), access, MapFlags::SHARED, &fd, 0) }?;
        // SAFETY: it is as long, and nobody writes to it.
        let found = sum(unsafe { &*base.cast::<Value>() });
        // SAFETY: mapped above, and nothing refers into it any more.
        unsafe { munmap(base, size_of::<Value>()) }?;
        Ok(found)
    }
}

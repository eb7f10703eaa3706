//! What the C library has: a mutex that processes share, and that says when its holder has died.
#![allow(unsafe_code)] // calls of the C library, and memory that several processes have

use std::{cell::UnsafeCell, io, mem};

use super::{Kept, Locked, Region, Value};
use crate::Outcome;

pub(crate) struct Robust(Region);

#[repr(C)]
struct Content {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    /// On cache lines of its own.
    value: Aligned,
}

#[repr(C, align(128))]
struct Aligned(UnsafeCell<Value>);

impl Robust {
    fn content(&self) -> &Content {
        // SAFETY: the region is as long, and zero, or what another has made of it, is a value of all that is in it; what
        // changes is in cells.
        unsafe { &*self.0.base().cast() }
    }
}

impl Kept for Robust {
    const NAME: &'static str = "robust pthread mutex";

    fn create(name: &str) -> Outcome<Self> {
        let robust = Robust(Region::create(name, size_of::<Content>())?);
        // SAFETY: a struct of the C library, which the first call below makes one of.
        let mut attributes: libc::pthread_mutexattr_t = unsafe { mem::zeroed() };
        // SAFETY: makes the attributes.
        done(unsafe { libc::pthread_mutexattr_init(&raw mut attributes) })?;
        // SAFETY: made above.
        done(unsafe { libc::pthread_mutexattr_setpshared(&raw mut attributes, libc::PTHREAD_PROCESS_SHARED) })?;
        // SAFETY: made above.
        done(unsafe { libc::pthread_mutexattr_setrobust(&raw mut attributes, libc::PTHREAD_MUTEX_ROBUST) })?;
        // SAFETY: nobody uses the mutex yet.
        done(unsafe { libc::pthread_mutex_init(robust.content().mutex.get(), &raw const attributes) })?;
        Ok(robust)
    }

    fn open(name: &str) -> Outcome<Self> {
        Ok(Robust(Region::open(name, size_of::<Content>(), true)?))
    }
}

impl Locked for Robust {
    fn with<R>(&self, change: impl FnOnce(&mut Value) -> R) -> R {
        let content = self.content();
        // SAFETY: a mutex that was made by whoever has said the name.
        match unsafe { libc::pthread_mutex_lock(content.mutex.get()) } {
            0 => {}
            // SAFETY: this thread has the lock now.
            libc::EOWNERDEAD => assert_eq!(unsafe { libc::pthread_mutex_consistent(content.mutex.get()) }, 0),
            error => panic!("pthread_mutex_lock: {}", io::Error::from_raw_os_error(error)),
        }
        // SAFETY: nobody else has the lock.
        let result = change(unsafe { &mut *content.value.0.get() });
        // SAFETY: this thread has the lock.
        assert_eq!(unsafe { libc::pthread_mutex_unlock(content.mutex.get()) }, 0);
        result
    }
}

fn done(error: i32) -> Outcome {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error).into()) }
}

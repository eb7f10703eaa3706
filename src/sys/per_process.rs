//! What a process has once, and a forked child of it does not inherit.

use std::{
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

use crate::sys;

/// A value of this process's own, made when it is first asked for. A forked child makes another: a thread of the parent
/// could have been in the middle of changing the one that it inherits, or have it locked. What it inherits is leaked, as it
/// is: neither dropped nor looked at.
pub(crate) struct PerProcess<T>(AtomicPtr<Made<T>>);

struct Made<T> {
    /// Whose it is: see `sys::lineage`.
    lineage: u32,
    value: T,
}

impl<T: Default + Sync> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        PerProcess(AtomicPtr::new(ptr::null_mut()))
    }

    /// This process's own.
    #[inline]
    pub(crate) fn get(&'static self) -> &'static T {
        match self.existing() {
            Some(value) => value,
            None => self.make(),
        }
    }

    /// This process's own, if it has been asked for before.
    #[inline]
    pub(crate) fn existing(&'static self) -> Option<&'static T> {
        // Acquire: with the release of whoever made it.
        // SAFETY: what is stored here was leaked, and is never freed.
        let made = unsafe { self.0.load(Ordering::Acquire).as_ref() }?;
        (made.lineage == sys::lineage()).then_some(&made.value)
    }

    #[cold]
    fn make(&'static self) -> &'static T {
        let made = Box::into_raw(Box::new(Made { lineage: sys::lineage(), value: T::default() }));
        let mut found = self.0.load(Ordering::Acquire);
        loop {
            if let Some(value) = self.existing() {
                // SAFETY: made above, and not stored.
                drop(unsafe { Box::from_raw(made) });
                return value;
            }
            match self.0.compare_exchange(found, made, Ordering::AcqRel, Ordering::Acquire) {
                // SAFETY: it is stored now, and never freed.
                Ok(_) => return unsafe { &(*made).value },
                Err(theirs) => found = theirs,
            }
        }
    }
}

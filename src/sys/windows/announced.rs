//! A process that has made itself known, so that others can ask whether it lives.
//!
//! It has an event of the kernel whose name is its id. The event goes with its last handle, and so with the process.

use std::{
    collections::btree_map::{BTreeMap, Entry},
    io,
    os::windows::io::{FromRawHandle, OwnedHandle},
    ptr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use windows_sys::Win32::{
    Foundation::{ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND},
    System::Threading::{CreateEventW, OpenEventW, SYNCHRONIZATION_SYNCHRONIZE},
};

use crate::sys::{Place, boot_time, process_id, random_u64};

/// See `own_id`.
static OWN: AtomicU64 = AtomicU64::new(0);

/// An id that no other process has.
pub(crate) fn new_id() -> u64 {
    let random = random_u64().unwrap_or_else(|_| u64::from(process_id()) << 30 ^ boot_time());
    (random >> 2).max(1)
}

/// The id by which others know that this process lives (see [`new_id`]), as it was set last; zero if it has not been.
#[inline]
pub(crate) fn own_id() -> u64 {
    OWN.load(Ordering::Relaxed)
}

/// Sets what `own_id` says.
pub(crate) fn set_own_id(id: u64) {
    OWN.store(id, Ordering::Relaxed);
}

/// A place at which this process is known.
#[derive(Debug)]
pub(crate) struct Announced(());

impl Announced {
    /// Nothing needs to be opened.
    pub(crate) fn open(_place: &Place) -> io::Result<Self> {
        Ok(Announced(()))
    }

    /// Makes this process known by its id, until it ends.
    pub(crate) fn announce(&self, id: u64) -> io::Result<()> {
        /// By their ids; closed by the system, when the process ends.
        static EVENTS: Mutex<BTreeMap<u64, OwnedHandle>> = Mutex::new(BTreeMap::new());
        let mut events = EVENTS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Vacant(missing) = events.entry(id) {
            let name = name_of(id);
            // SAFETY: the name ends in a zero, and lives longer than the call; no security attributes are given, so no child
            // inherits the handle.
            let handle = unsafe { CreateEventW(ptr::null(), 1, 0, name.as_ptr()) };
            if handle.is_null() {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: a new handle that is nobody else's.
            missing.insert(unsafe { OwnedHandle::from_raw_handle(handle) });
        }
        Ok(())
    }

    /// Is there a process that is known by this id?
    pub(crate) fn has(&self, id: u64) -> io::Result<bool> {
        let name = name_of(id);
        // SAFETY: the name ends in a zero, and lives longer than the call.
        let handle = unsafe { OpenEventW(SYNCHRONIZATION_SYNCHRONIZE, 0, name.as_ptr()) };
        if handle.is_null() {
            let error = io::Error::last_os_error();
            return match error.raw_os_error().map(i32::cast_unsigned) {
                Some(ERROR_FILE_NOT_FOUND) => Ok(false),
                Some(ERROR_ACCESS_DENIED) => Ok(true), // another user's
                _ => Err(error),
            };
        }
        // SAFETY: a new handle that is nobody else's.
        drop(unsafe { OwnedHandle::from_raw_handle(handle) });
        Ok(true)
    }
}

/// The name of the event, the same in every session: events, unlike mappings, may be made there by everybody.
fn name_of(id: u64) -> Vec<u16> {
    format!("Global\\commonage-{id:016x}").encode_utf16().chain([0]).collect()
}

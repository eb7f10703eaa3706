//! What this process has mapped, by what it is: a claim finds it again without a system call.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::{Identity, Mapped};
use crate::sys::PerProcess;

/// A value: what its file is, where it is in it, and the fingerprint of its type: of what has no header, one range can be
/// open as several types.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Key {
    pub(super) identity: Identity,
    /// Of its first byte in the file.
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) fingerprint: u64,
}

#[derive(Default)]
pub(super) struct Table(HashMap<Key, Entry>);

struct Entry {
    mapped: Weak<Mapped>,
    /// It is written here: nobody else gets a handle on it.
    written: bool,
}

/// Of files that a forked child inherits it knows nothing: it opens them as any other process.
static TABLE: PerProcess<Mutex<Table>> = PerProcess::new();

/// While it is locked, nothing that is found in it gets another handle but by who has locked it.
pub(super) fn table() -> MutexGuard<'static, Table> {
    TABLE.get().lock().unwrap_or_else(PoisonError::into_inner)
}

impl Table {
    pub(super) fn put(&mut self, key: Key, mapped: &Arc<Mapped>, written: bool) {
        self.0.insert(key, Entry { mapped: Arc::downgrade(mapped), written });
    }

    /// What this process reads. It must be dropped when the table is locked no longer: it may be the last handle by then.
    pub(super) fn read(&self, key: &Key) -> Option<Arc<Mapped>> {
        self.0.get(key).filter(|entry| !entry.written)?.mapped.upgrade()
    }

    /// Does this process write it?
    pub(super) fn is_written(&self, key: &Key) -> bool {
        self.0.get(key).is_some_and(|entry| entry.written && entry.mapped.strong_count() > 0)
    }

    /// Forgets this one, and no other.
    pub(super) fn take(&mut self, key: &Key, mapped: *const Mapped) {
        if self.0.get(key).is_some_and(|found| found.mapped.as_ptr() == mapped) {
            self.0.remove(key);
        }
    }
}

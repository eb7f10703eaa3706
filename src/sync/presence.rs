//! Who lives: how a waiting process learns that whoever holds a lock is dead.
//!
//! Each process has an id: a random number that is never zero, and that no other process has; a forked child gets
//! another. It stands in each lock that the process holds. While a process has a writable link to a value with locks,
//! it is announced in that link's memory by its id ([`Presence`]), in a way that ends with the process however that
//! ends. Who waits for a lock asks whether its holder is still announced there.
//!
//! What is announced stands in a table of this process's own, by address: a lock finds the memory that it lies in by
//! where it is. A lock that lies in no announced memory (a variable of this process, a mapping of another crate) has
//! nobody to ask, and whoever waits for it waits on.
//!
//! # Fork
//!
//! A child inherits mappings, and it may use the locks in them as its parent did: by an id of its own, under which it
//! is announced in all that it has inherited when it first needs it. What can't be had then (no descriptor, no `/proc`)
//! makes it panic at the first lock that lies there and is needed: it must not hold what others would take from it.
//!
//! The table is guarded by a lock that a child takes over from a thread of its parent; so each entry is whole at every
//! moment: whoever changes one writes its end last, and takes it away first.

use std::{
    ops::Range,
    ptr,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

use crate::{
    LinkFault,
    sys::{self, Announced, HeirLock, Place},
};

/// This process is known in a link's memory, by its id, as long as this is there. It goes before the mapping does.
#[derive(Debug)]
pub(crate) struct Presence(&'static Entry);

/// A place in the table. Leaked, and used again. Whoever changes it, or relies on it, has the lock.
#[derive(Debug)]
struct Entry {
    /// The first address.
    start: AtomicUsize,
    /// The address after the last, or zero in an entry that holds nothing.
    end: AtomicUsize,
    /// Made from a box; null in an entry that holds nothing.
    announced: AtomicPtr<Announced>,
    /// This process is announced there. False only in a forked child that could not be.
    known: AtomicBool,
    /// The entry that was made before this one.
    next: AtomicPtr<Entry>,
}

/// All entries, the newest first. The list only ever grows, at its head.
static ENTRIES: AtomicPtr<Entry> = AtomicPtr::new(ptr::null_mut());
static LOCK: HeirLock = HeirLock::new();
/// The id that was made last, and the process that it was made for, by its `lineage`. They are written under the lock,
/// the id first.
static ID: AtomicU64 = AtomicU64::new(0);
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// The id of this process, if it is announced wherever it should be; else zero, and [`id_for`] may know it.
#[inline(always)]
pub(super) fn own_id() -> u64 {
    sys::own_id()
}

/// The id of this process, for a lock at this address.
///
/// # Panics
///
/// In a forked child that could not be announced in the memory that the lock lies in.
#[cold]
pub(super) fn id_for(at: usize) -> u64 {
    let table = Table::locked();
    let id = table.own_id();
    let known = table.find(at).is_none_or(|entry| entry.known.load(Ordering::Relaxed));
    drop(table);
    assert!(
        known,
        "a lock that a forked child has inherited can't be taken: the child could not be made known to others where the \
         lock lies, and they would take it for dead"
    );
    id
}

/// The id of this process, if it has one: zero in a forked child that has not needed it yet.
#[cold]
pub(super) fn existing_id() -> u64 {
    // Acquire: with the release of the thread that made the id.
    if PROCESS.load(Ordering::Acquire) == sys::lineage() { ID.load(Ordering::Relaxed) } else { 0 }
}

/// Is it known that the process with this id is dead, or has the memory no more that a lock at this address lies in?
#[cold]
pub(super) fn is_dead(at: usize, id: u64) -> bool {
    let table = Table::locked();
    let announced = table.find(at).and_then(Entry::announced);
    announced.is_some_and(|announced| announced.has(id).is_ok_and(|has| !has))
}

impl Presence {
    /// Makes this process known in what is mapped to these addresses of a place. Nothing else that is announced lies
    /// there.
    ///
    /// # Errors
    ///
    /// [`LinkFault::Failed`].
    pub(crate) fn announce(place: &Place, mapped: Range<usize>) -> Result<Presence, LinkFault> {
        let failed = |operation| move |source| LinkFault::Failed { operation, source };
        let announced = Announced::open(place).map_err(failed("open, to be known to others,"))?;
        // Memory is taken, and given back, outside of the lock: a memory allocator can have handlers of its own, and be
        // in the middle of a fork.
        let announced = Box::into_raw(Box::new(announced));
        let mut table = Table::locked();
        let entry = loop {
            match table.free() {
                Some(entry) => break entry,
                None => drop(table),
            }
            let made = Box::into_raw(Box::new(Entry::new()));
            table = Table::locked();
            // SAFETY: made above, and never freed.
            table.add(unsafe { &*made });
        };
        let id = table.own_id();
        // SAFETY: made above, and nobody else knows of it.
        let result = unsafe { &*announced }.announce(id);
        if let Err(error) = result {
            drop(table);
            // SAFETY: made above, and nobody else knows of it.
            drop(unsafe { Box::from_raw(announced) });
            return Err(failed("lock, to be known to others,")(error));
        }
        entry.announced.store(announced, Ordering::Relaxed);
        entry.known.store(true, Ordering::Relaxed);
        entry.start.store(mapped.start, Ordering::Relaxed);
        // Release: a child that was forked in between finds the rest, or nothing.
        entry.end.store(mapped.end, Ordering::Release);
        Ok(Presence(entry))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let table = Table::locked();
        self.0.end.store(0, Ordering::Release);
        let announced = self.0.announced.swap(ptr::null_mut(), Ordering::Relaxed);
        drop(table);
        // SAFETY: made from a box by `announce`, and nobody finds it any more: the entry is this presence's.
        drop(unsafe { Box::from_raw(announced) });
    }
}

impl Entry {
    fn new() -> Self {
        Entry {
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            announced: AtomicPtr::new(ptr::null_mut()),
            known: AtomicBool::new(false),
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    fn announced(&self) -> Option<&Announced> {
        // SAFETY: null, or a box that is freed only after it has been taken out, under the lock that the caller has.
        unsafe { self.announced.load(Ordering::Relaxed).as_ref() }
    }
}

/// The right to use the table.
struct Table(());

impl Table {
    fn locked() -> Self {
        LOCK.take(sys::lineage());
        Table(())
    }

    /// The id of this process. If it has none yet it gets one, and is announced wherever its parent was.
    fn own_id(&self) -> u64 {
        let process = sys::lineage();
        if PROCESS.load(Ordering::Relaxed) == process {
            return ID.load(Ordering::Relaxed);
        }
        let id = sys::new_id();
        let mut all = true;
        for entry in self.entries().filter(|entry| entry.end.load(Ordering::Acquire) != 0) {
            let known = entry.announced().is_some_and(|announced| announced.announce(id).is_ok());
            entry.known.store(known, Ordering::Relaxed);
            all &= known;
        }
        ID.store(id, Ordering::Relaxed);
        PROCESS.store(process, Ordering::Release);
        if all {
            // From now on nobody asks the table.
            sys::set_own_id(id);
        }
        id
    }

    fn find(&self, at: usize) -> Option<&'static Entry> {
        self.entries().find(|entry| {
            let end = entry.end.load(Ordering::Acquire);
            entry.start.load(Ordering::Relaxed) <= at && at < end
        })
    }

    fn free(&self) -> Option<&'static Entry> {
        self.entries().find(|entry| entry.end.load(Ordering::Acquire) == 0)
    }

    fn entries(&self) -> impl Iterator<Item = &'static Entry> {
        // SAFETY: entries are never freed. Acquire: with the release of whoever added it.
        let at = |entry: &AtomicPtr<Entry>| unsafe { entry.load(Ordering::Acquire).as_ref() };
        std::iter::successors(at(&ENTRIES), move |entry| at(&entry.next))
    }

    fn add(&self, entry: &'static Entry) {
        entry.next.store(ENTRIES.load(Ordering::Relaxed), Ordering::Relaxed);
        ENTRIES.store(ptr::from_ref(entry).cast_mut(), Ordering::Release);
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        LOCK.release();
    }
}

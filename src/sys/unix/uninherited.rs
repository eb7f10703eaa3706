//! Descriptors that a forked child must not keep.
//!
//! A child inherits every descriptor, and with it a share of its description. Some descriptions hold locks by which
//! others know that the parent lives: they would take it for alive as long as the child is. So these descriptors stand in
//! a register, and a child closes what it finds there. Closing unlocks nothing as long as the parent has its own.
//!
//! Some of them the child renews instead: it has the same file under the same number, through a description of its own
//! that holds no locks. Others it replaces: what others are told to watch must go on to be something that can be watched,
//! and is the child's own.
//!
//! - The handlers of `fork` see to it that no descriptor is half-way into the register, or out of it, in the child, and
//!   close them there. The child needs not call this crate for it.
//! - A bare `clone`, or `_Fork`, runs no handlers: then the child closes them when it first asks for its process id. One
//!   that never does keeps them.
//!
//! In the child, the inherited values are neutral, but for those that were renewed or replaced: their numbers may be those
//! of other descriptors by now.

use std::{
    fs::File,
    mem::{self, ManuallyDrop},
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    path::Path,
    ptr,
    sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering},
};

use rustix::{fs::fstat, io::Errno, process::getpid};

use super::{above_standard, identity_of};
use crate::sys::{self, HeirLock};

/// A descriptor of this process's own. In a forked child it is closed, or was never there, and this value is of no use;
/// unless it was to be renewed or replaced there.
#[derive(Debug)]
pub(crate) struct Uninherited<T: AsFd> {
    /// Dropped by the process that opened it, and by no other.
    value: ManuallyDrop<T>,
    entry: &'static Entry,
    /// The entry's, as long as it holds this descriptor.
    tenure: u32,
}

/// A place in the register. Leaked, and used again.
#[derive(Debug)]
struct Entry {
    /// The descriptor, or `NONE`.
    number: AtomicI32,
    /// What it is open on, and what a child does with it: an [`InAChild`]. They are written before the number, and only under
    /// the lock.
    device: AtomicU64,
    inode: AtomicU64,
    fate: AtomicU8,
    /// One more each time that it comes to hold nothing.
    tenure: AtomicU32,
    /// The entry that was made before this one.
    next: AtomicPtr<Entry>,
    /// Among the entries that hold nothing.
    next_free: AtomicPtr<Entry>,
}

/// What becomes of a descriptor in a forked child.
#[derive(Clone, Copy)]
#[repr(u8)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "there everything is closed"))]
enum InAChild {
    Closed,
    Renewed,
    Replaced,
}

const NONE: RawFd = -1;

/// All entries, the newest first. Whatever the lock says, the list is whole: it only ever grows at its head.
static ENTRIES: AtomicPtr<Entry> = AtomicPtr::new(ptr::null_mut());
/// Those that hold nothing; under the lock.
static FREE: AtomicPtr<Entry> = AtomicPtr::new(ptr::null_mut());
/// The process whose descriptors stand in the register.
static OWNER: AtomicU32 = AtomicU32::new(0);
/// The handlers are in place. A child has its parent's.
static HANDLED: AtomicBool = AtomicBool::new(false);
/// Held while a descriptor comes or goes, and by whoever forks.
static LOCK: HeirLock = HeirLock::new();

impl<T: AsFd> Uninherited<T> {
    /// What `open` opens. It runs under a lock that `fork` takes as well: it makes system calls and nothing else.
    ///
    /// # Errors
    ///
    /// Those of `open`; want of memory.
    pub(crate) fn open<E: From<Errno>>(open: impl FnOnce() -> Result<T, E>) -> Result<Self, E> {
        Self::register(open, InAChild::Closed)
    }

    /// As [`open`](Self::open), but a forked child has the same file through a new description, which can be read from; or
    /// nothing, if it can't be had.
    #[cfg(target_os = "linux")]
    pub(crate) fn renewed<E: From<Errno>>(open: impl FnOnce() -> Result<T, E>) -> Result<Self, E> {
        Self::register(open, InAChild::Renewed)
    }

    /// As [`open`](Self::open), but a forked child has, under the same number, what can always be read from and is nobody
    /// else's; or nothing, if it can't be had.
    #[cfg(target_os = "linux")]
    pub(crate) fn replaced<E: From<Errno>>(open: impl FnOnce() -> Result<T, E>) -> Result<Self, E> {
        Self::register(open, InAChild::Replaced)
    }

    /// Two as [`replaced`](Self::replaced) has one: no child has inherited one of them and not the other.
    #[cfg(target_os = "linux")]
    pub(crate) fn replaced_pair<E: From<Errno>>(open: impl FnOnce() -> Result<(T, T), E>) -> Result<(Self, Self), E> {
        let locked = Locked::with_room_for(2)?;
        let (first, second) = open()?;
        let first = Self::enter(&locked, first, InAChild::Replaced)?;
        let second = Self::enter(&locked, second, InAChild::Replaced);
        // Before the first is dropped, if there is no second: that takes the lock.
        drop(locked);
        Ok((first, second?))
    }

    fn register<E: From<Errno>>(open: impl FnOnce() -> Result<T, E>, fate: InAChild) -> Result<Self, E> {
        let locked = Locked::with_room_for(1)?;
        Ok(Self::enter(&locked, open()?, fate)?)
    }

    fn enter(locked: &Locked, value: T, fate: InAChild) -> rustix::io::Result<Self> {
        let stat = fstat(&value)?;
        // Room was made for it, and the lock has been held since.
        let entry = locked.take().ok_or(Errno::NOMEM)?;
        let (device, inode) = identity_of(&stat);
        entry.device.store(device, Ordering::Relaxed);
        entry.inode.store(inode, Ordering::Relaxed);
        entry.fate.store(fate as u8, Ordering::Relaxed);
        // Release: whoever finds the number finds what it stands for.
        entry.number.store(value.as_fd().as_raw_fd(), Ordering::Release);
        let tenure = entry.tenure.load(Ordering::Relaxed);
        Ok(Uninherited { value: ManuallyDrop::new(value), entry, tenure })
    }

    /// The descriptor.
    ///
    /// # Errors
    ///
    /// In a forked child: that there is none, unless it was renewed or replaced.
    pub(crate) fn get(&self) -> rustix::io::Result<&T> {
        if self.is_ours() { Ok(&self.value) } else { Err(Errno::BADF) }
    }

    /// Its number, whoever has it.
    #[cfg(target_os = "linux")]
    pub(crate) fn number(&self) -> RawFd {
        self.value.as_fd().as_raw_fd()
    }

    /// The descriptor, as it was opened or as a child has replaced it, for others to watch. One that a child could not replace
    /// is closed, and whatever has its number by now is named.
    #[cfg(target_os = "linux")]
    pub(crate) fn borrow(&self) -> BorrowedFd<'_> {
        sys::process_id(); // a child that no handler has told replaces it now
        self.value.as_fd()
    }

    /// What was opened, out of the register: a forked child is to inherit it from now on.
    ///
    /// # Errors
    ///
    /// In a forked child: that there is none, unless it was renewed or replaced.
    #[cfg(target_os = "linux")]
    pub(crate) fn take(self) -> rustix::io::Result<T> {
        if !self.is_ours() {
            return Err(Errno::BADF);
        }
        let mut this = ManuallyDrop::new(self);
        let locked = Locked::by(sys::process_id());
        // SAFETY: taken here, and neither looked at nor dropped any more.
        let value = unsafe { ManuallyDrop::take(&mut this.value) };
        locked.give_back(this.entry);
        Ok(value)
    }

    /// Is what was opened, or renewed, still what the number stands for?
    #[cfg(target_os = "linux")]
    pub(crate) fn is_intact(&self) -> bool {
        let opened = (self.entry.device.load(Ordering::Relaxed), self.entry.inode.load(Ordering::Relaxed));
        self.is_ours() && open_on(self.number()) == Some(opened)
    }

    fn is_ours(&self) -> bool {
        // In a child that no handler has told, the first question for its id ends the tenure of what it does not keep.
        sys::process_id();
        self.tenure == self.entry.tenure.load(Ordering::Acquire)
    }
}

impl Uninherited<File> {
    /// Makes a file that is only this user's, and whose lock no child inherits; an error if anything has the name.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn create_private(path: &Path) -> std::io::Result<Self> {
        Uninherited::open(|| Ok(File::from(above_standard(super::create_private(path)?.into())?)))
    }
}

impl<T: AsFd> Drop for Uninherited<T> {
    fn drop(&mut self) {
        if self.is_ours() {
            let locked = Locked::by(sys::process_id());
            // SAFETY: dropped here and nowhere else.
            unsafe { ManuallyDrop::drop(&mut self.value) };
            locked.give_back(self.entry);
        }
    }
}

impl Entry {
    fn new() -> Self {
        let null = || AtomicPtr::new(ptr::null_mut());
        Entry {
            number: AtomicI32::new(NONE),
            device: AtomicU64::new(0),
            inode: AtomicU64::new(0),
            fate: AtomicU8::new(InAChild::Closed as u8),
            tenure: AtomicU32::new(0),
            next: null(),
            next_free: null(),
        }
    }

    /// In a forked child: renews the descriptor, or replaces it; false if it is to be closed, or nothing else can be done.
    fn is_kept(&self, number: RawFd) -> bool {
        let fate = self.fate.load(Ordering::Relaxed);
        if fate == InAChild::Renewed as u8 {
            return sys::renew(number).is_ok();
        }
        if fate != InAChild::Replaced as u8 || sys::replace(number).is_err() {
            return false;
        }
        // What a child of this one inherits in its turn.
        let (device, inode) = open_on(number).unwrap_or_default();
        self.device.store(device, Ordering::Relaxed);
        self.inode.store(inode, Ordering::Relaxed);
        true
    }
}

/// In a child that knows of its fork by its new id alone: closes what it has inherited, once.
#[cfg(target_os = "linux")]
pub(crate) fn close_inherited(pid: u32) {
    if OWNER.load(Ordering::Acquire) != pid {
        drop(Locked::by(pid));
    }
}

/// Does something while no other thread forks: no child is half-way through it.
///
/// # Errors
///
/// Want of memory.
#[cfg(target_os = "linux")]
pub(crate) fn between_forks<R>(act: impl FnOnce() -> R) -> rustix::io::Result<R> {
    let locked = Locked::by(sys::process_id());
    locked.see_to_forks()?;
    Ok(act())
}

/// The right to change the register. There is nothing in it but what is this process's.
struct Locked(());

impl Locked {
    /// Waits until no other thread has the lock. What a child inherits locked by a thread of its parent, it takes over.
    fn by(pid: u32) -> Self {
        LOCK.take(pid);
        let locked = Locked(());
        match OWNER.load(Ordering::Relaxed) {
            0 => OWNER.store(pid, Ordering::Release),
            owner if owner != pid => locked.settle(pid),
            _ => {}
        }
        locked
    }

    /// The lock, with as many entries that hold nothing, and every fork seen to.
    ///
    /// # Errors
    ///
    /// Want of memory.
    fn with_room_for(entries: usize) -> rustix::io::Result<Self> {
        // Memory is taken outside of the lock: a memory allocator can have handlers of its own, and be in the middle of
        // a fork.
        let mut locked = Locked::by(sys::process_id());
        while !locked.has_free(entries) {
            drop(locked);
            let made = Box::into_raw(Box::new(Entry::new()));
            locked = Locked::by(sys::process_id());
            // SAFETY: made above, and never freed.
            locked.add(unsafe { &*made });
        }
        locked.see_to_forks()?;
        Ok(locked)
    }

    /// In a forked child: closes what its parent has registered, or renews or replaces it. Only calls that a signal handler may make, too.
    fn settle(&self, pid: u32) {
        FREE.store(ptr::null_mut(), Ordering::Relaxed);
        let mut next = &ENTRIES;
        // SAFETY: entries are never freed.
        while let Some(entry) = unsafe { next.load(Ordering::Acquire).as_ref() } {
            let number = entry.number.load(Ordering::Acquire);
            let registered = (entry.device.load(Ordering::Relaxed), entry.inode.load(Ordering::Relaxed));
            let inherited = number != NONE && open_on(number) == Some(registered);
            next = &entry.next;
            if inherited && entry.is_kept(number) {
                continue;
            }
            if inherited {
                // SAFETY: the descriptor is still the one that was inherited, and what wraps it will not touch it.
                unsafe { rustix::io::close(number) };
            }
            self.give_back(entry);
        }
        // Release: who finds this process registered finds in the register what it keeps.
        OWNER.store(pid, Ordering::Release);
    }

    /// Has every fork run the handlers.
    fn see_to_forks(&self) -> rustix::io::Result<()> {
        if !HANDLED.load(Ordering::Relaxed) {
            // SAFETY: these functions are there as long as the code of the program is.
            let error = unsafe { libc::pthread_atfork(Some(before), Some(after_here), Some(after_in_child)) };
            if error != 0 {
                return Err(Errno::from_raw_os_error(error));
            }
            HANDLED.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn add(&self, entry: &'static Entry) {
        entry.next.store(ENTRIES.load(Ordering::Relaxed), Ordering::Relaxed);
        ENTRIES.store(ptr::from_ref(entry).cast_mut(), Ordering::Release);
        self.give_back(entry);
    }

    fn give_back(&self, entry: &'static Entry) {
        entry.number.store(NONE, Ordering::Relaxed);
        // Release: who finds the tenure ended (see `is_ours`) finds the descriptor gone.
        entry.tenure.fetch_add(1, Ordering::Release);
        entry.next_free.store(FREE.load(Ordering::Relaxed), Ordering::Relaxed);
        FREE.store(ptr::from_ref(entry).cast_mut(), Ordering::Relaxed);
    }

    fn has_free(&self, entries: usize) -> bool {
        let mut next = &FREE;
        (0..entries).all(|_| {
            // SAFETY: entries are never freed.
            let free = unsafe { next.load(Ordering::Relaxed).as_ref() };
            free.map(|entry| next = &entry.next_free).is_some()
        })
    }

    fn take(&self) -> Option<&'static Entry> {
        // SAFETY: entries are never freed.
        let entry = unsafe { FREE.load(Ordering::Relaxed).as_ref() }?;
        FREE.store(entry.next_free.load(Ordering::Relaxed), Ordering::Relaxed);
        Some(entry)
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        LOCK.release();
    }
}

extern "C" fn before() {
    mem::forget(Locked::by(own_id()));
}

extern "C" fn after_here() {
    drop(Locked(())); // taken before the fork
}

extern "C" fn after_in_child() {
    let locked = Locked(()); // taken before the fork, by the thread that this one is a copy of
    locked.settle(own_id());
}

/// The id of this process, from the kernel: `sys::process_id` would close first what is inherited.
fn own_id() -> u32 {
    getpid().as_raw_nonzero().get().cast_unsigned()
}

fn open_on(number: RawFd) -> Option<(u64, u64)> {
    // SAFETY: it may be closed, then the call says so; nothing else is done with it.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    fstat(fd).ok().map(|stat| identity_of(&stat))
}

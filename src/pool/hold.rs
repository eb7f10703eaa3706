//! A process's hold on a block: counted here, given when the last handle goes.
//!
//! It counts by itself, because an `Arc` can't: its count reaches zero before any lock is taken, and a claim could find
//! the block in between, neither held nor given.
#![allow(unsafe_code)] // The counted memory is freed, or used again, by whoever counts it to the end.

use std::{
    ops::Deref,
    process,
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::pool::{
    attachment::Attachment,
    block::{Extent, give_back},
    magazine, peers,
    records::{Place, Released},
    steps::{self, Intent},
    stripe::Known,
};

/// More handles than any memory has room for: only leaking them gets there.
const MAX_HANDLES: usize = isize::MAX as usize;

/// What a process has of one block: shared by all its handles there, and kept with the block while that is vacant in this
/// process's own pool.
pub(crate) struct Held {
    /// How many [`Hold`]s there are. From 0 to 1 and from 1 to 0 only under the stripe lock; 0 with one of them still there
    /// if that has nothing to give any more: the hold has gone over to a ticket.
    handles: AtomicUsize,
    pub(crate) at: Arc<Attachment>,
    pub(crate) block: u32,
    /// The first byte of the block.
    data: NonNull<u8>,
    /// Bytes of the block that the value uses. Changes when an exclusive value that has become shorter is cut into parts.
    len: AtomicUsize,
    fingerprint: u64,
    /// Changes at `thaw`, when this is the only hold anywhere.
    serial: AtomicU64,
    /// In this process's own pool: where the block goes when it is vacant.
    pub(crate) place: Place,
}

// SAFETY: `data` leads to shared memory that stays mapped as long as `at` is there; the bytes are reached only through
// `Part`, whose methods say what the caller must see to.
unsafe impl Send for Held {}
// SAFETY: as above; everything else in it is immutable or atomic.
unsafe impl Sync for Held {}

impl Held {
    /// Of a block that nobody has a handle on, yet.
    pub(crate) fn new(at: Arc<Attachment>, block: u32, extent: Extent, serial: u64) -> Box<Self> {
        // SAFETY: `extent` was checked against the length of the data area.
        let data = unsafe { at.segment.data().add(extent.offset) };
        Box::new(Held {
            handles: AtomicUsize::new(0),
            at,
            block,
            data,
            len: AtomicUsize::new(extent.len),
            fingerprint: extent.fingerprint,
            serial: AtomicU64::new(serial),
            place: Place::default(),
        })
    }

    /// Of a vacant block of this process's own pool, and where it goes when it is vacant again.
    pub(crate) fn vacant(at: Arc<Attachment>, block: u32, offset: usize, place: Place) -> Box<Self> {
        let mut held = Self::new(at, block, Extent { offset, len: 0, fingerprint: 0 }, 0);
        held.place = place;
        held
    }

    /// What the next value is, of a block that is vacant.
    pub(crate) fn describe(&mut self, len: usize, fingerprint: u64, serial: u64) {
        *self.len.get_mut() = len;
        self.fingerprint = fingerprint;
        *self.serial.get_mut() = serial;
    }

    /// Whether the block is where a header says that it is.
    pub(crate) fn is_at(&self, extent: &Extent) -> bool {
        self.offset() == extent.offset
    }

    /// The block has been released, and no handle is left. Where it is the record says: what peers have said of it, if the
    /// hold began with a claim, is forgotten.
    pub(crate) fn vacate(&mut self, released: Released) {
        *self.handles.get_mut() = 0;
        // Of a hold that began with a claim, the pages of its run are not known.
        self.place = Place { class: released.class, fresh: false, ..self.place };
        // SAFETY: a block of this process's own segment, where this process has put it: within the data area.
        self.data = unsafe { self.at.segment.data().add(released.offset) };
    }

    pub(crate) fn serial(&self) -> u64 {
        self.serial.load(Ordering::Relaxed)
    }

    pub(crate) fn set_serial(&self, serial: u64) {
        self.serial.store(serial, Ordering::Relaxed);
    }

    pub(crate) fn data(&self) -> NonNull<u8> {
        self.data
    }

    /// Where the block begins in the data area.
    pub(crate) fn offset(&self) -> usize {
        self.data.as_ptr() as usize - self.at.segment.data().as_ptr() as usize
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    pub(crate) fn set_len(&self, len: usize) {
        self.len.store(len, Ordering::Relaxed);
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// How many handles there are.
    pub(crate) fn handles(&self) -> usize {
        // Acquire: what others did through handles that they have dropped comes before.
        self.handles.load(Ordering::Acquire)
    }
}

/// One counted reference to what a process has of a block. While there is one, the process's hold bit is set, `holders`
/// counts the process, and the bytes stay where they are.
pub(crate) struct Hold(NonNull<Held>);

// SAFETY: it gives out `&Held`, which is `Sync`, and frees what is `Send`.
unsafe impl Send for Hold {}
// SAFETY: as above.
unsafe impl Sync for Hold {}

/// What a stripe knows of a hold, under its lock: registered while there are handles.
#[derive(Clone, Copy)]
pub(crate) struct Registered(NonNull<Held>);

// SAFETY: it leads to a `Held`, which is `Send` and `Sync`.
unsafe impl Send for Registered {}

impl Registered {
    /// Another handle on what is registered. Call it under the stripe lock.
    pub(crate) fn hold(&self) -> Hold {
        // SAFETY: registered, so that there are handles, and under the lock that whoever drops the last one takes first.
        let held = unsafe { self.0.as_ref() };
        held.count();
        Hold(self.0)
    }
}

impl Held {
    /// One more handle.
    fn count(&self) {
        // Relaxed: another handle keeps everything in place. As `Arc`, what only leaks can reach ends the process: there is
        // no count left that would be right.
        if self.handles.fetch_add(1, Ordering::Relaxed) > MAX_HANDLES {
            process::abort();
        }
    }
}

impl Hold {
    /// The first handle. The caller registers it, under the stripe lock that it has.
    pub(crate) fn first(mut held: Box<Held>) -> Self {
        *held.handles.get_mut() = 1;
        Hold(NonNull::from(Box::leak(held)))
    }

    pub(crate) fn registered(&self) -> Registered {
        Registered(self.0)
    }

    /// This, the only handle, has nothing to give any more when it is dropped. Call it under the stripe lock, with the hold
    /// not registered.
    pub(crate) fn disown(&self) {
        self.handles.store(0, Ordering::Relaxed);
    }

    /// Takes one handle off the count, unless it is the last, or none.
    #[inline]
    fn leave_to_others(&self) -> bool {
        let mut handles = self.handles();
        while handles > 1 {
            // Release: with the acquire of whoever finds itself alone.
            match self.handles.compare_exchange_weak(handles, handles - 1, Ordering::Release, Ordering::Acquire) {
                Ok(_) => return true,
                Err(now) => handles = now,
            }
        }
        false
    }
}

impl Deref for Hold {
    type Target = Held;

    #[inline]
    fn deref(&self) -> &Held {
        // SAFETY: not freed while it is counted.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for Hold {
    #[inline]
    fn clone(&self) -> Self {
        self.count();
        Hold(self.0)
    }
}

impl Drop for Hold {
    #[inline]
    fn drop(&mut self) {
        if !self.leave_to_others() {
            give(self.0);
        }
    }
}

/// Give: the last handle here is gone.
fn give(hold: NonNull<Held>) {
    // SAFETY: counted, by the handle that is being dropped.
    let held = unsafe { hold.as_ref() };
    if held.at.is_inherited() {
        // The parent has it, and its mutexes may be locked for ever here.
        return;
    }
    let mut released = None;
    if held.handles() > 0 {
        let (at, block) = (&*held.at, held.block);
        let mut stripe = at.stripe(block);
        // A claim, which has the lock, can have made another handle of it; what is alone under the lock stays alone.
        if held.handles() > 1 && held.handles.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let intent = Intent::on(at, block);
        released = match steps::give(at, at.slot, block) {
            Ok(word) if word.is_zero() => give_back(at, block),
            // A word that can't go down was changed against the protocol: the block is left alone.
            _ => None,
        };
        drop(intent);
        let keep = released.is_none() && at.owned.is_some();
        *stripe.known(block) = match keep {
            // SAFETY: it came from a box, and this was the only handle: nobody finds it in the stripe any more.
            true => Known::Kept(unsafe { Box::from_raw(hold.as_ptr()) }),
            false => Known::Nothing,
        };
        if keep {
            return;
        }
    }
    // SAFETY: as above; it has not been kept.
    let mut held = unsafe { Box::from_raw(hold.as_ptr()) };
    match released {
        Some(released) => {
            held.vacate(released);
            magazine::push(held);
        }
        None => {
            let Held { at, .. } = *held;
            peers::unmap_if_done(at);
        }
    }
}

//! Values that are copied while others may change them: word by word, by atomic accesses, so that what is read is at
//! worst of several values, and never undefined.
//!
//! Both sides divide a value alike: words of eight bytes, and of what is left one of four, one of two and one of one.

use std::{
    cell::UnsafeCell,
    mem::MaybeUninit,
    sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering},
};

use bytemuck::{NoUninit, Zeroable};

/// The place of a value, all of whose bytes have been written.
#[repr(C, align(8))]
pub(super) struct Slot<T> {
    /// Only accessed by atomics, as the module divides it.
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: zeros are a value.
unsafe impl<T: Zeroable> Zeroable for Slot<T> {}
// SAFETY: all accesses by more than one thread are atomic, and what they copy can go from thread to thread.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    pub(super) const fn new(value: T) -> Self {
        Slot { value: UnsafeCell::new(MaybeUninit::new(value)) }
    }

    /// Copies the value, as it is: all of its bytes are then initialised. Only Relaxed loads; what is around them
    /// orders them.
    #[inline(always)]
    pub(super) fn load<B>(&self) -> MaybeUninit<B> {
        const { assert!(size_of::<B>() == size_of::<T>()) };
        let mut copy = MaybeUninit::<B>::uninit();
        let (from, into) = (self.value.get().cast::<u8>(), copy.as_mut_ptr().cast::<u8>());
        let size = size_of::<T>();
        for at in (0..size / 8 * 8).step_by(8) {
            // SAFETY: eight bytes of each, aligned in the slot.
            unsafe { u64::load(from, into, at) };
        }
        if size & 4 != 0 {
            // SAFETY: four more.
            unsafe { u32::load(from, into, size & !7) };
        }
        if size & 2 != 0 {
            // SAFETY: two more.
            unsafe { u16::load(from, into, size & !3) };
        }
        if size & 1 != 0 {
            // SAFETY: the last.
            unsafe { u8::load(from, into, size & !1) };
        }
        copy
    }

    /// Replaces the value. Only Relaxed stores.
    #[inline(always)]
    pub(super) fn store(&self, value: &T)
    where
        T: NoUninit,
    {
        let (from, into) = (std::ptr::from_ref(value).cast::<u8>(), self.value.get().cast::<u8>());
        let size = size_of::<T>();
        for at in (0..size / 8 * 8).step_by(8) {
            // SAFETY: eight bytes of each, aligned in the slot; all of a value's are initialised.
            unsafe { u64::store(from, into, at) };
        }
        if size & 4 != 0 {
            // SAFETY: four more.
            unsafe { u32::store(from, into, size & !7) };
        }
        if size & 2 != 0 {
            // SAFETY: two more.
            unsafe { u16::store(from, into, size & !3) };
        }
        if size & 1 != 0 {
            // SAFETY: the last.
            unsafe { u8::store(from, into, size & !1) };
        }
    }
}

/// A number that is copied in one access.
trait Word: Sized {
    /// Copies it out of a slot.
    ///
    /// # Safety
    ///
    /// It lies within both; at this offset it is aligned in the slot, where it is only accessed by atomics of this
    /// size.
    unsafe fn load(slot: *mut u8, into: *mut u8, at: usize);

    /// Copies it into a slot.
    ///
    /// # Safety
    ///
    /// As for `load`; and it is initialised.
    unsafe fn store(from: *const u8, slot: *mut u8, at: usize);
}

macro_rules! word {
    ($($number:ident $atomic:ident)*) => {$(
        impl Word for $number {
            #[inline(always)]
            unsafe fn load(slot: *mut u8, into: *mut u8, at: usize) {
                // SAFETY: within the slot, by the caller.
                let from = unsafe { slot.add(at) };
                // SAFETY: aligned, and only accessed so, by the caller.
                let from = unsafe { $atomic::from_ptr(from.cast()) };
                // SAFETY: within what is copied to, by the caller.
                let into = unsafe { into.add(at) };
                // SAFETY: as many bytes are there, the caller's own.
                unsafe { into.cast::<$number>().write_unaligned(from.load(Ordering::Relaxed)) };
            }

            #[inline(always)]
            unsafe fn store(from: *const u8, slot: *mut u8, at: usize) {
                // SAFETY: within the slot, by the caller.
                let into = unsafe { slot.add(at) };
                // SAFETY: aligned, and only accessed so, by the caller.
                let into = unsafe { $atomic::from_ptr(into.cast()) };
                // SAFETY: within what is copied from, by the caller.
                let from = unsafe { from.add(at) };
                // SAFETY: as many bytes are there, initialised.
                into.store(unsafe { from.cast::<$number>().read_unaligned() }, Ordering::Relaxed);
            }
        }
    )*};
}

word! { u64 AtomicU64 u32 AtomicU32 u16 AtomicU16 u8 AtomicU8 }

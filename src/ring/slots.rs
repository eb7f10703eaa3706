//! Elements, copied into memory and out of it, that a peer may write to meanwhile.
//!
//! No reference leads there, and nothing that was read is ever read again: what a copy holds, it holds, whatever the peer
//! does. Single elements are copied by volatile accesses. Slices are copied by `memcpy`, and a compiler fence after that
//! keeps the compiler from taking what lies there later for what was copied. What a peer has written while it was copied is
//! a mixture of old and new; any bytes are a value of an element's type.

use std::{
    ptr,
    sync::atomic::{Ordering, compiler_fence},
};

use bytemuck::{AnyBitPattern, NoUninit};

use super::layout::Area;

impl<T: AnyBitPattern + NoUninit> Area<'_, T> {
    #[inline(always)]
    pub(super) fn write(&self, index: u64, value: T) {
        // SAFETY: a slot, by the area's invariant.
        unsafe { self.slot(index).as_ptr().write_volatile(value) };
    }

    #[inline(always)]
    pub(super) fn read(&self, index: u64) -> T {
        // SAFETY: a slot, by the area's invariant; any bytes are a value, and those of a mapped page are initialised.
        unsafe { self.slot(index).as_ptr().read_volatile() }
    }

    /// Copies elements to the slots from an index on; no more than there are slots.
    #[inline(always)]
    pub(super) fn write_all(&self, index: u64, values: &[T]) {
        let [(first, count), (second, rest)] = self.parts(index, values.len());
        let from = values.as_ptr();
        // SAFETY: so many slots, and as many of the caller's elements, which nobody has mapped as slots.
        unsafe { ptr::copy_nonoverlapping(from, first.as_ptr(), count) };
        if rest > 0 {
            // SAFETY: `parts` gives no more than the slice has.
            let from = unsafe { from.add(count) };
            // SAFETY: as above.
            unsafe { ptr::copy_nonoverlapping(from, second.as_ptr(), rest) };
        }
        compiler_fence(Ordering::SeqCst);
    }

    /// Copies elements from the slots from an index on, no more than there are slots: those are then initialised.
    ///
    /// # Safety
    ///
    /// So many elements can be written at `into`.
    #[inline(always)]
    pub(super) unsafe fn read_all(&self, index: u64, into: *mut T, count: usize) {
        let [(first, count), (second, rest)] = self.parts(index, count);
        // SAFETY: so many slots, and room for as many by the caller.
        unsafe { ptr::copy_nonoverlapping(first.as_ptr(), into, count) };
        if rest > 0 {
            // SAFETY: within the caller's room.
            let into = unsafe { into.add(count) };
            // SAFETY: as above.
            unsafe { ptr::copy_nonoverlapping(second.as_ptr(), into, rest) };
        }
        compiler_fence(Ordering::SeqCst);
    }
}

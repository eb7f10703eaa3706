//! What is shareable by itself.

use std::{
    mem::MaybeUninit,
    num::{Saturating, Wrapping},
    sync::atomic,
};

use super::{Shareable, Synchronized};
use crate::fingerprint::fingerprint_with;

macro_rules! primitive {
    ($($type:ty)*) => {$(
        // SAFETY: a primitive, whose layout the language fixes and whose name is nobody else's.
        unsafe impl Shareable for $type {
            const FINGERPRINT: u64 =
                fingerprint_with(b"fixed   ", stringify!($type), size_of::<Self>(), align_of::<Self>(), 0);
            const LOCKS: bool = false;
        }
    )*};
}

primitive!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 bool char);

macro_rules! atomic {
    ($($width:literal $type:ident)*) => {$(
        #[cfg(target_has_atomic = $width)]
        // SAFETY: it has the layout of the number or `bool` that it is named after.
        unsafe impl Shareable for atomic::$type {
            const FINGERPRINT: u64 =
                fingerprint_with(b"fixed   ", stringify!($type), size_of::<Self>(), align_of::<Self>(), 0);
            const LOCKS: bool = false;
        }

        #[cfg(target_has_atomic = $width)]
        // SAFETY: all that can be done to it are atomic accesses, whichever address they go by.
        unsafe impl Synchronized for atomic::$type {}
    )*};
}

atomic! {
    "8" AtomicBool "8" AtomicU8 "8" AtomicI8 "16" AtomicU16 "16" AtomicI16 "32" AtomicU32 "32" AtomicI32
    "64" AtomicU64 "64" AtomicI64 "ptr" AtomicUsize "ptr" AtomicIsize
}

// SAFETY: elements lie one after the other, and there is nothing else in it.
unsafe impl<T: Shareable, const N: usize> Shareable for [T; N] {
    const FINGERPRINT: u64 =
        fingerprint_with(b"fixed   ", "array", size_of::<Self>(), align_of::<Self>(), T::FINGERPRINT ^ (N as u64) << 1);
    const LOCKS: bool = T::LOCKS && N > 0;
}

// SAFETY: whatever is done through it is done to an element.
unsafe impl<T: Synchronized, const N: usize> Synchronized for [T; N] {}

macro_rules! like_its_value {
    ($($type:ident)*) => {$(
        // SAFETY: it has the layout of a `T`, and there is nothing else in it.
        unsafe impl<T: Shareable> Shareable for $type<T> {
            const FINGERPRINT: u64 =
                fingerprint_with(b"fixed   ", stringify!($type), size_of::<Self>(), align_of::<Self>(), T::FINGERPRINT);
            const LOCKS: bool = T::LOCKS;
        }
    )*};
}

like_its_value!(MaybeUninit Saturating Wrapping);

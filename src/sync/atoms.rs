//! Words that are shared between processes. The algorithms of this room are written for any such word, so that a model
//! checker can run them over words of its own.

use std::{
    sync::atomic::{self, AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use crate::sys;

/// A word that is shared.
pub(crate) trait Atom {
    type Value: Copy + Eq;

    fn load(&self, order: Ordering) -> Self::Value;
    fn store(&self, value: Self::Value, order: Ordering);
    fn swap(&self, value: Self::Value, order: Ordering) -> Self::Value;
    fn compare_exchange(
        &self,
        from: Self::Value,
        to: Self::Value,
        success: Ordering,
        failure: Ordering,
    ) -> Result<Self::Value, Self::Value>;
    fn fence(order: Ordering);
}

/// A word that can be waited on.
pub(crate) trait Futex: Atom {
    /// How often a word that may change soon is looked at before it is waited on.
    const SPINS: u32;

    /// Sleeps while the word is `expected`: until it is woken, at most that long, possibly for no reason less.
    fn wait(&self, expected: Self::Value, at_most: Duration);
}

/// A word of which one waiter can be woken.
pub(crate) trait WakeOne: Futex {
    fn wake_one(&self);
}

/// A word of which all waiters can be woken.
pub(crate) trait WakeAll: Futex {
    fn wake_all(&self);
}

macro_rules! atom {
    ($atom:ty, $value:ty, $wait:path) => {
        impl Atom for $atom {
            type Value = $value;

            #[inline(always)]
            fn load(&self, order: Ordering) -> $value {
                self.load(order)
            }

            #[inline(always)]
            fn store(&self, value: $value, order: Ordering) {
                self.store(value, order);
            }

            #[inline(always)]
            fn swap(&self, value: $value, order: Ordering) -> $value {
                self.swap(value, order)
            }

            #[inline(always)]
            fn compare_exchange(
                &self,
                from: $value,
                to: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(from, to, success, failure)
            }

            #[inline(always)]
            fn fence(order: Ordering) {
                atomic::fence(order);
            }
        }

        impl Futex for $atom {
            // As many as the mutex of std.
            const SPINS: u32 = 100;

            fn wait(&self, expected: $value, at_most: Duration) {
                $wait(self, expected, at_most);
            }
        }
    };
}

atom!(AtomicU64, u64, sys::wait_on);
atom!(AtomicU32, u32, sys::wait);

impl WakeOne for AtomicU64 {
    fn wake_one(&self) {
        sys::wake_one(self);
    }
}

impl WakeAll for AtomicU32 {
    fn wake_all(&self) {
        sys::wake_all(self);
    }
}

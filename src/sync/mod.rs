//! Locks and signals that live in memory which several processes share.
#![allow(unsafe_code)] // Values are reached through locks that the compiler knows nothing of.

mod atoms;
mod event;
#[cfg(test)]
mod loom;
mod mutex;
mod observed;
mod patience;
mod payload;
pub(crate) mod presence;
mod raw_lock;
mod seqlock;

pub use self::{
    event::Event,
    mutex::{Mutex, MutexGuard, OwnerDied, TryLockError},
    seqlock::{SeqLock, Unread},
};

#[cfg(test)]
mod tests;

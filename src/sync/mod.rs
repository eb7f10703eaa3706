//! Locks and signals that live in memory which several processes share, and that survive the death of any of them.
//!
//! | you want | look at |
//! |---|---|
//! | a value that several change, one at a time | [`Mutex`] |
//! | a value that many read and few write, at any rate, without waiting | [`SeqLock`] |
//! | to wait until something has happened elsewhere | [`Event`] |
//!
//! All of them lie in a writable [`Link`](crate::Link), or in a `static` of one program. Each is in order when its
//! memory is zeroed, holds no address, and can be waited for with a timeout.
//!
//! # Processes that die
//!
//! | who dies | then |
//! |---|---|
//! | the holder of a [`Mutex`] | the next has the lock and is told: [`OwnerDied`]; of those who wait, one |
//! | a writer of a [`SeqLock`], half-way | the last value stays; the next writer goes on; readers notice nothing |
//! | a process that waits | others are woken in its place, at the latest after 25 milliseconds |
//! | a process that was about to wake others | they look by themselves, every 25 milliseconds |
//!
//! A holder is known by a random number of its process, which stands in the lock. As long as a process has a writable
//! link to a value with locks, it is known there by that number, in a way that ends with the process; who waits asks
//! for it. What a platform offers for that, and to sleep in, differs:
//!
//! | | a process is known by | how others sleep |
//! |---|---|---|
//! | Linux | a lock of the kernel on a byte of the link's file, whatever the process id or its namespace | in the kernel, until they are woken |
//! | Windows | a named event of the kernel | a millisecond at a time |
//! | macOS | its process id and when it was started, as parts of the number; a process that has become another program, or has let go of the link, counts as alive | in the kernel, until they are woken, since macOS 14.4; before that a millisecond at a time |
//!
//! A process that closes descriptors which it has not opened, as some daemons do at their start, is known in its links
//! no more: others take it for dead. Let it open them afterwards.
//!
//! No lock is taken for dead because nobody could tell: if the system can't answer, or the lock lies in no link of this
//! process (in memory that another crate has mapped), it counts as held. So does a lock whose guard was leaked, while
//! the process that leaked it has the link. A thread that ends without letting go, in a process that lives, is not
//! noticed.
//!
//! # Fork
//!
//! A forked child is a process of its own: it can use the locks in the links that it inherits, and its death is noticed
//! as any other. The guards that it inherits have no effect when they are dropped: those locks are its parent's. When
//! it first needs a lock it makes itself known in all links that it has inherited. For that, what its parent has open
//! for it is opened once more while it is made; where that fails (it may have no more descriptors, or no `/proc`), it
//! panics at the first lock that it takes in that link: others would take it for dead. Reading a [`SeqLock`] and using
//! an [`Event`] need no lock.
#![allow(unsafe_code)] // Values are reached through locks that the compiler knows nothing of.

// How it works. `RawLock` (`raw_lock.rs`) is the one lock of this room: a word that names its holder, with its states
// in a table on the field. `presence.rs` says who lives; `sys::Announced` is what each platform has for that. `SeqLock`
// is two slots and a sequence (`seqlock.rs`), copied word by word (`payload.rs`). The algorithms are written for words
// of any kind (`atoms.rs`), so that the model checker in `loom/` runs the code that ships.

pub(crate) mod atoms;
mod event;
#[cfg(test)]
pub(crate) mod loom;
mod mutex;
mod observed;
pub(crate) mod patience;
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

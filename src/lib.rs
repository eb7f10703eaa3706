#![doc = include_str!("../README.md")]
//!
//! # The map
//!
//! | you want | look at |
//! |---|---|
//! | a value that many read | [`Shared`], [`SharedSlice`], [`SharedStr`] |
//! | a value that one writes | [`SharedMut`], [`SharedSliceMut`], [`SharedStrMut`] |
//! | to build a value where it stays | [`Shared::build`], [`Shared::from_fn`], [`SharedMut::unzeroed`], [`SharedUninit`], [`SharedMut::resize`] |
//! | a value that several write at the same time, each a part of it | [`SharedMut`, parts](SharedMut#parts) |
//! | arrays, with the feature `ndarray` | `SharedArray`, `SharedArrayMut` |
//! | a single plain value | [`Value`] |
//! | a value for processes that don't trust each other, on Linux | `Sealed` and `sealed` |
//! | a message that can be forwarded, kept, taken back | [`Ticket`] |
//! | a value with a name, or in a file, for processes that have no channel between them | [`Link`] |
//! | locks, values and events in it that survive the death of who holds them | [`sync`] |
//! | a value that outlives every process, in a file | [`file`](mod@file) |
//! | arrays in NumPy's `.npy` files, with the feature `ndarray` | `file::npy` |
//! | to let Python, or any program, look at a value | [`Shared::location`], [`Location`] |
//! | a stream of elements to a process that need not be trusted | [`ring`] |
//! | a struct of your own in it | [`shareable!`](macro@shareable), [`Shareable`] |
//! | a type of your own | [`ShmemBacked`], [`ShmemView`], [`ShmemViewMut`] and [`backed`] |
//! | to know what went wrong | [`Error`], [`Refused`] |
//! | to choose where memory comes from, to have it ready, to give it back | [`Config`], [`Backing`], [`prefault`], [`trim`] |
//! | to see what there is, to take back what is lost | [`stats`], [`sweep`], [`reclaim`] |
//! | to move from another crate, to know a platform, a container, the layout, each hazard and its test | the [`guide`] |
//!
//! # Who is trusted with what
//!
//! | | is trusted | is checked |
//! |---|---|---|
//! | a process that shares through a pool | to follow the protocol: not to write a `Shared`'s bytes, to claim what it was sent and no more | every index, offset, length and state that is read from shared memory, once, before it is used |
//! | what comes off the wire | nothing | its form, its MAC, type, kind, metadata, range; and the content, where the type has invalid bit patterns |
//! | where a token leads | nothing | that it is a segment, sealed against truncation, with the id that the token names, before it is mapped; or a regular file that only this user or root can write, with the id, or the identity, length and time, and the generation that the token names |
//! | who can write a [`file`](mod@file) that is mapped | to change it, and cut it, through this crate's handles only: that is what `unsafe fn` asks of who opens it, and what a token takes for granted of this user's processes | its header, each number once, its length and its lock, before a byte is touched; and the content, where the type has invalid bit patterns |
//! | who can write a file that is read by [`file::read`] or opened by [`file::open_guarded`] | nothing | the same, of a copy; or that the system keeps everybody from writing it |
//! | a [`ShmemBacked`] implementation | what its `unsafe impl` promises | |
//! | a process that may write to a [`Link`] | to follow the rules of its type, and not to cut it short | when it is opened: that it is a link, its version, type, size and length, and that its value is ready |
//! | the maker of a `Sealed` value (Linux), whoever it is | nothing | that the kernel keeps the memory as it is, that all of it is there, its size, type, metadata and content, once |
//! | the other side of a [`ring`], whoever it is | nothing | its index, whenever it is looked at; what it has written is copied before it is looked at, and any bytes are an element |
//! | in all else another user, another machine | not even that: it is refused by the system | |
//!
//! # Processes that end
//!
//! | a process | what it held | what it had sent, and nobody has claimed | what it owned |
//! |---|---|---|---|
//! | exits: `main` returns or panics, `process::exit` | is given back | is kept: anonymous memory's messages become files in `/dev/shm` (wills), named memory keeps its name; claimed as ever, at the price of one copy in the first case | stays as long as others hold something in it, and only that |
//! | is killed, or aborts | is given back at the owner's next look, or at the next of any who share the memory when the owner is dead too | stays if the owner lives, or if the memory has a name; else the claim says [`Error::Gone`] | the same |
//! | forks | the child inherits nothing: it can look at what its parent had while the parent keeps it, drop it without effect, and not send it ([`Error::Inherited`]); it makes, sends and receives values of its own | is the parent's | is the parent's |
//!
//! Who lives is known by locks that the kernel lets go of, however a process ends: no process id is compared, and no time is
//! measured. [`sweep`] looks at once; the crate looks by itself once a second, at calls that send, receive or allocate, and
//! before it refuses a change of kind.
//! A [`Link`] is not memory of anybody's: it keeps its name when its owner is killed, and a lock in it tells the next of a
//! holder that died. A forked child uses the links that it inherits as a process of its own, and owns none of them.
//! Messages that nobody claims are taken back by [`reclaim`], and when memory runs out after [`Config::lost_after`].
//!
//! `unsafe fork()`: what a child reads through an inherited handle is defined only while the parent keeps the handle, and it
//! must not write through one. That is part of what the caller of `fork` promises. A raw `clone` runs no handlers: until
//! such a child first uses the crate, or runs another program, its parent looks alive after its death.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

pub mod backed;
#[cfg(any(feature = "bytes", feature = "rayon"))]
mod bridges;
mod config;
#[cfg(test)]
mod crash;
mod error;
pub mod file;
mod fingerprint;
#[cfg(test)]
mod forged;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod guide;
#[cfg(target_os = "linux")]
mod huge_pages;
pub mod link;
mod mapped;
mod metadata;
mod numpy;
mod part;
#[cfg(target_os = "linux")]
mod passing;
mod pool;
mod raw;
pub mod ring;
#[cfg(target_os = "linux")]
pub mod sealed;
mod segment;
mod shareable;
mod shared;
mod shared_mut;
pub mod sync;
mod sys;
mod ticket;
mod title;
mod wire;

pub use backed::{CheckError, ShmemBacked, ShmemChecked, ShmemView, ShmemViewMut, Value};
#[cfg(feature = "ndarray")]
pub use backed::{SharedArray, SharedArrayMut};
pub use bytemuck;
pub use config::{Backing, Config};
pub use error::{
    Counts, DescriptorFault, Error, FileAccess, FileFault, Kind, LinkFault, Refused, RingFault, SegmentId, TokenFault,
};
pub use fingerprint::{fingerprint_of, fingerprint_of_struct};
#[cfg(target_os = "linux")]
pub use huge_pages::HugePages;
pub use link::Link;
pub use numpy::NumPyElement;
pub use pool::{Stats, Swept, prefault, reclaim, stats, sweep, trim};
#[cfg(target_os = "linux")]
pub use sealed::Sealed;
pub use shareable::{Fields, Observed, Shareable, Synchronized};
pub use shared::{Location, LocationKind, Shared, SharedSlice, SharedStr};
pub use shared_mut::{SharedMut, SharedSliceMut, SharedStrMut, SharedUninit};
pub use ticket::Ticket;

#![doc = include_str!("../README.md")]
//!
//! # The map
//!
//! | you want | look at |
//! |---|---|
//! | a value that many read | [`Shared`], [`SharedSlice`], [`SharedStr`] |
//! | a value that one writes | [`SharedMut`], [`SharedSliceMut`], [`SharedStrMut`] |
//! | arrays, with the feature `ndarray` | `SharedArray`, `SharedArrayMut` |
//! | a single plain value | [`Value`] |
//! | a message that can be forwarded, kept, taken back | [`Ticket`] |
//! | a type of your own | [`ShmemBacked`], [`ShmemView`], [`ShmemViewMut`] and [`backed`] |
//! | to know what went wrong | [`Error`], [`Refused`] |
//! | to choose where memory comes from, to give it back | [`Config`], [`Backing`], [`trim`] |
//!
//! # Who is trusted with what
//!
//! | | is trusted | is checked |
//! |---|---|---|
//! | a process that shares through a pool | to follow the protocol: not to write a `Shared`'s bytes, to claim what it was sent and no more | every index, offset, length and state that is read from shared memory, once, before it is used |
//! | what comes off the wire | nothing | its form, its MAC, type, kind, metadata, range; and the content, where the type has invalid bit patterns |
//! | where a token leads | nothing | that it is a segment, sealed against truncation, with the id that the token names, before it is mapped |
//! | a [`ShmemBacked`] implementation | what its `unsafe impl` promises | |
//! | another user, another machine | not even that: it is refused by the system | |
//!
//! `unsafe fork()`: a child must not use the handles that it has inherited, only drop them by ending without running
//! destructors (`exec`, `_exit`); that is part of what the caller of `fork` and of raw `clone` promises.
#![deny(unsafe_code)]

pub mod backed;
mod config;
mod error;
#[cfg(test)]
mod forged;
mod pool;
mod segment;
mod shared;
mod shared_mut;
mod sys;
mod ticket;
mod wire;

pub use backed::{CheckError, ShmemBacked, ShmemView, ShmemViewMut, Value, fingerprint_of};
#[cfg(feature = "ndarray")]
pub use backed::{SharedArray, SharedArrayMut};
pub use bytemuck;
pub use config::{Backing, Config};
pub use error::{Counts, Error, Kind, Refused, SegmentId, TokenFault};
pub use pool::trim;
pub use shared::{Shared, SharedSlice, SharedStr};
pub use shared_mut::{SharedMut, SharedSliceMut, SharedStrMut};
pub use ticket::Ticket;

//! A ring of elements between two processes that need not trust each other: one pushes, one pops, and neither ever waits
//! for the other but by choice.
//!
//! | you want | look at |
//! |---|---|
//! | a ring between two processes, on Linux: made by one, and an end of it sent to the other | `channel`, `Sender`, `Receiver` |
//! | a ring within one process | [`split`] |
//! | a ring in memory that you have, shared by whatever means | [`Producer::attach`], [`Consumer::attach`] |
//! | to write and read elements where they are, without a copy of your own | [`WriteChunk`], [`ReadChunk`] |
//!
//! Elements are of any type that is plain bytes, and that any bytes are: numbers, arrays of them, and structs that derive
//! [`bytemuck`]'s `AnyBitPattern` and `NoUninit`.
//!
//! # Who is trusted with what
//!
//! Nobody with anything. The other side can write whatever it wants to the memory, at any time, and the worst that this
//! side gets is elements of no meaning, a wait in vain, an end that is none, or [`RingError::Corrupt`]: its index is checked
//! whenever it is looked at, and what was copied out of the ring is never read again. Only the in-place slices
//! ([`WriteChunk::as_mut_slices`], [`ReadChunk::as_slices`]) trust it, and are `unsafe`.
#![allow(unsafe_code)] // Elements lie in memory that others write to: no reference may lead there.

// How it works: `layout.rs` draws the memory; `indices.rs` says which slots are whose, `handshake.rs` how one side sleeps
// until the other has come far enough, each with its words and orders; `slots.rs` copies. Both protocols are written for
// words of any kind, so that the model checker runs the code that ships.

#[cfg(target_os = "linux")]
mod channel;
mod consumer;
mod error;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only who has a channel sleeps"))]
mod handshake;
mod indices;
mod layout;
#[cfg(test)]
mod loom;
mod producer;
mod read_chunk;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only who has a channel sleeps"))]
mod sleep;
mod slots;
mod told;
#[cfg_attr(target_os = "linux", path = "channel/wake.rs")]
#[cfg_attr(not(target_os = "linux"), path = "wake_elsewhere.rs")]
mod wake;
mod write_chunk;

use std::ptr::NonNull;

use bytemuck::{AnyBitPattern, NoUninit};

#[cfg(target_os = "linux")]
pub use self::channel::{Fds, Options, Receiver, Sender, Unfinished, channel};
use self::layout::{Area, Head};
pub use self::{
    consumer::Consumer,
    error::RingError,
    layout::{ALIGNMENT, required_memory},
    producer::Producer,
    read_chunk::ReadChunk,
    write_chunk::WriteChunk,
};
use crate::Error;
pub use crate::RingFault;

/// A ring in memory that nobody else has: for two threads, say. What was in it does not matter.
///
/// It begins at the first address that is a multiple of [`ALIGNMENT`], and has the largest capacity for which there is room
/// after that.
///
/// ```
/// use commonage::ring;
/// use std::thread;
///
/// let mut memory = vec![0; ring::required_memory::<u64>(256) + ring::ALIGNMENT];
/// let (mut producer, mut consumer) = ring::split::<u64>(&mut memory)?;
/// thread::scope(|threads| {
///     threads.spawn(move || {
///         for number in 0..100 {
///             producer.try_push(number).unwrap();
///         }
///     });
/// });
/// let mut numbers = [0; 100];
/// assert_eq!(consumer.try_pop_slice(&mut numbers), Ok(100));
/// assert_eq!(numbers[99], 99);
/// # Ok::<(), commonage::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Ring`] if the memory is too short; [`Error::Alignment`] for elements that are aligned to more than
/// [`ALIGNMENT`].
pub fn split<T: AnyBitPattern + NoUninit>(memory: &mut [u8]) -> Result<(Producer<'_, T>, Consumer<'_, T>), Error> {
    let (skipped, found) = (memory.as_ptr().align_offset(ALIGNMENT), memory.len());
    let Some(memory) = memory.get_mut(skipped..) else {
        return Err(RingFault::TooShort { found, needed: required_memory::<T>(1) }.into());
    };
    let head = memory.len().min(size_of::<Head>());
    memory[..head].fill(0);
    // SAFETY: this function has the memory to itself, and both sides keep it borrowed.
    let area = unsafe { Area::over(NonNull::from(memory)) }?;
    Ok((Producer::over(area.again())?, Consumer::over(area)?))
}

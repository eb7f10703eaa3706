//! A ring between two processes, on memory without a name: made by one, its ends sent to others as descriptors.

mod end;
mod fds;
mod options;
mod passed;
mod receiver;
mod sender;
mod unfinished;
mod waiting;

use bytemuck::{AnyBitPattern, NoUninit};

pub use self::{fds::Fds, options::Options, receiver::Receiver, sender::Sender, unfinished::Unfinished};
use super::wake;
use crate::Error;

/// A new channel with room for at least `capacity` elements: for as many as the next power of two says, and for more where
/// the pages that hold it have room for twice as many.
///
/// Each end can stay in this process, or be sent to another one: by [`Sender::send_over`] and [`Receiver::send_over`] through
/// a Unix socket, or as [`Fds`] by whatever passes descriptors on. Linux alone has memory that is reached by descriptors
/// and whose size nobody can change: elsewhere there are [`Producer`](super::Producer) and [`Consumer`](super::Consumer)
/// over memory that is shared by other means, and no channels.
///
/// What the other process does to memory and socket can't do harm: see [the module](super). The one that trusts the other less
/// makes the channel: it knows that nobody else has a copy of its end. With one, a process could pop what is not meant for it,
/// or keep the socket busy.
///
/// ```
/// use commonage::ring;
/// use std::{os::unix::net::UnixStream, thread};
///
/// let (sender, mut receiver) = ring::channel::<u64>(1000)?;
/// assert_eq!(receiver.capacity(), 1024);
/// let (here, there) = UnixStream::pair()?;
/// sender.send_over(&here)?;
///
/// let other = thread::spawn(move || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///     let mut sender = ring::Sender::<u64>::receive_over(&there)?; // in another process, as a rule
///     for number in 0..10_000 {
///         sender.push(number)?; // waits for room
///     }
///     Ok(())
/// });
/// for number in 0..10_000 {
///     assert_eq!(receiver.pop()?, number);
/// }
/// assert_eq!(receiver.pop(), Err(ring::RingError::Closed)); // the sender is gone
/// other.join().unwrap().unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`Options::channel`].
pub fn channel<T: AnyBitPattern + NoUninit>(capacity: usize) -> Result<(Sender<T>, Receiver<T>), Error> {
    Options::new().channel(capacity)
}

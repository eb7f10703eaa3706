//! The receiver of a ring, awaited with tokio.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use commonage::{
    bytemuck::{AnyBitPattern, NoUninit},
    ring::{Receiver, RingError},
};
use tokio::io::{Interest, unix::AsyncFd};

pub(crate) struct Awaited<T: AnyBitPattern + NoUninit> {
    receiver: Receiver<T>,
    /// A copy of the receiver's descriptor.
    socket: AsyncFd<OwnedFd>,
}

impl<T: AnyBitPattern + NoUninit> Awaited<T> {
    /// To be called by a task of tokio's.
    pub(crate) fn new(receiver: Receiver<T>) -> io::Result<Self> {
        let socket = receiver.as_fd().try_clone_to_owned()?;
        // SAFETY: the descriptor is this value's own, and stays what it is.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        Ok(Awaited { receiver, socket })
    }

    /// Pops one element, and counts how often it had to be awaited. What is dropped before it is done has popped nothing.
    pub(crate) async fn pop(&mut self, awaited: &mut u64) -> Result<T, RingError> {
        loop {
            match self.receiver.try_pop() {
                Err(RingError::Empty) => {}
                done => return done,
            }
            // From here on the sender wakes this side: unless there is something already.
            if self.receiver.prepare_wait()? {
                *awaited += 1;
                let ready = self.socket.readable().await;
                self.receiver.finish_wait();
                // A runtime that is shutting down watches nothing more.
                ready.map_err(|_| RingError::TimedOut)?.clear_ready();
            }
        }
    }
}

//! The end that pops.

use std::{
    fmt,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use bytemuck::{AnyBitPattern, NoUninit};

use super::{Fds, Options, Unfinished, end::End, passed};
use crate::{
    Error,
    passing::What,
    ring::{Consumer, ReadChunk, RingError, told::Told},
    sync::patience::Patience,
    sys::{Bell, RingMemory},
};

/// The end of a channel that pops: see [`channel`](super::channel()).
///
/// Dropping it closes the channel: the sender gets [`RingError::Closed`], at once if it waits.
///
/// In a forked child every call is [`RingError::Inherited`], and dropping it changes nothing.
pub struct Receiver<T: AnyBitPattern + NoUninit> {
    end: End<Consumer<'static, T>>,
}

impl<T: AnyBitPattern + NoUninit> Receiver<T> {
    pub(super) fn over(memory: RingMemory, bell: Bell) -> Result<Self, Error> {
        Ok(Receiver { end: End::over(memory, bell)? })
    }

    /// The end that these descriptors are of, which comes from anybody: [`Fds`] tells what they are.
    ///
    /// # Errors
    ///
    /// [`Error::Descriptor`] if they are something else, or the memory is not as that of a ring has to be: of a fixed size,
    /// writable, all of it there. [`Error::Ring`] if it is too short, or the other end is one of other elements.
    /// [`Error::Os`]. After an error both are closed.
    pub fn from_fds(fds: Fds) -> Result<Self, Error> {
        Options::new().receiver(fds)
    }

    /// The descriptors of this end, which goes on where they are taken for it again, in whatever process.
    ///
    /// # Errors
    ///
    /// [`Error::Inherited`] in a forked child.
    pub fn into_fds(self) -> Result<Fds, Error> {
        self.end.into_fds()
    }

    /// Sends this end to another process, which gets it by [`receive_over`](Self::receive_over).
    ///
    /// # Errors
    ///
    /// [`Error::Os`] if the stream can't take it, within its [time limit](UnixStream::set_write_timeout) if it is full; the
    /// channel is closed then. [`Error::Inherited`] in a forked child.
    pub fn send_over(self, stream: &UnixStream) -> Result<(), Error> {
        passed::send(stream, What::Receiver, &self.into_fds()?)
    }

    /// Waits for an end that another process sends over the stream, until it comes or the stream's
    /// [time limit](UnixStream::set_read_timeout) is over, which holds for each part in which it comes: of those there can be
    /// 16.
    ///
    /// # Errors
    ///
    /// [`Error::Descriptor`] if something else comes, or nothing any more; as [`from_fds`](Self::from_fds); [`Error::Os`].
    pub fn receive_over(stream: &UnixStream) -> Result<Self, Error> {
        Self::from_fds(passed::receive(stream, What::Receiver)?)
    }

    /// How many elements the channel has room for.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.end.half.capacity()
    }

    /// How many elements can be popped now.
    ///
    /// # Errors
    ///
    /// [`RingError::Closed`] if there are none and the sender has ended; [`RingError::Corrupt`], [`RingError::Inherited`].
    #[inline]
    pub fn slots(&mut self) -> Result<usize, RingError> {
        self.end.common.check()?;
        match self.end.half.slots()? {
            0 if self.end.common.wake().is_gone() => Err(RingError::Closed),
            slots => Ok(slots),
        }
    }

    /// Has the sender ended? There may be elements left. This asks the system, so that it is known of a process that was
    /// killed, too.
    pub fn is_closed(&self) -> bool {
        self.end.is_closed()
    }

    /// How often this end looks for elements before it sleeps; 100 times if it is not said. Who expects the sender to be
    /// quick, and has a processor to spare, says more; who has not, 0.
    pub fn set_spins(&mut self, spins: u32) {
        self.end.common.set_spins(spins);
    }

    /// Pops one element, if there is one.
    ///
    /// # Errors
    ///
    /// [`RingError::Empty`]; [`RingError::Closed`] if the sender has ended, too. That a process was killed is known only to
    /// who waits, or asks [`is_closed`](Self::is_closed). [`RingError::Corrupt`], [`RingError::Inherited`].
    #[inline]
    pub fn try_pop(&mut self) -> Result<T, RingError> {
        self.end.common.check()?;
        match self.end.half.try_pop() {
            Ok(value) => {
                self.end.publish();
                Ok(value)
            }
            Err(RingError::Empty) => Err(self.empty()),
            Err(error) => Err(error),
        }
    }

    /// Pops one element, and waits for it as long as it takes.
    ///
    /// # Errors
    ///
    /// [`RingError::Closed`] when all that was pushed has been popped; [`RingError::Corrupt`], [`RingError::Inherited`].
    #[inline]
    pub fn pop(&mut self) -> Result<T, RingError> {
        match self.try_pop() {
            Err(RingError::Empty) => self.pop_later(Patience::Endless),
            done => done,
        }
    }

    /// Pops one element, and waits for it no longer than that.
    ///
    /// # Errors
    ///
    /// [`RingError::TimedOut`]; as [`pop`](Self::pop).
    #[inline]
    pub fn pop_timeout(&mut self, timeout: Duration) -> Result<T, RingError> {
        match self.try_pop() {
            Err(RingError::Empty) => self.pop_later(Patience::of(timeout)),
            done => done,
        }
    }

    #[cold]
    fn pop_later(&mut self, patience: Patience) -> Result<T, RingError> {
        self.end.wait(1, patience)?;
        self.try_pop()
    }

    /// Pops as many elements as there are and fit into `into`, at least one, and returns how many; zero if none fits.
    ///
    /// # Errors
    ///
    /// As [`try_pop`](Self::try_pop).
    #[inline]
    pub fn try_pop_slice(&mut self, into: &mut [T]) -> Result<usize, RingError> {
        self.end.common.check()?;
        match self.end.half.try_pop_slice(into) {
            Ok(count) => {
                self.end.publish();
                Ok(count)
            }
            Err(RingError::Empty) => Err(self.empty()),
            Err(error) => Err(error),
        }
    }

    /// Fills `into`, however long it is, and waits for the elements as long as it takes.
    ///
    /// # Errors
    ///
    /// [`Unfinished`], with how many have been popped before; its error is as that of [`pop`](Self::pop).
    pub fn pop_slice(&mut self, into: &mut [T]) -> Result<(), Unfinished> {
        self.pop_all(into, Patience::Endless)
    }

    /// Fills `into`, however long it is, and waits for the elements no longer than that, all in all.
    ///
    /// # Errors
    ///
    /// As [`pop_slice`](Self::pop_slice), and [`RingError::TimedOut`].
    pub fn pop_slice_timeout(&mut self, into: &mut [T], timeout: Duration) -> Result<(), Unfinished> {
        self.pop_all(into, Patience::of(timeout))
    }

    fn pop_all(&mut self, into: &mut [T], patience: Patience) -> Result<(), Unfinished> {
        let mut done = 0;
        self.end.common.check().map_err(|error| Unfinished { done, error })?;
        while done < into.len() {
            let waited = match self.try_pop_slice(&mut into[done..]) {
                Ok(count) => {
                    done += count;
                    continue;
                }
                Err(RingError::Empty) => self.end.wait(1, patience),
                Err(error) => Err(error),
            };
            waited.map_err(|error| Unfinished { done, error })?;
        }
        Ok(())
    }

    /// `len` elements to be read, and then committed: only then their slots are free.
    ///
    /// A commit wakes the sender if it sleeps, by a system call. What runs where none is permitted, an audio callback say,
    /// uses [`commit_quietly`](ReadChunk::commit_quietly), which makes none; the sender waits with timeouts then, or
    /// whoever has this end next calls [`wake`](Self::wake). It neither allocates nor waits in any case.
    ///
    /// # Errors
    ///
    /// As [`try_pop`](Self::try_pop) if there are fewer; [`RingError::TooMany`] for more than the capacity.
    #[inline]
    pub fn read_chunk(&mut self, len: usize) -> Result<ReadChunk<'_, T>, RingError> {
        self.end.common.check()?;
        let area = self.end.half.area.again();
        let gone = self.end.common.wake().is_gone();
        ReadChunk::new(area, &mut self.end.half.indices, len, Told::by(self.end.common.wake()))
            .map_err(|error| if gone && error == RingError::Empty { RingError::Closed } else { error })
    }

    /// Wakes the sender, if it sleeps and there is what it waits for: after
    /// [`commit_quietly`](ReadChunk::commit_quietly).
    #[inline]
    pub fn wake(&self) {
        self.end.wake();
    }

    /// Waits until so many elements can be popped, and returns how many can; without a timeout, as long as it takes.
    ///
    /// Two sides that wait, taken together, for more than the capacity can wait for each other: a sender for all of the ring to be
    /// empty, say, and a receiver for two elements, of which there is one.
    ///
    /// # Errors
    ///
    /// [`RingError::TooMany`] for more than the capacity; [`RingError::Closed`] if so many will not come any more: there may
    /// be fewer left. As [`pop_timeout`](Self::pop_timeout).
    pub fn wait_slots(&mut self, count: usize, timeout: Option<Duration>) -> Result<usize, RingError> {
        self.end.common.check()?;
        self.end.wait(count, timeout.map_or(Patience::Endless, Patience::of))
    }

    /// Says that this end is about to wait for an element by other means: until its descriptor ([`AsFd`]) can be read from,
    /// as `poll`, `epoll`, `mio` and `tokio` tell. False if there is one now: then there is nothing to wait for.
    ///
    /// [`finish_wait`](Self::finish_wait) comes after the wait, whatever has ended it; and then a `try_pop`, which may find
    /// the channel empty all the same.
    ///
    /// # Errors
    ///
    /// [`RingError::Closed`], [`RingError::Corrupt`], [`RingError::Inherited`].
    pub fn prepare_wait(&mut self) -> Result<bool, RingError> {
        self.end.common.check()?;
        self.end.prepare()
    }

    /// After a wait by other means: the descriptor can be read from no more, until the sender wakes this end again. One that
    /// wakes it for nothing can have it be readable at any time.
    pub fn finish_wait(&mut self) {
        self.end.finish();
    }

    /// The descriptors of this end, for who passes them on by other means than [`send_over`](Self::send_over) and keeps the
    /// end until that has been done: [`into_fds`](Self::into_fds) then gives it up without closing the ring. Of all that
    /// have them, one uses them at a time.
    ///
    /// # Errors
    ///
    /// [`RingError::Inherited`].
    pub fn fds(&self) -> Result<Fds<BorrowedFd<'_>>, RingError> {
        self.end.fds()
    }

    /// What an empty ring means.
    fn empty(&self) -> RingError {
        if self.end.common.wake().is_gone() { RingError::Closed } else { RingError::Empty }
    }
}

/// What can be read from when the sender has pushed something, or has ended: see [`prepare_wait`](Receiver::prepare_wait).
/// In a forked child it is something else, which can always be read from.
impl<T: AnyBitPattern + NoUninit> AsFd for Receiver<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

impl<T: AnyBitPattern + NoUninit> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.show("Receiver", f)
    }
}

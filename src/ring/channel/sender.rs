//! The end that pushes.

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
    ring::{Producer, RingError, WriteChunk, told::Told},
    sync::patience::Patience,
    sys::{Bell, RingMemory},
};

/// The end of a channel that pushes: see [`channel`](super::channel()).
///
/// Dropping it closes the channel: the receiver gets what has been pushed, and then [`RingError::Closed`].
///
/// In a forked child every call is [`RingError::Inherited`], and dropping it changes nothing.
pub struct Sender<T: AnyBitPattern + NoUninit> {
    end: End<Producer<'static, T>>,
}

impl<T: AnyBitPattern + NoUninit> Sender<T> {
    pub(super) fn over(memory: RingMemory, bell: Bell) -> Result<Self, Error> {
        Ok(Sender { end: End::over(memory, bell)? })
    }

    /// The end that these descriptors are of, which comes from anybody: [`Fds`] tells what they are.
    ///
    /// # Errors
    ///
    /// [`Error::Descriptor`] if they are something else, or the memory is not as that of a ring has to be: of a fixed size,
    /// writable, all of it there. [`Error::Ring`] if it is too short, or the other end is one of other elements.
    /// [`Error::Os`]. After an error both are closed.
    pub fn from_fds(fds: Fds) -> Result<Self, Error> {
        Options::new().sender(fds)
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
        passed::send(stream, What::Sender, &self.into_fds()?)
    }

    /// Waits for an end that another process sends over the stream, until it comes or the stream's
    /// [time limit](UnixStream::set_read_timeout) is over, which holds for each part in which it comes: of those there can be
    /// 16.
    ///
    /// # Errors
    ///
    /// [`Error::Descriptor`] if something else comes, or nothing any more; as [`from_fds`](Self::from_fds); [`Error::Os`].
    pub fn receive_over(stream: &UnixStream) -> Result<Self, Error> {
        Self::from_fds(passed::receive(stream, What::Sender)?)
    }

    /// How many elements the channel has room for.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.end.half.capacity()
    }

    /// How many elements can be pushed now.
    ///
    /// # Errors
    ///
    /// [`RingError::Closed`], [`RingError::Corrupt`], [`RingError::Inherited`].
    #[inline]
    pub fn slots(&mut self) -> Result<usize, RingError> {
        self.check()?;
        self.end.half.slots()
    }

    /// Has the receiver ended? This asks the system, so that it is known of a process that was killed, too.
    pub fn is_closed(&self) -> bool {
        self.end.is_closed()
    }

    /// How often this end looks for room before it sleeps; 100 times if it is not said. Who expects the receiver to be quick,
    /// and has a processor to spare, says more; who has not, 0.
    pub fn set_spins(&mut self, spins: u32) {
        self.end.common.set_spins(spins);
    }

    /// Pushes one element, if there is room.
    ///
    /// # Errors
    ///
    /// [`RingError::Full`]; [`RingError::Closed`], which may be noticed only when the channel seems to be full;
    /// [`RingError::Corrupt`], [`RingError::Inherited`].
    #[inline]
    pub fn try_push(&mut self, value: T) -> Result<(), RingError> {
        self.check()?;
        self.end.half.try_push(value)?;
        self.end.publish();
        Ok(())
    }

    /// Pushes one element, and waits for room as long as it takes.
    ///
    /// # Errors
    ///
    /// [`RingError::Closed`], [`RingError::Corrupt`], [`RingError::Inherited`].
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), RingError> {
        match self.try_push(value) {
            Err(RingError::Full) => self.push_later(value, Patience::Endless),
            done => done,
        }
    }

    /// Pushes one element, and waits for room no longer than that.
    ///
    /// # Errors
    ///
    /// [`RingError::TimedOut`]; as [`push`](Self::push).
    #[inline]
    pub fn push_timeout(&mut self, value: T, timeout: Duration) -> Result<(), RingError> {
        match self.try_push(value) {
            Err(RingError::Full) => self.push_later(value, Patience::of(timeout)),
            done => done,
        }
    }

    #[cold]
    fn push_later(&mut self, value: T, patience: Patience) -> Result<(), RingError> {
        self.end.wait(1, patience)?;
        self.try_push(value)
    }

    /// Pushes as many of the elements as there is room for, at least one, and returns how many; zero if there are none.
    ///
    /// # Errors
    ///
    /// As [`try_push`](Self::try_push).
    #[inline]
    pub fn try_push_slice(&mut self, values: &[T]) -> Result<usize, RingError> {
        self.check()?;
        let count = self.end.half.try_push_slice(values)?;
        self.end.publish();
        Ok(count)
    }

    /// Pushes all of the elements, however many there are, and waits for room as long as it takes.
    ///
    /// # Errors
    ///
    /// [`Unfinished`], with how many have been pushed before; its error is as that of [`push`](Self::push).
    pub fn push_slice(&mut self, values: &[T]) -> Result<(), Unfinished> {
        self.push_all(values, Patience::Endless)
    }

    /// Pushes all of the elements, however many there are, and waits for room no longer than that, all in all.
    ///
    /// # Errors
    ///
    /// As [`push_slice`](Self::push_slice), and [`RingError::TimedOut`].
    pub fn push_slice_timeout(&mut self, values: &[T], timeout: Duration) -> Result<(), Unfinished> {
        self.push_all(values, Patience::of(timeout))
    }

    fn push_all(&mut self, values: &[T], patience: Patience) -> Result<(), Unfinished> {
        let mut done = 0;
        self.check().map_err(|error| Unfinished { done, error })?;
        while done < values.len() {
            let waited = match self.try_push_slice(&values[done..]) {
                Ok(count) => {
                    done += count;
                    continue;
                }
                Err(RingError::Full) => self.end.wait(1, patience),
                Err(error) => Err(error),
            };
            waited.map_err(|error| Unfinished { done, error })?;
        }
        Ok(())
    }

    /// `len` slots to be written to, and then committed: no element is copied twice.
    ///
    /// A commit wakes the receiver if it sleeps, by a system call. What runs where none is permitted, an audio callback say,
    /// uses [`commit_quietly`](WriteChunk::commit_quietly), which makes none; the receiver waits with timeouts then, or
    /// whoever has this end next calls [`wake`](Self::wake). It neither allocates nor waits in any case.
    ///
    /// # Errors
    ///
    /// As [`try_push`](Self::try_push) if there are fewer; [`RingError::TooMany`] for more than the capacity.
    #[inline]
    pub fn write_chunk(&mut self, len: usize) -> Result<WriteChunk<'_, T>, RingError> {
        self.check()?;
        let area = self.end.half.area.again();
        WriteChunk::new(area, &mut self.end.half.indices, len, Told::by(self.end.common.wake()))
    }

    /// Wakes the receiver, if it sleeps and there is what it waits for: after
    /// [`commit_quietly`](WriteChunk::commit_quietly).
    #[inline]
    pub fn wake(&self) {
        self.end.wake();
    }

    /// Waits until so many elements can be pushed, and returns how many can; without a timeout, as long as it takes.
    ///
    /// Two sides that wait, taken together, for more than the capacity can wait for each other: a sender for all of the ring to be
    /// empty, say, and a receiver for two elements, of which there is one.
    ///
    /// # Errors
    ///
    /// [`RingError::TooMany`] for more than the capacity; as [`push_timeout`](Self::push_timeout).
    pub fn wait_slots(&mut self, count: usize, timeout: Option<Duration>) -> Result<usize, RingError> {
        self.check()?;
        self.end.wait(count, timeout.map_or(Patience::Endless, Patience::of))
    }

    /// Says that this end is about to wait for room by other means: until its descriptor ([`AsFd`]) can be read from, as
    /// `poll`, `epoll`, `mio` and `tokio` tell. False if there is room now: then there is nothing to wait for.
    ///
    /// [`finish_wait`](Self::finish_wait) comes after the wait, whatever has ended it; and then a `try_push`, which may find
    /// the channel full all the same.
    ///
    /// # Errors
    ///
    /// [`RingError::Closed`], [`RingError::Corrupt`], [`RingError::Inherited`].
    pub fn prepare_wait(&mut self) -> Result<bool, RingError> {
        self.check()?;
        self.end.prepare()
    }

    /// After a wait by other means: the descriptor can be read from no more, until the receiver wakes this end again. One that
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

    #[inline(always)]
    fn check(&self) -> Result<(), RingError> {
        self.end.common.check()?;
        if self.end.common.wake().is_gone() { Err(RingError::Closed) } else { Ok(()) }
    }
}

/// What can be read from when the receiver has made room, or has ended: see [`prepare_wait`](Sender::prepare_wait). In a
/// forked child it is something else, which can always be read from.
impl<T: AnyBitPattern + NoUninit> AsFd for Sender<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

impl<T: AnyBitPattern + NoUninit> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.show("Sender", f)
    }
}

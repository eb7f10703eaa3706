//! What an end of a channel is, whichever of the two.

use std::{
    fmt,
    mem::ManuallyDrop,
    os::fd::{AsFd, BorrowedFd},
    ptr,
};

use super::{
    Fds,
    waiting::{Common, Half},
    wake::Wake,
};
use crate::{
    Error,
    ring::RingError,
    sync::patience::Patience,
    sys::{Bell, RingMemory},
};

pub(super) struct End<H: Half> {
    /// In the memory that `common` keeps. Dropped, which closes the ring, by the process that attached it and no other.
    pub(super) half: ManuallyDrop<H>,
    pub(super) common: Common,
}

impl<H: Half> End<H> {
    pub(super) fn over(memory: RingMemory, bell: Bell) -> Result<Self, Error> {
        // SAFETY: it is mapped for as long as this value has it, and only this half accesses this mapping.
        let half = unsafe { H::attach(memory.bytes()) }?;
        let (mine, theirs) = half.waits();
        // SAFETY: in the memory, which is there for as long as this value is.
        let wake = unsafe { Wake::new(theirs, bell) };
        // SAFETY: in the memory.
        let common = unsafe { Common::new(mine, wake, memory) };
        Ok(End { half: ManuallyDrop::new(half), common })
    }

    /// Its descriptors; it goes without closing the ring.
    pub(super) fn into_fds(self) -> Result<Fds, Error> {
        let this = ManuallyDrop::new(self);
        // SAFETY: taken here, and nothing of it is looked at or dropped any more.
        let common = unsafe { ptr::read(&this.common) };
        let inherited = Error::Inherited { process: common.wake().process() };
        if common.check().is_err() {
            return Err(inherited);
        }
        let (memory, wake) = common.into_parts();
        match (memory.into_fd(), wake.into_bell().into_fd()) {
            (Ok(memory), Ok(socket)) => Ok(Fds { memory, socket }),
            _ => Err(inherited),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.common.check().is_err() || self.common.asks_gone(&*self.half)
    }

    /// Tells the other side, if it waits for it, how far this one is.
    #[inline(always)]
    pub(super) fn publish(&self) {
        self.common.wake().after(self.half.own());
    }

    #[inline]
    pub(super) fn wake(&self) {
        if self.common.check().is_ok() {
            self.publish();
        }
    }

    pub(super) fn wait(&mut self, least: usize, patience: Patience) -> Result<usize, RingError> {
        self.common.wait(&mut *self.half, least, patience)
    }

    pub(super) fn prepare(&mut self) -> Result<bool, RingError> {
        self.common.prepare(&mut *self.half)
    }

    pub(super) fn finish(&mut self) {
        if self.common.check().is_ok() {
            self.common.finish();
        }
    }

    pub(super) fn fds(&self) -> Result<Fds<BorrowedFd<'_>>, RingError> {
        let memory = self.common.memory().fd().map_err(|_| RingError::Inherited)?;
        Ok(Fds { memory: memory.as_fd(), socket: self.as_fd() })
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.common.wake().bell().as_fd()
    }

    pub(super) fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name).field("capacity", &self.half.slots_in_all()).finish_non_exhaustive()
    }
}

impl<H: Half> Drop for End<H> {
    fn drop(&mut self) {
        if self.common.check().is_ok() {
            // SAFETY: dropped here and nowhere else.
            unsafe { ManuallyDrop::drop(&mut self.half) };
            self.common.at_the_end();
        }
    }
}

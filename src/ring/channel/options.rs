//! How a channel is made, or an end of it taken.

use bytemuck::{AnyBitPattern, NoUninit};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

use super::{Fds, Receiver, Sender};
use crate::{
    DescriptorFault, Error, HugePages, pool,
    ring::required_memory,
    sys::{Bell, NotABell, RingMemory},
};

/// How a channel is made, or an end of it taken.
///
/// ```
/// use commonage::ring::Options;
/// use std::time::Duration;
///
/// let (mut sender, mut receiver) = Options::new().name("samples").channel::<f32>(4800)?;
/// assert_eq!(sender.capacity(), 8192);
/// sender.push_slice(&[0.25, 0.5])?;
/// assert_eq!(receiver.pop_timeout(Duration::from_secs(1))?, 0.25);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, Debug)]
#[must_use = "nothing is made before `channel`, `sender` or `receiver`"]
pub struct Options {
    name: Option<String>,
    huge_pages: Option<HugePages>,
    lock: bool,
}

impl Options {
    /// Pages of the usual size, not locked in memory.
    pub fn new() -> Self {
        Options::default()
    }

    /// The name under which the memory is listed in `/proc/PID/maps` and `/proc/PID/fd`, of at most 249 bytes. Nothing is
    /// found by it, and any number of channels can have the same.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Makes the memory of huge pages; or, for [`sender`](Self::sender) and [`receiver`](Self::receiver), takes such memory
    /// too, of whatever size its pages are.
    ///
    /// **Ask for it only where the other process is trusted.** It can take pages out of the memory again, and where the
    /// system's pool of huge pages is empty by then, the next access to it ends this process with SIGBUS. With pages of the
    /// usual size, what was taken out is there again, all zero, when it is next looked at.
    pub fn huge_pages(mut self, pages: HugePages) -> Self {
        self.huge_pages = Some(pages);
        self
    }

    /// Keeps the memory of the ring from being swapped out (`mlock`), for each end that is made with these options and as
    /// long as it is there. `RLIMIT_MEMLOCK` limits how much that may be, and [`channel`](Self::channel) counts twice.
    pub fn lock_in_memory(mut self, lock: bool) -> Self {
        self.lock = lock;
        self
    }

    /// Both ends of a new channel, with room for at least `capacity` elements: see [`channel`](super::channel()).
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`], [`Error::TooLarge`], [`Error::Alignment`]; [`Error::Os`] for want of descriptors, say, or for a
    /// name that can't be one.
    pub fn channel<T: AnyBitPattern + NoUninit>(&self, capacity: usize) -> Result<(Sender<T>, Receiver<T>), Error> {
        let name = self.name.as_deref().unwrap_or("commonage-ring");
        let memory = RingMemory::create(name, required_memory::<T>(capacity), self.huge_pages, pool::leave_to_have)?;
        let failed = |operation| move |error| Error::os(operation, error);
        let again = memory.fd().and_then(|fd| fcntl_dupfd_cloexec(fd, 3)).map_err(failed("fcntl(F_DUPFD)"))?;
        let again = RingMemory::received(again, 0, self.huge_pages.is_some())?;
        let (first, second) = Bell::pair().map_err(failed("socketpair"))?;
        let sender = Sender::over(self.locked(memory)?, first)?;
        Ok((sender, Receiver::over(self.locked(again)?, second)?))
    }

    /// The end that pushes, from its descriptors: see [`Sender::from_fds`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn sender<T: AnyBitPattern + NoUninit>(&self, fds: Fds) -> Result<Sender<T>, Error> {
        let (memory, bell) = self.received::<T>(fds)?;
        Sender::over(memory, bell)
    }

    /// The end that pops, from its descriptors: see [`Receiver::from_fds`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn receiver<T: AnyBitPattern + NoUninit>(&self, fds: Fds) -> Result<Receiver<T>, Error> {
        let (memory, bell) = self.received::<T>(fds)?;
        Receiver::over(memory, bell)
    }

    fn received<T>(&self, fds: Fds) -> Result<(RingMemory, Bell), Error> {
        // This program may have inherited them. Whatever it executes in its turn would hide its death from the other side.
        for fd in [&fds.memory, &fds.socket] {
            fcntl_setfd(fd, FdFlags::CLOEXEC).map_err(|error| Error::os("fcntl(F_SETFD)", error))?;
        }
        let memory = RingMemory::received(fds.memory, required_memory::<T>(1), self.huge_pages.is_some())?;
        let bell = Bell::received(fds.socket).map_err(|error| match error {
            NotABell::Kind(found) => Error::Descriptor(DescriptorFault::NotASocket { found }),
            NotABell::Failed(error) => Error::os("getsockopt", error),
        })?;
        Ok((self.locked(memory)?, bell))
    }

    fn locked(&self, memory: RingMemory) -> Result<RingMemory, Error> {
        if self.lock {
            memory.lock()?;
        }
        Ok(memory)
    }
}

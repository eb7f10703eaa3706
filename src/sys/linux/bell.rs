//! What one process wakes another by, and by which each of them learns that the other has ended: the two ends of a stream.
//!
//! A byte over it rings; its hang-up tells of the end. None of the calls depends on what the other process can set: a
//! description's flags and a socket's timeouts mean nothing to a call that is told not to wait, and who waits for a time waits
//! by `ppoll` alone.

use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
        sockopt::{socket_domain, socket_type},
    },
};

use super::kind_of_descriptor;
use crate::sys::{Uninherited, unix::above_standard};

/// What has ended a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waking {
    /// There was something to be read, or a signal came: look again.
    Rung,
    /// There is nobody at the other end any more. What it did before is to be seen in memory.
    HungUp,
    /// The time is over.
    TimedOut,
}

/// One end. A forked child has something else in its place, which can always be read from and is nobody's end: its parent's
/// death is seen by the other process, whether or not the child lives.
#[derive(Debug)]
pub(crate) struct Bell(Uninherited<OwnedFd>);

impl Bell {
    /// Both ends, the second to be given away.
    pub(crate) fn pair() -> rustix::io::Result<(Bell, Bell)> {
        let (first, second) = Uninherited::replaced_pair(|| {
            let (first, second) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            refuse_descriptors(&first);
            refuse_descriptors(&second);
            Ok::<_, Errno>((above_standard(first)?, above_standard(second)?))
        })?;
        Ok((Bell(first), Bell(second)))
    }

    /// One end that somebody else has made.
    ///
    /// # Errors
    ///
    /// What it is, if it is not one; or what the system says.
    pub(crate) fn received(fd: OwnedFd) -> Result<Bell, NotABell> {
        // A socket first of all: what is asked of something else can keep this process waiting.
        let of = match socket_type(&fd) {
            Ok(of) => of,
            Err(Errno::NOTSOCK | Errno::BADF) => return Err(NotABell::Kind(kind_of_descriptor(fd.as_fd()))),
            Err(error) => return Err(error.into()),
        };
        let domain = socket_domain(&fd)?;
        if domain != AddressFamily::UNIX || of != SocketType::STREAM {
            let found = format!("a socket of family {} and type {}", domain.as_raw(), of.as_raw());
            return Err(NotABell::Kind(found));
        }
        refuse_descriptors(&fd);
        Ok(Bell(Uninherited::replaced(|| above_standard(fd))?))
    }

    /// Wakes whoever waits at the other end, or will.
    pub(crate) fn ring(&self) {
        let Ok(fd) = self.0.get() else { return };
        // What stands in the way says that it is rung already (EAGAIN), or that nobody is there: the next wait tells that.
        let _ = send(fd, &[1], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }

    /// Waits until it is rung; without a time, for as long as that takes.
    pub(crate) fn wait(&self, at_most: Option<Duration>) -> Waking {
        let Ok(fd) = self.0.get() else { return Waking::HungUp };
        // What no clock counts to is endless.
        let at_most = at_most.and_then(|time| Timespec::try_from(time).ok());
        if at_most.is_none() {
            // One call instead of two. If somebody has set the description not to wait, or not for long, it says so at once.
            let waking = self.receive(RecvFlags::empty());
            if waking != Waking::TimedOut {
                return waking;
            }
        }
        let mut looked_at = [PollFd::new(fd, PollFlags::IN | PollFlags::RDHUP)];
        match poll(&mut looked_at, at_most.as_ref()) {
            Ok(0) => return Waking::TimedOut,
            Ok(_) => {}
            // A signal: a look is never wrong.
            Err(Errno::INTR) => return Waking::Rung,
            // Whoever may have no more descriptors may wait for none either: `poll` minds the limit, also for one.
            Err(_) => return self.drain(),
        }
        let seen = looked_at[0].revents();
        if seen.intersects(PollFlags::HUP | PollFlags::RDHUP | PollFlags::ERR | PollFlags::NVAL) {
            return Waking::HungUp;
        }
        self.drain()
    }

    /// Takes the bytes that are there: those of honest rings, and of others no more than that. Descriptors that come with
    /// them are closed by the kernel.
    pub(crate) fn drain(&self) -> Waking {
        self.receive(RecvFlags::DONTWAIT)
    }

    fn receive(&self, flags: RecvFlags) -> Waking {
        let Ok(fd) = self.0.get() else { return Waking::HungUp };
        match recv(fd, &mut [0; 256], flags) {
            Ok((0, _)) => Waking::HungUp,
            Ok(_) => Waking::Rung,
            Err(Errno::AGAIN | Errno::INTR | Errno::NOMEM | Errno::NOBUFS) => Waking::TimedOut,
            Err(_) => Waking::HungUp,
        }
    }

    /// Is there nobody at the other end any more?
    pub(crate) fn has_hung_up(&self) -> bool {
        let Ok(fd) = self.0.get() else { return true };
        let mut looked_at = [PollFd::new(fd, PollFlags::RDHUP)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        match poll(&mut looked_at, Some(&now)) {
            Ok(found) => found > 0,
            Err(_) => matches!(recv(fd, &mut [0; 1], RecvFlags::DONTWAIT | RecvFlags::PEEK), Ok((0, _))),
        }
    }

    /// The descriptor, which this value no longer sees to.
    ///
    /// # Errors
    ///
    /// In a forked child: that there is none.
    pub(crate) fn into_fd(self) -> rustix::io::Result<OwnedFd> {
        self.0.take()
    }
}

/// Has the system refuse whoever sends descriptors over a socket to this end of it (since Linux 6.16). They would be closed here,
/// and that can take as long as whoever made them wants: a connection that lingers, a file of a file system of its own.
fn refuse_descriptors(socket: impl AsFd) {
    const SO_PASSRIGHTS: libc::c_int = 83;
    let (none, len) = (0 as libc::c_int, size_of::<libc::c_int>() as libc::socklen_t);
    let number = socket.as_fd().as_raw_fd();
    // SAFETY: a number of this size is there to be read. Who does not know the option says so, and nothing is changed.
    let _ = unsafe { libc::setsockopt(number, libc::SOL_SOCKET, SO_PASSRIGHTS, (&raw const none).cast(), len) };
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.borrow()
    }
}

/// Why a descriptor is no end of a bell.
#[derive(Debug)]
pub(crate) enum NotABell {
    /// It is something else.
    Kind(String),
    /// The system has not said.
    Failed(Errno),
}

impl From<Errno> for NotABell {
    fn from(error: Errno) -> Self {
        NotABell::Failed(error)
    }
}

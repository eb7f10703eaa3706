//! What an end of a channel is outside of a process.

use std::os::fd::OwnedFd;

/// The two descriptors of one end of a channel: whoever has them has the end. They can be sent over a Unix socket, D-Bus, or
/// anything else that passes descriptors on; both are closed when another program is executed.
///
/// They carry no type: the receiving process says what it takes them for. If the other end has been attached to as something
/// else, that is an error.
#[derive(Clone, Copy, Debug)]
pub struct Fds<F = OwnedFd> {
    /// The memory of the ring: a memfd of a size that nobody can change.
    pub memory: F,
    /// What the other end is woken by, and told of the end by: one end of a pair of stream sockets.
    pub socket: F,
}

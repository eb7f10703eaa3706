//! What values travel through.

mod by_thread;
mod direct;
mod ipc;
mod opaque;
mod socket;

use std::process::Child;

use serde::{Deserialize, Serialize};

pub(crate) use self::{by_thread::ByThread, direct::Direct, ipc::Ipc, opaque::Opaque, socket::Socket};
use crate::Outcome;

/// What is said over a wire.
#[derive(Serialize, Deserialize)]
pub(crate) enum Packet<M> {
    /// A value: read it, and send it back.
    Back(M),
    /// A value: read it, drop it, and say its sum.
    Over(M),
    Sum(u64),
    /// Make a value of so many bytes, keep it, and send it.
    Make(u64),
}

/// A way to somebody and a way back.
pub(crate) trait Wire<M>: 'static {
    fn send(&self, packet: Packet<M>) -> Outcome;
    /// `None` if the other end is closed.
    fn receive(&self) -> Outcome<Option<Packet<M>>>;
}

/// A wire between two processes.
pub(crate) trait Between<M>: Wire<M> + Sized {
    /// Starts this program once more, with the other end of the wire.
    fn start(contender: &str) -> Outcome<(Self, Child)>;
    /// The other end, in the process that was started.
    fn join(server: &str) -> Outcome<Self>;
}

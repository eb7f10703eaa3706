//! Who else takes payloads and single items from one end to another: rings, a socket, a bus.

pub(crate) mod cells;
mod commonage;
mod control;
pub(crate) mod dbus;
mod lent;
pub(crate) mod other;
mod shmem_ipc;
mod socket;
mod threads;

use std::{
    hint,
    time::{Duration, Instant},
};

pub(crate) use self::{
    commonage::{Blocking, InPlace, Ours, Sleeping, Trying},
    lent::Lent,
    shmem_ipc::SharedRing,
    socket::Stream,
    threads::{Boxes, Queue, Rtrb},
};

use crate::{Outcome, measure};

/// Two ends, with room between them.
pub(crate) trait Ends: 'static {
    const NAME: &'static str;
    type In: 'static;
    type Out: 'static;

    /// Both ends, with room for so many words of eight bytes, or more.
    fn ends(room: usize) -> Outcome<(Self::In, Self::Out)>;
}

/// Ends that another process may have. Whoever lends one does not keep it.
pub(crate) trait Across: Ends {
    /// A word that tells the other process how the ends are used.
    const MANNER: &'static str;

    fn lend_out(end: Self::Out) -> Outcome<Lent>;
    fn adopt_out(lent: &str, room: usize) -> Outcome<Self::Out>;
}

/// Of whom both ends may go: there, and back.
pub(crate) trait BothWays: Across {
    fn lend_in(end: Self::In) -> Outcome<Lent>;
    fn adopt_in(lent: &str, room: usize) -> Outcome<Self::In>;
}

/// Payloads go through.
pub(crate) trait Payloads: Ends {
    /// Puts all of it in, and waits for room.
    fn give(end: &mut Self::In, payload: &[u64]) -> Outcome;

    /// Waits for a payload as long as the buffer, and reads all of it: its sum. Whoever reads in place needs no buffer.
    fn take(end: &mut Self::Out, buffer: &mut [u64]) -> Outcome<u64>;

    /// Both, by one thread.
    fn pass(ends: &mut (Self::In, Self::Out), payload: &[u64], buffer: &mut [u64]) -> Outcome<u64> {
        Self::give(&mut ends.0, payload)?;
        Self::take(&mut ends.1, buffer)
    }
}

/// Single items go through.
pub(crate) trait Items: Ends {
    /// Waits for room.
    fn push(end: &mut Self::In, item: u64) -> Outcome;
    /// Waits for an item.
    fn pop(end: &mut Self::Out) -> Outcome<u64>;
}

/// Items whose receiver never sleeps.
pub(crate) trait Polled: Items {
    fn try_pop(end: &mut Self::Out) -> Outcome<Option<u64>>;
}

/// Tries until it succeeds, for some seconds.
#[inline]
fn spin<T>(mut attempt: impl FnMut() -> Outcome<Option<T>>) -> Outcome<T> {
    let mut start = None;
    loop {
        for _ in 0..1 << 16 {
            if let Some(found) = attempt()? {
                return Ok(found);
            }
            hint::spin_loop();
        }
        measure::go_on()?;
        if start.get_or_insert_with(Instant::now).elapsed() > Duration::from_secs(10) {
            return Err("the other end does nothing".into());
        }
    }
}

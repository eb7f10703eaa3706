use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use rustix::{
    io::Errno,
    net::{SendFlags, send},
};

use super::{Across, BothWays, Ends, Items, Lent, Payloads, lent::adopt};
use crate::{
    Outcome,
    peers::{UNIX_SOCKET, sum},
};

/// A pair of Unix sockets that carry a stream.
pub(crate) struct Stream;

impl Ends for Stream {
    const NAME: &'static str = UNIX_SOCKET;
    type In = UnixStream;
    type Out = UnixStream;

    /// There is as much room as the system gives.
    fn ends(_: usize) -> Outcome<(Self::In, Self::Out)> {
        Ok(UnixStream::pair()?)
    }
}

impl Across for Stream {
    const MANNER: &'static str = "stream";

    fn lend_out(end: Self::Out) -> Outcome<Lent> {
        Lent::descriptors([end.into()])
    }

    fn adopt_out(lent: &str, _: usize) -> Outcome<Self::Out> {
        let [end] = adopt(lent)?;
        Ok(end.into())
    }
}

impl BothWays for Stream {
    fn lend_in(end: Self::In) -> Outcome<Lent> {
        Self::lend_out(end)
    }

    fn adopt_in(lent: &str, room: usize) -> Outcome<Self::In> {
        Self::adopt_out(lent, room)
    }
}

impl Payloads for Stream {
    fn give(end: &mut Self::In, payload: &[u64]) -> Outcome {
        Ok(end.write_all(bytemuck::cast_slice(payload))?)
    }

    fn take(end: &mut Self::Out, buffer: &mut [u64]) -> Outcome<u64> {
        end.read_exact(bytemuck::cast_slice_mut(buffer))?;
        Ok(sum(buffer))
    }

    /// What does not fit at once goes part by part.
    fn pass((end, other): &mut (Self::In, Self::Out), mut payload: &[u64], buffer: &mut [u64]) -> Outcome<u64> {
        let mut total = 0_u64;
        while !payload.is_empty() {
            let bytes = match send(&*end, bytemuck::cast_slice(payload), SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => continue,
                sent => sent?,
            };
            if bytes % 8 != 0 {
                return Err("the socket has parted a word".into());
            }
            let part = &mut buffer[..bytes / 8];
            other.read_exact(bytemuck::cast_slice_mut(part))?;
            total = total.wrapping_add(sum(part));
            payload = &payload[bytes / 8..];
        }
        Ok(total)
    }
}

impl Items for Stream {
    fn push(end: &mut Self::In, item: u64) -> Outcome {
        Ok(end.write_all(&item.to_ne_bytes())?)
    }

    fn pop(end: &mut Self::Out) -> Outcome<u64> {
        let mut bytes = [0; 8];
        end.read_exact(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }
}

//! Descriptors on their way through a stream socket: one frame of 16 bytes, with the descriptors beside it.
//!
//! ```text
//!  0          4          8          12         16
//!  ├──────────┼──────────┼──────────┼──────────┤
//!  │  magic   │ version  │   what   │  number  │   little-endian
//!  └──────────┴──────────┴──────────┴──────────┘
//! ```
//!
//! What comes is the peer's, and the peer is anybody: as many descriptors as were announced come, or none is kept. No byte
//! behind the frame is read.

use std::{
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::{
    cmsg_space,
    io::{Errno, retry_on_intr},
    net::{
        RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketType,
        recvmsg, sendmsg, sockopt::socket_type,
    },
};

use crate::{
    DescriptorFault, Error,
    sys::{Beside, above_standard, kind_of_descriptor},
};

const MAGIC: u32 = u32::from_le_bytes(*b"cmng");
const VERSION: u32 = 1;
const FRAME: usize = 16;
/// The most descriptors that a frame brings.
const MOST: usize = 4;
/// Room beside a frame: the system puts there who has sent it, too, by number and by a descriptor, where that was asked for.
const BESIDE: usize = cmsg_space!(ScmCredentials(1), ScmRights(MOST), ScmRights(1));

/// What a frame brings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum What {
    SealedValue = 1,
    Sender = 2,
    Receiver = 3,
}

impl What {
    fn words(self) -> &'static str {
        match self {
            What::SealedValue => "a sealed value",
            What::Sender => "the sender of a ring",
            What::Receiver => "the receiver of a ring",
        }
    }
}

/// Sends one frame.
///
/// # Errors
///
/// [`Error::Os`] (a stream that the peer has closed: `BrokenPipe`), [`DescriptorFault::NotASocket`].
pub(crate) fn send(stream: &UnixStream, what: What, fds: &[BorrowedFd<'_>]) -> Result<(), Error> {
    assert!(fds.len() <= MOST, "a frame brings at most {MOST} descriptors");
    must_be_a_stream(stream)?;
    let frame = frame(what, fds.len() as u32);
    let mut room = [MaybeUninit::uninit(); BESIDE];
    let mut beside = SendAncillaryBuffer::new(&mut room);
    if !fds.is_empty() {
        beside.push(SendAncillaryMessage::ScmRights(fds));
    }
    let mut sent = 0;
    while sent < FRAME {
        let bytes = [IoSlice::new(&frame[sent..])];
        sent += retry_on_intr(|| sendmsg(stream, &bytes, &mut beside, SendFlags::NOSIGNAL))
            .map_err(|error| Error::os("sendmsg", error))?;
        // They have gone with the first byte.
        beside.clear();
    }
    Ok(())
}

/// Receives one frame that brings `N` descriptors: none of them is inherited by another program, or is taken for standard
/// input or output.
///
/// After an error the stream may be in the middle of a frame.
///
/// # Errors
///
/// [`DescriptorFault::Message`], [`DescriptorFault::Closed`], [`DescriptorFault::NotASocket`]; [`Error::Os`], also when the
/// stream's time limit has passed.
pub(crate) fn receive<const N: usize>(stream: &UnixStream, what: What) -> Result<[OwnedFd; N], Error> {
    const { assert!(N <= MOST) };
    must_be_a_stream(stream)?;
    let refused = |found: String| fault(DescriptorFault::Message { expected: what.words(), found });
    let mut frame = [0; FRAME];
    let mut fds: Vec<OwnedFd> = Vec::with_capacity(N);
    let mut read = 0;
    while read < FRAME {
        let mut room = Beside::<BESIDE>::new();
        let mut beside = room.buffer();
        let received = retry_on_intr(|| {
            recvmsg(stream, &mut [IoSliceMut::new(&mut frame[read..])], &mut beside, RecvFlags::CMSG_CLOEXEC)
        });
        let received = match received {
            Ok(received) => received,
            Err(Errno::CONNRESET) => return Err(fault(DescriptorFault::Closed)),
            Err(error) => return Err(Error::os("recvmsg", error)),
        };
        // What is not taken here is closed by the buffer.
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                fds.extend(rights);
            }
        }
        drop(beside);
        room.close_unasked();
        if fds.len() > N {
            return Err(refused(format!("more than {N} descriptors")));
        }
        if received.flags.contains(ReturnFlags::CTRUNC) {
            // There was room for all that were announced: it was this process that could have no more.
            return Err(Error::os("recvmsg", Errno::MFILE));
        }
        if received.bytes == 0 {
            return Err(fault(DescriptorFault::Closed));
        }
        read += received.bytes;
    }
    let number = |at: usize| u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]);
    let (magic, version, kind, announced) = (number(0), number(4), number(8), number(12));
    if magic != MAGIC {
        return Err(refused(format!("something else, which begins with {magic:#010x},")));
    }
    if version != VERSION {
        return Err(refused(format!("a frame of version {version}")));
    }
    if kind != what as u32 {
        return Err(refused(format!("a frame of kind {kind}")));
    }
    if announced != N as u32 {
        return Err(refused(format!("a frame of {announced} descriptors")));
    }
    let higher = fds.into_iter().map(above_standard).collect::<Result<Vec<_>, _>>();
    let fds = higher.map_err(|error| Error::os("fcntl", error))?;
    fds.try_into().map_err(|fds: Vec<_>| refused(format!("a frame with {} of {N} descriptors", fds.len())))
}

fn frame(what: What, number: u32) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    for (place, number) in frame.chunks_exact_mut(4).zip([MAGIC, VERSION, what as u32, number]) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    frame
}

/// A `UnixStream` can be made of any descriptor: is it a stream socket?
///
/// # Errors
///
/// [`DescriptorFault::NotASocket`], [`Error::Os`].
pub(crate) fn must_be_a_stream(socket: impl AsFd) -> Result<(), Error> {
    let not_a_socket = |found: &str| fault(DescriptorFault::NotASocket { found: found.to_owned() });
    match socket_type(&socket) {
        Ok(SocketType::STREAM) => Ok(()),
        Ok(SocketType::DGRAM | SocketType::SEQPACKET) => Err(not_a_socket("a socket of messages")),
        Ok(_) => Err(not_a_socket("another socket")),
        Err(Errno::NOTSOCK | Errno::BADF) => Err(not_a_socket(&kind_of_descriptor(socket.as_fd()))),
        Err(error) => Err(Error::os("getsockopt", error)),
    }
}

fn fault(fault: DescriptorFault) -> Error {
    Error::Descriptor(fault)
}

#[cfg(test)]
mod tests;

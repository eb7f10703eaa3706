//! A Unix socket that carries file descriptors, which `ipc-channel` does not.

use std::{
    fs::File,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    process::Child,
};

use rustix::{
    cmsg_space,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
};

use super::{Between, Packet, Wire};
use crate::{Outcome, role};

/// Of the same kind as those beneath `ipc-channel`.
pub(crate) struct Socket {
    to: OwnedFd,
    from: OwnedFd,
}

impl Socket {
    /// One pair of sockets, with both ends in this process.
    pub(crate) fn looped() -> Outcome<Self> {
        let (to, from) = pair()?;
        Ok(Socket { to, from })
    }
}

fn pair() -> Outcome<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

const BACK: u64 = 0;
const OVER: u64 = 1;
const SUM: u64 = 2;
const MAKE: u64 = 3;

impl Wire<File> for Socket {
    fn send(&self, packet: Packet<File>) -> Outcome {
        let (word, number, file) = match packet {
            Packet::Back(file) => (BACK, 0, Some(file)),
            Packet::Over(file) => (OVER, 0, Some(file)),
            Packet::Sum(sum) => (SUM, sum, None),
            Packet::Make(size) => (MAKE, size, None),
        };
        let files: Vec<_> = file.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&files)) {
            return Err("no room for a file descriptor".into());
        }
        let text = [word.to_ne_bytes(), number.to_ne_bytes()];
        sendmsg(&self.to, &[IoSlice::new(text.as_flattened())], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    fn receive(&self) -> Outcome<Option<Packet<File>>> {
        let mut text = [[0; 8]; 2];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut into = [IoSliceMut::new(text.as_flattened_mut())];
        let received = recvmsg(&self.from, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        if received.bytes == 0 {
            return Ok(None);
        }
        let file = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut files) => files.next().map(File::from),
            _ => None,
        });
        let [word, number] = text.map(u64::from_ne_bytes);
        Ok(Some(match (word, file) {
            (BACK, Some(file)) => Packet::Back(file),
            (OVER, Some(file)) => Packet::Over(file),
            (SUM, None) => Packet::Sum(number),
            (MAKE, None) => Packet::Make(number),
            _ => return Err("not a packet".into()),
        }))
    }
}

impl Between<File> for Socket {
    fn start(contender: &str) -> Outcome<(Self, Child)> {
        let (here, there) = pair()?;
        let process = role::command("echo", contender, "")?.stdin(there).spawn()?;
        Ok((Socket { to: here.try_clone()?, from: here }, process))
    }

    fn join(_: &str) -> Outcome<Self> {
        let end = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Socket { to: end.try_clone()?, from: end })
    }
}

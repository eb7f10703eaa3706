//! Ends on their way through a Unix socket.

use std::os::{fd::AsFd, unix::net::UnixStream};

use super::Fds;
use crate::{
    Error,
    passing::{self, What},
};

pub(super) fn send(stream: &UnixStream, what: What, fds: &Fds) -> Result<(), Error> {
    passing::send(stream, what, &[fds.memory.as_fd(), fds.socket.as_fd()])
}

pub(super) fn receive(stream: &UnixStream, what: What) -> Result<Fds, Error> {
    let [memory, socket] = passing::receive(stream, what)?;
    Ok(Fds { memory, socket })
}

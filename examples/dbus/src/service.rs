//! The process that sends.

use std::thread;

use commonage::ring::{self, Fds};
use zbus::{OwnedFd, connection, fdo, interface};

use crate::{
    Failure,
    protocol::{NAME, PATH},
};

struct Example;

#[interface(name = "org.commonage.Example1")]
impl Example {
    fn open(&self, count: u64) -> fdo::Result<(OwnedFd, OwnedFd)> {
        let (mut sender, receiver) = ring::channel::<u64>(4096).map_err(failed)?;
        let Fds { memory, socket } = receiver.into_fds().map_err(failed)?;
        // A client that ends closes the ring, and the thread ends.
        thread::spawn(move || (0..count).try_for_each(|number| sender.push(number)));
        Ok((memory.into(), socket.into()))
    }
}

fn failed(error: impl ToString) -> fdo::Error {
    fdo::Error::Failed(error.to_string())
}

/// Serves until it is killed, or the bus ends.
pub(crate) fn serve() -> Result<(), Failure> {
    zbus::block_on(async {
        let connection = connection::Builder::session().name(NAME).serve_at(PATH, Example).build().await?;
        println!("serving {NAME}");
        connection.closed().await;
        Ok(())
    })
}

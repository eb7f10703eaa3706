//! The process that receives.

use commonage::ring::{Fds, Receiver, RingError};
use zbus::Connection;

use crate::{Failure, protocol::ExampleProxy};

const COUNT: u64 = 1_000_000;

pub(crate) fn listen() -> Result<(), Failure> {
    let (memory, socket) = zbus::block_on(async {
        let connection = Connection::session().await?;
        ExampleProxy::new(&connection).await?.open(COUNT).await
    })?;
    // Whoever the service is: what it sends is checked, and a ring needs no trust.
    let mut numbers = Receiver::<u64>::from_fds(Fds { memory: memory.into(), socket: socket.into() })?;
    let mut expected = 0;
    loop {
        match numbers.pop() {
            Ok(number) if number == expected => expected += 1,
            Ok(number) => return Err(format!("{number} has come where {expected} should have").into()),
            Err(RingError::Closed) => break,
            Err(error) => return Err(error.into()),
        }
    }
    if expected != COUNT {
        return Err(format!("{expected} of {COUNT} numbers have come").into());
    }
    println!("{COUNT} numbers through a ring of {}, none of them over the bus", numbers.capacity());
    Ok(())
}

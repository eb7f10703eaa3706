//! The other process: gets a value, sends it back.

use std::{
    env,
    process::{Child, Command},
};

use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Outcome,
    peers::{BARE, Commonage, Peer, Sharify},
};

/// A process that sends back what it is sent, and the two channels to it.
pub(crate) struct Partner<T> {
    // `None` only while it is dropped.
    to: Option<IpcSender<T>>,
    from: IpcReceiver<T>,
    process: Child,
}

/// The ends of the channels that the other process sends to this one.
type Ends<T> = (IpcSender<T>, IpcReceiver<T>);

impl<T: Serialize + DeserializeOwned> Partner<T> {
    /// Starts this program once more as the other process of `contender`.
    pub(crate) fn start(contender: &str) -> Outcome<Self> {
        let (server, name) = IpcOneShotServer::<Ends<T>>::new()?;
        let process = Command::new(env::current_exe()?).args(["--echo", contender, "--server", &name]).spawn()?;
        let (_, (to, from)) = server.accept()?;
        Ok(Partner { to: Some(to), from, process })
    }

    /// There and back.
    pub(crate) fn round_trip(&self, value: T) -> Outcome<T> {
        if let Some(to) = &self.to {
            to.send(value)?;
        }
        Ok(self.from.recv()?)
    }
}

impl<T> Drop for Partner<T> {
    fn drop(&mut self) {
        // Its next receive finds the channel closed, which ends it.
        self.to = None;
        if let Err(error) = self.process.wait() {
            eprintln!("peers: the other process of the ping-pong: {error}");
        }
    }
}

/// Is the other process, until the channel is closed.
pub(crate) fn echo(contender: &str, server: &str) -> Outcome {
    match contender {
        Commonage::NAME => echo_values::<<Commonage as Peer>::Value>(server),
        Sharify::NAME => echo_values::<<Sharify as Peer>::Value>(server),
        BARE => echo_values::<u64>(server),
        other => Err(format!("there is no contender `{other}`").into()),
    }
}

fn echo_values<T: Serialize + DeserializeOwned>(server: &str) -> Outcome {
    let (to, receiver) = ipc::channel::<T>()?;
    let (sender, from) = ipc::channel::<T>()?;
    IpcSender::<Ends<T>>::connect(server.to_owned())?.send((to, from))?;
    loop {
        match receiver.recv() {
            Ok(value) => sender.send(value)?,
            Err(ipc_channel::IpcError::Disconnected) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

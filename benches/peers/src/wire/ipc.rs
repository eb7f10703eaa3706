use std::process::Child;

use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender};
use serde::{Serialize, de::DeserializeOwned};

use super::{Between, Packet, Wire};
use crate::{Outcome, role};

/// Two `ipc-channel`s.
pub(crate) struct Ipc<M> {
    to: IpcSender<Packet<M>>,
    from: IpcReceiver<Packet<M>>,
}

/// The ends of the channels that the other process sends to this one.
type Ends<M> = (IpcSender<Packet<M>>, IpcReceiver<Packet<M>>);

impl<M: Serialize + DeserializeOwned> Ipc<M> {
    /// One channel, with both ends in this process.
    pub(crate) fn looped() -> Outcome<Self> {
        let (to, from) = ipc::channel()?;
        Ok(Ipc { to, from })
    }
}

impl<M: Serialize + DeserializeOwned + 'static> Wire<M> for Ipc<M> {
    fn send(&self, packet: Packet<M>) -> Outcome {
        Ok(self.to.send(packet)?)
    }

    fn receive(&self) -> Outcome<Option<Packet<M>>> {
        match self.from.recv() {
            Ok(packet) => Ok(Some(packet)),
            Err(ipc_channel::IpcError::Disconnected) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl<M: Serialize + DeserializeOwned + 'static> Between<M> for Ipc<M> {
    fn start(contender: &str) -> Outcome<(Self, Child)> {
        let (server, name) = IpcOneShotServer::<Ends<M>>::new()?;
        let process = role::command("echo", contender, &name)?.spawn()?;
        let (_, (to, from)) = server.accept()?;
        Ok((Ipc { to, from }, process))
    }

    fn join(server: &str) -> Outcome<Self> {
        let (to, receiver) = ipc::channel()?;
        let (sender, from) = ipc::channel()?;
        IpcSender::<Ends<M>>::connect(server.to_owned())?.send((to, from))?;
        Ok(Ipc { to: sender, from: receiver })
    }
}

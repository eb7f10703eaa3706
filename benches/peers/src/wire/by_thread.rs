use std::{sync::mpsc, thread};

use ipc_channel::ipc::{self, IpcReceiver};
use serde::{Serialize, de::DeserializeOwned};

use super::{Packet, Wire};
use crate::Outcome;

/// One `ipc-channel` in this process, into which another thread sends: what is larger than the channel's buffer can't be
/// sent and received by the same one.
pub(crate) struct ByThread<M> {
    to: mpsc::Sender<Packet<M>>,
    from: IpcReceiver<Packet<M>>,
}

impl<M: Serialize + DeserializeOwned + Send + 'static> ByThread<M> {
    pub(crate) fn looped() -> Outcome<Self> {
        let (sender, from) = ipc::channel()?;
        let (to, packets) = mpsc::channel();
        // It ends when `to` is dropped.
        thread::spawn(move || packets.into_iter().try_for_each(|packet| sender.send(packet)));
        Ok(ByThread { to, from })
    }
}

impl<M: Serialize + DeserializeOwned + Send + 'static> Wire<M> for ByThread<M> {
    fn send(&self, packet: Packet<M>) -> Outcome {
        self.to.send(packet).map_err(|_| "the sending thread has ended".into())
    }

    fn receive(&self) -> Outcome<Option<Packet<M>>> {
        Ok(Some(self.from.recv()?))
    }
}

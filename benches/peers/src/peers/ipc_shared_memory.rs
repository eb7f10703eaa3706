use ipc_channel::ipc::IpcSharedMemory;

use super::{Peer, Place};
use crate::Outcome;

pub(crate) struct IpcShared;

impl Peer for IpcShared {
    const NAME: &'static str = "IpcSharedMemory";
    type Value = IpcSharedMemory;
    type Message = IpcSharedMemory;
    type Kept = ();
    type Received = IpcSharedMemory;

    fn new(_: Place) -> Outcome<Self> {
        Ok(IpcShared)
    }

    fn make(&self, source: &[u64]) -> Outcome<Self::Value> {
        Ok(IpcSharedMemory::from_bytes(bytemuck::cast_slice(source)))
    }

    fn made(value: &Self::Value) -> &[u64] {
        bytemuck::cast_slice(value)
    }

    fn message(&self, value: Self::Value) -> Outcome<(Self::Message, ())> {
        Ok((value, ()))
    }

    fn open(&self, message: Self::Message) -> Outcome<Self::Received> {
        Ok(message)
    }

    fn received(value: &Self::Received) -> &[u64] {
        bytemuck::cast_slice(value)
    }

    fn forward(&self, value: Self::Received) -> Outcome<Self::Message> {
        Ok(value)
    }
}

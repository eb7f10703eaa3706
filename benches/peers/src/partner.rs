//! The other process: gets a value, reads it, sends it back or says its sum.

use std::{marker::PhantomData, os::unix::process::parent_id, process::Child};

use crate::{
    Outcome,
    peers::{
        ByHand, Commonage, Iceoryx2, IpcShared, Local, MappedFile, Peer, Place, Sent, Sharify, WriteOnce, payload, sum,
    },
    wire::{Between, Ipc, Packet, Socket},
};

/// A process that does what it is sent, and the wire to it.
pub(crate) struct Partner<P: Peer, W: Between<P::Message>> {
    // `None` only while it is dropped.
    wire: Option<W>,
    process: Child,
    peer: PhantomData<P>,
}

impl<P: Peer, W: Between<P::Message>> Partner<P, W> {
    /// Starts this program once more.
    pub(crate) fn start() -> Outcome<Self> {
        let (wire, process) = W::start(P::NAME)?;
        Ok(Partner { wire: Some(wire), process, peer: PhantomData })
    }

    /// There, where it is read, and back.
    pub(crate) fn there_and_back(&self, message: P::Message) -> Outcome<P::Message> {
        self.ask(Packet::Back(message))
    }

    /// There, where it is read and dropped: its sum.
    pub(crate) fn over(&self, message: P::Message) -> Outcome<u64> {
        match self.exchange(Packet::Over(message))? {
            Packet::Sum(sum) => Ok(sum),
            _ => Err("the other process has sent no sum".into()),
        }
    }

    /// What leads to a value that the other process has made and keeps.
    pub(crate) fn theirs(&self, size: usize) -> Outcome<P::Message> {
        self.ask(Packet::Make(size as u64))
    }

    fn ask(&self, packet: Packet<P::Message>) -> Outcome<P::Message> {
        match self.exchange(packet)? {
            Packet::Back(message) => Ok(message),
            _ => Err("the other process has sent no value".into()),
        }
    }

    fn exchange(&self, packet: Packet<P::Message>) -> Outcome<Packet<P::Message>> {
        let wire = self.wire.as_ref().ok_or("the wire is closed")?;
        wire.send(packet)?;
        Ok(wire.receive()?.ok_or("the other process has ended")?)
    }
}

impl<P: Peer, W: Between<P::Message>> Drop for Partner<P, W> {
    fn drop(&mut self) {
        // Its next receive finds the wire closed, which ends it.
        self.wire = None;
        if let Err(error) = self.process.wait() {
            eprintln!("peers: the other process: {error}");
        }
    }
}

/// Is the other process, until the wire is closed.
pub(crate) fn echo(contender: &str, server: &str) -> Outcome {
    match contender {
        Commonage::NAME => obey::<Commonage, Ipc<_>>(server),
        Sharify::NAME => obey::<Sharify, Ipc<_>>(server),
        ByHand::NAME => obey::<ByHand, Ipc<_>>(server),
        IpcShared::NAME => obey::<IpcShared, Ipc<_>>(server),
        WriteOnce::NAME => obey::<WriteOnce, Socket>(server),
        Iceoryx2::NAME => obey::<Iceoryx2, Ipc<_>>(server),
        MappedFile::NAME => obey::<MappedFile, Ipc<_>>(server),
        Sent::NAME => obey::<Sent, Ipc<_>>(server),
        Local::NAME => obey::<Local, Ipc<_>>(server),
        other => Err(format!("there is no contender `{other}`").into()),
    }
}

fn obey<P: Peer, W: Between<P::Message>>(server: &str) -> Outcome {
    // The maker waits for the wire, and then sends: whoever is to receive must be there before.
    let peer = P::new(Place::Receiver { of: parent_id() })?;
    let wire = W::join(server)?;
    let mut kept = Vec::new();
    while let Some(packet) = wire.receive()? {
        let answer = match packet {
            Packet::Back(message) => {
                let value = peer.open(message)?;
                std::hint::black_box(sum(P::received(&value)));
                Packet::Back(peer.forward(value)?)
            }
            Packet::Over(message) => Packet::Sum(sum(P::received(&peer.open(message)?))),
            Packet::Make(size) => {
                let (message, keep) = peer.message(peer.make(&payload(size as usize))?)?;
                kept.push(keep);
                Packet::Back(message)
            }
            Packet::Sum(_) => return Err("a sum that was not asked for".into()),
        };
        wire.send(answer)?;
    }
    Ok(())
}

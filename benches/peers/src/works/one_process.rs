use std::{hint::black_box, process, rc::Rc};

use super::{KIB, MIB, rows, source};
use crate::{
    Outcome,
    measure::Cell,
    peers::{
        BARE, BARE_BYTES, BARE_WRITE_READ, ByHand, Commonage, Iceoryx2, IpcShared, MappedFile, Peer, Place, Sent,
        Sharify, WriteOnce, checked, same_payload, sum,
    },
    report::{Row, Target, Work},
    wire::{ByThread, Direct, Ipc, Opaque, Packet, Socket, Wire},
};

pub(super) fn send_and_receive() -> Work {
    Work {
        name: "make + send + receive + read, one process",
        touched: "all: written once, read once",
        how: "From a slice, over `ipc-channel` in one thread, summed and dropped. shmem-ipc's file descriptor goes over a Unix \
              socket, as `ipc-channel` carries none; iceoryx2 has its own way and needs no channel here; a `Vec` is serialized \
              number by number, and above 64 KiB, where it does not fit into the channel, sent by a second thread; above 16 MiB \
              it is left out, as is 256 MiB from a quick run",
        drawn: true,
        long: true,
        rows: rows(|_| vec![Target::Within { of: BARE_WRITE_READ, times: 1.2 }]),
        cells,
    }
}

fn cells(row: &Row) -> Outcome<Vec<Cell>> {
    let source = source(row);
    let mut cells = vec![
        through::<Commonage>(&source, Ipc::looped()?)?,
        through::<Sharify>(&source, Ipc::looped()?)?,
        through::<ByHand>(&source, Ipc::looped()?)?,
        through::<IpcShared>(&source, Ipc::looped()?)?,
        through::<WriteOnce>(&source, Socket::looped()?)?,
        through::<Iceoryx2>(&source, Direct::looped())?,
        through::<MappedFile>(&source, Ipc::looped()?)?,
    ];
    if row.size <= 64 * KIB {
        cells.push(through::<Sent>(&source, Ipc::looped()?)?);
    } else if row.size <= 16 * MIB {
        cells.push(through::<Sent>(&source, ByThread::looped()?)?);
    }
    cells.extend([bare_write_read(&source)?, bare()?, bare_bytes()?]);
    Ok(cells)
}

/// A sender and a receiver in one process. What is dropped first is declared first.
struct Pair<P: Peer, W> {
    wire: W,
    receiver: P,
    maker: P,
}

impl<P: Peer, W: Wire<P::Message>> Pair<P, W> {
    fn pass(&self, value: P::Value) -> Outcome<(P::Received, P::Kept)> {
        let (message, kept) = self.maker.message(value)?;
        self.wire.send(Packet::Over(message))?;
        match self.wire.receive()? {
            Some(Packet::Over(message)) => Ok((self.receiver.open(message)?, kept)),
            _ => Err("what was sent has not been received".into()),
        }
    }
}

fn through<P: Peer>(source: &Rc<[u64]>, wire: impl Wire<P::Message>) -> Outcome<Cell> {
    let maker = P::new(Place::Maker { largest: size_of_val(&**source) })?;
    let receiver = P::new(Place::Receiver { of: process::id() })?;
    let pair = Pair { wire, receiver, maker };
    let (received, kept) = pair.pass(checked(&pair.maker, source)?)?;
    same_payload::<P>(P::received(&received), source)?;
    drop((received, kept));
    let source = Rc::clone(source);
    Ok(Cell::warm(P::NAME, move |times| {
        for _ in 0..times {
            let (received, kept) = pair.pass(pair.maker.make(black_box(&source))?)?;
            black_box(sum(P::received(&received)));
            drop((received, kept));
        }
        Ok(())
    }))
}

fn bare_write_read(source: &Rc<[u64]>) -> Outcome<Cell> {
    let source = Rc::clone(source);
    let wire = Ipc::looped()?;
    let mut touched = vec![1; source.len()];
    Ok(Cell::warm(BARE_WRITE_READ, move |times| {
        for _ in 0..times {
            touched.copy_from_slice(black_box(&source));
            wire.send(Packet::Over(black_box(42_u64)))?;
            black_box(wire.receive()?);
            black_box(sum(black_box(&touched)));
        }
        Ok(())
    }))
}

fn bare() -> Outcome<Cell> {
    let wire = Ipc::looped()?;
    Ok(Cell::warm(BARE, move |times| {
        for _ in 0..times {
            wire.send(Packet::Over(black_box(42_u64)))?;
            black_box(wire.receive()?);
        }
        Ok(())
    }))
}

fn bare_bytes() -> Outcome<Cell> {
    let wire = Ipc::looped()?;
    Ok(Cell::warm(BARE_BYTES, move |times| {
        for _ in 0..times {
            wire.send(Packet::Over(black_box(Opaque([7; Opaque::LEN]))))?;
            black_box(wire.receive()?);
        }
        Ok(())
    }))
}

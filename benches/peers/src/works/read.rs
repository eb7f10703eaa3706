use std::{hint::black_box, rc::Rc};

use super::{rows, source};
use crate::{
    Outcome,
    measure::Cell,
    partner::Partner,
    peers::{ByHand, Commonage, IpcShared, MappedFile, Peer, Place, READ, Sharify, WriteOnce, same_payload, sum},
    report::{Target, Work},
    wire::{Between, Ipc, Socket},
};

pub(super) fn received() -> Work {
    Work {
        name: "read what was received",
        touched: "all: read once",
        how: "Made and kept by another process, received before, and read here again and again; the limit is a `Vec`. iceoryx2 \
              is not here, nor is a `Vec` that was sent, which is the limit",
        drawn: false,
        long: false,
        rows: rows(|_| vec![Target::Within { of: READ, times: 1.1 }]),
        cells: |row| {
            let source = source(row);
            Ok(vec![
                theirs::<Commonage, Ipc<_>>(&source)?,
                theirs::<Sharify, Ipc<_>>(&source)?,
                theirs::<ByHand, Ipc<_>>(&source)?,
                theirs::<IpcShared, Ipc<_>>(&source)?,
                theirs::<WriteOnce, Socket>(&source)?,
                theirs::<MappedFile, Ipc<_>>(&source)?,
                ours(&source),
            ])
        },
    }
}

fn theirs<P: Peer, W: Between<P::Message>>(source: &Rc<[u64]>) -> Outcome<Cell> {
    let peer = P::new(Place::Maker { largest: 0 })?;
    let partner = Partner::<P, W>::start()?;
    let value = peer.open(partner.theirs(size_of_val(&**source))?)?;
    same_payload::<P>(P::received(&value), source)?;
    Ok(Cell::warm(P::NAME, move |times| {
        let _maker = &partner;
        let numbers = P::received(&value);
        for _ in 0..times {
            black_box(sum(black_box(numbers)));
        }
        Ok(())
    }))
}

fn ours(source: &Rc<[u64]>) -> Cell {
    let local = source.to_vec();
    Cell::warm(READ, move |times| {
        for _ in 0..times {
            black_box(sum(black_box(&*local)));
        }
        Ok(())
    })
}

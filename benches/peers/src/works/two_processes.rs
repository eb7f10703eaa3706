use std::{hint::black_box, rc::Rc};

use super::{MIB, rows, source};
use crate::{
    Outcome,
    measure::Cell,
    partner::Partner,
    peers::{
        BARE, BARE_READ, BARE_WRITE_READ, ByHand, Commonage, Iceoryx2, IpcShared, Local, MappedFile, Peer, Place, Sent,
        Sharify, WriteOnce, checked, same_payload, sum,
    },
    report::{Row, Target, Work},
    wire::{Between, Ipc, Socket},
};

/// These do not go over `ipc-channel`.
const OTHER_WIRES: [&str; 2] = [WriteOnce::NAME, Iceoryx2::NAME];

pub(super) fn ping_pong() -> Work {
    Work {
        name: "to another process and back, read at both ends",
        touched: "all: read once at each end",
        how: "One value, made beforehand, goes to and fro over two `ipc-channel`s; each end receives it, sums it and sends it \
              on, both processes on one core. shared_memory and memmap2 are opened anew at each end; shmem-ipc goes over a Unix \
              socket; iceoryx2 is not here, as what it has received can't be sent on; a `Vec` above 16 MiB is left out. In the \
              limit only a number goes to and fro, and each end sums memory of its own",
        drawn: true,
        long: false,
        rows: rows(|_| {
            vec![Target::Ahead { times: 1.0, but: &OTHER_WIRES }, Target::Within { of: BARE_READ, times: 1.1 }]
        }),
        cells: |row| {
            let source = source(row);
            let mut cells = vec![
                to_and_fro::<Commonage, Ipc<_>>(&source)?,
                to_and_fro::<Sharify, Ipc<_>>(&source)?,
                to_and_fro::<ByHand, Ipc<_>>(&source)?,
                to_and_fro::<IpcShared, Ipc<_>>(&source)?,
                to_and_fro::<WriteOnce, Socket>(&source)?,
                to_and_fro::<MappedFile, Ipc<_>>(&source)?,
            ];
            if row.size <= 16 * MIB {
                cells.push(to_and_fro::<Sent, Ipc<_>>(&source)?);
            }
            let nothing = Rc::from([]);
            let bare = Cell { contender: BARE, ..to_and_fro::<Local, Ipc<_>>(&nothing)? };
            cells.extend([to_and_fro::<Local, Ipc<_>>(&source)?, bare]);
            Ok(cells)
        },
    }
}

fn to_and_fro<P: Peer, W: Between<P::Message>>(source: &Rc<[u64]>) -> Outcome<Cell> {
    let peer = P::new(Place::Maker { largest: size_of_val(&**source) })?;
    let partner = Partner::<P, W>::start()?;
    let (message, kept) = peer.message(checked(&peer, source)?)?;
    let value = peer.open(partner.there_and_back(message)?)?;
    same_payload::<P>(P::received(&value), source)?;
    let mut message = Some(peer.forward(value)?);
    Ok(Cell::warm(P::NAME, move |times| {
        let _original = &kept;
        for _ in 0..times {
            let there = message.take().ok_or("the value was lost")?;
            let value = peer.open(partner.there_and_back(there)?)?;
            black_box(sum(P::received(&value)));
            message = Some(peer.forward(value)?);
        }
        Ok(())
    }))
}

pub(super) fn hand_over() -> Work {
    Work {
        name: "make + send to another process, read there",
        touched: "all: written once here, read once there",
        how: "From a slice each time, over `ipc-channel` to the other process, which sums it, drops it and answers with the sum, \
              both processes on one core. shmem-ipc goes over a Unix socket; iceoryx2 sends the sample its own way, and a word \
              over `ipc-channel` wakes the receiver; a `Vec` above 16 MiB is left out. In the limit only a number travels, a \
              memcpy goes to local memory here, and local memory is summed there. A quick run leaves 256 MiB out",
        drawn: true,
        long: true,
        rows: rows(|_| vec![Target::Ahead { times: 1.0, but: &OTHER_WIRES }]),
        cells: hand_over_cells,
    }
}

fn hand_over_cells(row: &Row) -> Outcome<Vec<Cell>> {
    let source = source(row);
    let mut cells = vec![
        over::<Commonage, Ipc<_>>(&source)?,
        over::<Sharify, Ipc<_>>(&source)?,
        over::<ByHand, Ipc<_>>(&source)?,
        over::<IpcShared, Ipc<_>>(&source)?,
        over::<WriteOnce, Socket>(&source)?,
        over::<Iceoryx2, Ipc<_>>(&source)?,
        over::<MappedFile, Ipc<_>>(&source)?,
    ];
    if row.size <= 16 * MIB {
        cells.push(over::<Sent, Ipc<_>>(&source)?);
    }
    cells.push(bare_over(&source)?);
    Ok(cells)
}

fn over<P: Peer, W: Between<P::Message>>(source: &Rc<[u64]>) -> Outcome<Cell> {
    // The maker is there before the receiver, and is dropped after it.
    let maker = P::new(Place::Maker { largest: size_of_val(&**source) })?;
    let partner = (Partner::<P, W>::start()?, maker);
    let (source, right) = (Rc::clone(source), sum(source));
    let pass = move || -> Outcome {
        let (partner, maker) = &partner;
        let (message, kept) = maker.message(maker.make(black_box(&source))?)?;
        let found = partner.over(message)?;
        drop(kept);
        if found == right { Ok(()) } else { Err(format!("{} has not kept its payload", P::NAME).into()) }
    };
    pass()?;
    Ok(Cell::warm(P::NAME, move |times| (0..times).try_for_each(|_| pass())))
}

fn bare_over(source: &Rc<[u64]>) -> Outcome<Cell> {
    let partner = Partner::<Local, Ipc<_>>::start()?;
    let source = Rc::clone(source);
    let mut touched = vec![1; source.len()];
    Ok(Cell::warm(BARE_WRITE_READ, move |times| {
        for _ in 0..times {
            touched.copy_from_slice(black_box(&source));
            black_box(&mut touched);
            black_box(partner.over(size_of_val(&*source) as u64)?);
        }
        Ok(())
    }))
}

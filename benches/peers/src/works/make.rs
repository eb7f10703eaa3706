use std::{hint::black_box, rc::Rc};

use memmap2::MmapMut;

use super::{KIB, rows, source};
use crate::{
    Outcome,
    measure::Cell,
    peers::{
        ByHand, Commonage, Iceoryx2, IpcShared, MEMCPY, MEMCPY_NEW, MappedFile, Peer, Place, Sharify, WriteOnce,
        checked,
    },
    report::{Target, Work},
};

pub(super) fn warm() -> Work {
    Work {
        name: "make + drop, warm",
        touched: "all: read and written once",
        how: "From a slice, and dropped at once. commonage and iceoryx2 (loan, write, drop) use memory again, the others make \
              a new segment each time; memcpy writes to private memory that was touched before. A `Vec` that is made is not \
              shared: it is measured where it is sent",
        drawn: true,
        long: false,
        rows: rows(|size| match size {
            64 => vec![Target::NoSlower { than: Iceoryx2::NAME }, Target::AtMost { nanoseconds: 120.0 }],
            size if size >= 64 * KIB => vec![Target::Within { of: MEMCPY, times: 1.1 }],
            _ => vec![],
        }),
        cells: |row| {
            let source = source(row);
            Ok(vec![
                warmly::<Commonage>(&source)?,
                warmly::<Sharify>(&source)?,
                warmly::<ByHand>(&source)?,
                warmly::<IpcShared>(&source)?,
                warmly::<WriteOnce>(&source)?,
                warmly::<Iceoryx2>(&source)?,
                warmly::<MappedFile>(&source)?,
                memcpy(&source)?,
            ])
        },
    }
}

pub(super) fn cold() -> Work {
    Work {
        name: "make + drop, cold",
        touched: "all: read and written once",
        how: "The same in memory that comes from the system: before each sample commonage gives back what it has \
              (`commonage::trim`, not on the clock), the others do what they always do. iceoryx2 has all its memory from the \
              start, and is never cold. memcpy writes to a new private mapping",
        drawn: true,
        long: false,
        rows: rows(|_| vec![Target::Ahead { times: 1.5, but: &[] }]),
        cells: |row| {
            let source = source(row);
            Ok(vec![
                coldly::<Commonage>(&source, || {
                    commonage::trim();
                })?,
                coldly::<Sharify>(&source, || {})?,
                coldly::<ByHand>(&source, || {})?,
                coldly::<IpcShared>(&source, || {})?,
                coldly::<WriteOnce>(&source, || {})?,
                coldly::<MappedFile>(&source, || {})?,
                memcpy_to_new(&source),
            ])
        },
    }
}

fn made_and_dropped<P: Peer>(source: &Rc<[u64]>) -> Outcome<impl FnMut(u64) -> Outcome + 'static> {
    let peer = P::new(Place::Maker { largest: size_of_val(&**source) })?;
    checked(&peer, source)?;
    let source = Rc::clone(source);
    Ok(move |times| {
        for _ in 0..times {
            drop(black_box(peer.make(black_box(&source))?));
        }
        Ok(())
    })
}

pub(super) fn warmly<P: Peer>(source: &Rc<[u64]>) -> Outcome<Cell> {
    Ok(Cell::warm(P::NAME, made_and_dropped::<P>(source)?))
}

fn coldly<P: Peer>(source: &Rc<[u64]>, chill: fn()) -> Outcome<Cell> {
    Ok(Cell::cold(P::NAME, made_and_dropped::<P>(source)?, chill))
}

/// Into pages of its own, as the blocks of a pool are: where in a page a copy begins makes as much of a difference as all else.
pub(super) fn memcpy(source: &Rc<[u64]>) -> Outcome<Cell> {
    let source = Rc::clone(source);
    let mut touched = MmapMut::map_anon(size_of_val(&*source))?;
    touched.fill(1);
    Ok(Cell::warm(MEMCPY, move |times| {
        for _ in 0..times {
            touched.copy_from_slice(bytemuck::cast_slice(black_box(&source)));
            black_box(&mut touched);
        }
        Ok(())
    }))
}

fn memcpy_to_new(source: &Rc<[u64]>) -> Cell {
    let source = Rc::clone(source);
    let run = move |times| {
        for _ in 0..times {
            let mut new = MmapMut::map_anon(size_of_val(&*source))?;
            new.copy_from_slice(bytemuck::cast_slice(black_box(&source)));
            drop(black_box(new));
        }
        Ok(())
    };
    Cell::cold(MEMCPY_NEW, run, || {})
}

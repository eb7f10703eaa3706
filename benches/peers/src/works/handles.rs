use std::hint::black_box;

use commonage::{Shared, ShmemBacked, ShmemView};
use ndarray::Array;

use super::MIB;
use crate::{
    Outcome,
    measure::Cell,
    peers::{COMMONAGE, Commonage, IpcShared, Peer, Place, Sharify, checked, payload},
    report::{Row, Target, Work},
};

const SLICE: &str = "slice, 1 MiB";
const IX2: &str = "array, 256 × 512, `Ix2`";
const IX_DYN: &str = "array, 256 × 512, `IxDyn`";

pub(super) fn clone_and_drop() -> Work {
    Work {
        name: "clone + drop",
        touched: "nothing",
        how: "In one process; the original stays. Arrays have other types with the peers, or none",
        drawn: false,
        long: false,
        rows: rows(12.0),
        cells: |row| {
            Ok(match &*row.name {
                SLICE => vec![cloned_slice::<Commonage>()?, cloned_slice::<Sharify>()?, cloned_slice::<IpcShared>()?],
                IX2 => vec![cloned(Shared::copy_from(&matrix()?)?)],
                _ => vec![cloned(Shared::copy_from(&matrix()?.into_dyn())?)],
            })
        },
    }
}

pub(super) fn view() -> Work {
    Work {
        name: "as_view()",
        touched: "nothing",
        how: "In one process: from the handle to what is read through. IpcSharedMemory's is its `deref`",
        drawn: false,
        long: false,
        rows: rows(2.0),
        cells: |row| {
            Ok(match &*row.name {
                SLICE => vec![viewed_slice::<Commonage>()?, viewed_slice::<Sharify>()?, viewed_slice::<IpcShared>()?],
                IX2 => vec![viewed(Shared::copy_from(&matrix()?)?)],
                _ => vec![viewed(Shared::copy_from(&matrix()?.into_dyn())?)],
            })
        },
    }
}

fn rows(nanoseconds: f64) -> Vec<Row> {
    [SLICE, IX2, IX_DYN].map(|name| Row::named(name, MIB, [Target::AtMost { nanoseconds }])).into()
}

fn matrix() -> Outcome<ndarray::Array2<u64>> {
    Ok(Array::from_shape_vec((256, 512), payload(MIB))?)
}

fn cloned_slice<P: Peer<Value: Clone>>() -> Outcome<Cell> {
    let value = checked(&P::new(Place::Maker { largest: MIB })?, &payload(MIB))?;
    Ok(clone_of(P::NAME, value))
}

fn cloned<T: ShmemBacked + ?Sized + 'static>(value: Shared<T>) -> Cell {
    clone_of(COMMONAGE, value)
}

fn clone_of<V: Clone + 'static>(name: &'static str, value: V) -> Cell {
    Cell::warm(name, move |times| {
        for _ in 0..times {
            drop(black_box(black_box(&value).clone()));
        }
        Ok(())
    })
}

fn viewed_slice<P: Peer>() -> Outcome<Cell> {
    let value = checked(&P::new(Place::Maker { largest: MIB })?, &payload(MIB))?;
    Ok(Cell::warm(P::NAME, move |times| {
        for _ in 0..times {
            black_box(P::made(black_box(&value)));
        }
        Ok(())
    }))
}

fn viewed<T>(value: Shared<T>) -> Cell
where
    T: for<'a> ShmemView<'a> + 'static,
{
    Cell::warm(COMMONAGE, move |times| {
        for _ in 0..times {
            black_box(black_box(&value).as_view());
        }
        Ok(())
    })
}

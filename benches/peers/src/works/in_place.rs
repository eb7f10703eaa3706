use std::{hint::black_box, rc::Rc};

use super::{KIB, make, rows, source};
use crate::{
    Outcome,
    measure::Cell,
    peers::{COMMONAGE, COPIED, Commonage, Iceoryx2, MEMCPY, same_payload},
    report::{Target, Work},
};

pub(super) fn build() -> Work {
    Work {
        name: "build in place + drop",
        touched: "all: written once, and what is written is read",
        how: "commonage gives uninitialised memory that is written and then frozen; iceoryx2 lends it (loan, write, drop). \
              The other peers' segments are always filled in place: their figures are those of the first table",
        drawn: true,
        long: false,
        rows: rows(|size| match size {
            size if size >= 64 * KIB => vec![Target::NoSlower { than: MEMCPY }],
            _ => vec![Target::NoSlower { than: COPIED }],
        }),
        cells: |row| {
            let source = source(row);
            let copied = Cell { contender: COPIED, ..make::warmly::<Commonage>(&source)? };
            Ok(vec![built(&source)?, copied, make::warmly::<Iceoryx2>(&source)?, make::memcpy(&source)?])
        },
    }
}

fn built(source: &Rc<[u64]>) -> Outcome<Cell> {
    same_payload::<Commonage>(Commonage::build(source)?.as_view(), source)?;
    let source = Rc::clone(source);
    Ok(Cell::warm(COMMONAGE, move |times| {
        for _ in 0..times {
            drop(black_box(Commonage::build(black_box(&source))?));
        }
        Ok(())
    }))
}

use std::{cell, hint::black_box, path::PathBuf, rc::Rc};

use super::{MIB, source};
use crate::{
    Outcome,
    files::{Directory, Filed, Mapped, Ours, OursInPlace, Plain, Written},
    measure::Cell,
    peers::{payload, sum},
    report::{Row, Target, Work},
};

const GIB: usize = 1 << 30;

const TO_READ: &str = "256 MiB, to be read";
const TO_WRITE: &str = "256 MiB, to be written to";

pub(super) fn open() -> Work {
    Work {
        name: "file, open + first page",
        touched: "8 B, read once",
        how: "By its path; then it is closed again. All have the same file, which is in memory. commonage locks it, and checks \
              its header and all that is said there; memmap2 and std::fs know where the numbers begin",
        drawn: false,
        long: false,
        rows: vec![
            Row::named(TO_READ, 256 * MIB, [Target::Within { of: <Mapped as Filed>::NAME, times: 1.5 }]),
            Row::named(TO_WRITE, 256 * MIB, []),
        ],
        cells: |row| {
            let case = Case::of(row)?;
            let to_write = row.name == TO_WRITE;
            Ok(vec![
                opened::<Ours>(&case, to_write),
                opened::<Mapped>(&case, to_write),
                opened::<Plain>(&case, to_write),
            ])
        },
    }
}

pub(super) fn in_order() -> Work {
    Work {
        name: "file, read in order",
        touched: "all: read once",
        how: "It is opened, summed, and closed again. All have the same file, which is in memory; std::fs reads it by 1 MiB",
        drawn: false,
        long: true,
        rows: [64 * MIB, GIB].map(|size| Row::new(size, [within(1.05)])).into(),
        cells: |row| {
            let case = Case::of(row)?;
            Ok(vec![summed::<Ours>(&case), summed::<Mapped>(&case), summed::<Plain>(&case)])
        },
    }
}

pub(super) fn here_and_there() -> Work {
    Work {
        name: "file, random reads of 8 B",
        touched: "8 B, read once, anywhere in it",
        how: "The time for each, while it is open. All have the same file, which is in memory, and have read all of it before",
        drawn: false,
        long: true,
        rows: [64 * MIB, GIB].map(|size| Row::new(size, [within(1.05)])).into(),
        cells: |row| {
            let case = Case::of(row)?;
            Ok(vec![gathered::<Ours>(&case)?, gathered::<Mapped>(&case)?, gathered::<Plain>(&case)?])
        },
    }
}

pub(super) fn write_durably() -> Work {
    Work {
        name: "file, create + write, on the disk",
        touched: "all: read once, and written once",
        how: "From a slice, as a whole: under another name or none, which is then changed, so that what was there before is \
              replaced; in place, a draft of zeros is filled in its map. The contents are on the disk before that, the directory after it: memmap2's contents by `flush`, \
              std::fs's by `sync_all`. commonage writes a header too, and reserves the room on the disk; memmap2 only sets \
              the length, so that a full disk is a SIGBUS",
        drawn: false,
        long: true,
        rows: [16 * MIB, 256 * MIB].map(|size| Row::new(size, [within(1.1)])).into(),
        cells: |row| all_written(row, true),
    }
}

pub(super) fn write() -> Work {
    Work {
        name: "file, create + write, left to the system",
        touched: "all: read once, and written once",
        how: "The same, but it is the system's to bring it to the disk some time",
        drawn: false,
        long: true,
        rows: [16 * MIB, 256 * MIB].map(|size| Row::new(size, [within(1.1)])).into(),
        cells: |row| all_written(row, false),
    }
}

fn all_written(row: &Row, durable: bool) -> Outcome<Vec<Cell>> {
    let source = source(row);
    Ok(vec![
        written::<Ours>(&source, durable)?,
        written::<OursInPlace>(&source, durable)?,
        written::<Mapped>(&source, durable)?,
        written::<Plain>(&source, durable)?,
    ])
}

fn within(times: f64) -> Target {
    Target::Within { of: <Mapped as Filed>::NAME, times }
}

/// The file that all contenders of a row read.
struct Case {
    _directory: Directory,
    path: PathBuf,
    size: usize,
    /// Its first number, and the sum of all.
    right: (u64, u64),
    /// Where the next one begins to read here and there: nobody finds in the caches what another has just read.
    seed: cell::Cell<u64>,
}

impl Case {
    fn of(row: &Row) -> Outcome<Rc<Self>> {
        let directory = Directory::new()?;
        let (path, payload) = (directory.file(), payload(row.size));
        <Ours as Written>::write(&path, &payload, true)?;
        Ok(Rc::new(Case {
            _directory: directory,
            path,
            size: row.size,
            right: (payload[0], sum(&payload)),
            seed: cell::Cell::new(0),
        }))
    }
}

fn opened<F: Filed>(case: &Rc<Case>, to_write: bool) -> Cell {
    let case = Rc::clone(case);
    Cell::warm(F::NAME, move |times| {
        for _ in 0..times {
            let (path, size) = black_box((&case.path, case.size));
            let mut opened = if to_write { F::open_to_write(path, size)? } else { F::open(path, size)? };
            if F::at(&mut opened, 0)? != case.right.0 {
                return Err(format!("{} has found another number", F::NAME).into());
            }
        }
        Ok(())
    })
}

fn summed<F: Filed>(case: &Rc<Case>) -> Cell {
    let case = Rc::clone(case);
    Cell::warm(F::NAME, move |times| {
        for _ in 0..times {
            if F::sum(&mut F::open(black_box(&case.path), case.size)?)? != case.right.1 {
                return Err(format!("{} has found another sum", F::NAME).into());
            }
        }
        Ok(())
    })
}

fn gathered<F: Filed>(case: &Rc<Case>) -> Outcome<Cell> {
    let case = Rc::clone(case);
    let mut opened = F::open(&case.path, case.size)?;
    if F::sum(&mut opened)? != case.right.1 {
        return Err(format!("{} has found another sum", F::NAME).into());
    }
    Ok(Cell::warm(F::NAME, move |times| {
        let seed = case.seed.get() + 1;
        case.seed.set(seed);
        black_box(F::gather(&mut opened, black_box(seed), times)?);
        Ok(())
    }))
}

fn written<W: Written>(source: &Rc<[u64]>, durable: bool) -> Outcome<Cell> {
    let directory = Directory::new()?;
    let (path, source) = (directory.file(), Rc::clone(source));
    W::write(&path, &source, durable)?;
    let mut found = <Plain as Filed>::open(&path, size_of_val(&*source))?;
    if <Plain as Filed>::sum(&mut found)? != sum(&source) {
        return Err(format!("{} has not kept its {} bytes", W::NAME, size_of_val(&*source)).into());
    }
    Ok(Cell::warm(W::NAME, move |times| {
        let _directory = &directory;
        (0..times).try_for_each(|_| W::write(black_box(&path), black_box(&source), durable))
    }))
}

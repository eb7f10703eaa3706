use std::{
    hint::black_box,
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    measure::{Cell, Stir},
    peers::{COMMONAGE, PARKING_LOT_RW_LOCK, SEQLOCK, STD_RW_LOCK},
    report::{Row, Target, Work},
    sync::{
        Observing, PlainCopy, RawMutex, RawRwLock, Sequenced, Value, Whole,
        beside::{Beside, thread_that_writes},
        new_name,
    },
};

const WRITABLE: &str = "64 B, through a link to be written to";
const READ_ONLY: &str = "64 B, through a link to be read";

pub(super) fn alone() -> Work {
    Work {
        name: "SeqLock: read, nobody writes",
        touched: "64 B, read once",
        how: "One thread, without contention. `std`'s, parking_lot's and seqlock's locks are one process's; raw_sync's are \
              locked for the copy. The plain copy is of eight words, without a lock",
        drawn: false,
        long: false,
        rows: rows(15.0),
        cells: |row| {
            let mut cells = vec![if row.name == WRITABLE { quiet::<Sequenced>()? } else { quiet::<Observing>()? }];
            cells.extend(private(|_, _| None));
            cells.extend([quiet::<RawMutex>()?, quiet::<RawRwLock>()?, quiet::<PlainCopy>()?]);
            Ok(cells)
        },
    }
}

pub(super) fn beside_a_writer() -> Work {
    Work {
        name: "SeqLock: read beside a writer",
        touched: "64 B, read once",
        how: "Another process, on the other core, writes all of it a million times a second, as long as the sample lasts; beside \
              `std`'s, parking_lot's and seqlock's locks, which are one process's, a thread does. 100 ns are 10 million reads a \
              second. The plain copy is torn",
        drawn: false,
        long: false,
        rows: rows(100.0),
        cells: |row| {
            let mut cells = vec![if row.name == WRITABLE { written::<Sequenced>()? } else { written::<Observing>()? }];
            cells.extend(private(|name, write| Some(thread_that_writes(name, write))));
            cells.extend([written::<RawMutex>()?, written::<RawRwLock>()?, written::<PlainCopy>()?]);
            Ok(cells)
        },
    }
}

fn rows(nanoseconds: f64) -> Vec<Row> {
    [WRITABLE, READ_ONLY].map(|name| Row::named(name, 64, [Target::AtMost { nanoseconds }])).into()
}

fn quiet<W: Whole>() -> Outcome<Cell> {
    let value = W::create(&new_name())?;
    value.write([42; 8]);
    if value.read() != [42; 8] {
        return Err(format!("{} has not kept its value", W::NAME).into());
    }
    Ok(cell(W::NAME, move || value.read(), None))
}

fn written<W: Whole>() -> Outcome<Cell> {
    let name = new_name();
    let value = W::create(&name)?;
    let mut beside = Beside::start::<W>("write", &name)?;
    beside.stir(true)?;
    let (start, mut last, mut changes) = (Instant::now(), value.read(), 0);
    let mut torn = 0;
    while start.elapsed() < Duration::from_millis(20) {
        let now = value.read();
        changes += u64::from(now != last);
        torn += u64::from(now.iter().any(|word| *word != now[0]));
        last = now;
    }
    beside.stir(false)?;
    if W::NAME == COMMONAGE && (torn > 0 || changes == 0) {
        return Err(format!("beside a writer {changes} changes were seen, and {torn} torn values").into());
    }
    Ok(cell(W::NAME, move || value.read(), Some(beside.into_stir())))
}

/// Locks that only threads share; `stir` may have a thread write.
fn private(stir: impl Fn(&'static str, Box<dyn Fn(Value) + Send>) -> Option<Stir>) -> Vec<Cell> {
    let std = Arc::new(RwLock::new([42; 8]));
    let parking_lot = Arc::new(parking_lot::RwLock::new([42; 8]));
    let seqlock = Arc::new(seqlock::SeqLock::new([42; 8]));
    let theirs = (Arc::clone(&std), Arc::clone(&parking_lot), Arc::clone(&seqlock));
    vec![
        cell(
            STD_RW_LOCK,
            move || *std.read().expect("a lock"),
            stir(STD_RW_LOCK, Box::new(move |value| *theirs.0.write().expect("a lock") = value)),
        ),
        cell(
            PARKING_LOT_RW_LOCK,
            move || *parking_lot.read(),
            stir(PARKING_LOT_RW_LOCK, Box::new(move |value| *theirs.1.write() = value)),
        ),
        cell(SEQLOCK, move || seqlock.read(), stir(SEQLOCK, Box::new(move |value| *theirs.2.lock_write() = value))),
    ]
}

fn cell(name: &'static str, read: impl Fn() -> Value + 'static, stir: Option<Stir>) -> Cell {
    let run = move |times| {
        for _ in 0..times {
            black_box(read());
        }
        Ok(())
    };
    match stir {
        Some(stir) => Cell::stirred(name, run, stir),
        None => Cell::warm(name, run),
    }
}

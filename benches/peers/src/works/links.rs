use std::hint::black_box;

use crate::{
    Outcome,
    measure::Cell,
    report::{Row, Target, Work},
    sync::{Linked, LockedLink, PlainLink, RawCalls, SharedMemory, ShmemBind, Value, new_name},
};

const READ_ONLY: &str = "64 B, to be read";
const READ_WRITE: &str = "64 B, to be written to";
const MUTEX: &str = "64 B in a mutex, to be written to";
const VALUE: Value = [1, 2, 3, 4, 5, 6, 7, 8];

pub(super) fn open() -> Work {
    let within = Target::Within { of: RawCalls::<false, false>::NAME, times: 1.3 };
    Work {
        name: "link: open + read + drop",
        touched: "64 B, read once",
        how: "By name, while the maker keeps it, in one process. Raw calls are shm_open, mmap, munmap and close. shmem-bind and \
              shared_memory map for writing in every row; in the row of the mutex the others have plain data, and none has to \
              find out who lives",
        drawn: false,
        long: false,
        rows: vec![
            Row::named(READ_ONLY, 64, [within]),
            Row::named(READ_WRITE, 64, [within]),
            Row::named(MUTEX, 64, []),
        ],
        cells: |row| {
            let mut cells = vec![match &*row.name {
                READ_ONLY => opened::<PlainLink<false>>()?,
                READ_WRITE => opened::<PlainLink<true>>()?,
                _ => opened::<LockedLink>()?,
            }];
            cells.extend([opened::<ShmemBind>()?, opened::<SharedMemory>()?]);
            cells.extend(match &*row.name {
                READ_ONLY => [opened::<RawCalls<false, false>>()?, opened::<RawCalls<false, true>>()?],
                _ => [opened::<RawCalls<true, false>>()?, opened::<RawCalls<true, true>>()?],
            });
            Ok(cells)
        },
    }
}

pub(super) fn create() -> Work {
    Work {
        name: "link: create + drop",
        touched: "64 B, written once",
        how: "Under a name, which goes with it, in one process. Raw calls are shm_open, ftruncate, mmap, munmap, close and \
              shm_unlink: they neither reserve the memory nor keep it from view until it holds the value",
        drawn: false,
        long: false,
        rows: vec![Row::named("64 B", 64, []), Row::named("64 B in a mutex", 64, [])],
        cells: |row| {
            let ours = if row.name == "64 B" { created::<PlainLink<true>>()? } else { created::<LockedLink>()? };
            Ok(vec![ours, created::<ShmemBind>()?, created::<SharedMemory>()?, created::<RawCalls<true, false>>()?])
        },
    }
}

fn opened<L: Linked>() -> Outcome<Cell> {
    let name = new_name();
    let made = L::make(&name, VALUE)?;
    let right: u64 = VALUE.iter().sum();
    Ok(Cell::warm(L::NAME, move |times| {
        let _made = &made;
        for _ in 0..times {
            if L::look(black_box(&name))? != right {
                return Err(format!("{} has not kept its value", L::NAME).into());
            }
        }
        Ok(())
    }))
}

fn created<L: Linked>() -> Outcome<Cell> {
    let name = new_name();
    Ok(Cell::warm(L::NAME, move |times| {
        for _ in 0..times {
            drop(black_box(L::make(black_box(&name), black_box(VALUE))?));
        }
        Ok(())
    }))
}

use std::{hint::black_box, sync::Mutex};

use crate::{
    Outcome,
    measure::Cell,
    peers::{PARKING_LOT_MUTEX, STD_MUTEX},
    report::{Row, Target, Work},
    sync::{Guarded, Locked, RawMutex, Robust, Value, beside::Beside, new_name},
};

pub(super) fn alone() -> Work {
    Work {
        name: "Mutex: lock + unlock, nobody else",
        touched: "8 B, changed once",
        how: "One thread, without contention; a number is added to under the lock. `std`'s and parking_lot's mutex are one \
              process's",
        drawn: false,
        long: false,
        rows: vec![Row::named("a mutex", 64, [Target::Within { of: STD_MUTEX, times: 1.3 }])],
        cells: |_| {
            let std = Mutex::new([0; 8]);
            let parking_lot = parking_lot::Mutex::new([0; 8]);
            Ok(vec![
                shared::<Guarded>()?,
                cell(PARKING_LOT_MUTEX, move || add(&mut parking_lot.lock())),
                shared::<RawMutex>()?,
                shared::<Robust>()?,
                cell(STD_MUTEX, move || add(&mut std.lock().expect("a lock"))),
            ])
        },
    }
}

pub(super) fn contended() -> Work {
    Work {
        name: "Mutex: two processes at once",
        touched: "8 B, changed once",
        how: "Each on its own core, both add to one number under the lock as fast as they can: the time for each addition, \
              whoever made it",
        drawn: false,
        long: false,
        rows: vec![Row::named("two processes", 64, [Target::Ahead { times: 1.0, but: &[] }])],
        cells: |_| Ok(vec![by_two::<Guarded>()?, by_two::<RawMutex>()?, by_two::<Robust>()?]),
    }
}

fn add(value: &mut Value) -> u64 {
    value[0] += 1;
    value[0]
}

fn shared<L: Locked>() -> Outcome<Cell> {
    let value = L::create(&new_name())?;
    Ok(cell(L::NAME, move || value.with(add)))
}

fn cell(name: &'static str, mut add: impl FnMut() -> u64 + 'static) -> Cell {
    Cell::warm(name, move |times| {
        for _ in 0..times {
            black_box(add());
        }
        Ok(())
    })
}

fn by_two<L: Locked>() -> Outcome<Cell> {
    let name = new_name();
    let value = L::create(&name)?;
    let beside = Beside::start::<L>("add", &name)?;
    let run = move |times| {
        let end = value.with(add) + times;
        while value.with(add) < end {}
        Ok(())
    };
    Ok(Cell::stirred(L::NAME, run, beside.into_stir()))
}

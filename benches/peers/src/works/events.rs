use crate::{
    Outcome,
    measure::Cell,
    report::{Row, Target, Work},
    sync::{Eventfds, Events, Futexes, Kept, RawEvents, Signals, beside::Beside, new_name},
};

const ONE_CORE: &str = "both processes on one core";
const TWO_CORES: &str = "each process on its own core";

pub(super) fn ping_pong() -> Work {
    Work {
        name: "Event: to another process and back",
        touched: "nothing",
        how: "Two events: each process sets the other's, and waits until its own is set. On one core whoever waits must sleep; \
              on two it may see the answer before it does. A futex is a word and the bare calls; an eventfd's descriptors are \
              inherited",
        drawn: false,
        long: false,
        rows: [ONE_CORE, TWO_CORES].map(|name| Row::named(name, 0, [Target::Ahead { times: 1.0, but: &[] }])).into(),
        cells: |row| {
            let what = if row.name == ONE_CORE { "answer" } else { "answer-apart" };
            let eventfds = Eventfds::create("")?;
            let their_name = eventfds.name();
            Ok(vec![
                to_and_fro::<Events>(what)?,
                to_and_fro::<RawEvents>(what)?,
                to_and_fro::<Futexes>(what)?,
                between(what, eventfds, &their_name)?,
            ])
        },
    }
}

fn to_and_fro<S: Signals>(what: &str) -> Outcome<Cell> {
    let name = new_name();
    between(what, S::create(&name)?, &name)
}

pub(super) fn between<S: Signals>(what: &str, signals: S, name: &str) -> Outcome<Cell> {
    let mut beside = Beside::start::<S>(what, name)?;
    beside.stir(true)?;
    Ok(Cell::warm(S::NAME, move |times| {
        let _answers = &beside;
        for _ in 0..times {
            signals.set(0);
            signals.take(1);
        }
        Ok(())
    }))
}

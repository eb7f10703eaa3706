//! How what goes through is measured.

use std::{hint::black_box, rc::Rc};

use super::{
    Across, BothWays, Ends, Items, Payloads, Polled,
    other::{Other, Task, room},
};
use crate::{Outcome, measure::Cell, peers::sum};

/// In and out again, by one thread. There is room for two payloads.
pub(crate) fn one_thread<E: Payloads>(payload: &Rc<[u64]>) -> Outcome<Cell> {
    let mut ends = E::ends(2 * payload.len())?;
    let mut buffer = vec![0; payload.len()];
    let (payload, right) = (Rc::clone(payload), sum(payload));
    Ok(Cell::warm(E::NAME, move |times| {
        for _ in 0..times {
            if E::pass(&mut ends, black_box(&payload), &mut buffer)? != right {
                return Err(lost::<E>());
            }
        }
        Ok(())
    }))
}

/// To another process, on another core.
pub(crate) fn payloads_across<E: Payloads + Across>(payload: &Rc<[u64]>) -> Outcome<Cell> {
    let (end, other) = E::ends(room(Task::Payloads, payload.len()))?;
    let other = Other::process::<E>(Task::Payloads, payload.len(), &[E::lend_out(other)?])?;
    Ok(payloads::<E>(payload, end, other))
}

/// To a thread on another core.
pub(crate) fn payloads_between<E: Payloads<Out: Send>>(payload: &Rc<[u64]>) -> Outcome<Cell> {
    let (end, other) = E::ends(room(Task::Payloads, payload.len()))?;
    let other = Other::thread_for_payloads::<E>(other, payload.len());
    Ok(payloads::<E>(payload, end, other))
}

fn payloads<E: Payloads>(payload: &Rc<[u64]>, mut end: E::In, other: Other) -> Cell {
    let other = Rc::new(other);
    let stir = other.stirring();
    let (payload, right, mut before) = (Rc::clone(payload), sum(payload), 0_u64);
    let run = move |times| {
        other.control().ask(times);
        for _ in 0..times {
            E::give(&mut end, black_box(&payload))?;
        }
        before = before.wrapping_add(right.wrapping_mul(times));
        if other.control().finished()? == before { Ok(()) } else { Err(lost::<E>()) }
    };
    Cell::stirred(E::NAME, run, stir)
}

/// One after another to another process, on another core.
pub(crate) fn items_across<E: Items + Across>() -> Outcome<Cell> {
    let (end, other) = E::ends(room(Task::Items, 1))?;
    let other = Other::process::<E>(Task::Items, 1, &[E::lend_out(other)?])?;
    Ok(items::<E>(end, other))
}

/// One after another to a thread on another core.
pub(crate) fn items_between<E: Items<Out: Send>>() -> Outcome<Cell> {
    let (end, other) = E::ends(room(Task::Items, 1))?;
    let other = Other::thread_for_items::<E>(other);
    Ok(items::<E>(end, other))
}

fn items<E: Items>(mut end: E::In, other: Other) -> Cell {
    let other = Rc::new(other);
    let stir = other.stirring();
    let mut before = 0_u64;
    let run = move |times| {
        other.control().ask(times);
        for item in 0..times {
            before = before.wrapping_add(item);
            E::push(&mut end, item)?;
        }
        if other.control().finished()? == before { Ok(()) } else { Err(lost::<E>()) }
    };
    Cell::stirred(E::NAME, run, stir)
}

/// An item to another process and back; the other sleeps if it has to.
pub(crate) fn answered<E: Items + BothWays>(task: Task) -> Outcome<Cell> {
    let (end, other, from) = apart::<E>(task)?;
    // It works from here on, without being wanted.
    other.stir(true)?;
    Ok(to_and_fro::<E>(end, other, from, false))
}

/// An item to another process, on another core, and back; neither sleeps.
pub(crate) fn echoed<E: Polled + BothWays>() -> Outcome<Cell> {
    let (end, other, from) = apart::<E>(Task::Echo)?;
    Ok(to_and_fro::<E>(end, other, from, true))
}

fn apart<E: BothWays>(task: Task) -> Outcome<(E::In, Other, E::Out)> {
    let (end, there) = E::ends(room(task, 1))?;
    let (back, from) = E::ends(room(task, 1))?;
    let other = Other::process::<E>(task, 1, &[E::lend_out(there)?, E::lend_in(back)?])?;
    Ok((end, other, from))
}

/// An item to a thread on another core, and back; neither sleeps.
pub(crate) fn echoed_between<E: Polled<In: Send, Out: Send>>() -> Outcome<Cell> {
    let (end, there) = E::ends(room(Task::Echo, 1))?;
    let (back, from) = E::ends(room(Task::Echo, 1))?;
    Ok(to_and_fro::<E>(end, Other::thread_for_echo::<E>(there, back), from, true))
}

fn to_and_fro<E: Items>(mut end: E::In, other: Other, mut from: E::Out, stirred: bool) -> Cell {
    let other = Rc::new(other);
    let stir = stirred.then(|| other.stirring());
    let run = move |times| {
        let _answers = &other;
        for item in 0..times {
            E::push(&mut end, item)?;
            if E::pop(&mut from)? != item {
                return Err(lost::<E>());
            }
        }
        Ok(())
    };
    Cell { contender: E::NAME, run: Box::new(run), chill: None, stir }
}

fn lost<E: Ends>() -> Box<dyn std::error::Error> {
    format!("{} has not kept what was put in", E::NAME).into()
}

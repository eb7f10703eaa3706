//! What the first value of a process costs, and what stays of the last.

use std::{
    io::{self, Write},
    process::Command,
    time::Instant,
};

use commonage::Shared;

use super::peak::status;
use crate::{
    Outcome,
    cores::OneCore,
    measure::{Effort, go_on},
    report::{Finding, time},
    role,
    stats::Spread,
};

pub(super) fn measure(effort: Effort) -> Outcome<Vec<Finding>> {
    let _one_core = OneCore::stay();
    let processes = if effort.quick { 15 } else { 61 };
    let (mut first, mut kept, mut shared) = (Vec::new(), Vec::new(), Vec::new());
    let value = Shared::copy_from(&[1_u64; 8][..])?;
    for _ in 0..processes {
        go_on()?;
        let [nanoseconds] = said(role::command("beginner", "", "")?)?;
        first.push(nanoseconds);
        let [all, of_segments] = said(role::command("idler", "", &value.clone().into_token()?)?)?;
        kept.push(all);
        shared.push(of_segments);
    }
    let (first, kept, shared) = (Spread::of(first), Spread::of(kept), Spread::of(shared));
    let kib = |bytes: f64| format!("{:.0} KiB", bytes / 1024.0);
    let words = |spread: Spread, word: fn(f64) -> String| {
        format!("{} ({}–{})", word(spread.median), word(spread.lower_quartile), word(spread.upper_quartile))
    };
    Ok(vec![
        Finding {
            what: "first use in a process: the first value of 64 B",
            found: words(first, time),
            asked: "≤ 300 µs".into(),
            reached: Some(first.median <= 300e3),
        },
        Finding {
            what: "idle memory of a process that has attached a segment, and has read and dropped a value of 64 B",
            found: format!("{}, of which {} are the segment's", words(kept, kib), kib(shared.median)),
            asked: "≤ 1 MiB resident".into(),
            reached: Some(kept.median <= f64::from(1 << 20)),
        },
    ])
}

/// The figures that a process says.
fn said<const N: usize>(mut command: Command) -> Outcome<[f64; N]> {
    let text = String::from_utf8(command.output()?.stdout)?;
    let figures = text.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    Ok(figures.try_into().map_err(|_| "a process that was started has failed")?)
}

/// Is a process that uses the crate for the first time.
pub(crate) fn begin() -> Outcome {
    let source = [1_u64; 8];
    let start = Instant::now();
    let value = Shared::copy_from(&source[..])?;
    let elapsed = start.elapsed();
    if *value != source {
        return Err("the value is wrong".into());
    }
    Ok(writeln!(io::stdout(), "{}", elapsed.as_nanos())?)
}

/// Is a process that attaches, and then holds nothing.
pub(crate) fn idle(token: &str) -> Outcome {
    let resident = || -> Outcome<(u64, u64)> { Ok((status("VmRSS")?, status("RssShmem")?)) };
    let before = resident()?;
    let value = Shared::<[u64]>::from_token(token)?;
    if *value != [1; 8] {
        return Err("the value is wrong".into());
    }
    drop(value);
    let after = resident()?;
    Ok(writeln!(io::stdout(), "{} {}", after.0.saturating_sub(before.0), after.1.saturating_sub(before.1))?)
}

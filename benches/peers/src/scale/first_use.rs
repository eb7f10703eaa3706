//! What the first value of a process costs, and what stays of the last.

use std::{
    io::{self, Write},
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
    let (mut first, mut kept) = (Vec::new(), Vec::new());
    // What is claimed is large enough for its own segment to show, and stays here.
    let value = Shared::copy_from(&vec![1_u64; 1 << 17][..])?;
    for _ in 0..processes {
        go_on()?;
        first.push(said(role::command("beginner", "", "")?)?);
        kept.push(said(role::command("idler", "", &value.clone().into_token()?)?)?);
    }
    let (first, kept) = (Spread::of(first), Spread::of(kept));
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
            what: "idle memory of a process that has read a value of 1 MiB of another's and dropped it",
            found: words(kept, |bytes| format!("{:.0} KiB", bytes / 1024.0)),
            asked: "≤ 1 MiB resident".into(),
            reached: Some(kept.median <= f64::from(1 << 20)),
        },
    ])
}

fn said(mut command: std::process::Command) -> Outcome<f64> {
    let output = command.output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse().map_err(|_| "a process that was started has failed")?)
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
    let before = status("VmRSS")?;
    let value = Shared::<[u64]>::from_token(token)?;
    if value.iter().any(|&number| number != 1) {
        return Err("the value is wrong".into());
    }
    drop(value);
    Ok(writeln!(io::stdout(), "{}", status("VmRSS")?.saturating_sub(before))?)
}

//! One of the four processes.

use std::{
    io::{self, BufRead, Write},
    time::Duration,
};

use commonage::{Backing, Config, Shared, SharedSlice, Stats};

use crate::Failure;

/// Numbers in a value: a quarter of a MiB.
const LENGTH: u64 = 1 << 15;

/// What a process has, as it says it itself.
pub(crate) struct Holdings {
    pub(crate) values: usize,
    /// Those of them that are as they were made.
    pub(crate) right: usize,
    pub(crate) blocks: usize,
    pub(crate) live: u64,
    pub(crate) tickets: usize,
    pub(crate) participants: usize,
}

/// Does what it is told, line after line.
pub(crate) fn live(backing: Backing, number: &str) -> Result<(), Failure> {
    Config::new().backing(backing).install()?;
    let process: u64 = number.parse()?;
    let mut made = 0;
    let mut values: Vec<SharedSlice<u64>> = Vec::new();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let answer = match line.split(' ').collect::<Vec<_>>()[..] {
            ["make", number] => {
                let mut tokens = Vec::new();
                for number in 0..number.parse::<u64>()? {
                    made += 1;
                    let first = process << 40 | made << 20;
                    let value: SharedSlice<u64> = Shared::copy_from(&content(first).collect::<Vec<_>>()[..])?;
                    // Every second value is then held by its receiver alone.
                    values.extend(number.is_multiple_of(2).then(|| value.clone()));
                    tokens.push(value.into_token()?);
                }
                tokens.join(" ")
            }
            ["claim", token] => {
                values.push(Shared::from_token(token)?);
                String::new()
            }
            ["report"] => report(&values),
            ["drop"] => {
                values.clear();
                String::new()
            }
            ["sweep"] => format!("{:?}", commonage::sweep()),
            ["reclaim"] => format!("{:?}", commonage::reclaim(Duration::ZERO)),
            _ => return Err(format!("there is no command {line}").into()),
        };
        writeln!(io::stdout(), "{answer}")?;
    }
    Ok(())
}

/// What a value that begins with `first` must be.
fn content(first: u64) -> impl Iterator<Item = u64> {
    (0..LENGTH).map(move |at| first + at * at)
}

fn report(values: &[SharedSlice<u64>]) -> String {
    let is_right =
        |value: &&SharedSlice<u64>| value.first().is_some_and(|&first| value.iter().copied().eq(content(first)));
    let right = values.iter().filter(is_right).count();
    let Stats { blocks, live, tickets, participants, .. } = commonage::stats();
    format!("{} {right} {blocks} {live} {tickets} {participants}", values.len())
}

impl Holdings {
    /// What [`report`] has written.
    pub(crate) fn parse(report: &str) -> Option<Self> {
        let mut words = report.split(' ');
        let mut next = || words.next()?.parse::<u64>().ok();
        Some(Holdings {
            values: next()? as usize,
            right: next()? as usize,
            blocks: next()? as usize,
            live: next()?,
            tickets: next()? as usize,
            participants: next()? as usize,
        })
    }
}

//! The command line.

use std::{ffi::OsString, time::Duration};

use commonage::Backing;

use crate::{Failure, names::BACKINGS};

pub(crate) const HELP: &str = "\
Processes that exchange values in shared memory and die at random; every value is checked.

Usage: storm [OPTIONS]

  --seconds N        how long (default: 60)
  --seed N           where the random numbers begin (default: 7)
  --processes N      how many processes at a time (default: 8; at most 64)
  --backing BACKING  anonymous, named, or both: half of the processes each (default: all
                     that the platform has)
  --help             this text";

/// More processes than this are not started, however many are asked for.
const MOST_PROCESSES: u64 = 64;

/// What this process is to do.
pub(crate) enum Command {
    /// Start the others, and count.
    Watch(Options),
    /// Be one of the others: the hidden `--worker NUMBER`, with which the program starts itself.
    Work(Role),
    /// Print the help.
    Help,
}

pub(crate) struct Options {
    pub(crate) time: Duration,
    pub(crate) seed: u64,
    pub(crate) processes: usize,
    /// Those that the processes have in turn.
    pub(crate) backings: Vec<Backing>,
}

/// Who a worker is.
#[derive(Clone, Copy)]
pub(crate) struct Role {
    pub(crate) number: u64,
    pub(crate) seed: u64,
    pub(crate) backing: Backing,
    /// It does not die, and says at the end what its pool still has.
    pub(crate) keeper: bool,
}

pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let (mut seconds, mut seed, mut processes, mut backings) = (60, 7, 8, None);
    let (mut worker, mut keeper) = (None, false);
    let mut arguments = arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        let (name, mut attached) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (&*argument, None),
        };
        let mut value = || attached.take().or_else(|| arguments.next()).ok_or_else(|| format!("{name} needs a value"));
        match name {
            "--help" | "-h" => return Ok(Command::Help),
            "--seconds" => seconds = number(name, &value()?)?,
            "--seed" => seed = number(name, &value()?)?,
            "--processes" => processes = number(name, &value()?)?.clamp(1, MOST_PROCESSES),
            "--backing" => backings = Some(backings_of(&value()?)?),
            "--worker" => worker = Some(number(name, &value()?)?),
            "--keeper" => keeper = true,
            _ => return Err(format!("there is no option {argument} (--help lists them)").into()),
        }
    }
    let backings = backings.unwrap_or_else(|| BACKINGS.to_vec());
    Ok(match worker {
        Some(number) => Command::Work(Role { number, seed, backing: backings[0], keeper }),
        None => Command::Watch(Options {
            time: Duration::from_secs(seconds),
            seed,
            processes: processes as usize,
            backings,
        }),
    })
}

fn number(name: &str, value: &str) -> Result<u64, Failure> {
    value.parse().map_err(|_| format!("{name} takes a whole number, not {value}").into())
}

fn backings_of(value: &str) -> Result<Vec<Backing>, Failure> {
    match value {
        "anonymous" => Ok(vec![Backing::Anonymous]),
        "named" => Ok(vec![Backing::Named]),
        "both" => Ok(vec![Backing::Anonymous, Backing::Named]),
        _ => Err(format!("--backing takes anonymous, named or both, not {value}").into()),
    }
}

impl Role {
    /// The arguments with which this program becomes this worker.
    pub(crate) fn arguments(self) -> Vec<String> {
        let backing = if self.backing == Backing::Named { "named" } else { "anonymous" };
        let mut arguments =
            vec![format!("--worker={}", self.number), format!("--seed={}", self.seed), format!("--backing={backing}")];
        arguments.extend(self.keeper.then(|| "--keeper".to_owned()));
        arguments
    }
}

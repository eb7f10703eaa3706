//! The command line.

use crate::{Failure, ledger::MOST};

pub(crate) const HELP: &str = "\
Several processes count together; one is killed while it holds the lock, and the count is right all the same.

Usage: counter [OPTIONS]

  --processes N  how many processes (default: 4; at least 2, at most 32)
  --steps N      how far each of them counts (default: 50000)
  --help         this text";

/// What this process is to do.
pub(crate) enum Command {
    /// Start the others, kill one, and look at the count.
    Watch(Options),
    /// Count: the hidden `--worker NUMBER --name NAME`, with which the program starts itself.
    Work(Role),
    /// Print the help.
    Help,
}

pub(crate) struct Options {
    pub(crate) processes: usize,
    pub(crate) steps: u64,
}

/// Who a worker is.
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) number: usize,
    /// How far it counts.
    pub(crate) steps: u64,
    /// It stops in the middle of the last step, and waits for its death.
    pub(crate) dies: bool,
}

pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, Failure> {
    let (mut processes, mut steps, mut dies) = (4, 50_000, false);
    let (mut worker, mut name) = (None, String::new());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match &argument[..] {
            "--help" | "-h" => return Ok(Command::Help),
            "--processes" => processes = number(&argument, &value()?)?.clamp(2, MOST as u64),
            "--steps" => steps = number(&argument, &value()?)?.max(1),
            "--worker" => worker = Some(number(&argument, &value()?)?.min(MOST as u64 - 1)),
            "--name" => name = value()?,
            "--dies" => dies = true,
            _ => return Err(format!("there is no option {argument} (--help lists them)").into()),
        }
    }
    Ok(match worker {
        Some(number) => Command::Work(Role { name, number: number as usize, steps, dies }),
        None => Command::Watch(Options { processes: processes as usize, steps }),
    })
}

fn number(name: &str, value: &str) -> Result<u64, Failure> {
    value.parse().map_err(|_| format!("{name} takes a whole number, not {value}").into())
}

impl Role {
    /// The arguments with which this program becomes this worker.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let Role { name, number, steps, dies } = self;
        let mut arguments = ["--worker", &number.to_string(), "--name", name, "--steps", &steps.to_string()]
            .map(str::to_owned)
            .to_vec();
        arguments.extend(dies.then(|| "--dies".to_owned()));
        arguments
    }
}

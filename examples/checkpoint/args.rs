//! The command line.

use crate::Failure;

pub(crate) const HELP: &str = "\
A simulation that keeps its state in a file, is killed at random, and goes on from where it was.

Usage: checkpoint [OPTIONS]

  --steps N  how many steps there are (default: 3000)
  --every N  how many steps lie between two checkpoints (default: 50)
  --seed N   where the random numbers begin that say when to kill (default: 7)
  --help     this text";

/// What this process is to do.
pub(crate) enum Command {
    /// Start the simulation, again and again, and kill it.
    Watch(Options),
    /// Simulate: the hidden `--worker FILE`, with which the program starts itself.
    Work { file: String, options: Options },
    /// Print the help.
    Help,
}

pub(crate) struct Options {
    pub(crate) steps: u64,
    pub(crate) every: u64,
    pub(crate) seed: u64,
}

pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, Failure> {
    let mut options = Options { steps: 3000, every: 50, seed: 7 };
    let mut worker = None;
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match &argument[..] {
            "--help" | "-h" => return Ok(Command::Help),
            "--steps" => options.steps = number(&argument, &value()?)?.max(1),
            "--every" => options.every = number(&argument, &value()?)?.max(1),
            "--seed" => options.seed = number(&argument, &value()?)?,
            "--worker" => worker = Some(value()?),
            _ => return Err(format!("there is no option {argument} (--help lists them)").into()),
        }
    }
    Ok(match worker {
        Some(file) => Command::Work { file, options },
        None => Command::Watch(options),
    })
}

fn number(name: &str, value: &str) -> Result<u64, Failure> {
    value.parse().map_err(|_| format!("{name} takes a whole number, not {value}").into())
}

impl Options {
    /// The arguments with which this program becomes a worker.
    pub(crate) fn arguments(&self, file: &str) -> [String; 6] {
        ["--worker", file, "--steps", &self.steps.to_string(), "--every", &self.every.to_string()].map(str::to_owned)
    }
}

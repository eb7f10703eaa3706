//! The command line.

use std::{ffi::OsString, path::PathBuf, thread};

use crate::Failure;

pub(crate) const HELP: &str = "\
Mean, standard deviation, minimum and maximum of an array in an .npy file, by several processes that map it.
Nobody may change the file meanwhile.

Usage: npy_stats [OPTIONS] [FILE]

  FILE                an .npy file, of any size, of real numbers (default: one that is made, and removed)
  --workers N         how many worker processes (default: one per core; at most 128, and one per row)
  --make SHAPE DTYPE  makes FILE, with numbers that are made up, which must not be there: 1000x2000 f4
                      (default without FILE: 2048x4096 f8)
  --help              this text

COMMONAGE_PYTHON      a Python that has NumPy, whose time is to stand beside (default: python3)";

/// More processes than this are not started, however many are asked for: each keeps a few files open in this one.
const MOST_WORKERS: usize = 128;

/// What this process is to do.
pub(crate) enum Command {
    /// Look at a file.
    Summarize(Options),
    /// Be a worker: the hidden `--worker SERVER`, with which the program starts itself. The name is that of an
    /// `ipc-channel` one-shot server.
    Work(String),
    /// Print the help.
    Help,
}

pub(crate) struct Options {
    /// Without one, it is made, and goes afterwards.
    pub(crate) file: Option<PathBuf>,
    pub(crate) workers: usize,
    /// The shape, and NumPy's name of the type, of a file that is to be made before.
    pub(crate) make: Option<(Vec<usize>, String)>,
}

pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let (mut file, mut workers, mut make) = (None, None, None);
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let name = argument.to_str().unwrap_or_default();
        let mut value = || {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            value.into_string().map_err(|value| format!("{name} does not take {}", value.display()))
        };
        match name {
            "--help" | "-h" => return Ok(Command::Help),
            "--worker" => return Ok(Command::Work(value()?)),
            "--workers" => workers = Some(number(&value()?)?),
            "--make" => make = Some((shape(&value()?)?, value()?)),
            _ if name.starts_with('-') => return Err(format!("there is no option {name} (--help lists them)").into()),
            _ if file.is_none() => file = Some(PathBuf::from(&argument)),
            _ => return Err(format!("one file at a time: {} is one too many", argument.display()).into()),
        }
    }
    if file.is_none() && make.is_none() {
        make = Some((vec![2048, 4096], "f8".to_owned()));
    }
    let workers = workers.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)).min(MOST_WORKERS);
    Ok(Command::Summarize(Options { file, workers, make }))
}

fn number(value: &str) -> Result<usize, Failure> {
    match value.parse() {
        Ok(number @ 1..) => Ok(number),
        _ => Err(format!("--workers takes a whole number from 1 up, not {value}").into()),
    }
}

fn shape(value: &str) -> Result<Vec<usize>, Failure> {
    let lengths: Result<Vec<usize>, _> = value.split('x').map(str::parse).collect();
    lengths.map_err(|_| format!("--make takes a shape such as 1000x2000, not {value}").into())
}

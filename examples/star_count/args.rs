//! The command line.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    thread,
};

use crate::Failure;

pub(crate) const HELP: &str = "\
Counts the stars in a photograph, in worker processes that share it.

Usage: star_count [OPTIONS] [IMAGE]

  IMAGE          a PNG or JPEG file (default: the Hubble deep field in examples/data)
  --workers N    how many worker processes (default: one per core; at most 128, and one per row)
  --out FILE     where the annotated PNG goes (default: star_count.png in the target directory)
  --help         this text";

/// More processes than this are not started, however many are asked for: each keeps a few files open in this one.
const MOST_WORKERS: usize = 128;

/// What this process is to do.
pub(crate) enum Command {
    /// Count the stars of a photograph.
    Count(Options),
    /// Be a worker: the hidden `--worker SERVER`, with which the program starts itself. The name is that of an
    /// `ipc-channel` one-shot server.
    Work(String),
    /// Print the help.
    Help,
}

pub(crate) struct Options {
    pub(crate) image: PathBuf,
    pub(crate) workers: usize,
    pub(crate) out: PathBuf,
}

pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let (mut image, mut workers, mut out) = (None, None, None);
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, mut attached) = match argument.to_str().and_then(|text| text.split_once('=')) {
            Some((name, value)) if name.starts_with("--") => (name, Some(OsString::from(value))),
            _ => (argument.to_str().unwrap_or_default(), None),
        };
        let mut value = || attached.take().or_else(|| arguments.next()).ok_or_else(|| format!("{name} needs a value"));
        match name {
            "--help" | "-h" => return Ok(Command::Help),
            "--worker" => return Ok(Command::Work(value()?.to_string_lossy().into_owned())),
            "--workers" => workers = Some(number(&value()?)?),
            "--out" => out = Some(PathBuf::from(value()?)),
            _ if name.starts_with('-') => return Err(format!("there is no option {name} (--help lists them)").into()),
            _ if image.is_none() => image = Some(PathBuf::from(&argument)),
            _ => return Err(format!("one photograph at a time: {} is one too many", argument.display()).into()),
        }
    }
    Ok(Command::Count(Options {
        image: image.map_or_else(default_image, Ok)?,
        workers: workers.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)).min(MOST_WORKERS),
        out: out.map_or_else(default_out, Ok)?,
    }))
}

fn number(value: &OsString) -> Result<usize, Failure> {
    match value.to_str().and_then(|text| text.parse().ok()) {
        Some(number @ 1..) => Ok(number),
        _ => Err(format!("--workers takes a whole number from 1 up, not {}", value.display()).into()),
    }
}

/// The photograph that comes with the source: cargo tells where that is, and otherwise it is where it was built. A package
/// from a registry comes without it.
fn default_image() -> Result<PathBuf, Failure> {
    let source = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let image = Path::new(&source).join("examples/data/hubble_deep_field.jpg");
    if image.exists() {
        return Ok(image);
    }
    let missing = image.display();
    Err(format!("{missing} is not there: name a PNG or JPEG file to count the stars of; --help says how").into())
}

/// In the target directory, which is the one with cargo's tag above this program.
fn default_out() -> Result<PathBuf, Failure> {
    let program = env::current_exe().map_err(|error| format!("can't find this program: {error}"))?;
    let mut above = program.ancestors().skip(1);
    let target = above.find(|directory| directory.join("CACHEDIR.TAG").exists()).or(program.parent());
    Ok(target.unwrap_or(Path::new(".")).join("star_count.png"))
}

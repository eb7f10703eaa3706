//! The command line.

use std::time::Duration;

use crate::Failure;

pub(crate) const HELP: &str = "\
One process writes a sample a thousand times a second, others look on.

Usage: telemetry                              a writer and five readers, for about three seconds
       telemetry write NAME [--seconds N]     a writer; without --seconds until it is stopped
       telemetry read NAME [--seconds N] [--every MICROSECONDS]
                                              a reader, which looks so often (default: 1000; 0: without a pause)
       telemetry --help                       this text";

/// What this process is to do.
pub(crate) enum Command {
    /// Start a writer and readers, and show what they saw.
    Show,
    /// Be the writer.
    Write(Options),
    /// Be a reader.
    Read(Options),
    /// Print the help.
    Help,
}

pub(crate) struct Options {
    pub(crate) name: String,
    pub(crate) time: Option<Duration>,
    /// How often a reader looks.
    pub(crate) every: Duration,
    /// The hidden `--told`, with which the program starts itself: say what happens in lines for a program, and, as a
    /// writer, end when the input does.
    pub(crate) told: bool,
}

pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, Failure> {
    let mut arguments = arguments.into_iter();
    let command = match arguments.next().as_deref() {
        None => return Ok(Command::Show),
        Some("--help" | "-h") => return Ok(Command::Help),
        Some("write") => Command::Write,
        Some("read") => Command::Read,
        Some(other) => return Err(format!("there is no command {other} (--help lists them)").into()),
    };
    let name = arguments.next().ok_or("a name is missing: any word will do, the same for all")?;
    let mut options = Options { name, time: None, every: Duration::from_millis(1), told: false };
    while let Some(argument) = arguments.next() {
        let mut number = || -> Result<u64, Failure> {
            let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
            value.parse().map_err(|_| format!("{argument} takes a whole number, not {value}").into())
        };
        match &argument[..] {
            "--seconds" => options.time = Some(Duration::from_secs(number()?)),
            "--every" => options.every = Duration::from_micros(number()?),
            "--told" => options.told = true,
            _ => return Err(format!("there is no option {argument} (--help lists them)").into()),
        }
    }
    Ok(command(options))
}

//! The command line.

use std::{path::PathBuf, time::Duration};

use super::Failure;

pub(crate) const HELP: &str = "\
One process plays a sound to another, through a ring, in frames of 10 ms.

Usage: audio [FILE.wav] [--seconds N] [--stall MILLISECONDS] [--out HEARD.wav]

  FILE.wav       what is played (default: a tone of 440 Hz, 48 kHz, stereo)
  --seconds N    how long the tone is (default: 3)
  --stall MS     the player does nothing for so long, half-way through
  --out FILE     what was heard, as a file
  --help         this text";

/// What this process is to do.
pub(crate) enum Command {
    /// Start a player, and listen to it.
    Listen(Options),
    /// Be the player: the hidden `--play`.
    Play(Options),
    Help,
}

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) file: Option<PathBuf>,
    pub(crate) seconds: Option<u64>,
    pub(crate) stall: Duration,
    pub(crate) out: Option<PathBuf>,
}

pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, Failure> {
    let mut arguments = arguments.into_iter();
    let mut options = Options::default();
    let mut command: fn(Options) -> Command = Command::Listen;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        let number = |value: String| -> Result<u64, Failure> {
            value.parse().map_err(|_| format!("{argument} takes a whole number, not {value}").into())
        };
        match &argument[..] {
            "--help" | "-h" => return Ok(Command::Help),
            "--play" => command = Command::Play,
            "--seconds" => options.seconds = Some(number(value()?)?),
            "--stall" => options.stall = Duration::from_millis(number(value()?)?),
            "--out" => options.out = Some(value()?.into()),
            option if option.starts_with('-') => {
                return Err(format!("there is no option {option} (--help lists them)").into());
            }
            file => options.file = Some(file.into()),
        }
    }
    Ok(command(options))
}

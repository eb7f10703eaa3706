//! Both processes.

mod args;
mod clock;
mod listener;
mod player;
mod sound;

use std::{env, error::Error, process::ExitCode};

use self::args::Command;

/// Why the program ends early: a sentence for whoever started it.
type Failure = Box<dyn Error + Send + Sync>;

pub(crate) fn main() -> ExitCode {
    let done = args::parse(env::args().skip(1)).and_then(|command| match command {
        Command::Listen(options) => listener::listen(&options),
        Command::Play(options) => player::play(&options),
        Command::Help => {
            println!("{}", args::HELP);
            Ok(())
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("audio: {error}");
            ExitCode::FAILURE
        }
    }
}

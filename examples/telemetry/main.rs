//! One process writes what a machine does, a thousand times a second; others start, look on, and stop as they like.
//!
//! ```text
//! cargo run --release --example telemetry                   # a writer and five readers, for about three seconds
//! cargo run --release --example telemetry -- write NAME     # by hand, in one terminal,
//! cargo run --release --example telemetry -- read NAME      # and in as many others as you like
//! ```
//!
//! The value is a `SeqLock` in a `Link`. Readers have it mapped read-only: they can't be in the writer's way, whatever they
//! do and however they end. Each part of a sample follows from its number, so that a reader knows a torn one.
//!
//! Without arguments the program fails if a reader saw nothing, or anything torn, or if the name is still there at the end.

mod args;
mod reader;
mod sample;
mod show;
mod tally;
mod writer;

use std::{
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use args::Command;

/// Why the program ends early: a sentence for whoever started it.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let result = args::parse(env::args().skip(1)).and_then(|command| match command {
        Command::Show => show::show(),
        Command::Write(options) => writer::write(&options).map(|()| true),
        Command::Read(options) => reader::read(&options).map(|()| true),
        Command::Help => Ok(writeln!(io::stdout(), "{}", args::HELP).map(|()| true)?),
    });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("telemetry: {error}");
            ExitCode::FAILURE
        }
    }
}

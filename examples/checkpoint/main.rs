//! A simulation that keeps its state in a file, is killed at random, and goes on from where it was.
//!
//! ```text
//! cargo run --release --example checkpoint [-- [--steps N] [--every N] [--seed N]]
//! ```
//!
//! Heat spreads in a plate, step by step, in a process that writes all of the plate to a file every so many steps: as a draft,
//! which comes into view whole. The process is killed at any moment, also while it writes; the next one reads the file and
//! goes on. In the end the plate is, bit by bit, the one of a run without interruption.
//!
//! The program fails if it is not, if a checkpoint was lost, or if anything but the one file is left.

mod args;
#[path = "../temporary/directory.rs"]
mod directory;
mod plate;
mod random;
mod supervisor;
mod worker;

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
        Command::Watch(options) => supervisor::watch(&options),
        Command::Work { file, options } => worker::work(&file, &options),
        Command::Help => Ok(writeln!(io::stdout(), "{}", args::HELP)?),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("checkpoint: {error}");
            ExitCode::FAILURE
        }
    }
}

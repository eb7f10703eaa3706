//! Processes that exchange values in shared memory and die at random, while every value is checked.
//!
//! ```text
//! cargo run --release --example storm [-- [--seconds N] [--seed N] [--processes N] [--backing anonymous|named|both]]
//! ```
//!
//! Each process makes values, sends them, receives, clones and slices them, writes them, cuts them into parts for others to
//! write and puts those together, changes their kind and drops them, until it is killed, aborts, panics or exits, at any
//! moment, and another takes its place. Each word of each value is known, and looked at when the value comes and before it
//! goes. A supervisor that has no shared memory passes the
//! tokens on, to whatever process chance chooses. For each backing there is a keeper, which does the same and does not
//! die: when all others are gone its pool must be empty, and when it is gone too, nothing must have a name (in
//! `/dev/shm`, or in `%TEMP%` on Windows) that had none before.
//!
//! The program fails unless all values were right, nothing was left, and there was no error but claims of what had died
//! with a process that crashed.

mod args;
mod crew;
mod death;
mod message;
#[cfg_attr(target_os = "linux", path = "../names/linux.rs")]
#[cfg_attr(all(unix, not(target_os = "linux")), path = "../names/macos.rs")]
#[cfg_attr(windows, path = "../names/windows.rs")]
mod names;
mod parts;
mod random;
mod report;
mod stock;
mod supervisor;
mod tally;
mod value;
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
    let result = args::parse(env::args_os().skip(1)).and_then(|command| match command {
        Command::Watch(options) => supervisor::watch(&options),
        Command::Work(role) => worker::work(role).map(|()| true),
        Command::Help => Ok(writeln!(io::stdout(), "{}", args::HELP).map(|()| true)?),
    });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("storm: {error}");
            ExitCode::FAILURE
        }
    }
}

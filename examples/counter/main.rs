//! Several processes count together, and one is killed in the middle of it, while it holds the lock.
//!
//! ```text
//! cargo run --release --example counter [-- [--processes N] [--steps N]]
//! ```
//!
//! There are a count of all and one for each process, in a `Mutex` in a `Link`, and each step changes both. One process is
//! killed between the two changes. Who waits for the lock then gets it together with `OwnerDied`, and repairs what was
//! half-changed; another process takes the place of the dead one and counts on from where it was.
//!
//! The program fails unless the count is right at the end: each step was counted, and none twice.

mod args;
mod ledger;
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
        Command::Work(role) => worker::work(&role).map(|()| true),
        Command::Help => Ok(writeln!(io::stdout(), "{}", args::HELP).map(|()| true)?),
    });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("counter: {error}");
            ExitCode::FAILURE
        }
    }
}

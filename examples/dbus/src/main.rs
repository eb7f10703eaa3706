//! A ring between two processes that find each other over D-Bus.
//!
//! ```text
//! cargo run --release --manifest-path examples/dbus/Cargo.toml              # both, on a bus of their own
//! cargo run --release --manifest-path examples/dbus/Cargo.toml -- serve     # by hand, in one terminal of a session,
//! cargo run --release --manifest-path examples/dbus/Cargo.toml -- listen    # and in another
//! ```
//!
//! The service makes a ring for each that asks, and hands over the two descriptors of its receiver in the answer. After that
//! nothing passes the bus any more.
//!
//! Fails if what was received is not what was sent.

mod client;
mod protocol;
mod service;

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader},
    process::{Command, ExitCode, Stdio},
};

/// Why the program ends early: a sentence for whoever started it.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let done = match env::args().nth(1).as_deref() {
        None => on_a_bus_of_ones_own(),
        Some("both") => both(),
        Some("serve") => service::serve(),
        Some("listen") => client::listen(),
        Some(_) => Err("usage: dbus-example [serve|listen]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dbus-example: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts this program once more, on a bus that ends with it.
fn on_a_bus_of_ones_own() -> Result<(), Failure> {
    let mut command = Command::new("dbus-run-session");
    let status = command.arg("--").arg(env::current_exe()?).arg("both").status();
    match status.map_err(|error| format!("dbus-run-session can't be started: {error}"))?.success() {
        true => Ok(()),
        false => Err("one of the processes has failed".into()),
    }
}

/// Starts the service, and listens to it.
fn both() -> Result<(), Failure> {
    let mut service = Command::new(env::current_exe()?).arg("serve").stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    // It says so when it can be found.
    let ready = service.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
    let done = match ready {
        Some(Ok(1..)) => client::listen(),
        _ => Err("the service has not started".into()),
    };
    service.kill()?;
    service.wait()?;
    done
}

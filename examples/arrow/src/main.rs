//! An Arrow record batch for another process, without a copy.
//!
//! ```text
//! cargo run --release --manifest-path examples/arrow/Cargo.toml [-- ROWS]
//! ```
//!
//! Each buffer of each column is put into shared memory once, and goes over a pipe as a token. The other process takes the
//! buffers as `Bytes`, and these as Arrow's, so that its batch lies at the same memory.
//!
//! Fails if a buffer lies anywhere else, or if the two processes do not find the same in the batch.

mod shared_batch;
mod trade;

use std::{
    env,
    error::Error,
    io::{self, BufRead, Write},
    process::{Command, ExitCode, Stdio},
};

use shared_batch::SharedBatch;
use trade::Summary;

/// Why the program ends early: a sentence for whoever started it.
type Failure = Box<dyn Error + Send + Sync>;

/// The hidden argument with which the program starts itself.
const READER: &str = "--reader";

fn main() -> ExitCode {
    let done = match env::args().nth(1).as_deref() {
        Some(READER) => read(),
        Some(rows) => rows.parse().map_err(|_| "usage: arrow-example [ROWS]".into()).and_then(write),
        None => write(1_000_000),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("arrow-example: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Makes a batch of so many rows, and has another process look at it.
fn write(rows: usize) -> Result<(), Failure> {
    let batch = trade::batch(rows)?;
    let expected = trade::summary(&batch)?;
    // The one copy.
    let shared = SharedBatch::copy_from(&batch)?;
    drop(batch);
    println!("writer: {}", shared.described());

    let mut reader =
        Command::new(env::current_exe()?).arg(READER).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let message = serde_json::to_string(&shared)?;
    let sent = reader.stdin.take().map(|mut to| writeln!(to, "{message}"));
    let output = reader.wait_with_output()?;
    sent.transpose()?;
    if !output.status.success() {
        return Err(format!("the reader has failed ({})", output.status).into());
    }
    let found: Summary = serde_json::from_slice(&output.stdout)?;
    println!("reader: its batch lies there, too; {} bytes have come", message.len());
    println!("reader: {found}");
    if found != expected || trade::summary(&shared.batch()?)? != expected {
        return Err(format!("the writer has found something else: {expected}").into());
    }
    println!("writer: the same");
    Ok(())
}

/// Looks at the batch that comes in.
fn read() -> Result<(), Failure> {
    let mut message = String::new();
    io::stdin().lock().read_line(&mut message)?;
    let shared: SharedBatch = serde_json::from_str(&message)?;
    let batch = shared.batch()?;
    // The batch has what it needs.
    drop(shared);
    Ok(writeln!(io::stdout(), "{}", serde_json::to_string(&trade::summary(&batch)?)?)?)
}

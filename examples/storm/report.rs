//! What a worker says: lines that begin with how many operations it has done and how many values it has checked.

use std::{
    fmt,
    io::{self, Write},
    process,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::message::Message;

static OPERATIONS: AtomicU64 = AtomicU64::new(0);
static CHECKED: AtomicU64 = AtomicU64::new(0);
static CURRENT: Mutex<&str> = Mutex::new("begin");

/// An operation begins.
pub(crate) fn begin(name: &'static str) {
    OPERATIONS.fetch_add(1, Ordering::Relaxed);
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = name;
}

/// A value was as it should be.
pub(crate) fn checked() {
    CHECKED.fetch_add(1, Ordering::Relaxed);
}

/// Says which operation is under way.
pub(crate) fn beat() {
    let current = *CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    say(format_args!("beat {current}"));
}

/// Sends a value to whatever process the supervisor chooses.
pub(crate) fn post(message: &Message) {
    say(format_args!("send {message}"));
}

/// Says a line. If nobody listens any more the process ends.
pub(crate) fn say(what: fmt::Arguments<'_>) {
    let (operations, checked) = (OPERATIONS.load(Ordering::Relaxed), CHECKED.load(Ordering::Relaxed));
    // One write, so that a death leaves a whole line or none.
    let line = format!("{operations} {checked} {}\n", what.to_string().replace('\n', " "));
    if io::stdout().write_all(line.as_bytes()).is_err() {
        process::exit(1);
    }
}

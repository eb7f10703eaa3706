//! A server gives its configuration to clients that it does not trust: each reads it where it is, and none can change it.
//!
//! ```text
//! cargo run --example sealed_handoff
//! ```
//!
//! The configuration travels as a descriptor of sealed memory over a Unix socket. The last client tries to write it by every
//! means that there is.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "elsewhere.rs")]
mod platform;

use std::process::ExitCode;

fn main() -> ExitCode {
    platform::main()
}

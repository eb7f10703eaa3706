//! One process plays a sound to another, through a ring, in frames of 10 ms.
//!
//! ```text
//! cargo run --release --example audio                          # three seconds of a tone
//! cargo run --release --example audio -- FILE.wav              # a file
//! cargo run --release --example audio -- --stall 100           # the player stops for 100 ms, half-way through
//! cargo run --release --example audio -- --out HEARD.wav       # what was heard, as a file
//! ```
//!
//! The player makes a frame every 10 ms by its own clock, the listener takes one every 10 ms by its own, as a sound card does:
//! neither waits for the other, allocates, or makes a system call for the ring. A frame that has not come is silence, and
//! counted as an underrun; one that there is no room for is lost, and counted as an overrun.
//!
//! Fails if a frame was neither heard nor lost, or if it was heard as something else than it was.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
use elsewhere as platform;
#[cfg(target_os = "linux")]
use linux as platform;

use std::process::ExitCode;

fn main() -> ExitCode {
    platform::main()
}

//! One thread awaits the rings of several processes, with tokio.
//!
//! ```text
//! cargo run --release --example ring_async           # three processes
//! cargo run --release --example ring_async -- 10     # ten
//! ```
//!
//! Each process pushes measurements into a ring of its own, some at once, some after a while, and one of them is killed in the
//! middle. The parent has a single thread: it awaits all rings and a clock at the same time, with [`AsyncFd`], and nothing of
//! it blocks. A ring ends when its process does, however that is.
//!
//! [`AsyncFd`]: https://docs.rs/tokio/latest/tokio/io/unix/struct.AsyncFd.html
//!
//! Fails if a measurement was lost or changed.

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

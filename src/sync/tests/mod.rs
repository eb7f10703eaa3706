//! Locks and events as programs use them: by threads here, and by processes that these tests start, kill and fork.

mod deaths;
#[cfg(target_os = "linux")]
mod forks;
#[cfg(not(target_os = "linux"))]
#[path = "forks_elsewhere.rs"]
mod forks;
mod locks;
mod peer;
mod sequences;
mod signals;

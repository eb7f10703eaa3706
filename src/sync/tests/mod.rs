//! Locks and events as programs use them: by threads here, and by processes that these tests start, kill and fork.

#[cfg(unix)]
mod deaths;
#[cfg(target_os = "linux")]
mod forks;
mod locks;
#[cfg(unix)]
mod peer;
mod sequences;
mod signals;

//! Ends that another process gets when it is started.
#![allow(unsafe_code)] // descriptors by their numbers

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use rustix::io::{FdFlags, fcntl_setfd};

use crate::Outcome;

/// What the other process is told, and descriptors that stay open until it has been started.
pub(crate) struct Lent {
    pub(crate) word: String,
    _inherited: Vec<OwnedFd>,
}

impl Lent {
    /// The other process needs no descriptors.
    #[cfg(feature = "dbus")]
    pub(super) fn word(word: String) -> Self {
        Lent { word, _inherited: Vec::new() }
    }

    /// These are inherited: the word is their numbers.
    pub(super) fn descriptors<const N: usize>(fds: [OwnedFd; N]) -> Outcome<Self> {
        for fd in &fds {
            fcntl_setfd(fd, FdFlags::empty())?;
        }
        let numbers = fds.each_ref().map(|fd| fd.as_raw_fd().to_string());
        Ok(Lent { word: numbers.join(","), _inherited: fds.into() })
    }
}

/// The descriptors that were inherited. Called once for each word.
pub(super) fn adopt<const N: usize>(word: &str) -> Outcome<[OwnedFd; N]> {
    let numbers: Vec<i32> = word.split(',').map(str::parse).collect::<Result<_, _>>()?;
    // SAFETY: inherited for this very purpose, and nobody else in this process knows of them.
    let fds: Vec<OwnedFd> = numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }).collect();
    fds.try_into().map_err(|_| "not as many descriptors".into())
}

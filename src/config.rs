//! What a process chooses for its pool, once, before it first uses the crate.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::Error;

/// Where segments come from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Backing {
    /// Memory without a name (a Linux memfd): the kernel frees it when the last process that has it ends.
    Anonymous,
    /// Memory with a name (POSIX shared memory, Windows named mappings), through the `shared_memory` crate.
    Named,
}

/// The choices of this process, made once, before it makes or receives its first value.
///
/// ```
/// use commonage::{Backing, Config};
/// Config::new().backing(Backing::Named).install()?;
/// # Ok::<(), commonage::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a configuration has no effect until it is installed"]
pub struct Config {
    pub(crate) backing: Option<Backing>,
    pub(crate) claim_deadline: Duration,
}

static INSTALLED: OnceLock<Config> = OnceLock::new();
static USED: AtomicBool = AtomicBool::new(false);

impl Config {
    /// The defaults: the platform's backing, claims that wait up to five seconds for a sender to let go.
    pub const fn new() -> Self {
        Config { backing: None, claim_deadline: Duration::from_secs(5) }
    }

    /// Where this process's segments come from. Default: [`Backing::Anonymous`] on Linux, unless this process is not
    /// dumpable or has no `/proc`; [`Backing::Named`] elsewhere.
    pub const fn backing(mut self, backing: Backing) -> Self {
        self.backing = Some(backing);
        self
    }

    /// How long the claim of a `SharedMut` waits for its sender to drop the handle that it has serialized. Default: five
    /// seconds. In the sender's own process a claim never waits longer than one second.
    pub const fn claim_deadline(mut self, deadline: Duration) -> Self {
        self.claim_deadline = deadline;
        self
    }

    /// Makes this the configuration of the process.
    ///
    /// # Errors
    ///
    /// [`Error::Configured`] if the process has used the crate before.
    pub fn install(self) -> Result<(), Error> {
        if USED.load(Ordering::Acquire) {
            return Err(Error::Configured);
        }
        INSTALLED.set(self).map_err(|_| Error::Configured)
    }

    /// The configuration in force; from now on it can't be changed.
    pub(crate) fn current() -> &'static Config {
        USED.store(true, Ordering::Release);
        INSTALLED.get_or_init(Config::new)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

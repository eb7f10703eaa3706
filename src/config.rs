//! What a process chooses for its pool, once, before it first uses the crate.

use std::{
    path::PathBuf,
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
/// ```standalone_crate
/// use commonage::{Backing, Config};
/// Config::new().backing(Backing::Named).install()?;
/// # Ok::<(), commonage::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a configuration has no effect until it is installed"]
pub struct Config {
    pub(crate) backing: Option<Backing>,
    pub(crate) claim_deadline: Duration,
    pub(crate) lost_after: Duration,
    pub(crate) limit: u64,
    pub(crate) retain: Option<u64>,
    pub(crate) wills: Option<PathBuf>,
}

static INSTALLED: OnceLock<Config> = OnceLock::new();
static USED: AtomicBool = AtomicBool::new(false);

impl Config {
    /// The defaults: the platform's backing, claims that wait up to five seconds for a sender to let go, messages that are
    /// lost after an hour, no limit but the machine's, wills in `/dev/shm`.
    pub const fn new() -> Self {
        Config {
            backing: None,
            claim_deadline: Duration::from_secs(5),
            lost_after: Duration::from_secs(3600),
            limit: u64::MAX,
            retain: None,
            wills: None,
        }
    }

    /// Where this process's segments come from. Default: [`Backing::Anonymous`] on Linux, unless this process is not
    /// dumpable, has no `/proc` or one of another PID namespace, or may not make memfds; [`Backing::Named`] then, and
    /// elsewhere.
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

    /// When a message that nobody has claimed counts as lost. Default: one hour.
    ///
    /// What the dead have left unclaimed (wills, named segments) is removed when it is older, by any process that sweeps;
    /// a living process takes back tickets of its own pool that are older when it runs out of memory.
    pub const fn lost_after(mut self, age: Duration) -> Self {
        self.lost_after = age;
        self
    }

    /// The most memory, in bytes, that this process's pool reserves for values: beyond it, [`Error::NoSpace`]. Whole pages
    /// count, and those that are kept warm too, until they are needed elsewhere; the control areas do not. Default: no
    /// limit but what the machine has.
    pub const fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// How many bytes of free memory this process's pool keeps warm: using them again is many times faster than having the
    /// system fault and clear new pages. What is freed beyond goes back to the system. Default: 256 MiB, or twice the
    /// largest recent value if that is more, but never over a quarter of the memory that is available.
    ///
    /// Blocks that threads keep for themselves, at most 1 MiB and a few hundred small ones each, come on top.
    /// [`trim`](crate::trim) gives back everything, [`prefault`](crate::prefault) keeps more.
    pub const fn retain(mut self, bytes: u64) -> Self {
        self.retain = Some(bytes);
        self
    }

    /// Where the wills of this process are: files that hold what it has sent from memory without a name, and nobody has
    /// claimed when it exits. Receivers look for them in the same place, so all processes that exchange values should have
    /// the same; the directory must exist. Default: `/dev/shm`.
    pub fn wills_in(mut self, directory: impl Into<PathBuf>) -> Self {
        self.wills = Some(directory.into());
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
        if !USED.load(Ordering::Relaxed) {
            USED.store(true, Ordering::Release);
        }
        INSTALLED.get_or_init(Config::new)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

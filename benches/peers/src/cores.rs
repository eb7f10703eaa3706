//! Which cores this process runs on.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Keeps this thread, and the processes and threads that it starts, on one core, until this is dropped. A message to a
/// process on another core also pays for waking that core, which lasts several times as long as everything else, and
/// differs from one round to the next.
pub(crate) struct OneCore {
    before: Option<CpuSet>,
}

impl OneCore {
    pub(crate) fn stay() -> Self {
        let before = sched_getaffinity(None).ok();
        let last = before.as_ref().and_then(|set| (0..CpuSet::MAX_CPU).rev().find(|&core| set.is_set(core)));
        let mut one = CpuSet::new();
        one.set(last.unwrap_or(0));
        if let Err(error) = sched_setaffinity(None, &one) {
            eprintln!(
                "peers: the process could not be kept on one core ({error}): figures between processes will vary"
            );
        }
        OneCore { before }
    }
}

impl Drop for OneCore {
    fn drop(&mut self) {
        if let Some(before) = &self.before
            && let Err(error) = sched_setaffinity(None, before)
        {
            eprintln!("peers: the process could not leave its core: {error}");
        }
    }
}

/// Moves this thread to any core but those it has been on: it then runs beside who has started it.
pub(crate) fn leave() {
    let outcome = sched_getaffinity(None).and_then(|before| {
        let mut others = CpuSet::new();
        (0..CpuSet::MAX_CPU).filter(|&core| !before.is_set(core)).for_each(|core| others.set(core));
        sched_setaffinity(None, &others)
    });
    if let Err(error) = outcome {
        eprintln!("peers: there is no other core ({error}): what was to run beside runs in turn");
    }
}

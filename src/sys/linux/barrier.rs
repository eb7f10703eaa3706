//! A barrier for every processor that runs a thread of certain processes: whoever rarely waits pays for it, so that whoever
//! often changes something need not. See membarrier(2).

use std::sync::atomic::{Ordering, fence};

use rustix::thread::{MembarrierCommand, membarrier};

/// Has every [`heavy`] of every process be a barrier for the threads of this one too; false where the system can't, and each
/// of them needs fences of its own. A second time it costs a system call and nothing else.
pub(crate) fn register() -> bool {
    membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok()
}

/// A barrier for this thread, and for all threads of processes that have registered; false if it is one for this thread only.
pub(crate) fn heavy() -> bool {
    fence(Ordering::SeqCst);
    // Before Linux 4.16 there is only the slow one, of some milliseconds, which asks nobody whether it has registered.
    let done =
        membarrier(MembarrierCommand::GlobalExpedited).or_else(|_| membarrier(MembarrierCommand::Global)).is_ok();
    fence(Ordering::SeqCst);
    done
}

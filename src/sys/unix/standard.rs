//! The numbers of standard input and output in a process that has closed them.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::{
    fs::{Mode, OFlags, open},
    io::fcntl_getfd,
};

/// As long as it is there, the numbers of standard input and output are taken: what another crate opens meanwhile, no
/// program takes for its own.
pub(crate) struct StandardTaken(#[expect(dead_code, reason = "closed on drop")] Vec<OwnedFd>);

impl StandardTaken {
    pub(crate) fn new() -> Self {
        // SAFETY: a descriptor may be closed: then the call says so, and nothing else is done with it.
        let is_free = |number| fcntl_getfd(unsafe { BorrowedFd::borrow_raw(number) }).is_err();
        let free = (0..3).filter(|number| is_free(*number)).count();
        // The lowest number that is free is the next one.
        let take = |_| open("/", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok();
        StandardTaken((0..free).filter_map(take).collect())
    }
}

//! What a descriptor that came from somebody else is open on.

use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, FileType, OFlags, StatxFlags, fcntl_getfl, statx};

use crate::sys::unix::kind_of;

/// In words. Nobody is asked for it who could keep this process waiting, as a file system in another process could.
pub(crate) fn kind_of_descriptor(fd: BorrowedFd<'_>) -> String {
    if fcntl_getfl(fd).is_ok_and(|flags| flags.contains(OFlags::PATH)) {
        return "a path (O_PATH)".to_owned();
    }
    let stat = statx(fd, c"", AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC, StatxFlags::TYPE);
    let kind = stat.map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.stx_mode.into()));
    match kind {
        FileType::RegularFile => "a file",
        FileType::Unknown => "something that has no kind",
        kind => kind_of(kind),
    }
    .to_owned()
}

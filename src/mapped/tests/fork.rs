//! Forked children, and what only a Unix has.

use std::{io::Read, os::unix::net::UnixStream};

use super::*;

/// Runs `child` in a forked child of this process, which ends without any of its parent's clean-up.
fn fork(mut child: impl FnMut()) -> i32 {
    // SAFETY: the process has one thread that does anything; the child calls what is given here, and ends.
    let pid = unsafe { libc::fork() };
    assert_ne!(pid, -1);
    if pid == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut child)).is_ok();
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(!done)) };
    }
    pid
}

fn wait_for(pid: i32) {
    let mut status = 0;
    // SAFETY: writes one number.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!((waited, status), (pid, 0));
}

/// In a process of its own, which has one thread.
pub(super) fn forks(path: &Path) {
    let part = made(path, b"some bytes", Then::Write).unwrap();
    let frozen = path.with_file_name("frozen");
    let read_only = made(&frozen, b"read", Then::Read).unwrap();
    let mut draft = Some(Draft::new(&path.with_file_name("draft"), 5, &making()).unwrap());
    let mut inherited = Some((part, read_only));
    wait_for(fork(|| {
        let (part, read_only) = inherited.take().unwrap(); // the child's copy; the parent's stays
        assert_eq!((read(&part), read(&read_only)), (b"some bytes".to_vec(), b"read".to_vec()));
        assert!(matches!(part.origin(Kind::SharedMut), Err(Error::Inherited { .. })));
        assert!(matches!(part.freeze(), Err(Error::Inherited { .. })));
        assert!(matches!(read_only.thaw(), Err(Error::Inherited { .. })));
        part.revoke();
        let refused = draft.take().unwrap().publish(description(), false, Then::Close);
        assert!(matches!(refused, Err((Some(_), Error::Inherited { .. }))));
        drop((part, read_only, refused));
        // It opens files as any other process does: nothing of its parent's is found.
        let again = opened(&frozen, Access::Read).unwrap();
        assert_eq!(again.counts().handles, 1);
    }));
    let (part, read_only) = inherited.unwrap();
    assert!(matches!(fault(opened(path, Access::Read)), FileFault::Locked { .. }), "the child has let go of it");
    assert!(matches!(fault(opened(&frozen, Access::Write)), FileFault::Locked { .. }), "the child has let go of it");
    let (origin, _) = part.origin(Kind::SharedMut).unwrap();
    assert!(matches!(origin.identity, Identity::Headed { generation: 1, .. }));
    // A child that keeps what it has inherited does not keep the lock.
    let (here, there) = UnixStream::pair().unwrap();
    let child = fork(|| {
        (&there).read_exact(&mut [0]).unwrap();
        assert_eq!(read(&read_only), b"read");
    });
    drop(part);
    opened(path, Access::Write).unwrap();
    drop(read_only);
    opened(&frozen, Access::Write).unwrap();
    (&here).write_all(b"!").unwrap();
    wait_for(child);
    let made = draft.unwrap().publish(description(), false, Then::Close).map_err(|(_, error)| error).unwrap();
    assert!(made.is_none());
}

#[test]
fn a_forked_child_neither_unlocks_nor_finishes_nor_sends() {
    let directory = Directory::new();
    let child = Peer::start("fork", &directory.at("value"));
    child.end();
    assert_eq!(directory.names(), ["draft", "frozen", "value"]);
}

#[test]
fn a_long_name_can_be_replaced_too() {
    let directory = Directory::new();
    let path = directory.at(&"n".repeat(255));
    write(&path, b"one");
    write(&path, b"two");
    assert_eq!(read(&opened(&path, Access::Read).unwrap()), b"two");
    assert_eq!(directory.names().len(), 1);
}

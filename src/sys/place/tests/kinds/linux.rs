//! Files and what else has a name on Linux, permission bits, and users.

use std::{
    fs::Permissions,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixListener,
    },
};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;

pub(super) const WAYS: [Make; 2] = [
    |at, len, mode| Ok(Draft::without_a_name(at, len, mode)?.expect("this file system has files without a name")),
    Draft::with_another_name,
];

/// Bytes of the longest name.
pub(super) const LONGEST: usize = 255;

pub(super) fn is_as_it_was_made(at: &Address, size: u64) {
    let path = match at {
        Address::Name(name) => Path::new("/dev/shm").join(name),
        Address::Path(path) => path.clone(),
    };
    let metadata = fs::symlink_metadata(path).unwrap();
    assert_eq!((metadata.len(), metadata.nlink(), metadata.mode() & 0o7777), (size, 1, 0o600));
    assert!(metadata.blocks() * 512 >= size, "reserved");
}

/// Where something is that is no file, what it is, and what keeps it there.
pub(super) fn other_things(directory: &Directory) -> Vec<(Address, &'static str, Option<UnixListener>)> {
    mknodat(CWD, directory.0.join("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let socket = UnixListener::bind(directory.0.join("socket")).unwrap();
    let null = Address::path(Path::new("/dev/null")).unwrap();
    assert!(matches!(Place::open(&null, true), Err(PlaceError::NotAFile("a terminal or another character device"))));
    vec![(directory.at("pipe"), "a pipe", None), (directory.at("socket"), "a socket or a device", Some(socket))]
}

/// Something in the directory that nobody may write to; nobody else may change the directory.
pub(super) fn made_for_reading(directory: &Directory, bytes: &[u8]) -> (Address, ()) {
    fs::set_permissions(&directory.0, Permissions::from_mode(0o755)).unwrap();
    let at = directory.at("link");
    drop(made(&at, bytes));
    fs::set_permissions(directory.0.join("link"), Permissions::from_mode(0o444)).unwrap();
    (at, ())
}

/// On a thread of a user without privileges, where this one has them.
pub(super) fn as_an_ordinary_user(body: impl FnOnce() + Send) {
    const NOBODY: libc::c_long = 65534;
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: the system call, unlike the function of the C library, changes the user of this thread alone.
            unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
            body();
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// What others have for themselves.
pub(super) fn more_is_denied(directory: &Directory) {
    let (at, other) = (directory.at("link"), directory.at("other"));
    fs::set_permissions(directory.0.join("link"), Permissions::from_mode(0o400)).unwrap();
    if fs::metadata(&directory.0).unwrap().uid() != 0 {
        return; // an ordinary user already, and all that is its own
    }
    as_an_ordinary_user(|| {
        for writable in [false, true] {
            assert!(matches!(Place::open(&at, writable), Err(PlaceError::Denied(_))));
        }
        assert!(matches!(remove_place(&at), Err(PlaceError::Denied(_))));
        for way in WAYS {
            assert!(matches!(way(&other, 1, 0o600), Err(PlaceError::Denied(_))));
        }
    });
}

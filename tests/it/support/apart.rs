//! A process that is alone where what has a name lies in the directory for temporary files: it has another one.

use std::{
    env,
    fs::{self, File},
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::{ALONE, Apart, Directory, WATCHDOG, platform};

/// Where small file systems are mounted, if whoever has started the tests has done so: `tests/rooms`. Each is a directory
/// with its size in bytes, a dash and a number for its name, and there is a file `room` in it.
const ROOMS: &str = "COMMONAGE_TEST_ROOMS";

/// The backings of this platform.
pub(crate) const BOTH: &[&str] = &["named"];

/// Memory is not taken out of a segment that is left.
pub(crate) const PUNCHES: bool = false;

/// Where the identity files are, and wills.
pub(crate) fn named_directory() -> PathBuf {
    env::temp_dir()
}

/// May a process have a place of its own for what has a name?
pub(crate) fn can_be_alone() -> bool {
    true
}

/// With a directory of its own, which is removed when the process has ended. It has as many bytes as the file system.
pub(super) fn apart(command: Command, _bytes: u64) -> (Command, Option<Apart>) {
    of(command, Directory::new(), None)
}

fn of(mut command: Command, directory: Directory, lock: Option<File>) -> (Command, Option<Apart>) {
    for name in platform::TEMPORARY {
        command.env(name, &directory.0);
    }
    command.env(ALONE, "yes");
    (command, Some(Apart { _directory: directory, _lock: lock }))
}

/// The file systems of this size.
fn rooms(bytes: u64) -> Vec<PathBuf> {
    let Some(rooms) = env::var_os(ROOMS) else { return Vec::new() };
    let rooms = PathBuf::from(rooms);
    let mut names = super::listing(&rooms);
    let of_room = |name: &str| name.split_once('-').map(|(size, number)| (size.parse(), number.parse::<u32>().is_ok()));
    names.retain(|name| of_room(name) == Some((Ok(bytes), true)));
    assert!(!names.is_empty(), "no room of {bytes} bytes in {}", rooms.display());
    names.into_iter().map(|name| rooms.join(name)).collect()
}

/// May a process have a place of its own of just so many bytes?
pub(crate) fn can_be_in(bytes: u64) -> bool {
    !rooms(bytes).is_empty()
}

/// With a directory in a file system of this size that nobody else uses meanwhile.
pub(super) fn apart_in(command: Command, bytes: u64) -> (Command, Option<Apart>) {
    let began = Instant::now();
    loop {
        for room in rooms(bytes) {
            assert!(
                fs::exists(room.join("room")).unwrap(),
                "{} is not mounted as this process sees it",
                room.display()
            );
            let lock = File::create(room.with_extension("lock")).expect("a file to lock");
            if lock.try_lock().is_ok() {
                return of(command, Directory::within(&room), Some(lock));
            }
        }
        assert!(began.elapsed() < WATCHDOG, "all rooms of {bytes} bytes are taken");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A file that was removed while it was open can't be told from others.
pub(super) fn in_view(_file: &File) -> bool {
    true
}

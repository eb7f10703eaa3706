//! What holds of places on Linux. A thread can have a umask, a user and a `/dev/shm` of its own there.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    process::{Command, Stdio},
    thread,
};

use memmap2::{MmapMut, MmapOptions};
use rustix::fs::{FallocateFlags, fallocate};

use super::*;
use crate::sys::{
    DiskFile,
    place::tests::{Directory, Name, made, read, write},
    tests::in_the_end,
};

/// Runs `body` on a thread of its own, which can change what other threads share.
fn apart(body: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: from now on this thread, which ends here, has its own umask, current directory and root.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_FS) }, 0, "{}", io::Error::last_os_error());
            body();
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// The same with a `/dev/shm` of so many bytes; not at all where that is not permitted.
fn with_room_for(bytes: u64, body: impl FnOnce() + Send) {
    apart(|| {
        // SAFETY: from now on this thread has its own mounts.
        if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
            return eprintln!("no mounts of one's own here: skipped");
        }
        let none = c"none".as_ptr();
        let flags = libc::MS_REC | libc::MS_PRIVATE;
        // SAFETY: the strings end in a zero; what is mounted from now on is seen by this thread alone.
        let done = unsafe { libc::mount(none, c"/".as_ptr(), std::ptr::null(), flags, std::ptr::null()) };
        assert_eq!(done, 0, "{}", io::Error::last_os_error());
        let size = std::ffi::CString::new(format!("size={bytes}")).unwrap();
        // SAFETY: the strings end in a zero.
        let done = unsafe { libc::mount(none, c"/dev/shm".as_ptr(), c"tmpfs".as_ptr(), 0, size.as_ptr().cast()) };
        assert_eq!(done, 0, "{}", io::Error::last_os_error());
        body();
    });
}

type Make = fn(&Address, u64, u32) -> Result<Draft, PlaceError>;

/// Both ways to make a draft.
const WAYS: [Make; 2] = [
    |at, len, mode| Ok(Draft::without_a_name(at, len, mode)?.expect("this file system has files without a name")),
    Draft::with_another_name,
];

fn path_of(at: &Address) -> PathBuf {
    match at {
        Address::Name(name) => Path::new(DIRECTORY).join(name),
        Address::Path(path) => path.clone(),
    }
}

fn in_shm() -> Vec<String> {
    let entries = fs::read_dir(DIRECTORY).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_mode_is_exact_whatever_the_umask() {
    apart(|| {
        // SAFETY: sets a number, of this thread alone.
        unsafe { libc::umask(0o777) };
        let directory = Directory::new();
        fs::set_permissions(&directory.0, Permissions::from_mode(0o700)).unwrap();
        for way in WAYS {
            for mode in [0o600, 0o644, 0o666, 0o440, 0o777, 0] {
                let at = directory.at("link");
                let (place, mapping) = way(&at, 10, mode).unwrap().publish().unwrap();
                assert_eq!(fs::metadata(path_of(&at)).unwrap().mode() & 0o7777, mode);
                place.into_identity().remove(&at, mapping);
            }
        }
    });
}

#[test]
fn a_path_may_be_a_link_and_a_name_may_not() {
    let directory = Directory::new();
    let (link, target) = (directory.at("link"), directory.at("target"));
    symlink(path_of(&target), path_of(&link)).unwrap();
    assert!(matches!(Place::open(&link, true), Err(PlaceError::Absent)), "a link to nowhere");
    assert!(matches!(Draft::new(&link, 1, 0o600), Err(PlaceError::Exists)));
    for way in WAYS {
        let (_mapping, error) = way(&link, 1, 0o600).unwrap().publish().unwrap_err();
        assert!(matches!(error, PlaceError::Exists), "{error:?}");
    }
    assert_eq!(directory.names(), ["link"]);
    let (place, mapping) = made(&target, b"there");
    let through = Place::open(&link, false).unwrap().map(5, false).unwrap();
    assert_eq!(read(&through, 5), b"there");
    assert!(matches!(remove_place(&link), Err(PlaceError::NotAFile("a symbolic link"))));
    place.into_identity().remove(&target, mapping);

    let name = Name::new();
    symlink("/etc/hostname", path_of(&name.0)).unwrap();
    let found = Place::open(&name.0, false).map(|_| ());
    fs::remove_file(path_of(&name.0)).unwrap();
    assert!(matches!(found, Err(PlaceError::NotAFile("a symbolic link"))), "{found:?}");
}

#[test]
fn a_full_file_system_is_no_space_and_nothing_is_left() {
    with_room_for(64 << 10, || {
        for way in WAYS {
            let at = Address::name("full").unwrap();
            let error = way(&at, 65 << 10, 0o600).unwrap_err();
            assert!(
                matches!(error, PlaceError::NoSpace { requested, available } if requested == 65 << 10 && available <= 64 << 10),
                "{error:?}"
            );
            assert!(in_shm().is_empty());
            let made = in_the_end("what was refused takes no room", || way(&at, 60 << 10, 0o600).ok());
            let (place, mapping) = made.publish().unwrap();
            write(&mapping, &[1; 60 << 10]); // all of it is there
            place.into_identity().remove(&at, mapping);
            assert!(in_shm().is_empty());
        }
    });
}

#[test]
fn a_sparse_file_that_there_is_no_room_for_is_no_space_and_not_a_signal() {
    with_room_for(64 << 10, || {
        let at = Address::name("sparse").unwrap();
        let file = File::create(path_of(&at)).unwrap();
        file.set_len(100 << 10).unwrap();
        for writable in [true, false] {
            let place = Place::open(&at, writable).unwrap();
            let found = place.map(100 << 10, writable).map(|_| ());
            assert!(matches!(found, Err(PlaceError::NoSpace { requested, .. }) if requested <= 100 << 10), "{found:?}");
        }
        // The part that there is room for; the file's blocks are elsewhere.
        file.set_len(0).unwrap();
        file.set_len(100 << 10).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &[1; 8192], 90 << 10).unwrap();
        let place = Place::open(&at, true).unwrap();
        let mapping = place.map(8192, true).unwrap();
        fs::write("/dev/shm/filler", vec![1; 64 << 10]).unwrap_err();
        write(&mapping, &[2; 8192]);
    });
    // One with more blocks than bytes: they are behind the end.
    with_room_for(64 << 10, || {
        let path = Path::new("/dev/shm/sparse");
        let file = File::create(path).unwrap();
        file.set_len(16 << 10).unwrap();
        fallocate(&file, FallocateFlags::KEEP_SIZE, 16 << 10, 32 << 10).unwrap();
        fs::write("/dev/shm/filler", vec![1; 64 << 10]).unwrap_err();
        for (offset, writable) in [(0, true), (0, false), (100, true), (100, false)] {
            let found = backed(path, offset, writable);
            assert!(matches!(found, Err(PlaceError::NoSpace { .. })), "{offset} {writable}");
        }
        fs::remove_file("/dev/shm/filler").unwrap();
        let mut map = in_the_end("what was removed takes no room", || backed(path, 100, true).ok());
        map.fill(1);
    });
}

/// Maps a file from an offset on, with something behind each of its bytes.
fn backed(path: &Path, offset: u64, writable: bool) -> Result<MmapMut, PlaceError> {
    let file = DiskFile::open(path, true)?.unwrap();
    let facts = file.facts()?;
    // SAFETY: nobody else knows of the file.
    let mut map = unsafe { MmapOptions::new().offset(offset).map_mut(file.file()) }.unwrap();
    let start = NonNull::new(map.as_mut_ptr()).unwrap();
    file.back(&facts, offset, start, map.len(), writable).map(|()| map)
}

#[test]
fn a_file_larger_than_this_process_may_make_is_an_error_and_not_a_signal() {
    let directory = Directory::new();
    // A limit is the whole process's: another one runs under it.
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 8 && exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    let test = "sys::linux::place::tests::under_a_limit";
    limited.args([test, "--exact", "--ignored"]).env(LIMITED, path_of(&directory.at("link")));
    let output = limited.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(directory.names().is_empty());
}

const LIMITED: &str = "COMMONAGE_TEST_LIMITED";

#[test]
#[ignore = "run by another test, under a limit"]
fn under_a_limit() {
    let Some(path) = std::env::var_os(LIMITED) else { return };
    let at = Address::path(Path::new(&path)).unwrap();
    for way in WAYS {
        assert!(matches!(way(&at, 1 << 20, 0o600), Err(PlaceError::Failed("ftruncate", _))));
    }
}

/// What a process that is killed before its system call number `calls` leaves: whether it got to its end.
fn killed_at(calls: u32, way: Make, at: &Address) -> bool {
    // SAFETY: the child makes a draft, which takes no lock but that of the memory allocator, and ends.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        // SAFETY: this process is to be looked at by its parent.
        unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
        // SAFETY: stops, until the parent goes on.
        unsafe { libc::raise(libc::SIGSTOP) };
        let done = way(at, 5, 0o600).is_ok_and(|draft| {
            write(draft.mapping(), b"whole");
            draft.publish().is_ok()
        });
        // SAFETY: ends this process and runs nothing of its parent's.
        unsafe { libc::_exit(if done { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: waits for the child that was made above.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFSTOPPED(status), "{status:x}");
    // Each call stops it twice.
    for _ in 0..2 * calls {
        // SAFETY: the child is stopped, and goes on to where a call begins or ends.
        unsafe { libc::ptrace(libc::PTRACE_SYSCALL, child, 0, 0) };
        // SAFETY: as above.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        if libc::WIFEXITED(status) {
            assert_eq!(libc::WEXITSTATUS(status), 0, "it could not be made");
            return true;
        }
    }
    // SAFETY: ends the child that was made above.
    unsafe { libc::kill(child, libc::SIGKILL) };
    // SAFETY: as above.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    false
}

#[test]
fn a_maker_killed_at_any_system_call_leaves_it_whole_or_nothing() {
    for (way, beside) in WAYS.into_iter().zip([false, true]) {
        let (mut calls, mut absent, mut whole) = (0, 0, 0);
        loop {
            let directory = Directory::new();
            let at = directory.at("link");
            let ended = killed_at(calls, way, &at);
            match fs::read(path_of(&at)) {
                Ok(bytes) => {
                    assert_eq!(bytes, b"whole", "killed at call {calls}");
                    whole += 1;
                }
                Err(_) => absent += 1,
            }
            let others = directory.names().into_iter().filter(|name| name != "link").count();
            assert!(others <= usize::from(beside), "killed at call {calls}: {:?}", directory.names());
            if ended {
                assert_eq!(directory.names(), ["link"]);
                break;
            }
            calls += 1;
            assert!(calls < 1000);
        }
        assert!(absent > 5 && whole > 0, "{absent} times nothing, {whole} times whole");
    }
}

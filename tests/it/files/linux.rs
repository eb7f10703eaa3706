//! What only Linux has: forks, limits, full file systems, files that the system guards.

use std::{
    fs,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    ptr, thread,
    time::{Duration, Instant},
};

use commonage::{Error, FileFault, Sealed, SharedSlice, file, file::Advice, sealed::Seals};

use super::{Place, create, fault, open, open_mut, try_open, try_open_mut};
use crate::{
    forked::{ENDS, Forked},
    scene::{NAMED, scene},
    support::{Directory, child},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// Drops what a forked child has inherited.
fn dropped<T>(inherited: &T) {
    // SAFETY: a copy of a value that nothing in this process, which only ends now, uses or drops again.
    drop(unsafe { ptr::read(inherited) });
}

#[test]
fn a_forked_child_looks_at_what_it_has_inherited_and_drops_it_and_the_parent_keeps_its_locks() {
    let place = Place::new();
    let (read_path, written_path, draft_path) = (place.file("read"), place.file("written"), place.file("draft"));
    file::write(&read_path, &[1u64; 1000][..]).unwrap();
    let read = open(&read_path);
    let mut written = create(&written_path, &[2; 1000]);
    let draft = file::draft::<[u64]>(&draft_path, &(3, 1000)).unwrap();
    for end in ENDS {
        Forked::new(end, || {
            assert!(read.iter().all(|number| *number == 1) && written.iter().all(|number| *number == 2));
            assert_eq!(draft.as_view()[999], 3);
            assert!(matches!(read.clone().into_token(), Err(Error::Inherited { .. })));
            // SAFETY: a copy of a value that nothing in this process uses again.
            let refused = unsafe { ptr::read(&draft) }.publish().unwrap_err();
            assert!(matches!(refused.reason, Error::Inherited { .. }), "{:?}", refused.reason);
            dropped(&read);
            dropped(&written);
        })
        .success();
        assert!(matches!(fault(&read_path, try_open_mut(&read_path)), FileFault::Locked { .. }), "{end:?}");
        assert!(matches!(fault(&written_path, try_open(&written_path)), FileFault::Locked { .. }), "{end:?}");
    }
    written[0] = 9;
    drop((read, written));
    draft.publish().unwrap();
    assert_eq!(open_mut(&read_path)[0], 1);
    assert_eq!(open(&written_path)[..2], [9, 2]);
    assert_eq!(open(&draft_path)[0], 3);
}

#[test]
fn a_forked_child_opens_and_makes_files_of_its_own() {
    let place = Place::new();
    let path = place.path();
    file::write(&path, &[1u64; 10][..]).unwrap();
    let read = open(&path);
    Forked::new(ENDS[1], || {
        assert_eq!(*open(&path), [1; 10]);
        assert!(try_open_mut(&path).is_err(), "its parent reads it");
        file::write(place.file("child"), &[2u64; 10][..]).unwrap();
        drop(open_mut(&place.file("child")));
    })
    .success();
    assert_eq!(*open(&place.file("child")), [2; 10]);
    drop(read);
    drop(open_mut(&path));
    assert_eq!(place.names(), ["child", "value"]);
}

/// A lock that is not this crate's. It is let go of by name: a process that another test has just started, and that has not
/// begun its own program, has the description, too.
struct StrangersLock(fs::File);

impl StrangersLock {
    fn becomes(&self, kind: libc::c_int) -> bool {
        let lock = libc::flock { l_type: kind as _, l_whence: libc::SEEK_SET as _, l_start: 0, l_len: 0, l_pid: 0 };
        // SAFETY: the descriptor is open, and the call reads one `flock`.
        unsafe { libc::fcntl(self.0.as_raw_fd(), libc::F_OFD_SETLK, &lock) == 0 }
    }
}

impl Drop for StrangersLock {
    fn drop(&mut self) {
        self.becomes(libc::F_UNLCK);
    }
}

#[test]
fn a_lock_of_another_program_is_kept_out_of() {
    let place = Place::new();
    let path = place.path();
    file::write(&path, &[1u64; 10][..]).unwrap();
    let lock = |kind| {
        let strangers = StrangersLock(fs::OpenOptions::new().read(true).write(true).open(&path).unwrap());
        strangers.becomes(kind).then_some(strangers)
    };
    // As `fcntl.lockf` in Python locks it.
    let exclusive = lock(libc::F_WRLCK).unwrap();
    assert!(matches!(fault(&path, try_open(&path)), FileFault::Locked { .. }));
    drop(exclusive);
    let shared = lock(libc::F_RDLCK).unwrap();
    assert_eq!(*open(&path), [1; 10]);
    assert!(matches!(fault(&path, try_open_mut(&path)), FileFault::Locked { .. }));
    drop(shared);
    let read = open(&path);
    assert!(lock(libc::F_RDLCK).is_some() && lock(libc::F_WRLCK).is_none());
    drop(read);
    let written = open_mut(&path);
    assert!(lock(libc::F_RDLCK).is_none());
    drop(written);
    assert!(lock(libc::F_WRLCK).is_some());
}

/// The system ends, by a signal, a process that makes a file larger than it may.
#[test]
fn a_limit_on_the_size_of_files_is_an_error() {
    const TEST: &str = "files::linux::a_limit_on_the_size_of_files_is_an_error";
    let main = || drop(child(TEST, "limited").run_to_success());
    let role = |_: &str| {
        let limit = libc::rlimit { rlim_cur: 1 << 20, rlim_max: 1 << 20 };
        // SAFETY: a limit of this process's own, read by the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
        let place = Place::new();
        let path = place.path();
        file::write(&path, &[1u64; 1000][..]).unwrap();
        let too_large = |fault| match fault {
            FileFault::Failed { source, .. } => assert_eq!(source.raw_os_error(), Some(libc::EFBIG)),
            fault => panic!("{fault:?}"),
        };
        too_large(fault(&path, file::write(&path, &vec![2u64; 200_000][..])));
        too_large(fault(&path, file::draft::<[u64]>(&path, &(1, 200_000))));
        assert_eq!(*open(&path), [1; 1000]);
        assert_eq!(place.names(), ["value"]);
    };
    scene(TEST, NAMED, main, role);
}

#[test]
fn memory_that_is_sealed_is_opened_guarded_by_its_path() {
    let numbers: Vec<u64> = (0..1000).collect();
    let sealed = Sealed::<[u64]>::options().raw().copy_from(&numbers).unwrap();
    let memfd = std::os::fd::OwnedFd::try_from(sealed).unwrap();
    let path = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), memfd.as_raw_fd()));
    let value: SharedSlice<u64> = file::options::<[u64]>().raw().open_guarded(&path).unwrap();
    assert_eq!(*value, numbers[..]);
    drop(value);
    let may_grow = Sealed::<[u64]>::options().raw().seals(Seals::ALL.without_grow()).copy_from(&numbers).unwrap();
    let memfd = std::os::fd::OwnedFd::try_from(may_grow).unwrap();
    let path = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), memfd.as_raw_fd()));
    assert_eq!(*file::options::<[u64]>().raw().open_guarded(&path).unwrap(), numbers[..]);
    // Memory that anybody can write to is not guarded, though it is a memfd.
    let path = unsealed();
    let found = file::options::<[u64]>().raw().open_guarded(&path.1);
    assert!(matches!(fault(&path.1, found), FileFault::Unguarded { .. }));
}

fn unsealed() -> (fs::File, PathBuf) {
    use std::os::fd::FromRawFd;

    // SAFETY: the name ends with a zero.
    let fd = unsafe { libc::memfd_create(c"of-the-tests".as_ptr(), libc::MFD_ALLOW_SEALING) };
    assert!(fd >= 0);
    // SAFETY: it is new, and nobody else's.
    let file = unsafe { fs::File::from_raw_fd(fd) };
    file.set_len(8000).unwrap();
    let path = PathBuf::from(format!("/proc/{}/fd/{fd}", std::process::id()));
    (file, path)
}

/// Where the kernel and the user may: an immutable file.
#[test]
fn a_file_that_nobody_may_change_is_opened_guarded() {
    let place = Place::new();
    let path = place.path();
    file::write(&path, &[1u64; 10][..]).unwrap();
    if !immutable(&path, true) {
        println!(
            "files::linux::a_file_that_nobody_may_change_is_opened_guarded: skipped, no file can be made immutable here"
        );
        return;
    }
    let found = guarded_soon(&path);
    let stranger = fs::OpenOptions::new().write(true).open(&path);
    assert!(immutable(&path, false));
    assert_eq!(*found.unwrap(), [1; 10]);
    assert!(stranger.is_err());
}

/// It binds who opens the file from then on; on some file systems, nobody else.
#[test]
fn an_immutable_file_that_somebody_had_open_before_is_not_guarded() {
    // In memory, and on a disk.
    for place in [Place::new(), Place(Directory::within(Path::new("/dev/shm")))] {
        let path = place.path();
        file::write(&path, &[1u64; 10][..]).unwrap();
        let writer = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let map = memmap2::MmapRaw::map_raw(&writer).unwrap();
        if !immutable(&path, true) {
            println!("files::linux::an_immutable_file_that_somebody_had_open_before_is_not_guarded: skipped");
            continue;
        }
        let open = file::open_guarded::<[u64]>(&path);
        drop(writer);
        let mapped = file::open_guarded::<[u64]>(&path);
        drop(map);
        let nobody = guarded_soon(&path);
        assert!(immutable(&path, false));
        assert!(matches!(fault(&path, open), FileFault::Unguarded { .. }));
        assert!(matches!(fault(&path, mapped), FileFault::Unguarded { .. }));
        assert_eq!(*nobody.unwrap(), [1; 10]);
    }
}

/// A child that another test starts has a copy of every descriptor until it runs its program.
fn guarded_soon(path: &Path) -> Result<SharedSlice<u64>, Error> {
    let began = Instant::now();
    loop {
        match file::open_guarded(path) {
            Err(Error::File { fault: FileFault::Unguarded { .. }, .. }) if began.elapsed() < PATIENCE => {
                thread::yield_now();
            }
            done => return done,
        }
    }
}

fn immutable(path: &Path, on: bool) -> bool {
    let flag = if on { "+i" } else { "-i" };
    let changed = std::process::Command::new("chattr").arg(flag).arg(path).output();
    changed.is_ok_and(|output| output.status.success())
}

/// What the system says of each mapping of a file: numbers of bytes, or flags.
fn said_of_mappings(path: &Path, field: &str) -> Vec<String> {
    let all = fs::read_to_string("/proc/self/smaps").unwrap();
    let of_file = all.split(path.to_str().unwrap()).skip(1);
    let said = of_file.map(|one| one.lines().find_map(|line| line.strip_prefix(field)).expect("it is said"));
    said.map(|said| said.trim_start_matches(':').trim().to_owned()).collect()
}

#[test]
fn the_system_does_what_the_options_say_of_memory() {
    let place = Place::new();
    let path = place.path();
    file::write(&path, &[1u64; 1 << 18][..]).unwrap();
    let number = |said: &String| 1024 * said.trim_end_matches(" kB").parse::<u64>().unwrap();
    let bytes = |field| said_of_mappings(&path, field).iter().map(number).sum::<u64>();
    let has =
        |flag: &str| said_of_mappings(&path, "VmFlags").iter().any(|flags| flags.split(' ').any(|one| one == flag));
    let options = file::options::<[u64]>();
    // SAFETY: nobody changes the file but through the crate, here and below.
    let open = |options: &file::Options<[u64]>| unsafe { options.open(&path) }.unwrap();

    let usual = open(&options);
    assert!(bytes("Rss") < 2 << 20 && bytes("Locked") == 0 && !has("rr") && !has("sr") && !has("wr"));
    usual.advise(Advice::Random).unwrap();
    assert!(has("rr"));
    usual.advise(Advice::Normal).unwrap();
    assert!(!has("rr"));
    usual.lock_in_memory().unwrap();
    assert!(bytes("Locked") >= 2 << 20);
    usual.unlock_from_memory().unwrap();
    assert_eq!(bytes("Locked"), 0);
    drop(usual);

    let populated = open(&options.clone().populate());
    assert!(bytes("Rss") >= 2 << 20, "{}", bytes("Rss"));
    drop(populated);
    let advised = open(&options.clone().advice(Advice::Sequential));
    assert!(has("sr"));
    drop(advised);
    let locked = open(&options.clone().lock_in_memory());
    assert!(bytes("Locked") >= 2 << 20);
    drop(locked);
    // SAFETY: as above.
    let private = unsafe { options.open_private(&path) }.unwrap();
    assert!(has("wr") && !has("sh"), "written for itself");
    drop(private);
    let written = open_mut(&path);
    assert!(has("wr") && has("sh"));
    drop(written);
    assert!(!fs::read_to_string("/proc/self/smaps").unwrap().contains(path.to_str().unwrap()), "it is unmapped");

    // What can't stay in memory does not take the place of what is there.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Memlock).current;
    let Some(limit) = limit.filter(|limit| *limit <= 64 << 20) else { return };
    thread::scope(|scope| {
        scope.spawn(|| {
            without_right_to_lock();
            let options = options.clone().lock_in_memory();
            // SAFETY: as above.
            let error = unsafe { options.create(&path, &(2, limit as usize / 8 + 1024)) }.unwrap_err();
            assert!(
                matches!(error, Error::File { fault: FileFault::Failed { operation: "mlock", .. }, .. }),
                "{error}"
            );
        });
    });
    assert_eq!(file::read::<[u64]>(&path).unwrap(), [1; 1 << 18]);
    assert_eq!(place.names(), ["value"]);
}

/// Not this thread's any more: to lock more memory than the limit says.
fn without_right_to_lock() {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let mut sets = capabilities(None).unwrap();
    sets.effective.remove(CapabilitySet::IPC_LOCK);
    set_capabilities(None, sets).unwrap();
}

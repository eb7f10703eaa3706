//! What the platforms have in common.

use std::{
    io::Write,
    process::{Child, Command},
    sync::{
        Arc, Barrier,
        atomic::{AtomicU32, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

#[cfg(target_os = "linux")]
use super::unix::LockFile;
use super::*;

/// A file with this content, that goes with the test if that has not removed it.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(content: &[u8]) -> Scratch {
        let name = format!("commonage-test-file-{:016x}", random_u64().unwrap());
        let scratch = Scratch(std::env::temp_dir().join(name));
        create_private(&scratch.0).unwrap().write_all(content).unwrap();
        scratch
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Asks again until there is an answer. What one thread of this process closes, a child that another starts can still have:
/// until it begins its program, it has all that this process had open, with the locks and the room that go with it.
pub(crate) fn in_the_end<R>(what: &str, mut found: impl FnMut() -> Option<R>) -> R {
    let began = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{what}: not within 30 s");
        thread::yield_now();
    }
}

/// Starts a process; again, where it can't be for a moment: the program is a copy that another child, as above, still has open
/// to be written to; or Wine says, once in thousands of times, that there is an error in itself (`ERROR_INTERNAL_ERROR`).
pub(crate) fn started(command: &mut Command) -> Child {
    const OF_WINE: i32 = 1359;
    in_the_end("the program can be started", || match command.spawn() {
        Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy || error.raw_os_error() == Some(OF_WINE) => {
            None
        }
        started => Some(started.unwrap_or_else(|error| panic!("{command:?}: {error}"))),
    })
}

#[test]
fn the_machine_has_memory() {
    let available = available_memory();
    assert!(available > 1 << 20 && available < 1 << 50, "{available}");
}

#[test]
fn a_name_that_is_taken_away_is_free_at_once_whoever_has_the_file_open() {
    let scratch = Scratch::new(b"first");
    let open = open_private(&scratch.0).unwrap();
    assert!(is_in_view(&open, &scratch.0));
    remove_file(&scratch.0).unwrap();
    assert!(!is_in_view(&open, &scratch.0));
    assert!(!scratch.0.exists());
    assert_eq!(open_private(&scratch.0).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(remove_file(&scratch.0).unwrap_err().kind(), io::ErrorKind::NotFound);

    create_private(&scratch.0).unwrap().write_all(b"second").unwrap();
    let second = open_private(&scratch.0).unwrap();
    assert!(is_in_view(&second, &scratch.0) && !is_in_view(&open, &scratch.0));
    let mut bytes = [0; 5];
    read_at(&open, &mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"first");
    assert!(read_at(&open, &mut bytes, 1).is_err());
}

#[test]
fn a_directory_is_not_removed_as_a_file() {
    let scratch = Scratch::new(b"");
    remove_file(&scratch.0).unwrap();
    std::fs::create_dir(&scratch.0).unwrap();
    let refused = remove_file(&scratch.0);
    std::fs::remove_dir(&scratch.0).unwrap();
    assert!(refused.is_err());
}

#[test]
fn of_all_who_remove_a_file_one_succeeds() {
    for _ in 0..50 {
        let scratch = Scratch::new(b"once");
        let (barrier, winners) = (Barrier::new(4), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let open = open_private(&scratch.0).unwrap();
                    barrier.wait();
                    winners.fetch_add(u32::from(remove_file(&scratch.0).is_ok()), Ordering::Relaxed);
                    drop(open);
                });
            }
        });
        assert_eq!(winners.into_inner(), 1);
    }
}

#[test]
fn what_is_locked_is_read_and_written_by_others() {
    let scratch = Scratch::new(b"listed");
    let (own, other) = (open_private(&scratch.0).unwrap(), open_private(&scratch.0).unwrap());
    try_lock(&own).unwrap();
    let would_block = |done: io::Result<()>| done.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
    assert!(would_block(try_lock(&other)) && would_block(try_lock_shared(&other)));
    let mut bytes = [0; 6];
    read_at(&other, &mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"listed");
    std::fs::write(&scratch.0, b"other").unwrap();
    assert_eq!(std::fs::read(&scratch.0).unwrap(), b"other");
    drop(own);
    in_the_end("the lock is let go of", || try_lock_shared(&other).ok());
    let third = open_private(&scratch.0).unwrap();
    try_lock_shared(&third).unwrap();
    assert!(would_block(try_lock(&open_private(&scratch.0).unwrap())));
}

/// Elsewhere a write will say.
#[cfg(any(target_os = "linux", windows))]
#[test]
fn a_file_that_there_is_no_room_for_is_refused() {
    let scratch = Scratch::new(b"");
    let file = std::fs::OpenOptions::new().write(true).open(&scratch.0).unwrap();
    assert!(matches!(reserve_file(&file, 1 << 60), Err(Error::NoSpace { requested, .. }) if requested == 1 << 60));
    reserve_file(&file, 5000).unwrap();
}

/// Whoever reads that directory clears it away.
#[cfg(windows)]
#[test]
fn what_is_removed_has_a_name_that_says_so() {
    let scratch = Scratch::new(b"");
    let open = open_private(&scratch.0).unwrap();
    remove_file(&scratch.0).unwrap();
    let directory = scratch.0.parent().unwrap();
    let names = || std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = names().filter(|name| is_removed(name)).collect();
    assert!(!left.is_empty());
    assert!(
        !["commonage-gone-", "commonage-gone-0123456789abcdef0", "commonage-id-0123456789abcdef"]
            .map(is_removed)
            .contains(&true)
    );
    drop(open);
    assert!(!left.iter().all(|name| directory.join(name).exists()));
}

#[test]
fn who_and_when() {
    assert_eq!(process_id(), std::process::id());
    assert_eq!(process_id(), std::process::id());
    assert!(page_size().is_power_of_two());
    assert!(crate::segment::GRANULE.is_multiple_of(page_size()));
    let before = boot_time();
    assert!(before > 0 && boot_time() >= before);
    assert_ne!(random_u64().unwrap(), random_u64().unwrap());
    assert!(available_memory() > 1 << 20);
}

#[test]
fn a_wait_ends() {
    let word = AtomicU32::new(1);
    let begin = Instant::now();
    wait(&word, 0, Duration::from_secs(60)); // another value: at once
    wait(&word, 1, Duration::from_millis(1)); // nobody wakes it
    wait(&word, 1, Duration::ZERO);
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_wait_is_woken() {
    let word = Arc::new(AtomicU32::new(0));
    let (done, ended) = mpsc::channel();
    let waiter = {
        let word = Arc::clone(&word);
        thread::spawn(move || {
            while word.load(Ordering::Acquire) == 0 {
                wait(&word, 0, Duration::from_secs(60));
            }
            done.send(()).unwrap();
        })
    };
    word.store(1, Ordering::Release);
    wake_all(&word);
    ended.recv_timeout(Duration::from_secs(30)).expect("woken");
    waiter.join().unwrap();
}

#[test]
fn a_lock_by_name_is_had_by_one() {
    let path = std::env::temp_dir().join(format!("commonage-test-lock-{:016x}", random_u64().unwrap()));
    let lock = || LockFile::take(path.clone());
    let taken = lock().expect("nobody has it");
    assert!(lock().is_none());
    drop(taken);
    assert!(!path.exists());
    // What a dead process has left.
    #[cfg(unix)]
    drop(create_private(&path).unwrap());
    drop(lock().expect("nobody has it"));
    assert!(!path.exists());
}

#[test]
fn a_process_that_is_announced_is_known_to_whoever_has_the_place() {
    let path = std::env::temp_dir().join(format!("commonage-test-announced-{:016x}", random_u64().unwrap()));
    drop(create_private(&path).unwrap());
    let at = Address::path(&path).unwrap();
    let open = || Announced::open(&Place::open(&at, true).unwrap()).unwrap();
    let (here, twice, asks) = (open(), open(), open());
    std::fs::remove_file(&path).unwrap();
    let (id, nobody) = (new_id(), (1 << 62) - 1);
    assert!(id != 0 && id < 1 << 62);
    here.announce(id).unwrap();
    twice.announce(id).unwrap();
    assert!(asks.has(id).unwrap());
    assert!(!asks.has(nobody).unwrap());
    drop(here);
    assert!(asks.has(id).unwrap(), "as long as one of them is there");
    drop(twice);
    let goes_with_the_process = !cfg!(target_os = "linux");
    in_the_end("none of them is there", || (asks.has(id).unwrap() == goes_with_the_process).then_some(()));
}

#[test]
fn of_those_who_wait_on_a_word_one_can_be_woken() {
    let word = Arc::new(AtomicU64::new(1 << 40 | 1));
    let begin = Instant::now();
    wait_on(&word, 2, Duration::from_secs(60)); // another value: at once
    wait_on(&word, 1 << 40 | 1, Duration::from_millis(1)); // nobody wakes it
    assert!(begin.elapsed() < Duration::from_secs(30));
    let (done, ended) = mpsc::channel();
    let waiter = {
        let word = Arc::clone(&word);
        thread::spawn(move || {
            while word.load(Ordering::Acquire) != 0 {
                wait_on(&word, 1 << 40 | 1, Duration::from_secs(60));
            }
            done.send(()).unwrap();
        })
    };
    word.store(0, Ordering::Release);
    wake_one(&word);
    ended.recv_timeout(Duration::from_secs(30)).expect("woken");
    waiter.join().unwrap();
}

#[test]
fn a_panic_among_other_stacks_is_had_by_who_started_them() {
    for _ in 0..2 {
        let panicked = std::panic::catch_unwind(|| with_other_stacks(|| panic!("as this test wants it")));
        assert!(panicked.is_err());
        assert!(with_other_stacks(|| std::panic::catch_unwind(|| panic!("as this test wants it"))).is_err());
    }
}

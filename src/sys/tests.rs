//! What the platforms have in common.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

#[cfg(target_os = "linux")]
use super::unix::LockFile;
use super::*;

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
    assert_eq!(asks.has(id).unwrap(), goes_with_the_process);
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

//! What the platforms have in common.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
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

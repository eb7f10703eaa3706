//! Permission bits, links, and what the system does not keep strangers from.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use commonage::{Error, FileFault, file};

use super::{Place, create, fault, open, open_mut, text, try_open, try_open_mut};

/// Files have no name before they are in view.
pub(super) const NAMELESS: bool = cfg!(target_os = "linux");

#[test]
fn the_mode_is_what_was_asked_for_whatever_the_umask() {
    let place = Place::new();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for asked in [0o600, 0o640, 0o666, 0o400] {
        let path = place.path();
        file::options::<[u64]>().mode(asked).write(&path, &[1]).unwrap();
        assert_eq!(mode(&path), asked);
        // Readers need no right to write, and root has it anyway.
        assert_eq!(*open(&path), [1]);
        file::options::<[u64]>().mode(asked).draft(&path, &(2, 1)).unwrap().publish().unwrap();
        assert_eq!((mode(&path), open(&path)[0]), (asked, 2));
    }
    let path = place.file("usual");
    file::write(&path, &[1u64][..]).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn who_reads_the_old_file_keeps_it_when_another_takes_its_place() {
    let place = Place::new();
    let path = place.path();
    let inode = || fs::metadata(&path).unwrap().ino();
    file::write(&path, &[1u64; 1000][..]).unwrap();
    let first = inode();
    drop(open_mut(&path));
    assert_eq!(inode(), first, "what is changed is the same file");
    let old = open(&path);
    file::write(&path, &[2u64; 10][..]).unwrap();
    assert_ne!(inode(), first);
    let new = open(&path);
    assert_eq!((*old).to_vec(), [1; 1000]);
    assert_eq!(*new, [2; 10]);
    // One that is being written is replaced too: its writer writes what nobody will see.
    drop((old, new));
    let mut written = open_mut(&path);
    file::write(&path, &[3u64; 5][..]).unwrap();
    written.fill(9);
    written.flush().unwrap();
    drop(written);
    assert_eq!(*open(&path), [3; 5]);
    let removed = create(&path, &[4]);
    fs::remove_file(&path).unwrap();
    assert_eq!(*removed, [4]);
}

#[test]
fn a_link_leads_to_its_file_when_it_is_opened_and_is_replaced_when_it_is_written() {
    let place = Place::new();
    let (path, link) = (place.path(), place.file("link"));
    file::write(&path, &[1u64; 10][..]).unwrap();
    symlink(&path, &link).unwrap();
    assert_eq!(*file::read::<[u64]>(&link).unwrap(), [1; 10]);
    let by_link = try_open(&link).unwrap();
    assert!(try_open_mut(&path).is_err(), "it is the same file");
    drop(by_link);
    file::write(&link, &[2u64; 10][..]).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_file());
    assert_eq!(*open(&path), [1; 10]);
    assert_eq!(*open(&link), [2; 10]);
    let dangling = place.file("dangling");
    symlink(place.file("nowhere"), &dangling).unwrap();
    assert!(matches!(fault(&dangling, try_open(&dangling)), FileFault::Absent));
}

#[test]
fn what_is_no_file_is_said_and_not_waited_for() {
    let place = Place::new();
    let path = place.path();
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    for result in [try_open(&path), file::read::<[u64]>(&path)] {
        assert!(text(&path, result).starts_with("it is no file, but a pipe"));
    }
    assert!(text(&path, try_open_mut(&path)).contains("pipe"));
    let device = Path::new("/dev/null");
    assert!(text(device, try_open(device)).contains("device"));
}

#[test]
fn a_directory_that_may_not_be_written_is_denied() {
    // Root may write anywhere.
    // SAFETY: it has no conditions.
    if unsafe { libc::geteuid() } == 0 {
        let path = Path::new("/proc/value");
        let error = file::write(path, &[1u64][..]).unwrap_err();
        assert!(matches!(error, Error::File { .. }), "{error:?}");
        return;
    }
    let place = Place::new();
    let path = place.path();
    file::write(&path, &[1u64][..]).unwrap();
    fs::set_permissions(&place.0.0, fs::Permissions::from_mode(0o500)).unwrap();
    let fault = fault(&path, file::write(&path, &[2u64][..]));
    fs::set_permissions(&place.0.0, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(matches!(fault, FileFault::Denied(_)), "{fault:?}");
    assert_eq!(*open(&path), [1]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(*open(&path), [1], "readers need no right to write");
    assert!(matches!(super::fault(&path, try_open_mut(&path)), FileFault::Denied(_)));
}

#[test]
fn who_reads_while_many_threads_replace_a_file_has_always_a_whole_value() {
    const ROUNDS: u64 = 60;
    let place = Place::new();
    let path = place.path();
    file::write(&path, &[0u64; 2000][..]).unwrap();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let (path, ended) = (&path, &ended);
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                scope.spawn(move || {
                    let options = file::options::<[u64]>().durable(false);
                    for round in 0..ROUNDS {
                        let value = vec![3 * round + writer; 2000 + writer as usize];
                        while let Err(error) = options.write(path, &value) {
                            let is_locked = matches!(error, Error::File { fault: FileFault::Locked { .. }, .. });
                            assert!(is_locked && !NAMELESS, "{error:?}");
                        }
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            scope.spawn(move || {
                while !ended.load(Relaxed) {
                    let copy = file::read::<[u64]>(path).unwrap();
                    let seen = open(path);
                    for value in [&copy, &seen] {
                        assert_eq!(value.len() as u64 - 2000, value[0] % 3 * u64::from(value[0] > 0));
                        assert!(value.iter().all(|number| *number == value[0]));
                    }
                }
            });
        }
        for writer in writers {
            writer.join().unwrap();
        }
        ended.store(true, Relaxed);
    });
    assert!(open(&path)[0] >= 3 * (ROUNDS - 1));
    assert_eq!(place.names(), ["value"]);
}

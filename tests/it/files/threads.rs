//! Many threads of one process, at one file.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use commonage::{Error, FileFault, file};

use super::{Place, create, open, try_open, try_open_mut};

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
                        super::platform::when_replaceable(|| options.write(path, &value));
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

#[test]
fn of_many_threads_that_want_to_write_one_does_at_a_time() {
    let place = Place::new();
    let path = place.path();
    drop(create(&path, &[0; 3]));
    let refused = || match try_open(&path) {
        Err(Error::File { fault: FileFault::Locked { .. }, .. }) | Ok(_) => {}
        Err(error) => panic!("{error:?}"),
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut done = 0;
                while done < 50 {
                    match try_open_mut(&path) {
                        Ok(mut written) => {
                            let next = written[0] + 1;
                            written.iter_mut().for_each(|number| *number = next);
                            done += 1;
                        }
                        Err(Error::File { fault: FileFault::Locked { .. }, .. }) => refused(),
                        Err(error) => panic!("{error:?}"),
                    }
                }
            });
        }
    });
    assert_eq!(*open(&path), [200; 3]);
}

#[test]
fn a_handle_is_used_and_dropped_in_other_threads() {
    let place = Place::new();
    let path = place.path();
    let parts = create(&path, &[1; 4000]).split_into(4);
    thread::scope(|scope| {
        for (number, mut part) in (0..).zip(parts) {
            scope.spawn(move || {
                part.fill(number);
                part.flush().unwrap();
            });
        }
    });
    let seen = open(&path);
    assert_eq!((seen[0], seen[1000], seen[3999]), (0, 1, 3));
    thread::scope(|scope| {
        for at in 0..4 {
            let part = seen.slice(1000 * at..1000 * (at + 1));
            scope.spawn(move || assert!(part.iter().all(|number| *number == at as u64)));
        }
    });
    drop(seen);
    drop(try_open_mut(&path).unwrap());
}

//! Many threads of one process, at one file.

use std::thread;

use commonage::{Error, FileFault};

use super::{Place, create, open, try_open, try_open_mut};

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

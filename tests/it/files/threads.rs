//! Many threads of one process, at one file.

use std::{thread, time::Duration};

use commonage::file;

use super::{Place, create, open, try_open_mut};

#[test]
fn of_many_threads_that_want_to_write_one_does_at_a_time() {
    let place = Place::new();
    let path = place.path();
    drop(create(&path, &[0; 3]));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let options = file::options::<[u64]>().lock_timeout(Duration::from_secs(60));
                for _ in 0..25 {
                    // SAFETY: nobody changes the file but through the crate.
                    let mut written = unsafe { options.open_mut(&path) }.unwrap();
                    let next = written[0] + 1;
                    written.iter_mut().for_each(|number| *number = next);
                }
            });
        }
    });
    assert_eq!(*open(&path), [100; 3]);
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

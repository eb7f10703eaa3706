//! A process that writes files, killed at any moment: what is found is absent, whole, or said to be unfinished.

use std::{
    env, fs, hint,
    io::{BufReader, Write, stdout},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use commonage::{Error, FileFault, file};

use super::{Place, open_mut, try_open};
use crate::support::{child, role, said};

const PATH: &str = "COMMONAGE_TEST_FILE";
/// Numbers of a value; more than a page of them, and a few pages.
const LENGTHS: [usize; 4] = [1, 500, 3000, 20_000];

/// The value of this number: what each element is follows from it.
fn value(number: u64) -> Vec<u64> {
    let len = LENGTHS[number as usize % LENGTHS.len()];
    (0..len as u64).map(|at| number << 20 | at).collect()
}

/// The number of a value; none if it is no whole one.
fn number_of(found: &[u64]) -> Option<u64> {
    let number = found.first()? >> 20;
    (found == value(number)).then_some(number)
}

/// Writes one value after the other, until it is killed.
fn write_for_ever(path: &Path, how: &str) {
    let durable = !how.contains("quick");
    let options = file::options::<[u64]>().durable(durable);
    let begin = file::options::<[u64]>().unfinished().read(path).ok();
    let mut number = begin.and_then(|value| Some(value.first()? >> 20)).unwrap_or(0);
    let tell = |what| {
        println!("\n{what}");
        stdout().flush().expect("the parent listens");
    };
    let mut first = number;
    tell("it begins");
    loop {
        if number > first {
            tell("it has written one");
            first = u64::MAX;
        }
        number += 1;
        let next = value(number);
        if how.contains("copy") {
            options.write(path, &next).expect("it can be written");
        } else if how.contains("draft") {
            let mut draft = options.draft_zeroed(path, next.len()).expect("it can be made");
            draft.as_view_mut().copy_from_slice(&next);
            draft.publish().expect("it can be published");
        } else {
            // SAFETY: nobody changes the file but through the crate.
            let created = || unsafe { options.create_from(path, &next) };
            let mut written = created().expect("it can be made");
            // In place, half by half, the others after it; each time the whole of it is flushed.
            for round in 1..=3 {
                let other = value(number + LENGTHS.len() as u64 * round);
                let half = other.len() / 2;
                written[..half].copy_from_slice(&other[..half]);
                written.flush_range(0..half * 8).expect("it can be flushed");
                written[half..].copy_from_slice(&other[half..]);
                written.flush().expect("it can be flushed");
            }
            number += LENGTHS.len() as u64 * 3;
        }
    }
}

/// What is at the path must be what a killed process may leave; what was there before must not come back.
fn looked_at(path: &Path, before: u64) -> u64 {
    let read = file::read::<[u64]>(path);
    let mapped = try_open(path);
    match (read, mapped) {
        (Ok(read), Ok(mapped)) => {
            assert_eq!(read, mapped);
            let number = number_of(&read).unwrap_or_else(|| panic!("half a value: {} of {}", read[0], read.len()));
            assert!(number >= before, "value {number} after value {before}");
            number
        }
        (
            Err(Error::File { fault: FileFault::Unfinished { .. }, .. }),
            Err(Error::File { fault: FileFault::Unfinished { .. }, .. }),
        ) => {
            // What is there is for a writer to repair.
            let mut repaired = open_mut(path);
            let number = repaired[0] >> 20;
            assert_eq!(repaired.len(), value(number).len());
            repaired.copy_from_slice(&value(number));
            drop(repaired);
            assert_eq!(number_of(&try_open(path).expect("it has been repaired")), Some(number));
            number
        }
        (Err(Error::File { fault: FileFault::Absent, .. }), Err(Error::File { fault: FileFault::Absent, .. })) => {
            assert_eq!(before, 0, "there was a value");
            0
        }
        (read, mapped) => panic!("{read:?}, {mapped:?}"),
    }
}

/// Numbers without a pattern.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(0xd129_0283_3bd3_f1f5).wrapping_add(0x1405_7b7e_f767_814f);
    *state >> 33
}

/// Kills so many processes that write.
fn kills(test: &str, kills: u32) {
    if role().is_some() {
        let how = env::var("COMMONAGE_TEST_HOW").expect("the parent sets it");
        return write_for_ever(&PathBuf::from(env::var_os(PATH).expect("the parent sets it")), &how);
    }
    let place = Place::new();
    let mut state = u64::from(std::process::id()) ^ 0x9e37_79b9_7f4a_7c15;
    let hows = ["copy", "copy, quick", "draft", "draft, quick", "in place", "in place, quick"];
    let mut number = [0; 6];
    for kill in 0..kills as usize {
        let (how, number) = (hows[kill % hows.len()], &mut number[kill % hows.len()]);
        let path = place.file(&format!("{}", kill % hows.len()));
        let command = child(test, "writer").env(PATH, path.to_str().expect("the tests' paths are text"));
        let mut running = command.env("COMMONAGE_TEST_HOW", how).spawn();
        let mut out = BufReader::new(running.child().stdout.take().expect("it is piped"));
        said(&mut out, "it begins");
        // Within the first value, or later.
        let later = (kill / hows.len()).is_multiple_of(2);
        if later {
            said(&mut out, "it has written one");
        }
        let moment = Duration::from_micros(random(&mut state) % if later { 20_000 } else { 1000 });
        let began = Instant::now();
        while began.elapsed() < moment {
            hint::spin_loop();
        }
        running.kill();
        *number = looked_at(&path, *number);
    }
    // Whoever makes it next finds nothing in the way, and leaves nothing.
    for name in 0..hows.len() {
        file::write(place.file(&name.to_string()), &value(1)[..]).unwrap();
    }
    let left = place.names();
    assert_eq!(left.len(), hows.len(), "{left:?}");
    assert!(number.iter().all(|number| *number > 0), "{number:?}");
    drop(fs::remove_file(place.file("0")));
}

#[test]
fn a_writer_that_is_killed_at_any_moment_leaves_no_half_value() {
    kills("files::kills::a_writer_that_is_killed_at_any_moment_leaves_no_half_value", 50);
}

#[test]
#[ignore = "takes half a minute"]
fn five_hundred_writers_that_are_killed_leave_no_half_value() {
    kills("files::kills::five_hundred_writers_that_are_killed_leave_no_half_value", 500);
}

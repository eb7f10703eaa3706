//! The examples of links, run as their users run them. They fail by themselves if what they show is not so.

use std::io::{BufRead, BufReader};

use crate::{
    named::Name,
    support::{example, said},
};

#[test]
fn the_count_is_right_although_one_of_those_who_count_is_killed_with_the_lock() {
    let output = example("counter").arg("--processes").arg("3").arg("--steps").arg("3000").run_to_success();
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.contains("9000  of 9000, steps taken back: 1"), "{output}");
    assert_eq!(output.matches("has found the lock of a dead one").count(), 1, "{output}");
}

#[test]
fn readers_of_telemetry_come_and_go_and_see_nothing_torn() {
    let output = String::from_utf8(example("telemetry").run_to_success().stdout).unwrap();
    assert!(output.contains("left of the name: nothing"), "{output}");
}

#[test]
fn a_reader_of_telemetry_waits_for_a_writer_and_outlives_one_that_is_killed() {
    let name = Name::new();
    let start = |command: &str| example("telemetry").arg(command).arg(&name.0).arg("--told");
    let new_within_a_second = || {
        let mut reader = start("read").arg("--seconds").arg("1").spawn();
        let new = new(&mut BufReader::new(reader.child().stdout.take().expect("it is piped")));
        reader.success();
        new
    };

    let mut reader = start("read").spawn();
    let mut from_reader = BufReader::new(reader.child().stdout.take().expect("it is piped"));
    let writer = start("write").spawn();
    assert!(new_within_a_second() > 0);
    // Ended as `kill -9` does.
    drop(writer);
    assert_eq!(new_within_a_second(), 1, "what the dead one wrote last is there");
    let writer = start("write").spawn();
    assert!((0..20).any(|_| new_within_a_second() > 1), "another goes on");
    // It ends with its input, and the reader with it.
    writer.success();
    assert!(new(&mut from_reader) > 1);
    reader.success();
}

/// How many samples a reader says at its end that it has seen, none of them torn.
fn new(from: &mut impl BufRead) -> u64 {
    assert_eq!(said(from, ""), "open");
    let tally = said(from, "");
    match tally.split(' ').collect::<Vec<_>>()[..] {
        [_reads, new, _missed, _longest, torn] => {
            assert_eq!(torn, "0", "{tally}");
            new.parse().unwrap()
        }
        _ => panic!("`{tally}` is no tally"),
    }
}

//! What Linux shows of it: one mapping of the file, and no copy.

use std::fs;

use super::*;

/// How many mappings of a file a process has.
fn mappings(pid: u32, path: &str) -> usize {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    maps.lines().filter(|line| line.ends_with(path)).count()
}

#[test]
fn the_receiver_has_the_file_mapped_once_and_nothing_when_it_has_dropped_it() {
    const TEST: &str = "files_sent::linux::the_receiver_has_the_file_mapped_once_and_nothing_when_it_has_dropped_it";
    play(TEST, || {
        let place = Place::new();
        let value = bytes_in(&place.path, 3_000_000, 7);
        let mut other = Puppet::new(TEST);
        assert_eq!(mappings(other.pid, &place.path), 0);
        for (number, range) in [0..3_000_000, 5..10_000, 2_000_000..3_000_000].into_iter().enumerate() {
            let token = value.slice(range).into_token().unwrap();
            assert_eq!(other.number(format!("claim {token}")), number as u64);
            assert_eq!(mappings(other.pid, &place.path), 1, "after claim {number}");
        }
        assert_eq!(crate::puppet::mapped(other.pid).len(), 0, "no memory of any pool");
        other.get("drop_all");
        assert_eq!(mappings(other.pid, &place.path), 0);

        // To write, likewise.
        drop(value);
        let token = open_mut(&place.path).into_token().unwrap();
        assert_eq!(mappings(std::process::id(), &place.path), 0);
        other.get(format!("claim_mut {token}"));
        assert_eq!(mappings(other.pid, &place.path), 1);
        other.leave();
    });
}

#[test]
fn what_the_sender_wrote_is_read_without_having_been_on_a_disk() {
    const TEST: &str = "files_sent::linux::what_the_sender_wrote_is_read_without_having_been_on_a_disk";
    play(TEST, || {
        let place = Place::new();
        let mut value = created(&place.path, 10_000, 0);
        value.fill(5);
        let mut other = Puppet::new(TEST);
        other.get(format!("claim_mut {}", value.into_token().unwrap()));
        assert_eq!(other.get("see 0"), "10000x5");
        other.get("fill 0 6");
        // Whoever reads the file meanwhile, by any program, sees what has been written: it is the same page.
        let bytes = fs::read(&place.path).unwrap();
        assert!(bytes.ends_with(&[6; 10_000]));
        other.leave();
    });
}

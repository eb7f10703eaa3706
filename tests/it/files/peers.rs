//! Processes that share files: one writes, or many read.

use std::process;

use commonage::{Error, FileAccess, FileFault, SharedSlice, SharedSliceMut, file};

use super::{
    Place, create, fault, open, open_mut,
    puppet::{Peer, obey},
    text, try_open, try_open_mut,
};
use crate::support::role;

/// `main`, with a file at the path; in another process, a peer.
fn with_peers(main: impl FnOnce(&Place)) {
    match role() {
        None => main(&Place::new()),
        Some(_) => obey(),
    }
}

#[test]
fn many_processes_map_one_file_and_none_writes_it_meanwhile() {
    const TEST: &str = "files::peers::many_processes_map_one_file_and_none_writes_it_meanwhile";
    with_peers(|place| {
        let path = place.path();
        file::write(&path, &[7u64; 1000][..]).unwrap();
        let mut peers: Vec<Peer> = (0..3).map(|_| Peer::new(TEST, &path)).collect();
        for peer in &mut peers {
            peer.get("open");
            assert_eq!(peer.get("see"), "[7, 7, 7]");
        }
        let here = open(&path);
        assert_eq!(here[999], 7);
        // Neither another process nor this one, as often as it is tried.
        let pid = peers[0].pid();
        for _ in 0..3 {
            let error = peers[0].error("open_mut");
            assert!(error.ends_with(&format!("process {pid} can't write it: others read or write it")), "{error}");
            let fault = fault(&path, try_open_mut(&path));
            assert!(matches!(fault, FileFault::Locked { wanted: FileAccess::Write, .. }), "{fault:?}");
        }
        drop(here);
        assert!(try_open_mut(&path).is_err());
        // The last of them makes room, however it goes.
        peers.pop().unwrap().kill();
        peers.pop().unwrap().leave();
        assert!(try_open_mut(&path).is_err());
        peers[0].get("drop");
        let mut written = open_mut(&path);
        written.fill(8);
        drop(written);
        peers[0].get("open");
        assert_eq!(peers[0].get("see"), "[8, 8, 8]");
    });
}

#[test]
fn while_one_writes_no_other_process_reads_or_writes_and_each_is_told_who_it_is() {
    const TEST: &str = "files::peers::while_one_writes_no_other_process_reads_or_writes_and_each_is_told_who_it_is";
    with_peers(|place| {
        let path = place.path();
        let mut written = create(&path, &[1; 1000]);
        let mut peer = Peer::new(TEST, &path);
        let (here, there) = (process::id(), peer.pid());
        for (command, wanted) in [("open", "read"), ("open_private", "read"), ("read", "read"), ("open_mut", "write")] {
            let error = peer.error(command);
            let expected = format!("process {there} can't {wanted} it: process {here} writes it");
            assert!(error.ends_with(&expected), "{command}: {error}, {expected} expected");
        }
        written.fill(2);
        let seen = written.freeze().unwrap();
        peer.get("open");
        assert_eq!(peer.get("see"), "[2, 2, 2]");
        assert!(peer.error("thaw").contains("opened for reading"), "a reader never becomes a writer");
        assert_eq!(peer.get("see"), "[2, 2, 2]", "and is as it was");
        // Not while another reads,
        let refused = seen.try_into_mut().unwrap_err();
        assert!(text(&path, Err::<(), _>(refused.reason)).contains(&format!("process {here} can't write it")));
        peer.get("drop");
        // and then without anything new being opened.
        let mut written = refused.handle.try_into_mut().unwrap();
        written.fill(3);
        assert!(peer.error("read").contains("can't read it"));
        drop(written);
        // And the other way round.
        peer.get("open_mut");
        let (read, write) = (text(&path, try_open(&path)), text(&path, try_open_mut(&path)));
        assert_eq!(read, format!("process {here} can't read it: process {there} writes it"));
        assert_eq!(write, format!("process {here} can't write it: process {there} writes it"));
        let fault = fault(&path, file::read::<[u64]>(&path));
        assert!(
            matches!(fault, FileFault::Locked { wanted: FileAccess::Read, process, by: Some(by) } if (process, by) == (here, there)),
            "{fault:?}"
        );
        peer.leave();
        assert_eq!(*open(&path), [3; 1000]);
    });
}

#[test]
fn who_is_told_to_wait_has_the_file_when_the_other_lets_go() {
    const TEST: &str = "files::peers::who_is_told_to_wait_has_the_file_when_the_other_lets_go";
    with_peers(|place| {
        let path = place.path();
        let mut written = create(&path, &[1; 1000]);
        let mut peer = Peer::new(TEST, &path);
        peer.tell("open wait");
        written.fill(2);
        drop(written);
        peer.hear("open wait").unwrap();
        assert_eq!(peer.get("see"), "[2, 2, 2]");
        let read = open(&path);
        peer.get("drop");
        peer.tell("open_mut wait");
        drop(read);
        peer.hear("open_mut wait").unwrap();
        peer.get("fill 3");
        peer.leave();
        assert_eq!(*open(&path), [3; 1000]);
    });
}

#[test]
fn what_a_killed_writer_leaves_is_unfinished_until_a_writer_has_repaired_it() {
    const TEST: &str = "files::peers::what_a_killed_writer_leaves_is_unfinished_until_a_writer_has_repaired_it";
    with_peers(|place| {
        let path = place.path();
        file::write(&path, &[1u64; 1000][..]).unwrap();
        for by in ["open_mut", "create 1"] {
            let mut peer = Peer::new(TEST, &path);
            let pid = peer.pid();
            peer.get(by);
            peer.get("fill 5");
            peer.kill();
            for result in [try_open(&path), file::read::<[u64]>(&path)] {
                assert_eq!(
                    text(&path, result),
                    format!("process {pid}, which was writing it, ended before it had finished")
                );
            }
            // Who takes it as it is finds what had been written, and it stays what it is.
            let seen = file::options::<[u64]>().unfinished().read(&path).unwrap();
            assert_eq!(*seen, [5; 1000]);
            let mut other = Peer::new(TEST, &path);
            assert!(other.error("open").contains("ended before it had finished"));
            other.get("open unfinished");
            assert_eq!(other.get("see"), "[5, 5, 5]");
            other.leave();
            let mut repaired = open_mut(&path);
            assert_eq!(*repaired, [5; 1000]);
            repaired.fill(6);
            drop(repaired);
            assert_eq!(*open(&path), [6; 1000]);
        }
    });
}

#[test]
fn what_a_writer_that_panics_leaves_is_unfinished_too() {
    const TEST: &str = "files::peers::what_a_writer_that_panics_leaves_is_unfinished_too";
    with_peers(|place| {
        let path = place.path();
        file::write(&path, &[1u64; 1000][..]).unwrap();
        let mut peer = Peer::new(TEST, &path);
        let pid = peer.pid();
        peer.get("open_mut");
        assert_eq!(peer.get("panic"), "it has panicked");
        assert!(text(&path, try_open(&path)).starts_with(&format!("process {pid}, which was writing it")));
        // The same process, by leaving it in peace.
        peer.get("open_mut");
        peer.get("drop");
        assert_eq!(*open(&path), [1; 1000]);
        peer.get("open");
        peer.get("panic");
        assert_eq!(*open(&path), [1; 1000], "a reader has nothing to finish");
    });
}

#[test]
fn a_killed_maker_leaves_the_old_file_and_the_next_leaves_no_litter() {
    const TEST: &str = "files::peers::a_killed_maker_leaves_the_old_file_and_the_next_leaves_no_litter";
    with_peers(|place| {
        let path = place.path();
        file::write(&path, &[1u64; 1000][..]).unwrap();
        for _ in 0..3 {
            let mut peer = Peer::new(TEST, &path);
            peer.get("draft 2");
            peer.get("fill 3");
            assert_eq!(*open(&path), [1; 1000]);
            peer.kill();
            assert_eq!(*open(&path), [1; 1000]);
        }
        file::write(&path, &[4u64; 10][..]).unwrap();
        assert_eq!(*open(&path), [4; 10]);
        assert_eq!(place.names(), ["value"]);
    });
}

#[test]
fn makers_of_one_file_do_not_disturb_each_other() {
    const TEST: &str = "files::peers::makers_of_one_file_do_not_disturb_each_other";
    with_peers(|place| {
        let path = place.path();
        let mut peers: Vec<Peer> = (0..3).map(|_| Peer::new(TEST, &path)).collect();
        let mut refused = Vec::new();
        file::write(&path, &[0u64; 1000][..]).unwrap();
        for round in 0..10_u64 {
            for (number, peer) in (0..).zip(&mut peers) {
                peer.tell(format!("write {}", 10 * round + number));
            }
            refused.extend(peers.iter_mut().filter_map(|peer| peer.hear("write").err()));
            let seen = open(&path);
            assert!(seen.len() == 1000 && seen.iter().all(|number| *number == seen[0]), "{}", seen[0]);
            assert!(seen[0] / 10 == round || !refused.is_empty(), "{} after round {round}", seen[0]);
        }
        drop(peers);
        assert_eq!(place.names(), ["value"]);
        // Where files have names from the beginning, one process at a time makes one.
        assert!(refused.is_empty() || !super::platform::NAMELESS, "{refused:?}");
        let is_said = |error: &String| error.contains("can't write it") || error.contains("access is denied");
        assert!(refused.iter().all(is_said), "{refused:?}");
    });
}

#[test]
fn what_is_flushed_is_seen_by_whoever_opens_it() {
    const TEST: &str = "files::peers::what_is_flushed_is_seen_by_whoever_opens_it";
    with_peers(|place| {
        let path = place.path();
        let mut written = create(&path, &[0; 1000]);
        written[1] = 1;
        written.flush().unwrap();
        written[2] = 2;
        written.flush_range(16..24).unwrap();
        written[0] = 3;
        written.flush_async().unwrap();
        drop(written);
        let mut peer = Peer::new(TEST, &path);
        peer.get("open");
        assert_eq!(peer.get("see"), "[3, 1, 2]");
        peer.leave();
    });
}

#[test]
fn a_private_copy_is_changed_for_its_process_alone() {
    const TEST: &str = "files::peers::a_private_copy_is_changed_for_its_process_alone";
    with_peers(|place| {
        let path = place.path();
        file::write(&path, &[1u64; 1000][..]).unwrap();
        let mut peer = Peer::new(TEST, &path);
        peer.get("open_private");
        peer.get("fill 9");
        peer.get("flush");
        assert_eq!(peer.get("see"), "[9, 9, 9]");
        assert_eq!(*open(&path), [1; 1000], "it is read beside");
        assert!(try_open_mut(&path).is_err(), "and not written");
        assert!(peer.error("token").contains("can't be sent"));
        peer.leave();
        assert_eq!(*open(&path), [1; 1000]);
    });
}

#[test]
fn a_handle_on_a_file_is_sent_and_the_receiver_maps_the_file_also_when_its_sender_is_gone() {
    const TEST: &str =
        "files::peers::a_handle_on_a_file_is_sent_and_the_receiver_maps_the_file_also_when_its_sender_is_gone";
    with_peers(|place| {
        let path = place.path();
        let mut peer = Peer::new(TEST, &path);
        peer.get("write 5");
        peer.get("open");
        let token = peer.get("token");
        peer.kill();
        let value = SharedSlice::<u64>::from_token(&token).unwrap();
        assert_eq!((value.len(), value[999]), (1000, 5));
        assert_eq!(value.path(), Some(&*path));
        drop(value);
        // A `SharedMut` goes to one, and nobody has it in between.
        let mut peer = Peer::new(TEST, &path);
        peer.get("open_mut");
        peer.get("fill 6");
        let token = peer.get("token");
        let mut value = SharedSliceMut::<u64>::from_token(&token).unwrap();
        value[0] = 7;
        drop(value);
        assert!(peer.error(format!("claim_mut {token}")).contains("claimed before"));
        peer.get("open");
        assert_eq!(peer.get("see"), "[7, 6, 6]");
        let token = peer.get("token");
        peer.get("write 8");
        let fault = fault(&path, SharedSlice::<u64>::from_token(&token));
        assert!(matches!(fault, FileFault::Changed { .. }), "{fault:?}");
    });
}

#[test]
fn who_opens_a_file_twice_has_it_as_readers_or_as_one_writer() {
    let place = Place::new();
    let path = place.path();
    file::write(&path, &[1u64; 10][..]).unwrap();
    let (first, second) = (open(&path), open(&path));
    assert_eq!((first[9], second[9]), (1, 1));
    assert!(matches!(fault(&path, try_open_mut(&path)), FileFault::Locked { .. }));
    drop(first);
    assert!(matches!(fault(&path, try_open_mut(&path)), FileFault::Locked { .. }));
    drop(second);
    let written = open_mut(&path);
    assert!(matches!(fault(&path, try_open_mut(&path)), FileFault::Locked { .. }));
    assert!(matches!(fault(&path, try_open(&path)), FileFault::Locked { .. }));
    assert!(matches!(fault(&path, file::read::<[u64]>(&path)), FileFault::Locked { .. }));
    let seen = written.freeze().unwrap();
    let also = open(&path);
    assert!(matches!(
        seen.try_into_mut().unwrap_err().reason,
        Error::File { fault: FileFault::Locked { .. }, .. } | Error::NotAlone(_)
    ));
    drop(also);
    open_mut(&path);
}

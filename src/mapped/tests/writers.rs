//! One writes, or many read; and what is left of who wrote.

use std::time::Duration;

use super::*;

#[test]
fn one_process_writes_or_many_read() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"some bytes");
    let mut reader = Peer::start("read", &path);
    assert_eq!(reader.hear(), "has it");
    let here = opened(&path, Access::Read).unwrap();
    let fault = fault(opened(&path, Access::Write));
    assert!(matches!(fault, FileFault::Locked { wanted: FileAccess::Write, by: None, .. }), "{fault}");
    reader.end();
    let mut writer = Peer::start("write", &path);
    assert!(writer.hear().contains(&format!("process {} can't write it: others read or write it", writer.pid)));
    writer.end();
    drop(here);
    let mut writer = Peer::start("write", &path);
    assert_eq!(writer.hear(), "has it");
    let fault = super::fault(opened(&path, Access::Read));
    let pid = writer.pid;
    assert!(
        matches!(fault, FileFault::Locked { wanted: FileAccess::Read, process, by } if process == sys::process_id() && by == Some(pid)),
        "{fault}"
    );
    writer.say("done");
    assert_eq!(writer.hear(), "done");
    assert_eq!(read(&opened(&path, Access::Read).unwrap()), b"some bytes");
    writer.end();
}

#[test]
fn what_a_killed_writer_leaves_is_unfinished() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"some bytes");
    let mut writer = Peer::start("write", &path);
    assert_eq!(writer.hear(), "has it");
    let pid = writer.pid;
    writer.kill();
    let how = How { lock_timeout: Duration::from_secs(10), ..How::new(Access::Read) };
    assert!(matches!(fault(open(&path, &how)), FileFault::Unfinished { process } if process == pid));
    assert!(matches!(fault(Reading::open(&path, &how)), FileFault::Unfinished { process } if process == pid));
    let how = How { unfinished: true, ..how };
    assert_eq!(read(&open(&path, &how).unwrap().begin()), b"some bytes");
    assert_eq!(Reading::open(&path, &how).unwrap().len(), 10);
    // The next writer finishes it.
    drop(opened(&path, Access::Write).unwrap());
    opened(&path, Access::Read).unwrap();
}

#[test]
fn a_writer_that_panics_leaves_it_unfinished_and_one_that_was_never_told_to_begin_as_it_was() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"some bytes");
    drop(open(&path, &How::new(Access::Write)).unwrap());
    let before = fs::read(&path).unwrap();
    opened(&path, Access::Read).unwrap();
    let there = path.clone();
    let panicked = thread::spawn(move || {
        let _part = opened(&there, Access::Write).unwrap();
        std::panic::resume_unwind(Box::new("in the middle"));
    });
    assert!(panicked.join().is_err());
    assert!(matches!(fault(opened(&path, Access::Read)), FileFault::Unfinished { .. }));
    let after = fs::read(&path).unwrap();
    let generation = |bytes: &[u8]| u64::from_le_bytes(bytes[80..88].try_into().unwrap());
    assert!(generation(&before) == 1 && generation(&after) > 1, "the generation");
}

#[test]
fn a_frozen_value_is_read_by_others_and_a_thawed_one_is_not() {
    let directory = Directory::new();
    let path = directory.at("value");
    let mut part = made(&path, b"some bytes", Then::Write).unwrap();
    change(&mut part, 0, b'S');
    let clone = part.clone();
    assert!(matches!(part.freeze(), Err(Error::NotAlone(counts)) if counts.handles == 2));
    drop(clone);
    part.freeze().unwrap();
    let mut reader = Peer::start("read", &path);
    assert_eq!(reader.hear(), "has it");
    let refused = fault(part.thaw());
    assert!(matches!(refused, FileFault::Locked { wanted: FileAccess::Write, .. }), "{refused}");
    // It is still locked as it was: nobody can write it.
    assert!(matches!(fault(opened(&path, Access::Write)), FileFault::Locked { .. }));
    reader.end();
    part.thaw().unwrap();
    assert!(matches!(fault(opened(&path, Access::Read)), FileFault::Locked { .. }));
    change(&mut part, 1, b'O');
    drop(part);
    let part = opened(&path, Access::Read).unwrap();
    assert_eq!(read(&part), b"SOme bytes");
    assert!(matches!(fault(part.thaw()), FileFault::ReadOnly));
}

#[test]
fn a_lock_is_waited_for_as_long_as_is_said() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"some bytes");
    let writer = opened(&path, Access::Write).unwrap();
    thread::scope(|threads| {
        let how = How { lock_timeout: Duration::from_secs(20), ..How::new(Access::Read) };
        let reader = threads.spawn({
            let path = &path;
            move || read(&open(path, &how).unwrap().begin())
        });
        drop(writer);
        assert_eq!(reader.join().unwrap(), b"some bytes");
    });
}

#[cfg(unix)]
#[test]
fn who_waits_for_a_file_gets_what_has_its_name_in_the_end() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"old");
    let writer = opened(&path, Access::Write).unwrap();
    thread::scope(|threads| {
        let (waits, waiting) = std::sync::mpsc::channel();
        let reader = threads.spawn({
            let path = path.clone();
            move || {
                let tells = |_: &Held| {
                    waits.send(()).unwrap();
                    None
                };
                let held = Held::open_unless(path, FileAccess::Read, Duration::from_secs(20), tells).unwrap();
                read(&Opened::of(held, &How::new(Access::Read), None).unwrap().begin())
            }
        });
        waiting.recv_timeout(Duration::from_secs(30)).expect("it can't be locked at once");
        write(&path, b"new");
        drop(writer);
        assert_eq!(reader.join().unwrap(), b"new");
    });
}

#[test]
fn before_what_is_flushed_the_disk_has_once_that_it_is_being_written() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"some bytes");
    let part = opened(&path, Access::Write).unwrap();
    let FileKind::Headed { generation, on_disk, .. } = &part.hold.kind else { panic!("it has a header") };
    assert_ne!(on_disk.load(Ordering::Relaxed), generation.load(Ordering::Relaxed));
    part.flush(0..4).unwrap();
    assert_eq!(on_disk.load(Ordering::Relaxed), generation.load(Ordering::Relaxed));
    // Another writer's turn: that is to be said anew.
    part.freeze().unwrap();
    part.thaw().unwrap();
    assert_ne!(on_disk.load(Ordering::Relaxed), generation.load(Ordering::Relaxed));
    part.flush_async(0..4).unwrap();
    assert_eq!(on_disk.load(Ordering::Relaxed), generation.load(Ordering::Relaxed));
    // What says by now that it is finished does not go first.
    part.freeze().unwrap();
    part.thaw().unwrap();
    part.freeze().unwrap();
    part.flush_finished().unwrap();
    assert_ne!(on_disk.load(Ordering::Relaxed), generation.load(Ordering::Relaxed));
}

/// That the disk has it no test can see; that the system has taken it, this can.
#[test]
fn what_is_finished_is_flushed_by_who_has_written_it_and_is_nothing_to_others() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"some bytes");
    opened(&path, Access::Read).unwrap().flush_finished().unwrap();
    let mut part = opened(&path, Access::Write).unwrap();
    change(&mut part, 0, b'S');
    part.flush_finished().unwrap(); // not yet: it is being written
    let state = || fs::read(&path).unwrap()[88];
    assert_eq!(state(), 1);
    part.freeze().unwrap();
    part.clone().narrow(2, 3).flush_finished().unwrap();
    assert_eq!(state(), 0);
    anonymous(10, FINGERPRINT, &How::new(Access::Private)).unwrap().flush_finished().unwrap();
    assert_eq!(read(&opened(&path, Access::Read).unwrap()), b"Some bytes");
}

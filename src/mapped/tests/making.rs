//! What is made is whole when it is seen, or is not seen.

use super::*;

#[test]
fn a_draft_is_seen_by_nobody_and_leaves_nothing() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"old");
    let mut draft = Draft::new(&path, 3, &making()).unwrap();
    assert_eq!((draft.bytes(), draft.path()), (&[0; 3][..], path.as_path()));
    draft.bytes_mut().copy_from_slice(b"new");
    assert_eq!(read(&opened(&path, Access::Read).unwrap()), b"old");
    drop(draft);
    assert_eq!(read(&opened(&path, Access::Read).unwrap()), b"old");
    assert_eq!(directory.names(), ["value"]);
}

#[test]
fn what_is_published_takes_the_place_of_what_was_there() {
    let directory = Directory::new();
    let path = directory.at("value");
    for durable in [false, true] {
        write(&path, b"old");
        let mut draft = Draft::new(&path, 3, &making()).unwrap();
        draft.write_at(1, b"ew").unwrap();
        draft.bytes_mut()[0] = b'n';
        let made = draft.publish(description(), durable, Then::Close).map_err(|(_, error)| error).unwrap();
        assert!(made.is_none());
        assert_eq!(read(&opened(&path, Access::Read).unwrap()), b"new");
        assert_eq!(directory.names(), ["value"]);
    }
}

#[test]
fn what_must_be_new_takes_nobody_s_place() {
    let directory = Directory::new();
    let path = directory.at("value");
    let making = Making { must_be_new: true, ..making() };
    let first = Draft::new(&path, 1, &making).unwrap();
    write(&directory.at("other"), b"of another");
    fs::rename(directory.at("other"), &path).unwrap();
    let (draft, error) = first.publish(description(), false, Then::Close).map(drop).unwrap_err();
    assert!(matches!(error, Error::File { fault: FileFault::Exists, .. }), "{error}");
    assert!(matches!(fault(Draft::new(&path, 1, &making)), FileFault::Exists));
    assert_eq!(read(&opened(&path, Access::Read).unwrap()), b"of another");
    fs::remove_file(&path).unwrap();
    // It is still a draft.
    let part = draft.unwrap().publish(description(), false, Then::Read).map_err(|(_, error)| error).unwrap();
    assert_eq!(read(&part.unwrap()), [0]);
    assert_eq!(directory.names(), ["value"]);
}

#[test]
fn what_is_published_to_be_read_or_written_is_locked_so() {
    let directory = Directory::new();
    let path = directory.at("value");
    let part = made(&path, b"one", Then::Read).unwrap();
    assert_eq!(read(&opened(&path, Access::Read).unwrap()), b"one");
    assert!(matches!(fault(opened(&path, Access::Write)), FileFault::Locked { wanted: FileAccess::Write, .. }));
    drop(part);
    fs::remove_file(&path).unwrap();
    let mut part = made(&path, b"two", Then::Write).unwrap();
    let fault = fault(opened(&path, Access::Read));
    let own = sys::process_id();
    assert!(
        matches!(fault, FileFault::Locked { wanted: FileAccess::Read, process, by } if process == own && by == Some(own)),
        "{fault}"
    );
    change(&mut part, 0, b'T');
    drop(part);
    assert_eq!(read(&opened(&path, Access::Read).unwrap()), b"Two");
}

#[test]
fn a_foreign_file_is_what_was_put_before_the_value_and_the_value() {
    let directory = Directory::new();
    let path = directory.at("value");
    let making = Making { layout: NewLayout::Foreign { prefix: b"head".to_vec() }, ..making() };
    let mut draft = Draft::new(&path, 3, &making).unwrap();
    draft.bytes_mut().copy_from_slice(b"abc");
    let made = draft.publish(description(), true, Then::Write).map_err(|(_, error)| error).unwrap();
    let mut part = made.unwrap();
    assert_eq!((part.hold.offset, part.fingerprint()), (4, FINGERPRINT));
    change(&mut part, 2, b'd');
    drop(part);
    assert_eq!(fs::read(&path).unwrap(), b"headabd");
}

#[test]
fn what_can_t_be_made_is_refused_before_anything_is_taken() {
    let directory = Directory::new();
    assert!(matches!(fault(Draft::new(&directory.at("no/such"), 1, &making())), FileFault::NoDirectory));
    let path = directory.at("value");
    assert!(
        matches!(Draft::new(&path, 1 << 60, &making()), Err(Error::NoSpace { requested, .. }) if requested > 1 << 60)
    );
    assert!(matches!(Draft::new(&path, usize::MAX, &making()), Err(Error::TooLarge { .. })));
    for alignment in [0, 3, 8192] {
        let making = Making { layout: NewLayout::Headed { alignment }, ..making() };
        assert!(matches!(Draft::new(&path, 1, &making), Err(Error::Alignment { .. })));
    }
    fs::create_dir(&path).unwrap();
    let draft = Draft::new(&path, 1, &making()).unwrap();
    let (draft, error) = draft.publish(description(), false, Then::Close).map(drop).unwrap_err();
    assert!(matches!(error, Error::File { fault: FileFault::NotAFile("a directory"), .. }), "{error}");
    drop(draft);
    assert_eq!(directory.names(), ["value"]);
}

#[test]
fn a_killed_maker_leaves_nothing_that_the_next_does_not_remove() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"old");
    let mut maker = Peer::start("draft", &path);
    assert_eq!(maker.hear(), "has it");
    maker.kill();
    assert_eq!(read(&opened(&path, Access::Read).unwrap()), b"old");
    // What is there between two steps of taking another's place.
    fs::write(directory.at(".value.commonage-draft"), "half").unwrap();
    write(&path, b"new");
    assert_eq!(read(&opened(&path, Access::Read).unwrap()), b"new");
    assert_eq!(directory.names(), ["value"]);
}

#[test]
fn makers_of_one_file_take_turns() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, &[0; 100]);
    thread::scope(|threads| {
        for maker in 1..5 {
            let path = &path;
            threads.spawn(move || (0..50).for_each(|_| attempts(path, maker)));
        }
        for _ in 0..200 {
            if let Ok(part) = opened(&path, Access::Read) {
                let bytes = read(&part);
                assert!(bytes.len() == 100 && bytes.iter().all(|byte| *byte == bytes[0]));
            }
        }
    });
    assert_eq!(directory.names(), ["value"]);
}

/// Makes the file, when nobody has a claim on its name that the platform does not let go.
fn attempts(path: &Path, maker: u8) {
    loop {
        let done = Draft::new(path, 100, &making()).and_then(|mut draft| {
            draft.bytes_mut().fill(maker);
            draft.publish(description(), false, Then::Close).map_err(|(_, error)| error)
        });
        match done {
            Ok(_) => return,
            Err(Error::File { fault: FileFault::Exists | FileFault::Locked { .. } | FileFault::Denied(_), .. }) => {
                thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
    }
}

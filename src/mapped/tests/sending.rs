//! Values that tokens lead to.

use super::*;

fn claimed(origin: &Origin, kind: Kind) -> Result<Part, Error> {
    Found::find(origin.clone(), kind)?.claim(0, origin.len as usize, 1, |_| Ok(()))
}

#[test]
fn what_this_process_reads_is_found_again_and_not_mapped_twice() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"some bytes");
    let part = opened(&path, Access::Read).unwrap();
    let (origin, secret) = part.origin(Kind::Shared).unwrap();
    let found = Found::find(origin.clone(), Kind::Shared).unwrap();
    assert_eq!(found.secret(), &secret);
    let again = found.claim(5, 5, 1, |part| {
        assert_eq!(read(part), b"bytes");
        Ok(())
    });
    let again = again.unwrap();
    assert!(again.same_block(&part));
    drop((part, again));
    // It is not there any more: it is opened once more.
    let part = claimed(&origin, Kind::Shared).unwrap();
    assert_eq!(read(&part), b"some bytes");
    assert!(claimed(&origin, Kind::Shared).unwrap().same_range(&part));
}

#[test]
fn what_is_claimed_lies_within_and_is_checked() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"some bytes");
    let (origin, _) = opened(&path, Access::Read).unwrap().origin(Kind::Shared).unwrap();
    let claim = |start, len, alignment| {
        Found::find(origin.clone(), Kind::Shared).unwrap().claim(start, len, alignment, |_| Ok(()))
    };
    assert!(matches!(claim(5, 6, 1), Err(Error::Range { start: 5, end: 11, length: 10 })));
    assert!(matches!(claim(usize::MAX, 2, 1), Err(Error::Range { .. })));
    assert!(matches!(fault(claim(4, 4, 8)), FileFault::Misaligned { alignment: 8, .. }));
    assert!(matches!(claim(0, 1, 8192), Err(Error::Alignment { .. })));
    let refused = Found::find(origin.clone(), Kind::Shared).unwrap().claim(0, 10, 1, |_| Err(Error::NoParts));
    assert!(matches!(refused, Err(Error::NoParts)));
}

#[test]
fn a_token_for_a_writer_is_good_once() {
    let directory = Directory::new();
    let path = directory.at("value");
    let mut part = made(&path, b"some bytes", Then::Write).unwrap();
    change(&mut part, 0, b'S');
    let (origin, secret) = part.origin(Kind::SharedMut).unwrap();
    part.hand_over();
    // It is not finished before it has been claimed, and given up.
    assert!(matches!(fault(opened(&path, Access::Read)), FileFault::Unfinished { .. }));
    let found = Found::find(origin.clone(), Kind::SharedMut).unwrap();
    assert_eq!(found.secret(), &secret);
    let refused = found.claim(0, 10, 1, |_| Err(Error::NoParts));
    assert!(matches!(refused, Err(Error::NoParts)));
    let part = claimed(&origin, Kind::SharedMut).unwrap();
    assert_eq!(read(&part), b"Some bytes");
    drop(part);
    assert!(matches!(fault(claimed(&origin, Kind::SharedMut)), FileFault::AlreadyClaimed));
    assert_eq!(read(&opened(&path, Access::Read).unwrap()), b"Some bytes");
}

#[test]
fn a_token_that_was_revoked_is_good_for_nothing() {
    let directory = Directory::new();
    let path = directory.at("value");
    let part = made(&path, b"some bytes", Then::Write).unwrap();
    let (origin, _) = part.origin(Kind::SharedMut).unwrap();
    part.revoke();
    drop(part);
    assert!(matches!(fault(claimed(&origin, Kind::SharedMut)), FileFault::AlreadyClaimed));
    opened(&path, Access::Read).unwrap();
}

#[test]
fn a_writer_that_still_has_it_is_waited_for_and_then_named() {
    let directory = Directory::new();
    let path = directory.at("value");
    let part = made(&path, b"some bytes", Then::Write).unwrap();
    let (origin, _) = part.origin(Kind::SharedMut).unwrap();
    assert!(matches!(fault(claimed(&origin, Kind::SharedMut)), FileFault::StillHeld { .. }));
    thread::scope(|threads| {
        let claim = threads.spawn(|| claimed(&origin, Kind::SharedMut).map(|part| read(&part)));
        part.hand_over();
        assert_eq!(claim.join().unwrap().unwrap(), b"some bytes");
    });
}

#[test]
fn what_was_written_since_is_not_what_was_sent() {
    let directory = Directory::new();
    let path = directory.at("value");
    let part = made(&path, b"some bytes", Then::Read).unwrap();
    let (origin, _) = part.origin(Kind::Shared).unwrap();
    drop(part);
    drop(opened(&path, Access::Write).unwrap());
    let fault = fault(claimed(&origin, Kind::Shared));
    assert!(matches!(fault, FileFault::Changed { expected: 1, found: 2.., .. }), "{fault}");
    write(&path, b"some other");
    let fault = super::fault(claimed(&origin, Kind::Shared));
    assert!(matches!(fault, FileFault::Changed { what: "its id", .. }), "{fault}");
    fs::remove_file(&path).unwrap();
    assert!(matches!(super::fault(claimed(&origin, Kind::Shared)), FileFault::Absent));
}

#[test]
fn parts_and_copies_and_foreign_files_are_not_sent_to_be_written() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"some bytes");
    let not_sent = |part: Part, kind| assert!(matches!(fault(part.origin(kind)), FileFault::NotSent { .. }));
    not_sent(opened(&path, Access::Write).unwrap().narrow(0, 5), Kind::SharedMut);
    not_sent(opened(&path, Access::Private).unwrap(), Kind::SharedMut);
    let how = How { layout: foreign(0, None), ..How::new(Access::Write) };
    not_sent(open(&path, &how).unwrap().begin(), Kind::SharedMut);
    opened(&path, Access::Write).unwrap().narrow(0, 5).origin(Kind::Shared).unwrap();
}

#[test]
fn a_foreign_file_is_sent_as_it_is() {
    let directory = Directory::new();
    let path = directory.at("foreign");
    fs::write(&path, b"some bytes").unwrap();
    let how = How { layout: foreign(5, None), ..How::new(Access::Read) };
    let (origin, _) = open(&path, &how).unwrap().begin().origin(Kind::Shared).unwrap();
    assert_eq!((origin.offset, origin.len, origin.fingerprint), (5, 5, 7));
    assert_eq!(read(&claimed(&origin, Kind::Shared).unwrap()), b"bytes");
    fs::write(&path, b"some more bytes").unwrap();
    assert!(matches!(fault(claimed(&origin, Kind::Shared)), FileFault::Changed { what: "its size", .. }));
}

#[test]
fn what_was_written_to_a_foreign_file_and_frozen_is_sent() {
    let directory = Directory::new();
    let path = directory.at("foreign");
    fs::write(&path, b"some bytes").unwrap();
    let how = How { layout: foreign(0, None), ..How::new(Access::Write) };
    let mut part = open(&path, &how).unwrap().begin();
    change(&mut part, 0, b'S');
    part.freeze().unwrap();
    let (origin, _) = part.origin(Kind::Shared).unwrap();
    assert!(claimed(&origin, Kind::Shared).unwrap().same_range(&part));
    drop(part);
    assert_eq!(read(&claimed(&origin, Kind::Shared).unwrap()), b"Some bytes");
}

/// The key of the value from an offset on, as its receiver makes it.
fn key(path: &Path, offset: u64) -> [u8; 16] {
    let how = How { layout: foreign(offset, None), ..How::new(Access::Read) };
    let (origin, secret) = open(path, &how).unwrap().begin().origin(Kind::Shared).unwrap();
    assert_eq!(Found::find(origin.clone(), Kind::Shared).unwrap().secret(), &secret);
    secret
}

#[test]
fn the_key_of_a_foreign_file_is_made_of_its_size_and_of_how_the_value_begins() {
    let directory = Directory::new();
    let path = directory.at("foreign");
    let with = |len: usize, at: usize, byte: u8| {
        let mut bytes = vec![7; len];
        bytes[at] = byte;
        fs::write(&path, bytes).unwrap();
        key(&path, 64)
    };
    let right = with(5000, 100, 7);
    for other in [with(5001, 100, 7), with(5000, 64, 8), with(5000, 64 + 4095, 8)] {
        assert_ne!(other, right);
    }
    for same in [with(5000, 63, 8), with(5000, 64 + 4096, 8)] {
        assert_eq!(same, right);
    }
    with(64, 0, 7);
}

#[test]
fn the_key_of_a_foreign_file_follows_what_is_written_to_it() {
    let directory = Directory::new();
    let path = directory.at("foreign");
    fs::write(&path, b"head some bytes").unwrap();
    let how = How { layout: foreign(0, None), ..How::new(Access::Write) };
    let mut opened = open(&path, &how).unwrap();
    opened.narrow(5..15).unwrap();
    let mut part = opened.begin();
    part.freeze().unwrap();
    let (_, before) = part.origin(Kind::Shared).unwrap();
    part.thaw().unwrap();
    change(&mut part, 0, b'S');
    part.freeze().unwrap();
    let (origin, after) = part.origin(Kind::Shared).unwrap();
    assert_ne!(before, after);
    drop(part);
    assert_eq!(Found::find(origin.clone(), Kind::Shared).unwrap().secret(), &after);
}

#[test]
fn a_token_of_any_path_is_an_error() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"some bytes");
    let (origin, _) = opened(&path, Access::Read).unwrap().origin(Kind::Shared).unwrap();
    for path in [&b"value"[..], b"", b"/a\0b", b"\xff\xfe", b".", b"../value"] {
        let origin = Origin { path: path.to_vec(), ..origin.clone() };
        assert!(matches!(fault(claimed(&origin, Kind::Shared)), FileFault::Path(_)));
    }
}

//! What is there, and what is no value.

use super::*;

#[test]
fn a_value_that_was_made_is_read_with_its_type_and_its_metadata() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"some bytes");
    let opened = open(&path, &How::new(Access::Read)).unwrap();
    assert_eq!((opened.fingerprint(), opened.metadata()), (FINGERPRINT, &b"of it"[..]));
    let part = opened.begin();
    assert_eq!(read(&part), b"some bytes");
    assert_eq!((part.len(), part.offset(), part.block_len()), (10, 0, 10));
    assert_eq!(part.path(), Some(path.as_path()));
    assert_eq!(part.hold.offset, sys::page_size().max(4096) as u64);
    assert!(part.start.addr().get().is_multiple_of(4096));
    let middle = part.clone().narrow(5, 3);
    assert_eq!((read(&middle), middle.offset()), (b"byt".to_vec(), 5));
    assert_eq!(part.counts().handles, 2);
    assert_eq!(directory.names(), ["value"]);
}

#[test]
fn a_value_without_bytes_is_one() {
    let directory = Directory::new();
    let path = directory.at("empty");
    write(&path, b"");
    assert_eq!(read(&opened(&path, Access::Read).unwrap()), b"");
    assert_eq!(read(&opened(&path, Access::Write).unwrap()), b"");
    fs::write(&path, "").unwrap();
    let how = How { layout: foreign(0, None), ..How::new(Access::Read) };
    assert_eq!(read(&open(&path, &how).unwrap().begin()), b"");
}

#[test]
fn what_is_written_stays_and_what_is_written_to_a_copy_does_not() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"some bytes");
    let mut part = opened(&path, Access::Write).unwrap();
    change(&mut part, 0, b'S');
    part.flush(0..10).unwrap();
    part.flush_async(2..3).unwrap();
    assert!(matches!(part.flush(0..11), Err(Error::Range { start: 0, end: 11, length: 10 })));
    drop(part);
    let mut copy = opened(&path, Access::Private).unwrap();
    change(&mut copy, 1, b'O');
    copy.flush(0..10).unwrap();
    assert_eq!(read(&copy), b"SOme bytes");
    assert_eq!(read(&opened(&path, Access::Read).unwrap()), b"Some bytes");
}

#[test]
fn what_is_no_file_is_said_to_be_what_it_is() {
    let directory = Directory::new();
    assert!(matches!(fault(opened(&directory.at("nothing"), Access::Read)), FileFault::Absent));
    assert!(matches!(fault(opened(&directory.at("no/such"), Access::Read)), FileFault::Absent));
    assert!(matches!(fault(opened(Path::new(""), Access::Read)), FileFault::Path(_)));
    assert!(matches!(fault(opened(Path::new(".."), Access::Read)), FileFault::Path(_)));
    for access in [Access::Read, Access::Write, Access::Private] {
        assert!(matches!(fault(opened(&directory.0, access)), FileFault::NotAFile("a directory")));
    }
}

#[test]
fn a_file_that_was_cut_is_too_short() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, &[7; 5000]);
    let whole = fs::metadata(&path).unwrap().len();
    File::options().write(true).open(&path).unwrap().set_len(whole - 1).unwrap();
    for access in [Access::Read, Access::Write, Access::Private] {
        let fault = fault(opened(&path, access));
        assert!(matches!(fault, FileFault::TooShort { expected, found } if (expected, found) == (whole, whole - 1)));
    }
    let fault = fault(Reading::open(&path, &How::new(Access::Read)));
    assert!(matches!(fault, FileFault::TooShort { expected, .. } if expected == whole));
}

#[test]
fn a_foreign_file_is_taken_from_an_offset_and_for_a_length() {
    let directory = Directory::new();
    let path = directory.at("foreign");
    fs::write(&path, (0..100).collect::<Vec<u8>>()).unwrap();
    let part =
        |offset, len| open(&path, &How { layout: foreign(offset, len), ..How::new(Access::Read) }).map(Opened::begin);
    assert_eq!(read(&part(0, None).unwrap()).len(), 100);
    assert_eq!(read(&part(97, None).unwrap()), [97, 98, 99]);
    assert_eq!(read(&part(10, Some(2)).unwrap()), [10, 11]);
    assert!(read(&part(100, None).unwrap()).is_empty());
    assert_eq!(part(10, Some(2)).unwrap().hold.offset, 10);
    for (offset, len) in [(101, None), (u64::MAX, None), (90, Some(11)), (1, Some(u64::MAX)), (0, Some(101))] {
        assert!(matches!(fault(part(offset, len)), FileFault::TooShort { found: 100, .. }), "{offset} {len:?}");
    }
    let mut opened = open(&path, &How { layout: foreign(0, None), ..How::new(Access::Read) }).unwrap();
    assert!(matches!(fault(opened.narrow(5..101)), FileFault::TooShort { expected: 101, found: 100 }));
    opened.narrow(5..8).unwrap();
    let part = opened.begin();
    assert_eq!((read(&part), part.block_len(), part.hold.offset), (vec![5, 6, 7], 3, 5));
}

#[test]
fn a_file_is_read_without_being_mapped() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"some bytes");
    let reading = Reading::open(&path, &How::new(Access::Read)).unwrap();
    assert_eq!((reading.fingerprint(), reading.metadata(), reading.len()), (FINGERPRINT, &b"of it"[..], 10));
    let mut bytes = [0; 5];
    reading.read_at(5, &mut bytes).unwrap();
    assert_eq!(&bytes, b"bytes");
    assert!(matches!(reading.read_at(6, &mut bytes), Err(Error::Range { .. })));
    assert!(matches!(fault(opened(&path, Access::Write)), FileFault::Locked { .. }));
    drop(reading);
    opened(&path, Access::Write).unwrap();
}

#[test]
fn memory_can_be_asked_for_at_once_and_kept() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, &[1; 20_000]);
    for access in [Access::Read, Access::Write, Access::Private] {
        for advice in [Advice::Normal, Advice::Random, Advice::Sequential, Advice::WillNeed, Advice::HugePages] {
            let how = How { populate: true, advice, lock_in_memory: true, ..How::new(access) };
            let part = open(&path, &how).unwrap().begin();
            assert_eq!(read(&part), [1; 20_000]);
            part.advise(Advice::Random).unwrap();
            part.lock_in_memory(false).unwrap();
        }
    }
}

#[test]
fn memory_without_a_file_is_this_process_s_alone() {
    let how = How { populate: true, ..How::new(Access::Private) };
    let mut part = anonymous(10_000, FINGERPRINT, &how).unwrap();
    assert_eq!(read(&part), [0; 10_000]);
    change(&mut part, 9_999, 1);
    part.flush(0..10_000).unwrap();
    assert_eq!((part.path(), part.fingerprint()), (None, FINGERPRINT));
    assert!(matches!(fault(part.origin(Kind::SharedMut)), FileFault::NotSent { .. }));
    part.freeze().unwrap();
    assert!(matches!(fault(part.origin(Kind::Shared)), FileFault::NotSent { .. }));
    part.thaw().unwrap();
    assert!(matches!(anonymous(1 << 60, 0, &how), Err(Error::NoSpace { .. })));
}

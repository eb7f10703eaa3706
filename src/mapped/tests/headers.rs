//! Files of an enemy's, or of an accident's.

use super::*;

/// Has the file be as it is, but for some bytes.
fn with(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = File::options().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn what_does_not_begin_as_a_value_does_is_none() {
    let directory = Directory::new();
    let path = directory.at("text");
    for (bytes, short) in
        [(&b""[..], true), (b"cmn-fil", true), (b"cmn-file", true), (b"just text", false), (&[b' '; 5000], false)]
    {
        fs::write(&path, bytes).unwrap();
        match fault(opened(&path, Access::Read)) {
            FileFault::TooShort { expected: 96, found } => assert!(short && found == bytes.len() as u64),
            FileFault::NoHeader { .. } => assert!(!short),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn each_byte_of_the_header_that_is_another_is_found() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"some bytes");
    let whole = fs::read(&path).unwrap();
    // Behind it are the words that change, and then what nobody uses.
    for at in (0..80).chain(96..101) {
        with(&path, at as u64, &[whole[at] ^ 0x10]);
        let mapped = fault(opened(&path, Access::Read)).to_string();
        assert_eq!(mapped, fault(Reading::open(&path, &How::new(Access::Read))).to_string(), "byte {at}");
        with(&path, at as u64, &whole[at..=at]);
    }
    assert_eq!(read(&opened(&path, Access::Read).unwrap()), b"some bytes");
}

#[test]
fn a_state_that_there_is_not_is_an_error_and_a_version_names_both() {
    let directory = Directory::new();
    let path = directory.at("value");
    write(&path, b"some bytes");
    with(&path, 88, &[2]);
    assert!(matches!(fault(opened(&path, Access::Write)), FileFault::Header { what: "state", found: 2 }));
    with(&path, 8, &[9]);
    assert!(matches!(fault(opened(&path, Access::Read)), FileFault::Version { expected: 1, found: 9 }));
}

#[test]
fn metadata_that_are_too_long_for_the_page_lie_behind_the_data() {
    let directory = Directory::new();
    let path = directory.at("value");
    let metadata = vec![5; 100_000];
    let mut draft = Draft::new(&path, 3, &making()).unwrap();
    draft.bytes_mut().copy_from_slice(b"abc");
    let description = Description { fingerprint: 1, metadata: &metadata };
    draft.publish(description, false, Then::Close).map_err(|(_, error)| error).unwrap();
    let opened = open(&path, &How::new(Access::Read)).unwrap();
    assert_eq!((opened.metadata(), read(opened.part())), (&metadata[..], b"abc".to_vec()));
    drop(opened);
    let too_long = vec![0; (1 << 20) + 1];
    let draft = Draft::new(&path, 3, &making()).unwrap();
    let refused = draft.publish(Description { fingerprint: 1, metadata: &too_long }, false, Then::Close);
    assert!(matches!(refused, Err((Some(_), Error::Metadata { .. }))));
}

//! Files that are not what they should be: each is an error that says so, and none is believed.

use std::{fs, io, time::Duration};

use commonage::{Error, FileAccess, FileFault, Shared, SharedSlice, Value, file};

use super::{Place, fault, open, open_mut, text, try_open, try_open_mut};

/// Where the data begin.
const DATA: usize = 4096;

/// What a file is found to be, by each way to look at it; the last of them may change it.
fn looks(place: &Place) -> [Result<SharedSlice<u64>, Error>; 4] {
    let path = place.path();
    let read = file::read::<[u64]>(&path);
    let opened = try_open(&path).and_then(|value| Shared::copy_from(&value[..]));
    // SAFETY: nobody changes the file meanwhile.
    let private = unsafe { file::open_private::<[u64]>(&path) }.and_then(|value| Shared::copy_from(&value[..]));
    let written = try_open_mut(&path).and_then(|value| Shared::copy_from(&value[..]));
    [read, opened, private, written]
}

#[test]
fn a_file_cut_at_any_byte_is_an_error() {
    let place = Place::new();
    let path = place.path();
    file::write(&path, &[7u64; 9][..]).unwrap();
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len(), DATA + 72);
    for len in 0..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        // Each way to look at it where something ends.
        let all = !(130..DATA - 10).contains(&len);
        let results = if all { looks(&place).into() } else { vec![file::read::<[u64]>(&path)] };
        for result in results {
            match fault(&path, result) {
                FileFault::TooShort { expected, found } => {
                    assert!(found == len as u64 && expected > found, "{expected} expected, {found} found of {len}");
                }
                FileFault::NoHeader { .. } => assert!(len < 8, "cut at {len}"),
                fault => panic!("cut at {len}: {fault:?}"),
            }
        }
        assert_eq!(fs::read(&path).unwrap(), whole[..len], "it is as it was");
    }
    fs::write(&path, &whole).unwrap();
    let mut longer = whole.clone();
    longer.extend([9; 1000]);
    fs::write(&path, longer).unwrap();
    assert_eq!(*open(&path), [7; 9], "what lies behind does no harm");
}

#[test]
fn any_changed_byte_before_the_data_is_an_error_or_the_same_value() {
    let place = Place::new();
    let path = place.path();
    file::write(&path, &[7u64; 9][..]).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut errors = 0;
    for at in (0..130).chain([DATA - 1]) {
        for change in [0x01, 0x80, 0xff, whole[at]] {
            let mut changed = whole.clone();
            changed[at] ^= change;
            fs::write(&path, &changed).unwrap();
            for result in looks(&place) {
                match result {
                    Ok(value) => assert_eq!(*value, [7; 9], "byte {at}, {change:#x}"),
                    Err(Error::File { .. } | Error::Metadata { .. }) => errors += usize::from(change != 0),
                    Err(error) => panic!("byte {at}, {change:#x}: {error:?}"),
                }
            }
        }
    }
    // All of the magic to the checksum, for each way to look, and for most also a zero.
    assert!(errors >= 80 * 3 * 4, "{errors} errors");
}

#[test]
fn noise_is_no_value() {
    let place = Place::new();
    let path = place.path();
    file::write(&path, &[7u64; 9][..]).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state = state.wrapping_mul(0xd129_0283_3bd3_f1f5).wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 32) as usize
    };
    for _ in 0..300 {
        let mut changed = whole.clone();
        for _ in 0..1 + random() % 4 {
            let at = random() % 110;
            let len = (random() % 9).min(110 - at);
            changed[at..at + len].fill_with(|| random() as u8);
        }
        changed.truncate(whole.len() - random() % 100);
        fs::write(&path, &changed).unwrap();
        for value in looks(&place).into_iter().flatten() {
            assert_eq!(*value, [7; 9]);
        }
    }
}

#[test]
fn what_is_no_file_of_a_value_is_said() {
    let place = Place::new();
    let path = place.path();
    let said = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        text(&path, try_open(&path))
    };
    assert_eq!(text(&path, try_open(&path)), "it does not exist");
    assert_eq!(text(&path, file::read::<[u64]>(&path)), "it does not exist");
    let mut of_others = b"\x89PNG\r\n\x1a\n".to_vec();
    of_others.resize(5000, 0);
    assert_eq!(said(&of_others), "it does not begin as files of values do (found 0x0a1a0a0d474e5089)");
    assert_eq!(said(&[0; 5000]), "it does not begin as files of values do (found 0x0000000000000000)");
    let old = b"cmn-file\x02\0\0\0".iter().copied().chain([0; 5000]).collect::<Vec<_>>();
    assert_eq!(said(&old), "its header has version 2; this program has 1");

    let path = place.file("other");
    file::write(&path, &[1.5f64, 2.5][..]).unwrap();
    let said = text(&path, try_open(&path));
    assert!(said.starts_with("its value is no `[u64]`: fingerprint ") && said.ends_with(" found"), "{said}");
    assert!(matches!(fault(&path, file::read::<str>(&path)), FileFault::Type { type_name: "str", .. }));
    assert!(matches!(fault(&path, file::read::<Value<f64>>(&path)), FileFault::Type { .. }));
    assert!(matches!(fault(&path, try_open_mut(&path)), FileFault::Type { .. }));
    assert_eq!(*file::read::<[f64]>(&path).unwrap(), [1.5, 2.5], "it can still be opened as what it is");
}

#[test]
fn content_that_is_no_value_of_the_type_is_an_error() {
    let place = Place::new();
    let path = place.path();
    file::write(&path, &[true, false][..]).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[DATA + 1] = 2;
    fs::write(&path, &bytes).unwrap();
    let is_content = |error| assert!(matches!(error, Error::Content { type_name: "[bool]", .. }), "{error:?}");
    is_content(file::read::<[bool]>(&path).unwrap_err());
    // SAFETY: nobody changes the file, here and below.
    is_content(unsafe { file::open::<[bool]>(&path) }.unwrap_err());
    // SAFETY: as above.
    is_content(unsafe { file::open_mut::<[bool]>(&path) }.unwrap_err());
    assert_eq!(fs::read(&path).unwrap(), bytes, "who was refused has changed nothing");
    file::write(&path, "text").unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[DATA] = 0xff;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(file::read::<str>(&path), Err(Error::Content { type_name: "str", .. })));
}

#[test]
fn a_header_that_leads_beyond_all_memory_is_an_error() {
    let place = Place::new();
    let path = place.path();
    drop(file::write(&path, &[7u64; 9][..]));
    // As large as a file can be, with nothing in it: all of it is there, but for the memory to copy it into.
    let Ok(()) = fs::File::create(&path).and_then(|file| file.set_len(1 << 42)) else { return };
    let error = file::options::<[u64]>().raw().read(&path).unwrap_err();
    assert!(matches!(error, Error::NoSpace { .. } | Error::TooLarge { .. }), "{error:?}");
    assert!(matches!(fault(&path, file::read::<[u64]>(&path)), FileFault::NoHeader { found: 0 }));
    assert!(matches!(fault(&path, try_open(&path)), FileFault::NoHeader { found: 0 }));
}

/// Those that no test here provokes among them.
#[test]
fn every_fault_says_what_it_is() {
    let failed = || io::Error::from_raw_os_error(5);
    let denied = io::Error::other("not for you");
    let faults = [
        (FileFault::Exists, "it exists".to_owned()),
        (FileFault::Absent, "it does not exist".to_owned()),
        (FileFault::NoDirectory, "its directory does not exist".to_owned()),
        (FileFault::Denied(denied), "access is denied: not for you".to_owned()),
        (FileFault::Path("it is empty"), "it is no path of a file: it is empty".to_owned()),
        (FileFault::NotAFile("a pipe"), "it is no file, but a pipe".to_owned()),
        (
            FileFault::Locked { wanted: FileAccess::Read, process: 1, by: Some(2) },
            "process 1 can't read it: process 2 writes it".to_owned(),
        ),
        (
            FileFault::Locked { wanted: FileAccess::Read, process: 1, by: None },
            "process 1 can't read it: another process writes it".to_owned(),
        ),
        (
            FileFault::Locked { wanted: FileAccess::Write, process: 1, by: None },
            "process 1 can't write it: others read or write it".to_owned(),
        ),
        (
            FileFault::StillHeld { waited: Duration::from_secs(2) },
            "its sender, or who has claimed it before, still has it after 2s".to_owned(),
        ),
        (
            FileFault::AlreadyClaimed,
            "the token that leads to it has been claimed before, or the file has had another writer since".to_owned(),
        ),
        (
            FileFault::Changed { what: "the generation", expected: 3, found: 0x14 },
            "it is not what the token was made for: the generation is 0x14, 0x3 expected".to_owned(),
        ),
        (
            FileFault::Npy { what: "the type", expected: "<f8".to_owned(), found: ">f8".to_owned() },
            "as an .npy file: the type is >f8, <f8 expected".to_owned(),
        ),
        (
            FileFault::Unfinished { process: 7 },
            "process 7, which was writing it, ended before it had finished".to_owned(),
        ),
        (FileFault::TooShort { expected: 8, found: 7 }, "it is too short: 8 bytes expected, 7 found".to_owned()),
        (FileFault::Header { what: "the length", found: 16 }, "in its header, the length can't be 0x10".to_owned()),
        (
            FileFault::Unguarded { why: "any process of this user can" },
            "nothing keeps others from changing it while it is mapped: any process of this user can".to_owned(),
        ),
        (
            FileFault::Owner { found: "mode 0666".to_owned() },
            "a token leads to it, but it is no file of this user or of root, or all users can write it: mode 0666"
                .to_owned(),
        ),
        (FileFault::NotSent { why: "it is a part" }, "this handle can't be sent: it is a part".to_owned()),
        (
            FileFault::ReadOnly,
            "it was opened for reading: a value to be written is had by opening it for writing".to_owned(),
        ),
        (FileFault::Failed { operation: "mmap", source: failed() }, format!("mmap failed: {}", failed())),
    ];
    for (fault, expected) in faults {
        let error = Error::File { path: "/some/where".into(), fault };
        assert_eq!(error.to_string(), format!("file /some/where: {expected}"));
    }
}

#[test]
fn a_foreign_file_that_is_taken_for_one_with_a_header_is_as_it_was() {
    let place = Place::new();
    let path = place.path();
    fs::write(&path, [3; 10_000]).unwrap();
    assert!(matches!(fault(&path, try_open_mut(&path)), FileFault::NoHeader { .. }));
    assert_eq!(fs::read(&path).unwrap(), [3; 10_000]);
    file::write(&path, &[1u64][..]).unwrap();
    drop(open_mut(&path));
    assert_eq!(*open(&path), [1]);
}

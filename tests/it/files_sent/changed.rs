//! A token leads to a file that is not what it was.

use commonage::Kind;

use super::*;

pub(super) fn refused(token: &str) -> FileFault {
    fault(SharedSlice::<u8>::from_token(token))
}

#[test]
fn a_file_that_was_replaced_is_another_one() {
    let place = Place::new();
    let shared = bytes_in(&place.path, 100, 7).into_token().unwrap();
    file::write(&place.path, &[8u8; 100][..]).unwrap();
    let changed = refused(&shared);
    assert!(matches!(changed, FileFault::Changed { what: "its id", .. }), "{changed}");

    let exclusive = open_mut(&place.path).into_token().unwrap();
    file::write(&place.path, &[9u8; 100][..]).unwrap();
    let changed = fault(SharedSliceMut::<u8>::from_token(&exclusive));
    assert!(matches!(changed, FileFault::Changed { what: "its id", .. }), "{changed}");
    assert_eq!(open(&place.path), [9; 100]);
}

#[test]
fn a_file_that_was_removed_is_absent() {
    let place = Place::new();
    let token = bytes_in(&place.path, 100, 7).into_token().unwrap();
    let exclusive = open_mut(&place.path).into_token().unwrap();
    fs::remove_file(&place.path).unwrap();
    assert!(matches!(refused(&token), FileFault::Absent));
    assert!(matches!(fault(SharedSliceMut::<u8>::from_token(&exclusive)), FileFault::Absent));
    fs::create_dir(&place.path).unwrap();
    assert!(matches!(refused(&token), FileFault::NotAFile(_)));
    fs::remove_dir(&place.path).unwrap();
    fs::write(&place.path, "something else").unwrap();
    assert!(matches!(refused(&token), FileFault::NoHeader { .. } | FileFault::TooShort { .. }));
}

#[test]
fn a_file_that_has_had_another_writer_is_not_the_same() {
    let place = Place::new();
    let token = bytes_in(&place.path, 100, 7).into_token().unwrap();
    let mut value = open_mut(&place.path);
    assert!(matches!(refused(&token), FileFault::Locked { .. }), "it is being written");
    value[0] = 1;
    drop(value);
    let changed = refused(&token);
    assert!(
        matches!(changed, FileFault::Changed { what: "its generation", expected, found } if found > expected),
        "{changed}"
    );

    // Also if it has changed nothing, or has only made up its mind.
    let token = open(&place.path).into_token().unwrap();
    drop(open_mut(&place.path));
    assert!(matches!(refused(&token), FileFault::Changed { .. }));
    let value = open_mut(&place.path).freeze().unwrap();
    let token = value.clone().into_token().unwrap();
    drop(value.try_into_mut().unwrap());
    assert!(matches!(refused(&token), FileFault::Changed { .. }));
    drop(open(&place.path));
}

#[test]
fn a_copy_of_a_file_that_each_had_a_writer_of_its_own_is_another_value() {
    let place = Place::new();
    drop(bytes_in(&place.path, 100, 7));
    let copy = format!("{}-copied", place.path);
    fs::copy(&place.path, &copy).unwrap();
    for (path, fill) in [(&place.path, 8), (&copy, 9)] {
        open_mut(path).fill(fill);
    }
    let token = open(&copy).into_token().unwrap();
    {
        // What is open here is not what the token is for.
        let original = open(&place.path);
        let claimed = SharedSlice::<u8>::from_token(&token).unwrap();
        assert_eq!(claimed, [9; 100]);
        assert!(!claimed.ptr_eq(&original));
    }
    fs::rename(&place.path, &copy).unwrap();
    let changed = refused(&token);
    assert!(matches!(changed, FileFault::Changed { .. }), "{changed}");
}

#[test]
fn a_foreign_file_is_known_by_its_length() {
    let place = Place::new();
    let token = |bytes: &[u8]| {
        fs::write(&place.path, bytes).unwrap();
        // SAFETY: nobody changes it while it is open.
        let value = unsafe { file::options::<[u8]>().raw().open(&place.path) }.unwrap();
        value.into_token().unwrap()
    };
    let first = token(&[7; 100]);
    assert_eq!(SharedSlice::<u8>::from_token(&first).unwrap(), [7; 100]);
    let second = token(&[7; 101]);
    assert!(matches!(refused(&first), FileFault::Changed { what: "its size", .. }));
    assert_eq!(SharedSlice::<u8>::from_token(&second).unwrap().len(), 101);
    // Shorter than the value: found out before a byte of it is looked at.
    let third = token(&[7; 5000]);
    fs::File::options().write(true).open(&place.path).unwrap().set_len(10).unwrap();
    assert!(matches!(refused(&third), FileFault::Changed { .. } | FileFault::TooShort { .. }));
}

#[test]
fn it_is_claimed_as_what_it_is_or_not_at_all() {
    let place = Place::new();
    let token = bytes_in(&place.path, 100, 7).into_token().unwrap();
    let error = SharedSlice::<u64>::from_token(&token).unwrap_err();
    assert!(matches!(error, Error::WrongType { .. }), "{error}");
    let error = SharedSliceMut::<u8>::from_token(&token).unwrap_err();
    assert!(matches!(error, Error::WrongKind { expected: Kind::SharedMut, found: Kind::Shared }), "{error}");
    assert_eq!(SharedSlice::<u8>::from_token(&token).unwrap(), [7; 100]);

    let token = open_mut(&place.path).into_token().unwrap();
    let error = SharedSlice::<u8>::from_token(&token).unwrap_err();
    assert!(matches!(error, Error::WrongKind { expected: Kind::Shared, found: Kind::SharedMut }), "{error}");
    assert_eq!(*SharedSliceMut::<u8>::from_token(&token).unwrap(), [7; 100]);
}

#[test]
fn a_token_that_was_altered_on_its_way_leads_nowhere() {
    let place = Place::new();
    let value = bytes_in(&place.path, 100, 7);
    let token = value.clone().into_token().unwrap();
    for at in 0..token.len() {
        let mut letters = token.clone().into_bytes();
        letters[at] = if letters[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(letters).unwrap();
        // With another path it leads there, and there is nothing. With nothing of weight changed it is the same.
        let error = SharedSlice::<u8>::from_token(&altered).expect_err("it is another token");
        assert!(!matches!(error, Error::Os { .. }), "letter {at}: {error}");
    }
    assert!(SharedSlice::<u8>::from_token(&token).unwrap().ptr_eq(&value));
}

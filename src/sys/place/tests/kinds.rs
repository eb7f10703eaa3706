//! What can be made, and what can be found instead of it: of the kinds that the platform has.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(windows)]
use windows as platform;

use super::*;

/// A way to make a draft.
type Make = fn(&Address, u64, u32) -> Result<Draft, PlaceError>;

#[test]
fn both_ways_bring_it_into_view_whole_or_not_at_all() {
    let (directory, name) = (Directory::new(), Name::new());
    for way in platform::WAYS {
        for at in [name.0.clone(), directory.at("link")].into_iter().filter(|at| !at.appears_unready()) {
            let draft = way(&at, 5000, 0o600).unwrap();
            let absent = Place::open(&at, false).map(|_| ());
            assert!(matches!(absent, Err(PlaceError::Absent)), "{absent:?}");
            write(draft.mapping(), b"whole");
            let (place, mapping) = draft.publish().unwrap();
            platform::is_as_it_was_made(&at, 5000);
            let seen = || {
                let whole = Place::open(&at, false).unwrap();
                assert_eq!(whole.size(), 5000);
                read(&whole.map(5000, false).unwrap(), 6)
            };
            assert_eq!(seen(), b"whole\0");

            let second = way(&at, 10, 0o600);
            if let Ok(second) = second {
                write(second.mapping(), b"second");
                let (given_back, error) = second.publish().unwrap_err();
                assert!(matches!(error, PlaceError::Exists), "{error:?}");
                assert_eq!(read(&given_back, 6), b"second");
            } else {
                assert!(matches!(second, Err(PlaceError::Exists)), "{second:?}");
            }
            let third = way(&directory.at("other"), 10, 0o600).unwrap();
            write(third.mapping(), b"third");
            fs::write(directory.0.join("other"), b"first").unwrap();
            let (given_back, error) = third.publish().unwrap_err();
            assert!(matches!(error, PlaceError::Exists), "{error:?}");
            assert_eq!(read(&given_back, 5), b"third");
            assert_eq!(fs::read(directory.0.join("other")).unwrap(), b"first");
            fs::remove_file(directory.0.join("other")).unwrap();

            assert_eq!(seen(), b"whole\0");
            place.into_identity().remove(&at, mapping);
            assert!(matches!(Place::open(&at, false), Err(PlaceError::Absent)));
        }
    }
    assert!(directory.names().is_empty(), "{:?}", directory.names());
}

#[test]
fn no_name_is_too_long_for_either_way() {
    let longest = (1..300).rev().find(|len| Address::name(&"n".repeat(*len)).is_ok()).unwrap();
    assert_eq!(longest, platform::LONGEST);
    let at = Address::name(&"n".repeat(longest)).unwrap();
    for way in platform::WAYS {
        let (place, mapping) = way(&at, 1, 0o600).unwrap().publish().unwrap();
        drop(Place::open(&at, false).unwrap());
        place.into_identity().remove(&at, mapping);
        assert!(matches!(Place::open(&at, false), Err(PlaceError::Absent)));
    }
}

#[test]
fn what_is_no_file_is_said() {
    let directory = Directory::new();
    for (at, expected, _made) in platform::other_things(&directory) {
        for writable in [false, true] {
            match Place::open(&at, writable) {
                Err(PlaceError::NotAFile(kind)) => assert_eq!(kind, expected, "{at}"),
                other => panic!("{at}: {other:?}"),
            }
        }
        let made = Draft::new(&at, 1, 0o600).map(|_| ());
        assert!(matches!(made, Err(PlaceError::Exists | PlaceError::NotAFile(_))), "{at}: {made:?}");
        let removed = remove_place(&at);
        assert!(matches!(removed, Err(PlaceError::NotAFile(_))), "{at}: {removed:?}");
    }
}

#[test]
fn access_that_is_denied_is_said() {
    let directory = Directory::new();
    let (at, _kept) = platform::made_for_reading(&directory, b"there");
    platform::as_an_ordinary_user(|| {
        let denied = Place::open(&at, true);
        assert!(matches!(denied, Err(PlaceError::Denied(_))), "{denied:?}");
        assert_eq!(read(&Place::open(&at, false).unwrap().map(5, false).unwrap(), 5), b"there");
        let removed = remove_place(&at);
        assert!(matches!(removed, Err(PlaceError::Denied(_))), "{removed:?}");
    });
    platform::more_is_denied(&directory);
}

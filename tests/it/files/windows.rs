//! What is mapped is guarded by the system.

use std::path::Path;

use commonage::{Error, FileFault, SharedSlice, file};

use super::{Place, fault, open, open_mut, try_open};

/// Files have a name from the beginning.
pub(super) const NAMELESS: bool = false;

/// What this process has open, others may only read.
#[track_caller]
pub(super) fn is_guarded_or_not(path: &Path, found: Result<SharedSlice<u64>, Error>) {
    let value = found.unwrap();
    assert_eq!(*value, [1; 100]);
    assert!(std::fs::OpenOptions::new().write(true).open(path).is_err());
    assert_eq!(*open(path), [1; 100], "others read it beside");
}

#[test]
fn a_stranger_neither_writes_nor_cuts_what_is_mapped() {
    let place = Place::new();
    let path = place.path();
    file::write(&path, &[1u64; 100][..]).unwrap();
    let read = open(&path);
    let stranger = || std::fs::OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(0));
    assert!(stranger().is_err());
    assert_eq!(*read, [1; 100]);
    drop(read);
    let written = open_mut(&path);
    assert!(stranger().is_err());
    assert_eq!(*written, [1; 100]);
    drop(written);
    stranger().unwrap();
    assert!(matches!(fault(&path, try_open(&path)), FileFault::TooShort { .. } | FileFault::NoHeader { .. }));
}

#[test]
fn what_somebody_has_open_is_not_replaced_and_the_draft_comes_back() {
    let place = Place::new();
    let path = place.path();
    file::write(&path, &[1u64; 100][..]).unwrap();
    let read = open(&path);
    let refused = file::draft::<[u64]>(&path, &(2, 5)).unwrap().publish().unwrap_err();
    assert!(refused.to_string().contains("can't write it: others read or write it"), "{refused}");
    let draft = refused.handle;
    // One maker at a time has the name of the draft.
    assert!(matches!(fault(&path, file::write(&path, &[3u64][..])), FileFault::Locked { .. }));
    assert_eq!(*read, [1; 100]);
    drop(read);
    draft.publish().unwrap();
    assert_eq!(*open(&path), [2; 5]);
    assert_eq!(place.names(), ["value"]);
}

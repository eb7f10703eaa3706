//! What the system keeps strangers from, and what it does not.

use commonage::{FileFault, file};

use super::{Place, fault, open, open_mut, try_open};

/// Files have a name from the beginning.
pub(super) const NAMELESS: bool = false;

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

#[test]
fn who_has_mapped_a_file_and_closed_it_writes_to_it_still() {
    let place = Place::new();
    let path = place.path();
    std::fs::write(&path, [1; 8]).unwrap();
    let stranger = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let map = memmap2::MmapRaw::map_raw(&stranger).unwrap();
    drop(stranger);
    let options = file::options::<[u8]>().raw();
    assert!(matches!(fault(&path, options.open_guarded(&path)), FileFault::Unguarded { .. }));
    assert_eq!(*options.read(&path).unwrap(), [1; 8]);
    drop(map);
    assert!(matches!(fault(&path, options.open_guarded(&path)), FileFault::Unguarded { .. }), "nor can it be known");
}

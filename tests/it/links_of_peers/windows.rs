//! The system takes a name away with the last process that has it open. What denies access is a file.

use std::fs;

use commonage::{Error, Link, LinkFault, sync::SeqLock};

use super::Writable;
use crate::{named::fault, support::Directory};

/// Whether a name that its owner has dropped can still be found: the error is of who makes one of the same name.
pub(super) fn may_still_be_there(error: &Error) -> bool {
    matches!(error, Error::Link { fault: LinkFault::Exists, .. })
}

#[test]
fn a_link_in_a_read_only_file_can_be_read() {
    let directory = Directory::new();
    let path = format!("{}/link", directory.0);
    let made: Writable<SeqLock<u64>> = Link::at_path(&path).create().unwrap();
    made.write(5);
    drop(Link::leak(made));
    let set = |read_only| {
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(read_only);
        fs::set_permissions(&path, permissions).unwrap();
    };
    set(true);
    assert_eq!(Link::<SeqLock<u64>>::at_path(&path).open().unwrap().read().unwrap(), 5);
    if fs::OpenOptions::new().write(true).open(&path).is_ok() {
        println!("skipped: this user may write to what is only to be read");
        return set(false);
    }
    assert!(matches!(fault(Writable::<SeqLock<u64>>::at_path(&path).open_existing()), LinkFault::Denied(_)));
    assert!(matches!(fault(Writable::<SeqLock<u64>>::at_path(&path).open_or_create()), LinkFault::Denied(_)));
    set(false);
    assert!(Writable::<SeqLock<u64>>::at_path(&path).open_existing().is_ok());
}

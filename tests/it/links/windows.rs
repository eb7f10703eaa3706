//! The system takes a name away with the last link, and a file when its owner goes and nobody else has it open.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use commonage::{Link, LinkFault};

use super::{Writable, left_by_its_owner};
use crate::{
    named::{Name, fault},
    support::Directory,
};

/// UTF-16 units of the longest name.
pub(super) const LONGEST: usize = 260;

/// What no file can be called.
pub(super) fn no_file() -> String {
    "n?n".to_owned()
}

/// What is said of a link whose owner has gone, while others have it open. The value has a `Drop`.
pub(super) fn is_gone(fault: &LinkFault) -> bool {
    matches!(fault, LinkFault::Over)
}

pub(super) fn the_name_goes_with_its_owner_and_with_nobody_else() {
    let name = Name::new();
    let other = left_by_its_owner(&name);
    other.store(true, Relaxed);
    assert!(Link::<AtomicBool>::open(&name.0).unwrap().load(), "as long as anybody has it open it is there");
    assert!(matches!(fault(Link::remove(&name.0)), LinkFault::Denied(_)), "and nobody takes it away");
    drop(Link::leak(other));
    assert!(matches!(fault(Link::<AtomicBool>::open(&name.0)), LinkFault::Absent), "no longer, whoever owned it");

    let directory = Directory::new();
    let path = format!("{}/link", directory.0);
    let made: Writable<AtomicBool> = Link::at_path(&path).create().unwrap();
    drop(Writable::<AtomicBool>::at_path(&path).open_existing().unwrap());
    drop(Link::<AtomicBool>::at_path(&path).open().unwrap());
    assert!(fs::exists(&path).unwrap());
    drop(made);
    assert!(!fs::exists(&path).unwrap(), "a file goes with its owner");
    drop(Link::leak(Writable::<AtomicBool>::at_path(&path).create().unwrap()));
    drop(Link::<AtomicBool>::at_path(&path).open().expect("what was leaked stays"));
    drop(Link::own(Writable::<AtomicBool>::at_path(&path).open_existing().unwrap()));
    assert!(matches!(fault(Link::<AtomicBool>::at_path(&path).open()), LinkFault::Absent));
}

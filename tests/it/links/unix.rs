//! Names stay until somebody takes them away, and links have permission bits.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use commonage::{Link, LinkFault};

use super::{Writable, left_by_its_owner};
use crate::{
    named::{Name, fault},
    support::Directory,
};

/// Bytes of the longest name.
#[cfg(target_os = "linux")]
pub(super) const LONGEST: usize = 255;
/// Bytes of the longest name, without the slash in front of it.
#[cfg(not(target_os = "linux"))]
pub(super) const LONGEST: usize = 30;

/// What no file can be called.
pub(super) fn no_file() -> String {
    "n".repeat(300)
}

/// What is said of a link whose owner has gone, while others have it open.
pub(super) fn is_gone(fault: &LinkFault) -> bool {
    matches!(fault, LinkFault::Absent)
}

pub(super) fn the_name_goes_with_its_owner_and_with_nobody_else() {
    let name = Name::new();
    let other = left_by_its_owner(&name);
    assert!(matches!(fault(Link::<AtomicBool>::open(&name.0)), LinkFault::Absent));
    other.store(true, Relaxed);
    assert!(other.load(Relaxed), "who has it open keeps it");
    let again: Writable<AtomicBool> = Link::open_or_create(&name.0).unwrap();
    assert!(again.is_owner() && !again.load(Relaxed), "another value with the same name");
    // `other` comes to own a value whose name is another's by now.
    drop(Link::own(other));
    assert!(Link::<AtomicBool>::open(&name.0).is_ok(), "an owner removes nothing but its own");
    drop(Link::leak(again));
    assert!(Link::<AtomicBool>::open(&name.0).is_ok(), "what was leaked stays");
    Link::remove(&name.0).unwrap();
    assert!(matches!(fault(Link::remove(&name.0)), LinkFault::Absent));
}

#[test]
fn the_mode_is_what_was_asked_for_whatever_the_umask() {
    let directory = Directory::new();
    for mode in [0o600, 0o640, 0o666, 0o400] {
        let path = format!("{}/{mode:o}", directory.0);
        let _made: Writable<u32> = Link::at_path(&path).mode(mode).create().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
    }
    let path = format!("{}/default", directory.0);
    let _made: Writable<u32> = Link::at_path(&path).create().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
}

//! What only Linux has: `fork`, other users, file systems that are mounted anew; and names that are files.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::Path,
    process::Command,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use commonage::{Error, Link, LinkFault, link::LinkBuilder};

pub(super) use super::unix::may_still_be_there;
use super::{Pair, Writable};
use crate::{
    forked::{ENDS, Forked},
    named::{Name, fault},
};

/// New files are refused as well where something is only to be read.
pub(super) const AND_NEW_ONES: bool = true;

/// Lets files in a directory be read, and nothing else: false where that is not permitted.
pub(super) fn make_read_only(directory: &Path, _file: &Path) -> bool {
    let mut mount = Command::new("mount");
    mount.args(["--bind", "-o", "ro"]).args([directory, directory]);
    mount.status().is_ok_and(|status| status.success())
}

/// Takes that back.
pub(super) fn make_writable(directory: &Path, _file: &Path) {
    assert!(Command::new("umount").arg(directory).status().unwrap().success());
}

/// Bytes that a file takes of its file system.
pub(super) fn taken(file: &File) -> u64 {
    file.metadata().unwrap().blocks() * 512
}

/// Names are files, of which others can make sparse ones: they are filled before they are touched, or refused.
pub(super) fn sparse_ones_are_refused() {
    File::create("/dev/shm/sparse").unwrap().set_len(500 << 10).unwrap();
    // SAFETY: any bytes are bytes.
    let full = unsafe { Writable::<[u8; 500 << 10]>::named("sparse").raw() }.open_existing().unwrap_err();
    assert!(matches!(full, Error::NoSpace { .. }), "{full:?}");
    fs::remove_file("/dev/shm/sparse").unwrap();
}

#[test]
fn a_forked_child_uses_an_inherited_link_and_owns_nothing() {
    for end in ENDS {
        let name = Name::new();
        let made: Writable<AtomicU64> = Link::create(&name.0).unwrap();
        let pair_name = Name::new();
        let pair: Writable<Pair> = Link::create_with(&pair_name.0, Pair { number: 1, square: 1 }).unwrap();
        let (mut made, mut pair) = (Some(made), Some(pair));
        Forked::new(end, || {
            let (made, pair) = (made.take().unwrap(), pair.take().unwrap());
            assert!(!made.is_owner());
            made.fetch_add(7, Relaxed);
            drop(made);
            drop(pair); // would say so
        })
        .success();
        assert_eq!(made.as_ref().unwrap().load(Relaxed), 7);
        assert_eq!(Link::<AtomicU64>::open(&name.0).unwrap().load(), 7, "the name is still there");
        assert!(Link::<Pair>::open(&pair_name.0).is_ok());
        std::mem::forget(Link::leak(pair.take().unwrap()));
        // A child can take the ownership over.
        let made = Link::leak(made.take().unwrap());
        Forked::new(end, || drop(Link::own(Writable::<AtomicU64>::open_existing(&name.0).unwrap()))).success();
        assert!(matches!(fault(Link::<AtomicU64>::open(&name.0)), LinkFault::Absent));
        drop(made);
    }
}

/// A link as its users know it.
pub(super) fn at<A>(name: &str) -> LinkBuilder<AtomicU64, A> {
    Link::named(name)
}

/// Looks, as another user, at a link that its maker keeps to itself, and at one that all may read, which holds 3.
pub(super) fn as_another_user(look: impl FnOnce(&str, &str)) {
    // SAFETY: asks for a number.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: only root can be another user");
        return;
    }
    let name = Name::new();
    let _made: Writable<AtomicU64> = Link::create(&name.0).unwrap();
    let open = Name::new();
    let made: Writable<AtomicU64> = Link::named(&open.0).mode(0o644).create().unwrap();
    made.store(3, Relaxed);
    Forked::new(ENDS[0], || {
        // SAFETY: changes who this child is.
        assert_eq!(unsafe { libc::setuid(65534) }, 0);
        look(&name.0, &open.0);
        assert!(matches!(fault(Link::remove(&name.0)), LinkFault::Denied(_)));
    })
    .success();
}

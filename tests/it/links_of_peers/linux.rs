//! What only Linux has: `fork`, file systems of a size, holes, other users.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    process::Command,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use commonage::{Error, Link, LinkFault, sync::SeqLock};

use super::{Pair, Writable};
use crate::{
    forked::{ENDS, Forked},
    named::{Name, fault},
    scene::{NAMED, listing, nobody_else, scene_alone, scene_in},
};

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

#[test]
fn a_full_file_system_is_no_space_and_leaves_nothing() {
    const TEST: &str = "links_of_peers::linux::a_full_file_system_is_no_space_and_leaves_nothing";
    let main = || {
        let name = Name::new();
        let full = Writable::<[u8; 2 << 20]>::create(&name.0).unwrap_err();
        assert!(matches!(full, Error::NoSpace { requested, .. } if requested > 2 << 20), "{full:?}");
        let full = Writable::<u64>::named(&name.0).bytes(1 << 40).open_or_create().unwrap_err();
        assert!(matches!(full, Error::NoSpace { requested, .. } if requested > 1 << 40), "{full:?}");
        assert_eq!(listing("/dev/shm"), [""; 0]);
        // All of it can be touched.
        let made: Writable<[u8; 900 << 10]> = Link::create(&name.0).unwrap();
        // SAFETY: nobody else has it.
        unsafe { made.as_mut_ptr().write_bytes(1, 1) };
        // What others have made sparse is filled before it is touched, or refused.
        fs::File::create("/dev/shm/sparse").unwrap().set_len(500 << 10).unwrap();
        // SAFETY: any bytes are bytes.
        let full = unsafe { Writable::<[u8; 500 << 10]>::named("sparse").raw() }.open_existing().unwrap_err();
        assert!(matches!(full, Error::NoSpace { .. }), "{full:?}");
        fs::remove_file("/dev/shm/sparse").unwrap();
    };
    scene_in(1 << 20, TEST, NAMED, main, nobody_else);
}

#[test]
fn a_large_file_with_holes_that_is_no_link_is_not_filled() {
    let name = Name::new();
    let file = fs::File::create(format!("/dev/shm/{}", name.0)).unwrap();
    file.set_len(16 << 20).unwrap();
    assert!(matches!(fault(Link::<AtomicU64>::open(&name.0)), LinkFault::NoHeader { found: 0 }));
    assert!(matches!(fault(Writable::<AtomicU64>::open_existing(&name.0)), LinkFault::NoHeader { found: 0 }));
    let taken = file.metadata().unwrap().blocks() * 512;
    assert!(taken <= 1 << 16, "{taken} bytes");
}

#[test]
fn a_link_of_another_user_is_denied() {
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
        assert!(matches!(fault(Link::<AtomicU64>::open(&name.0)), LinkFault::Denied(_)));
        assert!(matches!(fault(Writable::<AtomicU64>::open_existing(&name.0)), LinkFault::Denied(_)));
        assert!(matches!(fault(Writable::<AtomicU64>::open_or_create(&name.0)), LinkFault::Denied(_)));
        assert!(matches!(fault(Link::remove(&name.0)), LinkFault::Denied(_)));
        assert_eq!(Link::<AtomicU64>::open(&open.0).unwrap().load(), 3, "what is to be read can be read");
        assert!(matches!(fault(Writable::<AtomicU64>::open_existing(&open.0)), LinkFault::Denied(_)));
    })
    .success();
}

#[test]
fn a_link_on_a_read_only_file_system_can_be_read() {
    const TEST: &str = "links_of_peers::linux::a_link_on_a_read_only_file_system_can_be_read";
    let main = || {
        fs::create_dir("/dev/shm/files").unwrap();
        let path = "/dev/shm/files/link";
        let made: Writable<SeqLock<u64>> = Link::at_path(path).create().unwrap();
        made.write(5);
        let mount = |options| {
            Command::new("mount").args(["--bind", "-o", options, "/dev/shm/files", "/dev/shm/files"]).status()
        };
        if !mount("ro").is_ok_and(|status| status.success()) {
            return println!("skipped: no file system can be mounted");
        }
        assert_eq!(Link::<SeqLock<u64>>::at_path(path).open().unwrap().read().unwrap(), 5);
        assert!(matches!(fault(Writable::<SeqLock<u64>>::at_path(path).open_existing()), LinkFault::Denied(_)));
        assert!(matches!(fault(Writable::<u64>::at_path("/dev/shm/files/other").create()), LinkFault::Denied(_)));
    };
    scene_alone(TEST, NAMED, main, nobody_else);
}

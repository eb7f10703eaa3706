//! Values with a name, as several processes see them.

use std::{
    env, fs,
    io::BufReader,
    os::unix::{fs::MetadataExt, process::ExitStatusExt},
    process::{self, Command},
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    thread,
};

use commonage::{Error, Link, LinkFault, link::ReadWrite, shareable, sync::SeqLock};

use crate::{
    forked::{ENDS, Forked},
    named::{Name, fault},
    scene::{NAMED, listing, nobody_else, scene, scene_alone, scene_in, until},
    support::{Directory, child, role, said},
};

type Writable<T> = Link<T, ReadWrite>;

/// The name of the link that a child is to use.
pub(crate) const LINK: &str = "COMMONAGE_TEST_LINK";
/// The path of one.
const PATH: &str = "COMMONAGE_TEST_PATH";

/// The name that the parent has given.
pub(crate) fn given() -> String {
    env::var(LINK).expect("the parent names a link")
}

shareable! {
    /// Two numbers of which one is the other's square, and a word about its own end.
    struct Pair {
        number: u64,
        square: u64,
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        println!("dropped: {} {}", self.number, self.square);
    }
}

#[test]
fn what_one_process_leaks_another_opens_owns_and_drops_once() {
    const TEST: &str = "links_of_peers::what_one_process_leaks_another_opens_owns_and_drops_once";
    match role().as_deref() {
        Some("leaks") => {
            let made: Writable<Pair> = Link::create_with(&given(), Pair { number: 3, square: 9 }).unwrap();
            drop(Link::leak(made));
        }
        Some("owns") => {
            let mut link: Writable<Pair> = Link::own(Link::open_existing(&given()).unwrap());
            // SAFETY: nobody else has it open.
            let pair = unsafe { link.get_mut() };
            assert_eq!((pair.number, pair.square), (3, 9));
            (pair.number, pair.square) = (4, 16);
        }
        _ => {
            let name = Name::new();
            let drops = |role| {
                let said = child(TEST, role).env(LINK, &name.0).run_to_success().stdout;
                let said = String::from_utf8_lossy(&said).into_owned();
                said.lines().filter_map(|line| Some(line.split_once("dropped: ")?.1.to_owned())).collect::<Vec<_>>()
            };
            assert_eq!(drops("leaks"), [""; 0]);
            drop(Link::<Pair>::open(&name.0).expect("the process is gone, the value is there"));
            assert_eq!(drops("owns"), ["4 16"]);
            assert!(matches!(fault(Link::<Pair>::open(&name.0)), LinkFault::Absent));
        }
    }
}

#[test]
fn a_store_through_a_read_only_link_traps() {
    const TEST: &str = "links_of_peers::a_store_through_a_read_only_link_traps";
    match role().as_deref() {
        Some("stores") => {
            // SAFETY: ends the process as the signal does by itself, without a report of the test harness.
            unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
            let link: Link<AtomicU64> = Link::open(&given()).unwrap();
            assert_eq!(link.load(), 5);
            println!("about: to store");
            // SAFETY: it is an atomic, but the store traps, which is what is asked for.
            unsafe { link.get() }.store(6, Relaxed);
            println!("about: to end");
        }
        _ => {
            let name = Name::new();
            let made: Writable<AtomicU64> = Link::create_with(&name.0, AtomicU64::new(5)).unwrap();
            let output = child(TEST, "stores").env(LINK, &name.0).spawn().output();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("about: to store") && !said.contains("about: to end"), "{said}");
            assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{:?}", output.status);
            assert_eq!(made.load(Relaxed), 5);
        }
    }
}

#[test]
fn a_maker_that_is_killed_at_any_moment_leaves_a_whole_value_or_none() {
    const TEST: &str = "links_of_peers::a_maker_that_is_killed_at_any_moment_leaves_a_whole_value_or_none";
    const LEN: usize = 4000;
    let main = || {
        for round in 0..40_u32 {
            let name = Name::new();
            let mut maker = child(TEST, "makes").env(LINK, &name.0).spawn();
            let mut from = BufReader::new(maker.child().stdout.take().expect("it is piped"));
            said(&mut from, "makes: ");
            let mut found = 0;
            // Opened and looked at while it comes and goes.
            while found < 3 {
                match Link::<[u64; LEN]>::open(&name.0) {
                    Ok(link) => {
                        // SAFETY: the maker writes nothing after it is made.
                        let value = unsafe { link.get() };
                        assert!(value.iter().all(|word| *word == value[0]) && value[0] != 0, "a half-made value");
                        found += 1;
                    }
                    Err(Error::Link { fault: LinkFault::Absent, .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            for turn in 0..round * 997 {
                std::hint::black_box(turn);
            }
            maker.kill();
            match Writable::<[u64; LEN]>::open_existing(&name.0) {
                // SAFETY: nobody writes any more.
                Ok(link) => assert!(unsafe { link.get() }.iter().all(|word| *word != 0), "a half-made value stays"),
                Err(error) => assert!(matches!(error, Error::Link { fault: LinkFault::Absent, .. }), "{error}"),
            }
            drop(name);
            assert_eq!(listing("/dev/shm"), [""; 0], "nothing else stays");
        }
    };
    let makes = |_: &str| {
        println!("makes: values");
        for value in 1.. {
            let made: Writable<[u64; LEN]> = Link::create_with(&given(), [value; LEN]).unwrap();
            drop(made);
        }
    };
    scene(TEST, NAMED, main, makes);
}

#[test]
fn of_many_processes_that_open_or_create_one_creates() {
    const TEST: &str = "links_of_peers::of_many_processes_that_open_or_create_one_creates";
    match role().as_deref() {
        Some("opens") => {
            let link: Writable<AtomicU32> = Link::open_or_create(&given()).unwrap();
            let owner = link.is_owner();
            link.fetch_add(1, Relaxed);
            until("all have opened it", || (link.load(Relaxed) >= 6).then_some(()));
            println!("owner: {owner}");
            // Let nobody come too late to find it.
            link.fetch_add(1, Relaxed);
            until("all have said so", || (link.load(Relaxed) >= 12).then_some(()));
        }
        _ => {
            for _ in 0..5 {
                let name = Name::new();
                let opens = |_| child(TEST, "opens").env(LINK, &name.0).spawn();
                let children: Vec<_> = (0..6).map(opens).collect();
                let owns = |output: process::Output| String::from_utf8_lossy(&output.stdout).contains("owner: true");
                assert_eq!(children.into_iter().map(|child| owns(child.success())).filter(|owns| *owns).count(), 1);
                assert!(matches!(fault(Link::<AtomicU32>::open(&name.0)), LinkFault::Absent));
            }
        }
    }
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

#[test]
fn a_full_file_system_is_no_space_and_leaves_nothing() {
    const TEST: &str = "links_of_peers::a_full_file_system_is_no_space_and_leaves_nothing";
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
fn readers_come_and_go_while_a_writer_writes() {
    readers_come_and_go("links_of_peers::readers_come_and_go_while_a_writer_writes", None);
}

#[test]
fn readers_of_a_file_come_and_go_while_a_writer_writes() {
    let directory = Directory::new();
    let test = "links_of_peers::readers_of_a_file_come_and_go_while_a_writer_writes";
    readers_come_and_go(test, Some(format!("{}/link", directory.0)));
}

/// By name, or in a file.
fn readers_come_and_go(test: &str, path: Option<String>) {
    type Value = SeqLock<[u64; 8]>;
    match role().as_deref() {
        Some("reads") => {
            let link: Link<Value> = match env::var(PATH) {
                Ok(path) => Link::at_path(path).open().unwrap(),
                Err(_) => Link::open(&given()).unwrap(),
            };
            let mut last = 0;
            for _ in 0..2000 {
                let value = link.read().unwrap();
                assert!(value.iter().all(|word| *word == value[0]), "torn: {value:?}");
                assert!(value[0] >= last, "backwards");
                last = value[0];
            }
            println!("read: {last}");
        }
        Some(other) => panic!("there is no role `{other}`"),
        None => {
            let name = Name::new();
            let made: Writable<Value> = match &path {
                Some(path) => Link::at_path(path).create().unwrap(),
                None => Link::create(&name.0).unwrap(),
            };
            let reader = || match &path {
                Some(path) => child(test, "reads").env(PATH, path).spawn(),
                None => child(test, "reads").env(LINK, &name.0).spawn(),
            };
            thread::scope(|scope| {
                let readers = scope.spawn(|| {
                    for _ in 0..6 {
                        [(); 2].map(|()| reader()).into_iter().for_each(|reader| drop(reader.success()));
                    }
                });
                let mut turn = 0_u64;
                while !readers.is_finished() {
                    turn += 1;
                    made.write([turn; 8]);
                }
            });
        }
    }
}

#[test]
fn a_link_on_a_read_only_file_system_can_be_read() {
    const TEST: &str = "links_of_peers::a_link_on_a_read_only_file_system_can_be_read";
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

//! Values with a name, as several processes see them.

#[cfg(not(target_os = "linux"))]
mod apart;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(all(unix, not(target_os = "linux")))]
mod macos;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::{
    env, fs,
    io::BufReader,
    process,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    thread,
};

use commonage::{
    Error, Link, LinkFault,
    link::{LinkBuilder, ReadOnly, ReadWrite},
    shareable,
    sync::SeqLock,
};

#[cfg(target_os = "linux")]
use self::linux as platform;
#[cfg(all(unix, not(target_os = "linux")))]
use self::macos as platform;
#[cfg(windows)]
use self::windows as platform;
use crate::{
    named::{LINK, Name, PATH, Spot, fault, that_are_files, that_stay},
    scene::{NAMED, listing, nobody_else, scene, scene_alone, scene_in, until},
    support::{Directory, child, has_trapped, named, named_directory, role, said, will_trap},
};

type Writable<T> = Link<T, ReadWrite>;

/// The name that the parent has given.
pub(crate) fn given() -> String {
    env::var(LINK).expect("the parent names a link")
}

/// The link that the parent has given, by name or by path.
fn at_given<T: commonage::Shareable, Access>() -> LinkBuilder<T, Access> {
    match env::var(PATH) {
        Ok(path) => Link::at_path(path),
        Err(_) => Link::named(&given()),
    }
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
            let made: Writable<Pair> = at_given().create_with(Pair { number: 3, square: 9 }).unwrap();
            drop(Link::leak(made));
        }
        Some("owns") => {
            let mut link: Writable<Pair> = Link::own(at_given().open_existing().unwrap());
            // SAFETY: nobody else has it open.
            let pair = unsafe { link.get_mut() };
            assert_eq!((pair.number, pair.square), (3, 9));
            (pair.number, pair.square) = (4, 16);
        }
        _ => {
            for spot in that_stay() {
                let drops = |role| {
                    let said = spot.child(TEST, role).run_to_success().stdout;
                    let said = String::from_utf8_lossy(&said).into_owned();
                    said.lines().filter_map(|line| Some(line.split_once("dropped: ")?.1.to_owned())).collect::<Vec<_>>()
                };
                assert_eq!(drops("leaks"), [""; 0]);
                drop(spot.link::<Pair, ReadOnly>().open().expect("the process is gone, the value is there"));
                assert_eq!(drops("owns"), ["4 16"]);
                assert!(matches!(fault(spot.link::<Pair, ReadOnly>().open()), LinkFault::Absent));
            }
        }
    }
}

#[test]
fn a_store_through_a_read_only_link_traps() {
    const TEST: &str = "links_of_peers::a_store_through_a_read_only_link_traps";
    match role().as_deref() {
        Some("stores") => {
            let link: Link<AtomicU64> = Link::open(&given()).unwrap();
            assert_eq!(link.load(), 5);
            println!("about: to store");
            will_trap();
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
            assert!(has_trapped(output.status), "{:?}", output.status);
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
            assert_eq!(named(), [""; 0], "nothing else stays");
        }
    };
    let makes = |_: &str| {
        println!("makes: values");
        for value in 1.. {
            match Writable::<[u64; LEN]>::create_with(&given(), [value; LEN]) {
                Ok(made) => drop(made),
                Err(refused) => assert!(platform::may_still_be_there(&refused.reason), "{}", refused.reason),
            }
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
fn readers_come_and_go_while_a_writer_writes() {
    readers_come_and_go("links_of_peers::readers_come_and_go_while_a_writer_writes", || Spot::Name(Name::new()));
}

#[test]
fn readers_of_a_file_come_and_go_while_a_writer_writes() {
    let test = "links_of_peers::readers_of_a_file_come_and_go_while_a_writer_writes";
    readers_come_and_go(test, || Spot::File(Directory::new()));
}

fn readers_come_and_go(test: &str, spot: impl FnOnce() -> Spot) {
    type Value = SeqLock<[u64; 8]>;
    match role().as_deref() {
        Some("reads") => {
            let link: Link<Value> = at_given().open().unwrap();
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
            let spot = spot();
            let made: Writable<Value> = spot.link().create().unwrap();
            let reader = || spot.child(test, "reads").spawn();
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
fn a_full_file_system_is_no_space_and_leaves_nothing() {
    const TEST: &str = "links_of_peers::a_full_file_system_is_no_space_and_leaves_nothing";
    let main = || {
        for spot in that_are_files() {
            let file = spot.file();
            let beside = file.parent().unwrap();
            let before = listing(beside);
            let full = spot.link::<[u8; 2 << 20], ReadWrite>().create().unwrap_err();
            assert!(matches!(full, Error::NoSpace { requested, .. } if requested > 2 << 20), "{full:?}");
            let full = spot.link::<u64, ReadWrite>().bytes(1 << 40).open_or_create().unwrap_err();
            assert!(matches!(full, Error::NoSpace { requested, .. } if requested > 1 << 40), "{full:?}");
            assert_eq!(listing(beside), before);
            // All of it can be touched.
            let made: Writable<[u8; 900 << 10]> = spot.link().create().unwrap();
            // SAFETY: nobody else has it.
            unsafe { made.as_mut_ptr().write_bytes(1, 1) };
            platform::sparse_ones_are_refused();
        }
    };
    scene_in(1 << 20, TEST, NAMED, main, nobody_else);
}

#[test]
fn a_large_file_with_holes_that_is_no_link_is_not_filled() {
    for spot in that_are_files() {
        let file = fs::File::create(spot.file()).unwrap();
        file.set_len(16 << 20).unwrap();
        let before = platform::taken(&file);
        assert!(matches!(fault(spot.link::<AtomicU64, ReadOnly>().open()), LinkFault::NoHeader { found: 0 }));
        assert!(matches!(fault(spot.link::<AtomicU64, ReadWrite>().open_existing()), LinkFault::NoHeader { found: 0 }));
        let taken = platform::taken(&file) - before;
        assert!(taken <= 1 << 16, "{taken} bytes");
    }
}

#[test]
fn a_link_that_may_only_be_read_can_be_read() {
    const TEST: &str = "links_of_peers::a_link_that_may_only_be_read_can_be_read";
    let main = || {
        let directory = named_directory().join("files");
        fs::create_dir(&directory).unwrap();
        let path = directory.join("link");
        let made: Writable<SeqLock<u64>> = Link::at_path(&path).create().unwrap();
        made.write(5);
        drop(Link::leak(made));
        if !platform::make_read_only(&directory, &path) {
            println!("{TEST}: skipped, this user may write wherever it may read");
            return platform::make_writable(&directory, &path);
        }
        assert_eq!(Link::<SeqLock<u64>>::at_path(&path).open().unwrap().read().unwrap(), 5);
        let writable = || Writable::<SeqLock<u64>>::at_path(&path);
        assert!(matches!(fault(writable().open_existing()), LinkFault::Denied(_)));
        assert!(matches!(fault(writable().open_or_create()), LinkFault::Denied(_)));
        let new = Writable::<u64>::at_path(directory.join("other")).create();
        let denied = matches!(new, Err(Error::Link { fault: LinkFault::Denied(_), .. }));
        assert_eq!((denied, new.is_err()), (platform::AND_NEW_ONES, platform::AND_NEW_ONES));
        drop(new);
        platform::make_writable(&directory, &path);
        assert!(writable().open_existing().is_ok());
    };
    scene_alone(TEST, NAMED, main, nobody_else);
}

#[test]
fn a_link_of_another_user_is_denied() {
    platform::as_another_user(|name, open| {
        let denied = |fault| assert!(matches!(fault, LinkFault::Denied(_)), "{fault:?}");
        denied(fault(platform::at::<ReadOnly>(name).open()));
        denied(fault(platform::at::<ReadWrite>(name).open_existing()));
        denied(fault(platform::at::<ReadWrite>(name).open_or_create()));
        assert_eq!(platform::at::<ReadOnly>(open).open().unwrap().load(), 3, "what is to be read can be read");
        denied(fault(platform::at::<ReadWrite>(open).open_existing()));
    });
}

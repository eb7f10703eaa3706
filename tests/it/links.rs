//! Values with a name, as one process sees them.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::{
    env, fs,
    io::{Seek, SeekFrom, Write},
    mem::MaybeUninit,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use commonage::{
    Error, Link, LinkFault, Refused,
    link::{ReadOnly, ReadWrite},
    shareable,
    sync::{Mutex, SeqLock},
};

#[cfg(unix)]
use self::unix as platform;
#[cfg(windows)]
use self::windows as platform;
use crate::{
    named::{Name, fault, of_both_kinds, that_stay},
    support::Directory,
};

type Writable<T> = Link<T, ReadWrite>;

shareable! {
    /// Nothing but what is safe to use as it is.
    struct Gauges {
        reading: SeqLock<[f64; 4]>,
        readings: AtomicU64,
        alarms: [AtomicU32; 3],
    }
}

#[test]
fn a_created_value_is_zero_and_what_is_written_is_seen_by_all_who_open_it() {
    let name = Name::new();
    let made: Writable<Gauges> = Link::create(&name.0).unwrap();
    assert!(made.is_owner());
    assert_eq!((made.reading.read().unwrap(), made.readings.load(Relaxed)), ([0.0; 4], 0));
    let also: Writable<Gauges> = Link::open_existing(&name.0).unwrap();
    let seen: Link<Gauges> = Link::open(&name.0).unwrap();
    assert!(!also.is_owner() && !seen.is_owner());
    made.reading.write([1.0, 2.0, 3.0, 4.0]);
    also.readings.store(7, Relaxed);
    also.alarms[2].store(9, Relaxed);
    assert_eq!(also.reading.read().unwrap(), [1.0, 2.0, 3.0, 4.0]);
    let fields = seen.fields();
    assert_eq!(fields.reading.read().unwrap(), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!((fields.readings.load(), fields.alarms[2].load(), made.alarms[2].load(Relaxed)), (7, 9, 9));
}

#[test]
fn a_value_is_created_with_what_it_is_given() {
    let name = Name::new();
    let made: Writable<[u16; 3]> = Link::create_with(&name.0, [5, 6, 7]).unwrap();
    let mut also: Writable<[u16; 3]> = Link::open_existing(&name.0).unwrap();
    // SAFETY: nobody else uses the value meanwhile, here and below.
    let value = unsafe { also.get_mut() };
    value[1] = 60;
    // SAFETY: as above.
    assert_eq!(unsafe { made.get() }, &[5, 60, 7]);
}

#[test]
fn what_exists_is_not_created_again_and_the_value_comes_back() {
    let name = Name::new();
    let made: Writable<[u64; 2]> = Link::create_with(&name.0, [1, 2]).unwrap();
    assert!(matches!(fault(Writable::<[u64; 2]>::create(&name.0)), LinkFault::Exists));
    let refused = Writable::<[u64; 2]>::create_with(&name.0, [3, 4]).unwrap_err();
    assert_eq!(refused.handle, [3, 4]);
    let text = refused.reason.to_string();
    assert!(text.contains(&name.0) && text.contains("it exists"), "{text}");
    // SAFETY: nobody writes.
    assert_eq!(unsafe { made.get() }, &[1, 2], "what was there is as it was");
}

#[test]
fn what_does_not_exist_is_not_opened() {
    let name = Name::new();
    assert!(matches!(fault(Link::<AtomicU64>::open(&name.0)), LinkFault::Absent));
    assert!(matches!(fault(Writable::<AtomicU64>::open_existing(&name.0)), LinkFault::Absent));
    assert!(matches!(fault(Link::remove(&name.0)), LinkFault::Absent));
    let nowhere = format!("/nowhere/{}", name.0);
    assert!(matches!(fault(Link::<AtomicU64>::at_path(&nowhere).open()), LinkFault::Absent));
    assert!(matches!(fault(Writable::<AtomicU64>::at_path(&nowhere).create()), LinkFault::NoDirectory));
    assert!(matches!(fault(Writable::<AtomicU64>::at_path(&nowhere).open_or_create()), LinkFault::NoDirectory));
}

#[test]
fn a_value_of_another_size_or_type_is_refused_and_can_still_be_opened_as_what_it_is() {
    let name = Name::new();
    let _made: Writable<[u32; 2]> = Link::create_with(&name.0, [1, 2]).unwrap();
    match fault(Link::<[u32; 3]>::open(&name.0)) {
        LinkFault::Size { expected: 12, found: 8, type_name } => assert_eq!(type_name, "[u32; 3]"),
        other => panic!("{other:?}"),
    }
    // Larger than all there is, too.
    assert!(matches!(fault(Link::<[u64; 10_000]>::open(&name.0)), LinkFault::Size { expected: 80_000, found: 8, .. }));
    let expected_type = |result| match fault(result) {
        LinkFault::Type { expected, found, .. } => assert_ne!(expected, found),
        other => panic!("{other:?}"),
    };
    expected_type(Link::<[f32; 2]>::open(&name.0).map(drop));
    expected_type(Link::<u64>::open(&name.0).map(drop));
    expected_type(Writable::<[AtomicU32; 2]>::open_existing(&name.0).map(drop));
    expected_type(Writable::<u64>::open_or_create(&name.0).map(drop));
    let seen = Link::<[u32; 2]>::open(&name.0).unwrap();
    // SAFETY: nobody writes.
    assert_eq!(unsafe { seen.get() }, &[1, 2]);
}

#[test]
fn structs_that_differ_in_a_field_are_different_types() {
    mod one {
        commonage::shareable! { pub(super) struct Frame { pub(super) width: u32, pub(super) height: u32 } }
    }
    mod same {
        commonage::shareable! { pub(super) struct Frame { pub(super) width: u32, pub(super) height: u32 } }
    }
    mod other {
        commonage::shareable! { pub(super) struct Frame { pub(super) height: u32, pub(super) width: u32 } }
    }
    let name = Name::new();
    let made: Writable<one::Frame> = Link::create_with(&name.0, one::Frame { width: 4, height: 3 }).unwrap();
    let seen: Link<same::Frame> = Link::open(&name.0).unwrap();
    // SAFETY: nobody writes.
    let frame = unsafe { seen.get() };
    assert_eq!((frame.width, frame.height), (4, 3));
    assert!(matches!(fault(Link::<other::Frame>::open(&name.0)), LinkFault::Type { .. }));
    drop(made);
    let _unused = other::Frame { height: 0, width: 0 };
}

#[test]
fn a_file_that_is_no_link_is_refused_for_what_it_is() {
    let directory = Directory::new();
    let path = |name: &str| format!("{}/{name}", directory.0);
    let open = |name: &str| fault(Link::<AtomicU64>::at_path(path(name)).open());

    fs::write(path("empty"), []).unwrap();
    assert!(matches!(open("empty"), LinkFault::TooShort { expected: 136, found: 0 }));
    fs::write(path("short"), [1; 127]).unwrap();
    assert!(matches!(open("short"), LinkFault::TooShort { expected: 136, found: 127 }));
    fs::write(path("other"), [1; 1000]).unwrap();
    assert!(matches!(open("other"), LinkFault::NoHeader { found: 0x0101_0101_0101_0101 }));
    fs::create_dir(path("directory")).unwrap();
    assert!(matches!(open("directory"), LinkFault::NotAFile(what) if what.contains("directory")));
    let made: Writable<AtomicU64> = Link::at_path(path("link")).create().unwrap();
    drop(Link::leak(made));
    let whole = fs::read(path("link")).unwrap();
    assert_eq!(whole.len(), 136);
    for len in 128..136 {
        fs::write(path("link"), &whole[..len]).unwrap();
        assert!(matches!(open("link"), LinkFault::TooShort { expected: 136, .. }), "cut to {len} bytes");
    }
    for (at, what) in [(8, "abi"), (24, "type"), (32, "size"), (40, "bytes")] {
        let mut changed = whole.clone();
        changed[at] ^= 0x40;
        fs::write(path("link"), &changed).unwrap();
        let fault = open("link");
        let right = match what {
            "abi" => matches!(fault, LinkFault::Abi { expected: 1, found: 65 }),
            "type" => matches!(fault, LinkFault::Type { .. }),
            "size" => matches!(fault, LinkFault::Size { expected: 8, found: 72, .. }),
            _ => matches!(fault, LinkFault::TooShort { .. }),
        };
        assert!(right, "{what}: {fault:?}");
    }
    let mut changed = whole.clone();
    changed[40..48].fill(0xff);
    fs::write(path("link"), &changed).unwrap();
    assert!(matches!(open("link"), LinkFault::TooShort { .. }), "a length beyond all numbers");
    changed[40..48].copy_from_slice(&4_u64.to_ne_bytes());
    fs::write(path("link"), &changed).unwrap();
    assert!(matches!(open("link"), LinkFault::TooShort { expected: 136, found: 132 }), "less than the type has");
    fs::write(path("link"), &whole).unwrap();
    assert_eq!(Link::<AtomicU64>::at_path(path("link")).open().unwrap().load(), 0);
}

#[test]
fn any_changed_byte_of_a_header_is_an_error_or_the_same_value() {
    let directory = Directory::new();
    let path = format!("{}/link", directory.0);
    drop(Link::leak(Writable::<AtomicU64>::at_path(&path).create_with(AtomicU64::new(77)).unwrap()));
    let whole = fs::read(&path).unwrap();
    let mut refused = 0;
    for at in 0..128 {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            fs::write(&path, &changed).unwrap();
            match Link::<AtomicU64>::at_path(&path).ready_timeout(Duration::ZERO).open() {
                Ok(link) => assert_eq!(link.load(), 77, "byte {at}, bit {bit}"),
                Err(Error::Link { .. }) => refused += 1,
                Err(error) => panic!("byte {at}, bit {bit}: {error:?}"),
            }
        }
    }
    // Magic, ABI, state, fingerprint, size, bytes; the maker says nothing any more, nor does the rest.
    assert_eq!(refused, 8 * (8 + 4 + 4 + 8 + 8 + 8));
}

#[test]
fn a_value_that_is_never_made_ready_is_told_from_one_that_takes_its_time() {
    let directory = Directory::new();
    let path = format!("{}/link", directory.0);
    drop(Link::leak(Writable::<AtomicU64>::at_path(&path).create().unwrap()));
    let whole = fs::read(&path).unwrap();
    let unready = |maker: u32| {
        let mut changed = whole.clone();
        changed[12..16].fill(0);
        changed[16..20].copy_from_slice(&maker.to_ne_bytes());
        fs::write(&path, changed).unwrap();
    };
    // A process that lives, and takes longer than anybody waits.
    unready(std::process::id());
    let timeout = Duration::from_millis(30);
    match fault(Link::<AtomicU64>::at_path(&path).ready_timeout(timeout).open()) {
        LinkFault::NotReady { process, waited } => {
            assert_eq!(process, std::process::id());
            assert!(waited >= timeout);
        }
        other => panic!("{other:?}"),
    }
    // One that is dead: nobody waits for it.
    let mut child = Command::new(env::current_exe().unwrap()).arg("--help").stdout(Stdio::null()).spawn().unwrap();
    child.wait().unwrap();
    unready(child.id());
    let began = Instant::now();
    let fault = fault(Link::<AtomicU64>::at_path(&path).ready_timeout(Duration::from_secs(3600)).open());
    assert!(matches!(fault, LinkFault::Abandoned { process } if process == child.id()), "{fault:?}");
    assert!(began.elapsed() < Duration::from_secs(600), "it was not waited for");
    // One that becomes ready while it is waited for.
    unready(std::process::id());
    thread::scope(|scope| {
        let opener = scope.spawn(|| Link::<AtomicU64>::at_path(&path).ready_timeout(Duration::from_secs(60)).open());
        let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(12)).unwrap();
        file.write_all(&1_u32.to_ne_bytes()).unwrap();
        opener.join().unwrap().unwrap();
    });
}

#[test]
fn names_that_a_platform_cannot_hold_are_refused_with_the_reason() {
    let long = "n".repeat(300);
    for name in ["", "/", ".", "..", "a/b", "/a/b", "a\0b", "//a", &long] {
        for fault in [
            fault(Writable::<u32>::create(name)),
            fault(Writable::<u32>::open_or_create(name)),
            fault(Writable::<u32>::open_existing(name)),
            fault(Link::<u32>::open(name)),
            fault(Link::remove(name)),
        ] {
            assert!(matches!(fault, LinkFault::Name(_)), "{name:?}: {fault:?}");
        }
    }
    assert!(matches!(fault(Link::<u32>::at_path("a\0b").open()), LinkFault::Name(_)));
}

#[test]
fn a_failure_of_the_system_says_of_which_link_it_is() {
    let directory = Directory::new();
    let path = format!("{}/{}", directory.0, platform::no_file());
    let error = Link::<u32>::at_path(&path).open().unwrap_err();
    assert!(matches!(&error, Error::Link { link, fault: LinkFault::Failed { .. } } if *link == path), "{error:?}");
}

#[test]
fn the_longest_name_and_one_with_a_slash_are_names() {
    let name = Name::new();
    let long = Name(format!("{}-{}", name.0, "n".repeat(platform::LONGEST - 1 - name.0.len())));
    assert_eq!(long.0.len(), platform::LONGEST);
    let _made: Writable<u32> = Link::create(&long.0).unwrap();
    let seen: Link<u32> = Link::open(&format!("/{}", long.0)).unwrap();
    // SAFETY: nobody writes.
    assert_eq!(unsafe { *seen.get() }, 0);
}

#[test]
fn a_raw_offset_must_be_aligned_and_in_the_file() {
    let directory = Directory::new();
    let path = format!("{}/raw", directory.0);
    fs::write(&path, (0..64).collect::<Vec<u8>>()).unwrap();
    // SAFETY: any bytes are a number, here and below, and nobody writes.
    let at = |offset| unsafe { Link::<u32>::at_path(&path).raw_at(offset) };
    for offset in [1, 2, 3, 62] {
        let fault = fault(at(offset).open());
        assert!(matches!(fault, LinkFault::Misaligned { alignment: 4, offset: o, .. } if o == offset), "{fault:?}");
    }
    for (offset, end) in [(64, 68), (1 << 40, (1 << 40) + 4)] {
        let fault = fault(at(offset).open());
        assert!(matches!(fault, LinkFault::TooShort { expected, found: 64 } if expected == end), "{fault:?}");
    }
    assert!(matches!(at(u64::MAX - 3).open(), Err(Error::TooLarge { .. })));
    // SAFETY: as above.
    assert_eq!(unsafe { *at(60).open().unwrap().get() }.to_ne_bytes(), [60, 61, 62, 63]);
    // SAFETY: as above.
    assert_eq!(unsafe { *at(0).open().unwrap().get() }.to_ne_bytes(), [0, 1, 2, 3]);
}

#[test]
fn a_raw_link_is_the_value_and_nothing_else() {
    let directory = Directory::new();
    let path = format!("{}/raw", directory.0);
    // SAFETY: any bytes are numbers.
    let made = unsafe { Writable::<[u32; 3]>::at_path(&path).raw() }.create_with([1, 2, 3]).unwrap();
    let bytes: Vec<u8> = [1_u32, 2, 3].iter().flat_map(|number| number.to_ne_bytes()).collect();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    drop(Link::leak(made));
    fs::write(&path, [0xff; 11]).unwrap();
    // SAFETY: as above.
    let fault = fault(unsafe { Link::<[u32; 3]>::at_path(&path).raw() }.open());
    assert!(matches!(fault, LinkFault::TooShort { expected: 12, found: 11 }));
}

#[test]
fn more_bytes_than_the_type_has_lie_behind_the_value() {
    let name = Name::new();
    let made: Writable<u64> = Link::named(&name.0).bytes(10_000).create().unwrap();
    assert_eq!(made.bytes(), 10_000);
    let seen: Link<u64> = Link::named(&name.0).bytes(5_000).open().unwrap();
    assert_eq!(seen.bytes(), 10_000);
    // SAFETY: so many bytes are mapped.
    let last = unsafe { made.as_mut_ptr().cast::<u8>().add(9_999) };
    // SAFETY: nobody else uses them.
    unsafe { last.write(42) };
    // SAFETY: so many bytes are mapped.
    let last = unsafe { seen.as_ptr().cast::<u8>().add(9_999) };
    // SAFETY: nobody writes.
    assert_eq!(unsafe { last.read() }, 42);
    let fault = fault(Link::<u64>::named(&name.0).bytes(10_001).open());
    assert!(matches!(fault, LinkFault::TooShort { expected: 10_129, found: 10_128 }), "{fault:?}");
}

#[test]
fn large_alignments_are_kept_and_too_large_ones_refused() {
    #[repr(C, align(512))]
    struct Wide([u8; 512]);
    // SAFETY: bytes in a row; the name is this test's.
    unsafe impl commonage::Shareable for Wide {
        const FINGERPRINT: u64 = commonage::fingerprint_of("links::Wide", 512, 512);
        const LOCKS: bool = false;
    }
    #[repr(C, align(1048576))]
    struct TooWide([u8; 1 << 20]);
    // SAFETY: as above.
    unsafe impl commonage::Shareable for TooWide {
        const FINGERPRINT: u64 = commonage::fingerprint_of("links::TooWide", 1 << 20, 1 << 20);
        const LOCKS: bool = false;
    }
    let name = Name::new();
    let made: Writable<Wide> = Link::create(&name.0).unwrap();
    assert_eq!(made.as_ptr() as usize % 512, 0);
    // SAFETY: nobody writes.
    assert_eq!(unsafe { made.get() }.0, [0; 512]);
    let error = Writable::<TooWide>::create(&format!("{}x", name.0)).unwrap_err();
    assert!(matches!(error, Error::Alignment { requested: 1_048_576, .. }), "{error:?}");
}

#[test]
fn a_value_that_is_larger_than_any_stack_is_made_and_opened() {
    type Large = [u64; 32 << 20];
    let name = Name::new();
    let made: Writable<Large> = Link::create(&name.0).unwrap();
    let seen: Link<Large> = Link::open(&name.0).unwrap();
    // SAFETY: the value has so many.
    let last = unsafe { made.as_mut_ptr().cast::<u64>().add((32 << 20) - 1) };
    // SAFETY: nobody else writes, and nobody reads meanwhile.
    unsafe { last.write(7) };
    // SAFETY: nobody writes.
    assert_eq!(unsafe { seen.get() }[(32 << 20) - 1], 7);
}

#[test]
fn values_without_bytes_and_without_meaning_are_values_too() {
    let name = Name::new();
    let _made: Writable<[AtomicU64; 0]> = Link::create(&name.0).unwrap();
    assert_eq!(Link::<[AtomicU64; 0]>::open(&name.0).unwrap().len(), 0);
    let raw = Name::new();
    // SAFETY: there are no bytes.
    let _made = unsafe { Writable::<[u64; 0]>::named(&raw.0).raw() }.create().unwrap();
    let any = Name::new();
    let made: Writable<MaybeUninit<[u8; 100]>> = Link::create(&any.0).unwrap();
    assert_eq!(made.bytes(), 100);
}

/// A link whose owner has been dropped, as one that has opened it has it. Others have come and gone before.
fn left_by_its_owner(name: &Name) -> Writable<AtomicBool> {
    let made: Writable<AtomicBool> = Link::create(&name.0).unwrap();
    drop(Writable::<AtomicBool>::open_existing(&name.0).unwrap());
    drop(Link::<AtomicBool>::open(&name.0).unwrap());
    let other: Writable<AtomicBool> = Link::open_or_create(&name.0).unwrap();
    assert!(!other.is_owner());
    drop(made);
    other
}

#[test]
fn the_name_goes_with_its_owner_and_with_nobody_else() {
    platform::the_name_goes_with_its_owner_and_with_nobody_else();
}

#[test]
fn the_owner_runs_the_drop_of_the_value_exactly_once() {
    static DROPS: AtomicU32 = AtomicU32::new(0);
    shareable! {
        struct Dropped {
            with: u32,
        }
    }
    impl Drop for Dropped {
        fn drop(&mut self) {
            DROPS.fetch_add(self.with, Relaxed);
        }
    }
    let dropped = || DROPS.swap(0, Relaxed);
    for spot in that_stay() {
        let writable = || spot.link::<Dropped, ReadWrite>();
        let made = writable().create_with(Dropped { with: 3 }).unwrap();
        assert_eq!(dropped(), 0, "the value was moved, not dropped");
        drop(spot.link::<Dropped, ReadOnly>().open().unwrap());
        drop(writable().open_existing().unwrap());
        assert_eq!(dropped(), 0, "only the owner drops it");
        let Refused { handle, .. } = writable().create_with(Dropped { with: 5 }).unwrap_err();
        assert_eq!(dropped(), 0, "what was refused is given back");
        drop(handle);
        assert_eq!(dropped(), 5);
        drop(Link::leak(made));
        assert_eq!(dropped(), 0, "nobody owns it");
        drop(Link::own(writable().open_existing().unwrap()));
        assert_eq!(dropped(), 3, "the new owner has dropped it, once");
    }
}

#[test]
fn a_size_beyond_all_memory_is_said_as_it_was_asked_for() {
    let name = Name::new();
    let error = Writable::<u32>::named(&name.0).bytes(u64::MAX - 200).create().unwrap_err();
    assert!(matches!(error, Error::TooLarge { requested, .. } if requested as u64 == u64::MAX - 72), "{error:?}");
}

#[test]
fn what_is_to_lie_in_a_file_as_if_that_were_a_directory_does_not_exist() {
    let directory = Directory::new();
    let file = std::path::Path::new(&directory.0).join("file");
    fs::write(&file, "").unwrap();
    let link = || Link::<u32, ReadWrite>::at_path(file.join("link"));
    assert!(matches!(fault(link().open_existing()), LinkFault::Absent));
    assert!(matches!(fault(link().create()), LinkFault::NoDirectory));
    assert!(matches!(fault(link().open_or_create()), LinkFault::NoDirectory));
}

#[test]
fn of_several_owners_one_runs_the_drop_of_the_value_and_a_panic_there_leaves_no_name() {
    static DROPS: AtomicU32 = AtomicU32::new(0);
    shareable! {
        struct Dropped {
            lock: Mutex<u32>,
            others: u64,
        }
    }
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.others += 1;
            *self.lock.lock().expect("nobody has it") += 1;
            thread::sleep(Duration::from_millis(10));
            DROPS.fetch_add(1, Relaxed);
            panic!("in the drop of a value, as this test wants it");
        }
    }
    for _ in 0..5 {
        for spot in of_both_kinds() {
            let existing = || spot.link::<Dropped, ReadWrite>().open_existing().unwrap();
            let made = spot.link().create_with(Dropped { lock: Mutex::new(0), others: 0 }).unwrap();
            let (also, late) = (Link::own(existing()), existing());
            let panics = thread::scope(|scope| {
                let owners = [made, also].map(|owner| scope.spawn(move || drop(owner)));
                owners.into_iter().map(|owner| u32::from(owner.join().is_err())).sum::<u32>()
            });
            assert_eq!((panics, DROPS.swap(0, Relaxed)), (1, 1));
            let open = || fault(spot.link::<Dropped, ReadOnly>().open());
            assert!(platform::is_gone(&open()), "the name went nevertheless, or what it names is over");
            drop(Link::own(late));
            assert_eq!(DROPS.swap(0, Relaxed), 0, "it is over");
            assert!(matches!(open(), LinkFault::Absent));
        }
    }
    // One that was killed between the `Drop` and the name.
    let directory = Directory::new();
    let path = format!("{}/link", directory.0);
    let value = Dropped { lock: Mutex::new(0), others: 0 };
    drop(Link::leak(Writable::<Dropped>::at_path(&path).create_with(value).unwrap()));
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(12)).unwrap();
    file.write_all(&2_u32.to_ne_bytes()).unwrap();
    assert!(matches!(fault(Link::<Dropped>::at_path(&path).open()), LinkFault::Over));
}

#[test]
fn of_many_who_open_or_create_at_the_same_time_one_creates_and_all_have_the_same() {
    for _ in 0..50 {
        let name = Name::new();
        let start = Arc::new(std::sync::Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (name, start) = (name.0.clone(), start.clone());
                thread::spawn(move || {
                    start.wait();
                    let link: Writable<Mutex<u64>> = Link::open_or_create(&name).unwrap();
                    *link.lock().unwrap() += 1;
                    link
                })
            })
            .collect();
        let links: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(links.iter().filter(|link| link.is_owner()).count(), 1);
        assert_eq!(*links[0].lock().unwrap(), 8);
    }
}

#[test]
fn links_can_be_sent_to_other_threads_and_say_what_they_are() {
    fn anywhere<T: Send + Sync>(_: &T) {}
    let name = Name::new();
    let made: Writable<Mutex<u64>> = Link::create(&name.0).unwrap();
    let seen: Link<Mutex<u64>> = Link::open(&name.0).unwrap();
    anywhere(&made);
    anywhere(&seen);
    let text = format!("{made:?}");
    assert!(text.contains(&name.0) && text.contains("Mutex") && text.contains("owner: true"), "{text}");
}

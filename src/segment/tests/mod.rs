//! Segments, as their makers and their peers see them: here, and in processes that this one starts, kills and asks.

#[cfg(windows)]
mod directories;
#[cfg(any(target_os = "linux", windows))]
mod doors;
#[cfg(any(target_os = "linux", windows))]
mod estates;
mod files;
#[cfg(target_os = "linux")]
mod fork;
mod names;
mod peer;
#[cfg(target_os = "linux")]
mod roles;
#[cfg(not(target_os = "linux"))]
#[path = "roles_elsewhere.rs"]
mod roles;

use std::sync::atomic::{AtomicU64, Ordering};

use self::peer::{Peer, Told};
use super::*;

/// What these tests give their segments for a header: one of a version that nobody knows, so that whoever sweeps lets
/// them be, and its id.
const HEADER: [u64; 2] = [u64::from_le_bytes(*b"commonag"), u32::MAX as u64];
/// Where the id stands.
const ID: usize = 16;

const CONTROL: usize = 2 * GRANULE;
const DATA: usize = 3 * GRANULE;

fn backings() -> Vec<Backing> {
    if sys::anonymous_works() { vec![Backing::Anonymous, Backing::Named] } else { vec![Backing::Named] }
}

fn word(segment: &Segment, offset: usize) -> &AtomicU64 {
    assert!(offset.is_multiple_of(8) && offset < CONTROL + DATA);
    // SAFETY: the offset lies within the mapping.
    let word = unsafe { segment.control().add(offset) }.cast::<AtomicU64>();
    // SAFETY: aligned, and mapped as long as the segment; these tests touch shared memory through atomics only.
    unsafe { word.as_ref() }
}

fn create(backing: Backing) -> Segment {
    let id = Segment::new_id().unwrap();
    let segment = Segment::create(backing, id, CONTROL, DATA).unwrap();
    segment.reserve(0..CONTROL + DATA).unwrap();
    word(&segment, 0).store(HEADER[0], Ordering::Relaxed);
    word(&segment, 8).store(HEADER[1], Ordering::Relaxed);
    word(&segment, ID).store(id.0, Ordering::Relaxed);
    segment
}

/// What the pool does with a header, in short.
fn check(id: SegmentId) -> impl FnMut(&[u8; PREFIX], u64) -> Result<Sizes, Error> {
    move |prefix, size| {
        assert!(size >= PREFIX as u64);
        let found = u64::from_le_bytes(std::array::from_fn(|i| prefix[ID + i]));
        if found != id.0 {
            let (locator, found) = ("the object".into(), format!("{found:016x}"));
            return Err(Error::NotTheSegment { segment: id, locator, expected: "its id", found });
        }
        Ok(Sizes { control: CONTROL, data: DATA })
    }
}

fn attach(locator: &Locator) -> Result<Segment, Error> {
    Segment::attach(locator, check(locator.id))
}

/// Every role of the processes that these tests start; nothing in a run of the tests themselves.
#[test]
fn child() {
    let Some(told) = Told::by_parent() else { return };
    match told.role() {
        "attach" => attaches(told),
        "create" => creates(told),
        role if names::child(role, &told) || roles::child(role, &told) => {}
        role => panic!("no role {role}"),
    }
}

/// Attaches what it is told to, and does there what it is told.
fn attaches(told: Told) {
    let locator = told.locator();
    let segment = attach(&locator).unwrap();
    told.say(&peer::text(&segment.locator()));
    while let Some(order) = told.hear() {
        let (verb, number) = order.split_once(' ').unwrap();
        let number: usize = number.parse().unwrap();
        match verb {
            "read" => told.say(&word(&segment, number).load(Ordering::Relaxed).to_string()),
            "write" => {
                word(&segment, number).store(4711, Ordering::Relaxed);
                told.say("written");
            }
            "make-writable" => {
                segment.make_writable().unwrap();
                told.say("writable");
            }
            "occupy" => {
                let taken = segment.occupy(number as u32).unwrap();
                told.say(&format!("{taken} {}", segment.identity().unwrap()));
            }
            "vacate" => {
                segment.vacate(number as u32);
                told.say("vacated");
            }
            "sweep" => {
                let taken = segment.lock_sweep();
                told.say(&taken.is_some().to_string());
                std::mem::forget(taken);
            }
            verb => panic!("no verb {verb}"),
        }
    }
}

/// Makes a segment, tells where, and stays until told to go; its name goes with it.
fn creates(told: Told) {
    let backing = if told.hear().unwrap() == "named" { Backing::Named } else { Backing::Anonymous };
    let segment = create(backing);
    word(&segment, CONTROL).store(1234, Ordering::Relaxed);
    told.say(&peer::text(&segment.locator()));
    told.hear();
    segment.remove_name();
}

#[test]
fn made_here_and_attached_here() {
    for backing in backings() {
        let made = create(backing);
        assert_eq!((made.control_len(), made.data_len()), (CONTROL, DATA));
        assert_eq!(made.locator().sender, made.locator().owner);
        assert_eq!(made.locator().sender.pid, std::process::id());
        word(&made, CONTROL + DATA - 8).store(99, Ordering::Relaxed);

        let attached = attach(&made.locator()).unwrap();
        assert_eq!(attached.id(), made.id());
        assert_ne!(attached.control(), made.control(), "mapped a second time");
        assert_eq!(word(&attached, CONTROL + DATA - 8).load(Ordering::Relaxed), 99);
        word(&attached, 64).store(7, Ordering::Relaxed);
        assert_eq!(word(&made, 64).load(Ordering::Relaxed), 7);
        attached.make_writable().unwrap();
        attached.make_writable().unwrap();
        word(&attached, CONTROL).store(8, Ordering::Relaxed);
        assert_eq!(word(&made, CONTROL).load(Ordering::Relaxed), 8);

        let locator = attached.locator();
        assert_eq!(locator.owner, made.locator().owner);
        drop(made);
        drop(attach(&locator).unwrap());
        attached.remove_name();
        attached.remove_name();
        assert_eq!(word(&attached, CONTROL).load(Ordering::Relaxed), 8, "who has it keeps it");
        drop(attached);
        match attach(&locator).err().unwrap() {
            Error::Gone { sender, .. } => assert_eq!(sender, std::process::id()),
            // Other tests run in this process: the numbers may be those of other descriptors by now.
            Error::NotTheSegment { .. } if backing == Backing::Anonymous => {}
            error => panic!("{error}"),
        }
    }
}

#[test]
fn attached_in_a_child() {
    for backing in backings() {
        let made = create(backing);
        word(&made, CONTROL + 800).store(31, Ordering::Relaxed);
        let mut child = Peer::start("attach");
        child.say(&peer::text(&made.locator()));
        let theirs = peer::locator(&child.hear());
        assert_eq!((theirs.owner, theirs.sender.pid), (made.locator().owner, child.pid()));
        assert_eq!(child.ask(&format!("read {}", CONTROL + 800)), "31");
        assert_eq!(child.ask("write 128"), "written");
        assert_eq!(word(&made, 128).load(Ordering::Relaxed), 4711);
        assert_eq!(child.ask("make-writable 0"), "writable");
        assert_eq!(child.ask(&format!("write {}", CONTROL + 808)), "written");
        assert_eq!(word(&made, CONTROL + 808).load(Ordering::Relaxed), 4711);
        child.end();
        made.remove_name();
    }
}

#[test]
fn a_stray_write_traps() {
    for backing in backings() {
        let made = create(backing);
        let mut child = Peer::start("attach");
        child.say(&peer::text(&made.locator()));
        child.hear();
        child.say(&format!("write {CONTROL}"));
        assert_eq!(child.dies(), None, "the child wrote where it must not");
        assert_eq!(word(&made, CONTROL).load(Ordering::Relaxed), 0);
        made.remove_name();
    }
}

#[test]
fn the_sizes_must_fit() {
    for backing in backings() {
        let made = create(backing);
        for (control, data) in [
            (CONTROL, DATA + GRANULE),
            (0, DATA),
            (CONTROL, 0),
            (CONTROL + 8, DATA),
            (usize::MAX - GRANULE + 1, 2 * GRANULE),
            (GRANULE, 1 << (usize::BITS - 1)),
        ] {
            let wrong = Segment::attach(&made.locator(), |_, _| Ok(Sizes { control, data })).err().unwrap();
            assert!(matches!(wrong, Error::Corrupt { .. }), "{wrong}");
        }
        let smaller = Segment::attach(&made.locator(), |_, _| Ok(Sizes { control: GRANULE, data: GRANULE })).unwrap();
        assert_eq!(smaller.data_len(), GRANULE);
        let refused = Segment::attach(&made.locator(), |_, _| Err(Error::Exiting)).err().unwrap();
        assert!(matches!(refused, Error::Exiting), "{refused}");
        made.remove_name();
    }
    let id = SegmentId(1);
    let huge = Segment::create(Backing::Named, id, usize::MAX - GRANULE + 1, GRANULE).err().unwrap();
    assert!(matches!(huge, Error::TooLarge { .. }), "{huge}");
}

#[test]
fn reserved_and_punched() {
    for backing in backings() {
        let id = SegmentId(sys::random_u64().unwrap());
        let made = Segment::create(backing, id, CONTROL, DATA).unwrap();
        made.reserve(CONTROL..CONTROL + GRANULE).unwrap();
        made.reserve(0..0).unwrap();
        word(&made, CONTROL).store(5, Ordering::Relaxed);
        if made.punch(CONTROL..CONTROL + GRANULE) {
            made.reserve(CONTROL..CONTROL + GRANULE).unwrap();
            assert_eq!(word(&made, CONTROL).load(Ordering::Relaxed), 0);
        }
        let beyond = made.reserve(CONTROL..CONTROL + DATA + 1).unwrap_err();
        assert!(matches!(beyond, Error::Range { .. }), "{beyond}");
        assert!(!made.punch(0..CONTROL + DATA + GRANULE));
        made.remove_name();
    }
}

#[test]
fn who_occupies_lives() {
    for backing in backings() {
        let anonymous = backing == Backing::Anonymous;
        let made = create(backing);
        assert!(made.occupy(0).unwrap());
        assert!(!made.occupy(0).unwrap(), "taken here before");
        let own = made.identity().unwrap();
        assert_eq!(own == 0, anonymous);
        assert_eq!(made.liveness(0, own), Liveness::Alive);

        let again = attach(&made.locator()).unwrap();
        assert_eq!(again.liveness(0, own), Liveness::Alive, "seen through another description");
        assert_eq!(again.occupy(0).unwrap(), !anonymous);
        again.vacate(0);

        let mut child = Peer::start("attach");
        child.say(&peer::text(&made.locator()));
        child.hear();
        let answer = child.ask("occupy 5");
        let (taken, identity) = answer.split_once(' ').unwrap();
        let identity: u64 = identity.parse().unwrap();
        assert_eq!(taken, "true");
        assert_eq!(made.liveness(5, identity), Liveness::Alive);
        if anonymous {
            assert!(child.ask("occupy 0").starts_with("false"), "taken by this process");
            assert!(!made.occupy(5).unwrap(), "taken by the child");
            assert_eq!(made.liveness(6, 0), Liveness::Dead, "nobody has taken it");
            assert_eq!(child.ask("vacate 5"), "vacated");
            assert_eq!(made.liveness(5, 0), Liveness::Dead);
            assert!(child.ask("occupy 5").starts_with("true"));
            assert_eq!(made.liveness(5, 0), Liveness::Alive);
        }
        child.kill();
        assert_eq!(made.liveness(5, identity), Liveness::Dead, "{backing:?}");
        assert_eq!(again.liveness(5, identity), Liveness::Dead);
        assert!(made.occupy(5).unwrap());
        if !anonymous {
            assert_eq!(made.liveness(9, 12345), Liveness::Unknown, "no such file");
        }
        drop(again);
        made.remove_name();
        drop(made); // on Windows a name lasts as long as anybody has the segment
        if !anonymous {
            identity::bury(identity, false);
            assert_eq!(identity::liveness(identity), Liveness::Unknown);
        }
    }
}

#[test]
fn one_process_at_a_time_sweeps() {
    for backing in backings() {
        let made = create(backing);
        let again = attach(&made.locator()).unwrap();
        let mut child = Peer::start("attach");
        child.say(&peer::text(&made.locator()));
        child.hear();
        assert!(made.occupy(u32::MAX - 1).unwrap(), "the locks of slots are others");
        let taken = made.lock_sweep().expect("nobody has it");
        assert!(again.lock_sweep().is_none());
        assert_eq!(child.ask("sweep 0"), "false");
        drop(taken);
        drop(again.lock_sweep().expect("it was given up"));
        assert_eq!(child.ask("sweep 0"), "true");
        assert!(made.lock_sweep().is_none(), "{backing:?}");
        child.kill();
        drop(made.lock_sweep().expect("whoever had it is dead"));
        made.vacate(u32::MAX - 1);
        made.remove_name();
    }
}

#[test]
fn the_maker_may_go_first() {
    for backing in backings() {
        let mut maker = Peer::start("create");
        maker.say(if backing == Backing::Named { "named" } else { "anonymous" });
        let theirs = peer::locator(&maker.hear());
        let here = attach(&theirs).unwrap();
        maker.end();
        assert_eq!(word(&here, CONTROL).load(Ordering::Relaxed), 1234);
        if backing == Backing::Named {
            assert!(matches!(attach(&theirs), Err(Error::Gone { .. })), "it has removed the name");
        } else {
            let gone = attach(&theirs).err().unwrap();
            assert!(matches!(gone, Error::Gone { sender, .. } if sender == theirs.sender.pid), "{gone}");
            attach(&here.locator()).unwrap();
        }
    }
}

/// What the two calls cost that are made most often; `cargo test --release --lib -- --ignored --nocapture costs`.
#[test]
#[ignore = "prints times"]
fn costs() {
    /// The best of ten rounds: others have the processors too.
    fn each(name: &str, times: u32, mut call: impl FnMut()) {
        let mut round = || {
            let begin = std::time::Instant::now();
            (0..times / 10).for_each(|_| call());
            begin.elapsed() * 10 / times
        };
        println!("{name}: {:?}", (0..10).map(|_| round()).min().unwrap_or_default());
    }
    for backing in backings() {
        let made = create(backing);
        let locator = made.locator();
        let again = attach(&locator).unwrap();
        assert!(made.occupy(1).unwrap());
        let identity = made.identity().unwrap();
        each(&format!("{backing:?} attach and drop"), 2000, || drop(attach(&locator).unwrap()));
        each(&format!("{backing:?} create and drop"), 2000, || {
            let id = SegmentId(sys::random_u64().unwrap());
            Segment::create(backing, id, CONTROL, DATA).unwrap().remove_name();
        });
        each(&format!("{backing:?} liveness of another's"), 20_000, || {
            std::hint::black_box(again.liveness(1, identity));
        });
        let mut child = Peer::start("attach");
        child.say(&peer::text(&locator));
        child.hear();
        let answer = child.ask("occupy 5");
        let identity = answer.split_once(' ').unwrap().1.parse().unwrap();
        each(&format!("{backing:?} liveness of a child"), 20_000, || {
            assert_eq!(made.liveness(5, identity), Liveness::Alive);
        });
        each(&format!("{backing:?} make_writable"), 1_000_000, || made.make_writable().unwrap());
        each(&format!("{backing:?} occupy and vacate"), 20_000, || {
            assert!(made.occupy(9).unwrap());
            made.vacate(9);
        });
        child.end();
        made.remove_name();
    }
    each("process_id", 10_000_000, || {
        std::hint::black_box(sys::process_id());
    });
    each("available_memory", 2000, || {
        std::hint::black_box(sys::available_memory());
    });
    each("boot_time", 1_000_000, || {
        std::hint::black_box(sys::boot_time());
    });
}

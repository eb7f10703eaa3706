//! Locks in links, and holders that die.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::{
    io::{BufReader, Write, stdout},
    process::ChildStdout,
    sync::{
        atomic::{AtomicU32, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use commonage::{
    Link,
    link::ReadWrite,
    shareable,
    sync::{Event, Mutex, MutexGuard, SeqLock, TryLockError},
};

#[cfg(unix)]
use self::unix::cpu_time;
#[cfg(windows)]
use self::windows::cpu_time;
use crate::{
    links_of_peers::given,
    named::{LINK, Name},
    scene::until,
    support::{Running, child, resume, role, said, suspend},
};

type Writable<T> = Link<T, ReadWrite>;

/// For what must come soon, but takes as long as the machine likes.
const LONG: Duration = Duration::from_secs(30);

shareable! {
    /// Two halves that are the same, but while they are changed; and what the holder waits for.
    struct Halves {
        both: Mutex<[u64; 2]>,
        go_on: Event,
    }
}

/// A process that has the lock of the link, in the middle of a change, and keeps it.
fn holder(test: &str, name: &Name) -> (Running, BufReader<ChildStdout>) {
    let mut running = child(test, "holds").env(LINK, &name.0).spawn();
    let mut from = BufReader::new(running.child().stdout.take().expect("it is piped"));
    said(&mut from, "holds: ");
    (running, from)
}

/// What that process does.
fn hold(role: &str) {
    assert_eq!(role, "holds");
    let link: Writable<Halves> = Link::open_existing(&given()).unwrap();
    let mut both = link.both.lock().unwrap();
    both[0] += 1;
    println!("holds: the lock");
    stdout().flush().unwrap();
    assert!(link.go_on.wait_timeout(LONG));
    both[1] += 1;
}

/// The guard of a lock whose holder has died, which must be noticed.
#[track_caller]
fn told<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    match lock.lock_timeout(LONG) {
        Err(TryLockError::OwnerDied(died)) => died.into_guard(),
        Err(TryLockError::Held) => panic!("nobody notices that the holder has died"),
        Ok(_) => panic!("the holder has died, and nobody says so"),
    }
}

#[test]
fn the_lock_of_a_killed_holder_is_had_with_the_news_and_what_was_half_done() {
    const TEST: &str = "locks::the_lock_of_a_killed_holder_is_had_with_the_news_and_what_was_half_done";
    if let Some(role) = role() {
        return hold(&role);
    }
    let name = Name::new();
    let link: Writable<Halves> = Link::create(&name.0).unwrap();
    let (running, _from) = holder(TEST, &name);
    assert!(matches!(link.both.try_lock(), Err(TryLockError::Held)), "its holder lives");
    running.kill();
    let mut both = told(&link.both);
    assert_eq!(*both, [1, 0], "what the dead left is seen");
    both[1] = 1;
    drop(both);
    assert_eq!(*link.both.lock().expect("it was put right"), [1, 1]);
}

#[test]
fn whoever_waits_for_a_lock_gets_it_when_its_holder_is_killed_one_of_them_with_the_news() {
    const TEST: &str = "locks::whoever_waits_for_a_lock_gets_it_when_its_holder_is_killed_one_of_them_with_the_news";
    if let Some(role) = role() {
        return hold(&role);
    }
    let name = Name::new();
    let link: Writable<Halves> = Link::create(&name.0).unwrap();
    let (running, _from) = holder(TEST, &name);
    let (say, heard) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..4 {
            let (link, say) = (&link, say.clone());
            scope.spawn(move || {
                let news = match link.both.lock_timeout(LONG) {
                    Ok(_) => "in order",
                    Err(TryLockError::OwnerDied(died)) => {
                        died.into_guard()[1] += 1;
                        "its holder has died"
                    }
                    Err(TryLockError::Held) => "not had",
                };
                say.send(news).unwrap();
            });
        }
        assert!(heard.recv_timeout(Duration::from_millis(100)).is_err(), "the holder lives");
        running.kill();
        let mut news = [(); 4].map(|()| heard.recv_timeout(LONG).expect("nobody waits for ever"));
        news.sort_unstable();
        assert_eq!(news, ["in order", "in order", "in order", "its holder has died"]);
    });
    assert_eq!(*link.both.lock().unwrap(), [1, 1]);
}

#[test]
fn a_holder_that_takes_its_time_or_is_stopped_is_not_dead() {
    const TEST: &str = "locks::a_holder_that_takes_its_time_or_is_stopped_is_not_dead";
    if let Some(role) = role() {
        return hold(&role);
    }
    let name = Name::new();
    let link: Writable<Halves> = Link::create(&name.0).unwrap();
    let (mut running, _from) = holder(TEST, &name);
    let pid = running.child().id();
    suspend(pid);
    let began = Instant::now();
    let held = link.both.lock_timeout(Duration::from_millis(200));
    assert!(matches!(held, Err(TryLockError::Held)) && began.elapsed() >= Duration::from_millis(200));
    assert!(matches!(link.both.lock_timeout(Duration::ZERO), Err(TryLockError::Held)));
    resume(pid);
    link.go_on.set();
    assert_eq!(*link.both.lock_timeout(Duration::MAX).expect("it was let go of in order"), [1, 1]);
    running.success();
}

/// The lock of two numbers that are the same, in order: what a dead holder has left half-changed is taken back.
fn in_order(lock: &Mutex<[u64; 2]>) -> MutexGuard<'_, [u64; 2]> {
    let both = match lock.lock_timeout(LONG) {
        Ok(both) => both,
        Err(TryLockError::OwnerDied(died)) => {
            let mut both = died.into_guard();
            assert!(both[0] == both[1] || both[0] == both[1] + 1, "{both:?}");
            both[0] = both[1];
            both
        }
        Err(TryLockError::Held) => panic!("a death goes unnoticed"),
    };
    assert_eq!(both[0], both[1], "two in the lock at the same time, or a death that nobody was told of");
    both
}

#[test]
fn a_count_under_a_lock_is_right_whoever_is_killed() {
    const TEST: &str = "locks::a_count_under_a_lock_is_right_whoever_is_killed";
    const KILLS: u64 = 12;
    match role().as_deref() {
        Some("counts") => {
            let link: Writable<Mutex<[u64; 2]>> = Link::open_existing(&given()).unwrap();
            println!("counts: from now on");
            stdout().flush().unwrap();
            loop {
                let mut both = in_order(&link);
                both[0] += 1;
                std::hint::black_box(&mut both);
                both[1] += 1;
            }
        }
        Some(other) => panic!("there is no role `{other}`"),
        None => {
            let name = Name::new();
            let link: Writable<Mutex<[u64; 2]>> = Link::create(&name.0).unwrap();
            let counter = || {
                let mut running = child(TEST, "counts").env(LINK, &name.0).spawn();
                let mut from = BufReader::new(running.child().stdout.take().expect("it is piped"));
                said(&mut from, "counts: ");
                running
            };
            let mut counters: Vec<_> = (0..3).map(|_| counter()).collect();
            for kill in 0..KILLS {
                let now = in_order(&link)[1];
                until("the others go on", || (in_order(&link)[1] > now + 1000).then_some(()));
                counters.remove((kill % 3) as usize).kill();
                counters.push(counter());
            }
        }
    }
}

#[test]
fn a_writer_that_is_killed_leaves_the_last_value_and_the_next_writer_goes_on() {
    const TEST: &str = "locks::a_writer_that_is_killed_leaves_the_last_value_and_the_next_writer_goes_on";
    const WORDS: usize = 2000;
    match role().as_deref() {
        Some("writes") => {
            let link: Writable<SeqLock<[u64; WORDS]>> = Link::open_existing(&given()).unwrap();
            let mut turn = link.read().unwrap()[0];
            println!("writes: from now on");
            stdout().flush().unwrap();
            loop {
                turn += 1;
                link.write([turn; WORDS]);
            }
        }
        Some(other) => panic!("there is no role `{other}`"),
        None => {
            let name = Name::new();
            let link: Writable<SeqLock<[u64; WORDS]>> = Link::create(&name.0).unwrap();
            let mut last = 0;
            for _ in 0..15 {
                let mut running = child(TEST, "writes").env(LINK, &name.0).spawn();
                let mut from = BufReader::new(running.child().stdout.take().expect("it is piped"));
                said(&mut from, "writes: ");
                until("it writes", || (link.version() > last + 20).then_some(()));
                running.kill();
                // In the middle of a write, as good as always: two thousand words are most of what it does.
                let value = link.read().expect("the last value is there, whoever died");
                assert!(value.iter().all(|word| *word == value[0]) && value[0] > last, "torn, or lost");
                let version = link.version();
                assert!(link.write_timeout([value[0] + 1; WORDS], LONG), "the next writer goes on");
                assert_eq!((link.read().unwrap()[WORDS - 1], link.version()), (value[0] + 1, version + 1));
                last = value[0] + 1;
            }
        }
    }
}

/// A writer at full speed in one process, a reader at full speed in this one.
fn torn_reads<const WORDS: usize>(test: &str, lasting: Duration) {
    match role().as_deref() {
        Some("writes") => {
            let link: Writable<SeqLock<[u64; WORDS]>> = Link::open_existing(&given()).unwrap();
            println!("writes: from now on");
            stdout().flush().unwrap();
            for turn in 1.. {
                link.write([turn; WORDS]);
            }
        }
        _ => {
            let name = Name::new();
            let link: Writable<SeqLock<[u64; WORDS]>> = Link::create(&name.0).unwrap();
            let seen: Link<SeqLock<[u64; WORDS]>> = Link::open(&name.0).unwrap();
            let mut running = child(test, "writes").env(LINK, &name.0).spawn();
            let mut from = BufReader::new(running.child().stdout.take().expect("it is piped"));
            said(&mut from, "writes: ");
            let (began, mut reads, mut last) = (Instant::now(), 0_u64, 0);
            while began.elapsed() < lasting {
                for _ in 0..1000 {
                    let value = seen.read_within(LONG).expect("a reader gets through");
                    assert!(value.iter().all(|word| *word == value[0]), "torn: {value:?}");
                    assert!(value[0] >= last, "backwards: {} after {last}", value[0]);
                    last = value[0];
                    reads += 1;
                }
            }
            running.kill();
            println!("{reads} reads of {} writes", link.version());
            assert!(last > 0 && link.version() >= last);
        }
    }
}

#[test]
fn no_read_is_torn_beside_a_writer_at_full_speed() {
    const TEST: &str = "locks::no_read_is_torn_beside_a_writer_at_full_speed";
    torn_reads::<8>(TEST, Duration::from_millis(500));
}

#[test]
fn no_read_of_many_words_is_torn_beside_a_writer_at_full_speed() {
    const TEST: &str = "locks::no_read_of_many_words_is_torn_beside_a_writer_at_full_speed";
    torn_reads::<100>(TEST, Duration::from_millis(500));
}

#[test]
#[ignore = "takes half a minute"]
fn no_read_is_torn_for_half_a_minute() {
    const TEST: &str = "locks::no_read_is_torn_for_half_a_minute";
    torn_reads::<8>(TEST, Duration::from_secs(30));
}

#[test]
fn an_event_reaches_other_processes_and_times_out_without_one() {
    const TEST: &str = "locks::an_event_reaches_other_processes_and_times_out_without_one";
    shareable! {
        struct PingPong {
            ping: Event,
            pong: Event,
        }
    }
    let (rounds, short) = (200, Duration::from_millis(50));
    match role().as_deref() {
        Some("pongs") => {
            let link: Writable<PingPong> = Link::open_existing(&given()).unwrap();
            for round in 0..rounds {
                assert!(link.ping.take_timeout(LONG), "ping {round}");
                link.pong.set();
            }
        }
        Some(other) => panic!("there is no role `{other}`"),
        None => {
            let name = Name::new();
            let link: Writable<PingPong> = Link::create(&name.0).unwrap();
            let seen: Link<PingPong> = Link::open(&name.0).unwrap();
            let began = Instant::now();
            assert!(!link.pong.wait_timeout(short) && began.elapsed() >= short);
            let running = child(TEST, "pongs").env(LINK, &name.0).spawn();
            for round in 0..rounds {
                assert!(!seen.fields().pong.is_set(), "round {round}");
                link.ping.set();
                assert!(link.pong.take_timeout(LONG), "pong {round}");
            }
            running.success();
            assert!(!link.ping.is_set() && !link.pong.is_set());
        }
    }
}

#[test]
fn who_waits_for_an_event_that_holds_what_no_event_does_sleeps() {
    let name = Name::new();
    // SAFETY: any number is an event, or none that is set; here and below.
    let word: Writable<AtomicU32> = unsafe { Link::named(&name.0).raw() }.create_with(AtomicU32::new(7)).unwrap();
    // SAFETY: as above.
    let event: Writable<Event> = unsafe { Link::named(&name.0).raw() }.open_existing().unwrap();
    let (began, before) = (Instant::now(), cpu_time());
    assert!(!event.wait_timeout(Duration::from_millis(200)) && !event.is_set());
    assert!(cpu_time() - before < began.elapsed() / 4, "it used {:?}", cpu_time() - before);
    thread::scope(|scope| {
        scope.spawn(|| event.wait());
        event.set();
    });
    assert!(event.take_timeout(Duration::ZERO));
    assert_eq!(word.load(Relaxed), 0);
}

#[test]
fn a_panic_with_the_lock_is_told_to_the_next() {
    let name = Name::new();
    let link: Writable<Mutex<u64>> = Link::create(&name.0).unwrap();
    let panicked = thread::scope(|scope| {
        scope
            .spawn(|| {
                let _guard = link.lock().unwrap();
                panic!("with the lock, as this test wants it");
            })
            .join()
            .is_err()
    });
    assert!(panicked);
    assert!(link.lock().is_err());
    drop(link.lock().expect_err("nobody has vouched for the value").into_guard());
    assert!(link.lock().is_ok(), "somebody has");
}

#[test]
fn two_links_of_one_process_and_a_third_that_is_dropped_share_the_lock() {
    const TEST: &str = "locks::two_links_of_one_process_and_a_third_that_is_dropped_share_the_lock";
    if role().is_some() {
        let link: Writable<Mutex<u64>> = Link::open_existing(&given()).unwrap();
        assert!(matches!(link.lock_timeout(Duration::from_millis(100)), Err(TryLockError::Held)));
        return;
    }
    let name = Name::new();
    let one: Writable<Mutex<u64>> = Link::create(&name.0).unwrap();
    let two: Writable<Mutex<u64>> = Link::open_existing(&name.0).unwrap();
    let three: Writable<Mutex<u64>> = Link::open_existing(&name.0).unwrap();
    let guard = one.lock().unwrap();
    drop(three);
    // A link that goes takes nothing of the others' with it.
    child(TEST, "looks").env(LINK, &name.0).run_to_success();
    assert!(matches!(two.try_lock(), Err(TryLockError::Held)));
    drop(guard);
    assert!(two.lock().is_ok());
}

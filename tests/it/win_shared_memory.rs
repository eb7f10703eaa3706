//! The crate `win-shared-memory`, which Windows programs share typed regions by: programs built on it and raw links read and
//! write the same values, under the same names.
//!
//! Both hand a name to the system as it is, without a prefix, and make a file mapping with no file behind it. So `NAME` and
//! `Local\NAME` are the same, `Global\NAME` is that of all sessions, and what one of them has made is there as long as
//! anybody of either has it open. Neither puts a header in front of the value.
//!
//! What goes wrong there goes wrong here too (the tests are in `errors`):
//!
//! | what | `win-shared-memory` | here |
//! |---|---|---|
//! | creating what exists | `AlreadyExists` | [`LinkFault::Exists`] |
//! | opening what is not there | `OpenMapping(ERROR_FILE_NOT_FOUND)` | [`LinkFault::Absent`] |
//! | opening what denies that | `OpenMapping(ERROR_ACCESS_DENIED)` | [`LinkFault::Denied`] |
//! | opening the name of an event or the like | `OpenMapping(ERROR_INVALID_HANDLE)` | [`LinkFault::NotAFile`] |
//! | opening or creating what denies that | `CreateMapping(ERROR_ACCESS_DENIED)` | [`LinkFault::Denied`] |
//! | creating what has the name of an event or the like | `CreateMapping(ERROR_INVALID_HANDLE)` | [`LinkFault::NotAFile`] |
//! | creating in a directory that is not there (`no\where`) | `CreateMapping(ERROR_PATH_NOT_FOUND)` | [`LinkFault::Name`] |
//! | opening in one | `OpenMapping(ERROR_PATH_NOT_FOUND)` | [`LinkFault::Name`] |
//! | creating a type without bytes | `CreateMapping(ERROR_INVALID_PARAMETER)` | none: it is made |
//! | no memory left | `CreateMapping(ERROR_COMMITMENT_LIMIT)` | [`Error::NoSpace`](commonage::Error::NoSpace) |
//! | opening what is smaller than the type | `MapView(ERROR_ACCESS_DENIED)` | [`LinkFault::TooShort`] |
//! | creating what has 4 GiB or more | `SizeTooLarge` | none: it is made, up to [`Error::TooLarge`](commonage::Error::TooLarge) |
//! | any other error of the system | the same, with its code | [`LinkFault::Failed`], with its code |
//!
//! To write, it asks for all rights on what it opens; a link asks for no more than it needs.
//!
//! What it does not refuse, and should:
//!
//! - A name is cut at its first NUL: `create("a\0b")` makes `a`. Here that is [`LinkFault::Name`].
//! - An empty name makes a region that nobody else can open, if any. Here that is [`LinkFault::Name`].
//! - A region that another program has made to take its memory piece by piece is opened before it has any, and traps when it
//!   is looked at. Here that is [`LinkFault::NotReady`].
//! - A type whose alignment is that of no view: `get` makes a reference that is not aligned. Here that is
//!   [`Error::Alignment`](commonage::Error::Alignment).
//! - Any type will do, one with pointers in it and one of which zeroes are no value (`Vec`, `&str`), and what the `unsafe`
//!   of `get` asks for is only that nobody writes meanwhile. Here it is a [`Shareable`](commonage::Shareable) type.

pub(crate) mod errors;

use std::{
    io::{BufReader, Write, stdin},
    process::{ChildStdin, ChildStdout},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::Instant,
};

use commonage::{
    Link, LinkFault, Observed,
    link::{LinkBuilder, ReadOnly, ReadWrite},
    shareable,
};
use win_shared_memory::{ReadOnly as TheirReadOnly, ReadWrite as TheirReadWrite, SharedMemoryError, SharedMemoryLink};

use crate::{
    named::{Name, fault},
    support::{Running, WATCHDOG, child, role, said},
};

type Writable<T> = Link<T, ReadWrite>;

shareable! {
    /// What both programs share, with padding in it.
    struct State {
        lives: u8,
        score: u32,
        position: [f64; 2],
        turns: AtomicU64,
    }
}

impl State {
    fn set(&mut self, lives: u8) {
        (self.lives, self.score) = (lives, u32::from(lives) << 24 | 1);
        self.position = [f64::from(lives), -f64::from(lives)];
    }

    fn shown(&self) -> String {
        let State { lives, score, position: [x, y], turns } = self;
        format!("{lives} {score} {x} {y} {}", turns.load(Relaxed))
    }
}

/// What `set` makes of a state of so many turns.
fn shown(lives: u8, turns: u64) -> String {
    format!("{lives} {} {lives} {} {turns}", u32::from(lives) << 24 | 1, -f64::from(lives))
}

fn raw<T: commonage::Shareable, Access>(name: &str) -> LinkBuilder<T, Access> {
    // SAFETY: any bytes are what is shared in these tests, and both programs write as they are told to.
    unsafe { Link::named(name).raw() }
}

/// A state while the other process waits to be told something.
fn still<Access>(link: &Link<State, Access>) -> &State {
    // SAFETY: nobody writes but when this process says so.
    unsafe { link.get() }
}

fn observed(link: &Link<State>) -> &Observed<State> {
    link
}

/// A process that is built on the other crate, and does what it is told.
struct Peer {
    running: Running,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Peer {
    fn new(test: &str) -> Self {
        let mut running = child(test, "their").spawn();
        let to = running.child().stdin.take();
        let from = BufReader::new(running.child().stdout.take().expect("it is piped"));
        Peer { running, to, from }
    }

    /// Tells it to do something, and does not wait.
    fn tell(&mut self, command: &str) {
        writeln!(self.to.as_mut().expect("its input is open"), "{command}").expect("it listens");
    }

    /// What came of it.
    fn ask(&mut self, command: &str) -> String {
        self.tell(command);
        self.hear()
    }

    fn hear(&mut self) -> String {
        said(&mut self.from, "answer: ")
    }

    /// Ends it with its input.
    fn end(mut self) {
        self.to = None;
        self.running.success();
    }
}

/// A region of the other crate, as it may be had.
enum Their {
    Nothing,
    ReadOnly(SharedMemoryLink<State, TheirReadOnly>),
    ReadWrite(SharedMemoryLink<State, TheirReadWrite>),
}

/// What such a process does, if this is one.
fn is_peer() -> bool {
    if role().is_none() {
        return false;
    }
    let mut their = Their::Nothing;
    for line in stdin().lines() {
        let line = line.expect("what a parent writes is text");
        let (command, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = their.done(command, argument).unwrap_or_else(|error| said_of(&error));
        println!("\nanswer: {answer}");
    }
    true
}

impl Their {
    fn done(&mut self, command: &str, argument: &str) -> Result<String, SharedMemoryError> {
        match command {
            "create" => *self = Their::ReadWrite(SharedMemoryLink::create(argument)?),
            "get_or_create" => *self = Their::ReadWrite(SharedMemoryLink::get_or_create(argument)?),
            "open_existing" => *self = Their::ReadWrite(SharedMemoryLink::open_existing(argument)?),
            "open" => *self = Their::ReadOnly(SharedMemoryLink::open(argument)?),
            "drop" => *self = Their::Nothing,
            "set" => match self {
                // SAFETY: the parent waits for the answer.
                Their::ReadWrite(link) => unsafe { link.get_mut() }.set(argument.parse().expect("a number")),
                _ => panic!("it can't be written to"),
            },
            "see" => return Ok(self.state().shown()),
            "count" => {
                for _ in 0..argument.parse().expect("a number") {
                    self.state().turns.fetch_add(1, Relaxed);
                }
            }
            other => panic!("`{other}` is no command"),
        }
        Ok("done".into())
    }

    fn state(&self) -> &State {
        match self {
            Their::Nothing => panic!("there is nothing"),
            // SAFETY: the parent writes nothing but what is atomic until it has the answer; here and below.
            Their::ReadOnly(link) => unsafe { link.get() },
            // SAFETY: as above.
            Their::ReadWrite(link) => unsafe { link.get() },
        }
    }
}

/// The variant, and the code of the system if there is one.
fn said_of(error: &SharedMemoryError) -> String {
    // An `HRESULT` of the system's has the code in its lower half.
    let code = |code: i32| code & 0xffff;
    match error {
        SharedMemoryError::OpenMapping(error) => format!("OpenMapping {}", code(error.code().0)),
        SharedMemoryError::CreateMapping(error) => format!("CreateMapping {}", code(error.code().0)),
        SharedMemoryError::MapView(error) => format!("MapView {}", code(error.code().0)),
        SharedMemoryError::AlreadyExists => "AlreadyExists".into(),
        SharedMemoryError::SizeTooLarge => "SizeTooLarge".into(),
    }
}

#[test]
fn what_they_create_is_opened_here_to_be_read_and_to_be_written() {
    const TEST: &str = "win_shared_memory::what_they_create_is_opened_here_to_be_read_and_to_be_written";
    if is_peer() {
        return;
    }
    for create in ["create", "get_or_create"] {
        let name = Name::new();
        let mut peer = Peer::new(TEST);
        assert_eq!(peer.ask(&format!("{create} {}", name.0)), "done");
        assert_eq!(peer.ask("set 3"), "done");
        let seen: Link<State> = raw(&name.0).open().unwrap();
        assert_eq!(still(&seen).shown(), shown(3, 0));
        let mut link: Writable<State> = raw(&name.0).open_existing().unwrap();
        assert!(!link.is_owner());
        // SAFETY: the other waits.
        unsafe { link.get_mut() }.set(200);
        assert_eq!(peer.ask("see"), shown(200, 0));
        assert_eq!(peer.ask("set 4"), "done");
        assert_eq!((still(&seen).shown(), still(&link).shown()), (shown(4, 0), shown(4, 0)));
        drop(link);
        let link: Writable<State> = raw(&name.0).open_or_create().unwrap();
        assert!(!link.is_owner(), "it was opened");
        // It is there as long as anybody has it open, and no longer.
        peer.end();
        assert_eq!(still(&Link::own(link)).shown(), shown(4, 0));
        assert!(raw::<State, ReadWrite>(&name.0).open_existing().is_ok());
        drop(seen);
        assert!(matches!(fault(raw::<State, ReadOnly>(&name.0).open()), LinkFault::Absent));
    }
}

#[test]
fn what_is_created_here_is_opened_there_to_be_read_and_to_be_written() {
    const TEST: &str = "win_shared_memory::what_is_created_here_is_opened_there_to_be_read_and_to_be_written";
    if is_peer() {
        return;
    }
    let name = Name::new();
    let mut value = State { lives: 0, score: 0, position: [0.0; 2], turns: 9.into() };
    value.set(5);
    let mut link: Writable<State> = raw(&name.0).create_with(value).unwrap();
    let mut peer = Peer::new(TEST);
    assert_eq!(peer.ask(&format!("open {}", name.0)), "done");
    assert_eq!(peer.ask("see"), shown(5, 9));
    // SAFETY: the other waits.
    unsafe { link.get_mut() }.set(6);
    assert_eq!(peer.ask("see"), shown(6, 9));
    for open in ["open_existing", "get_or_create"] {
        assert_eq!(peer.ask(&format!("{open} {}", name.0)), "done");
        assert_eq!(peer.ask("see"), shown(6, 9));
        assert_eq!(peer.ask("set 7"), "done");
        assert_eq!(still(&link).shown(), shown(7, 9));
        // SAFETY: the other waits.
        unsafe { link.get_mut() }.set(6);
    }
    // It is there as long as anybody has it open.
    drop(link);
    assert_eq!(peer.ask("see"), shown(6, 9));
    let seen: Link<State> = raw(&name.0).open().unwrap();
    assert_eq!(peer.ask("drop"), "done");
    assert_eq!(still(&seen).shown(), shown(6, 9));
    drop(seen);
    assert_eq!(peer.ask(&format!("open {}", name.0)), "OpenMapping 2");
    peer.end();
}

#[test]
fn each_sees_what_the_other_changes_and_counts_up_with_it_at_the_same_time() {
    const TEST: &str = "win_shared_memory::each_sees_what_the_other_changes_and_counts_up_with_it_at_the_same_time";
    const EACH: u64 = 1_000_000;
    if is_peer() {
        return;
    }
    let name = Name::new();
    let mut peer = Peer::new(TEST);
    assert_eq!(peer.ask(&format!("create {}", name.0)), "done");
    let link: Writable<State> = raw(&name.0).open_existing().unwrap();
    let seen: Link<State> = raw(&name.0).open().unwrap();
    let turns = &still(&link).turns;
    peer.tell(&format!("count {EACH}"));
    // It has begun when the memory says so.
    wait(|| observed(&seen).fields().turns.load() > 0);
    for _ in 0..EACH {
        turns.fetch_add(1, Relaxed);
    }
    assert_eq!(peer.hear(), "done");
    assert_eq!(observed(&seen).fields().turns.load(), 2 * EACH);
    assert_eq!(peer.ask("see"), still(&link).shown());
    peer.end();
}

#[test]
fn names_of_the_session_and_of_all_sessions_are_the_same_for_both() {
    const TEST: &str = "win_shared_memory::names_of_the_session_and_of_all_sessions_are_the_same_for_both";
    if is_peer() {
        return;
    }
    let mut peer = Peer::new(TEST);
    let name = Name::new().0.clone();
    let local = format!("Local\\{name}");
    for (ours, theirs) in [(&name, &local), (&local, &name), (&local, &local)] {
        let link: Writable<State> = raw(ours).create().unwrap();
        still(&link).turns.store(8, Relaxed);
        assert_eq!(peer.ask(&format!("open {theirs}")), "done");
        assert_eq!(peer.ask("see"), "0 0 0 0 8");
        assert_eq!(peer.ask("drop"), "done");
        drop(link);
        assert_eq!(peer.ask(&format!("create {theirs}")), "done");
        assert_eq!(still(&raw::<State, ReadOnly>(ours).open().unwrap()).shown(), "0 0 0 0 0");
        assert_eq!(peer.ask("drop"), "done");
    }
    // Who may make one for all sessions is the system's to say, to both of us.
    let global = format!("Global\\{name}");
    match raw::<State, ReadWrite>(&global).create() {
        Ok(link) => {
            assert_eq!(peer.ask(&format!("open_existing {global}")), "done");
            assert_eq!(peer.ask("set 2"), "done");
            assert_eq!(still(&link).shown(), shown(2, 0));
        }
        Err(error) => {
            assert!(matches!(fault::<()>(Err(error)), LinkFault::Denied(_)));
            assert_eq!(peer.ask(&format!("create {global}")), "CreateMapping 5");
        }
    }
    peer.end();
}

/// Waits for another process, as long as none lives longer.
fn wait(mut is_there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_there() {
        assert!(began.elapsed() < WATCHDOG, "the other program does not answer");
        thread::yield_now();
    }
}

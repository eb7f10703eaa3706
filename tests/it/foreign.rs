//! Programs that are not ours, in C and in Python: they and raw links read and write the same values.

use std::{
    env, fs,
    io::{BufReader, Write},
    mem::offset_of,
    process::{Command, Stdio},
    sync::atomic::{
        AtomicU32, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
    thread,
    time::Instant,
};

use commonage::{
    Link, LinkFault, Observed,
    link::{LinkBuilder, ReadOnly, ReadWrite},
    shareable,
};

use crate::{
    named::{Name, fault},
    support::{ChildCommand, Directory, WATCHDOG, said},
};

type Writable<T> = Link<T, ReadWrite>;

/// Names a program that was compiled from `foreign/peer.c` before, for a machine that has no compiler of its own.
const COMPILED: &str = "COMMONAGE_TEST_C_PEER";
/// What C compilers are called.
const C: &[&str] = if cfg!(windows) { &["gcc", "clang"] } else { &["cc"] };
/// What Python is called. Its memory by name has other rules on Windows.
const PYTHON: &[&str] = if cfg!(windows) { &[] } else { &["python3"] };
/// What the C compiler is told of libraries: where `shm_open` was before glibc 2.34.
const LIBRARIES: &[&str] = if cfg!(target_os = "linux") { &["-lrt"] } else { &[] };
/// Elsewhere the system makes whole pages of what has a name.
const NAMES_HAVE_ANY_LENGTH: bool = cfg!(target_os = "linux");

shareable! {
    /// What both programs call a sample, with padding before, between and behind its fields.
    #[derive(Debug)]
    struct Sample {
        kind: u8,
        value: f64,
        counts: [u16; 3],
        turn: AtomicU32,
        total: AtomicU64,
        last: u8,
    }
}

impl Sample {
    /// As both programs make one.
    fn made() -> Self {
        Sample { kind: 7, value: 2.5, counts: [1, 11, 21], turn: 1.into(), total: (1 << 40).into(), last: 200 }
    }

    /// As both programs show it.
    fn shown(&self) -> String {
        let Sample { kind, value, counts: [first, second, third], turn, total, last } = self;
        let (turn, total) = (turn.load(Acquire), total.load(Relaxed));
        format!("{kind} {value:.3} {first},{second},{third} {turn} {total} {last}")
    }
}

/// How a program of another language is started.
struct Language {
    name: &'static str,
    /// The program and its first arguments.
    command: Vec<String>,
    /// What it was built in.
    _directory: Option<Directory>,
}

impl Language {
    /// The program in C, compiled; none where there is no compiler.
    fn c() -> Option<Self> {
        if let Ok(program) = env::var(COMPILED) {
            return Some(Language { name: "C", command: vec![program], _directory: None });
        }
        let Some(compiler) = C.iter().find(|compiler| works(compiler)) else {
            println!("skipped: there is no C compiler");
            return None;
        };
        let directory = Directory::new();
        let [source, program] = ["peer.c", "peer.exe"].map(|name| format!("{}/{name}", directory.0));
        fs::write(&source, include_str!("foreign/peer.c")).unwrap();
        let mut compiler = Command::new(compiler);
        compiler.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", &program, &source]);
        compiler.args(LIBRARIES);
        ChildCommand::program(compiler, "the C compiler").run_to_success();
        Some(Language { name: "C", command: vec![program], _directory: Some(directory) })
    }

    /// The program in Python; none where there is none.
    fn python() -> Option<Self> {
        let Some(python) = PYTHON.iter().find(|python| works(python)) else {
            println!("skipped: there is no python3");
            return None;
        };
        let command = [python, "-c", include_str!("foreign/peer.py")].map(str::to_owned).to_vec();
        Some(Language { name: "Python", command, _directory: None })
    }

    fn all() -> impl Iterator<Item = Self> {
        [Language::c(), Language::python()].into_iter().flatten()
    }

    fn program(&self, spot: &Spot, command: &str) -> ChildCommand {
        let (program, arguments) = self.command.split_first().expect("a program");
        let mut started = Command::new(program);
        started.args(arguments).args([spot.kind(), spot.at(), &spot.offset.to_string(), command]);
        ChildCommand::program(started, &format!("{command} in {}", self.name))
    }

    /// Runs it to its end; what it said of a sample, if anything.
    fn run(&self, spot: &Spot, command: &str) -> String {
        let said = self.program(spot, command).run_to_success().stdout;
        let said = String::from_utf8(said).unwrap();
        said.trim().split_once(": ").map_or(String::new(), |(_, said)| said.to_owned())
    }
}

fn works(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Where a sample is.
struct Spot {
    place: Place,
    offset: u64,
}

enum Place {
    Name(Name),
    File { path: String, _directory: Directory },
}

impl Spot {
    fn named(offset: u64) -> Self {
        Spot { place: Place::Name(Name::new()), offset }
    }

    fn in_a_file(offset: u64) -> Self {
        let directory = Directory::new();
        let path = format!("{}/shared", directory.0);
        Spot { place: Place::File { path, _directory: directory }, offset }
    }

    /// By name, and in a file behind what is no concern of ours.
    fn all() -> [Self; 2] {
        [Spot::named(0), Spot::in_a_file(4096 + 24)]
    }

    fn kind(&self) -> &'static str {
        match self.place {
            Place::Name(_) => "name",
            Place::File { .. } => "file",
        }
    }

    fn at(&self) -> &str {
        match &self.place {
            Place::Name(name) => &name.0,
            Place::File { path, .. } => path,
        }
    }

    fn link<Access>(&self) -> LinkBuilder<Sample, Access> {
        let link = match self.place {
            Place::Name(_) => Link::named(self.at()),
            Place::File { .. } => Link::at_path(self.at()),
        };
        // SAFETY: any bytes are a sample, and both programs write as they are told to.
        unsafe { link.raw_at(self.offset) }
    }
}

/// A sample while no other process is at work on it.
fn still<Access>(link: &Link<Sample, Access>) -> &Sample {
    // SAFETY: whoever else has it waits for this process, or has ended.
    unsafe { link.get() }
}

fn observed(link: &Link<Sample>) -> &Observed<Sample> {
    link
}

#[test]
fn a_struct_has_the_layout_that_c_gives_it() {
    let spot = Spot::named(0);
    let [kind, value, counts] = [offset_of!(Sample, kind), offset_of!(Sample, value), offset_of!(Sample, counts)];
    let [turn, total, last] = [offset_of!(Sample, turn), offset_of!(Sample, total), offset_of!(Sample, last)];
    let (size, align) = (size_of::<Sample>(), align_of::<Sample>());
    let layout = format!("{size} {align}: {kind} {value} {counts} {turn} {total} {last}");
    if let Some(c) = Language::c() {
        assert_eq!(c.run(&spot, "layout"), layout);
    }
    if let Some(python) = Language::python() {
        assert_eq!(python.run(&spot, "layout"), size.to_string());
    }
}

#[test]
fn what_a_link_creates_others_read_and_write() {
    for language in Language::all() {
        for spot in Spot::all() {
            let mut link: Writable<Sample> = spot.link().create_with(Sample::made()).unwrap();
            assert_eq!(language.run(&spot, "change"), Sample::made().shown());
            assert_eq!(still(&link).shown(), "8 5.000 101,111,121 2 1099511627781 199");
            // And back: what is written here is read there.
            // SAFETY: nobody else has it.
            let sample = unsafe { link.get_mut() };
            (sample.kind, sample.value, sample.counts[1]) = (20, -0.125, 65000);
            assert_eq!(language.run(&spot, "change"), "20 -0.125 101,65000,121 2 1099511627781 199");
            assert_eq!(still(&link).shown(), "21 -0.250 201,65100,221 3 1099511627786 198");
            drop(link);
            assert!(
                matches!(fault(spot.link::<ReadWrite>().open_existing()), LinkFault::Absent),
                "it goes with its owner"
            );
        }
    }
}

#[test]
fn what_others_create_a_link_opens() {
    for language in Language::all() {
        for spot in Spot::all() {
            assert!(matches!(fault(spot.link::<ReadWrite>().open_existing()), LinkFault::Absent));
            let mut creator = language.program(&spot, "create").spawn();
            said(&mut BufReader::new(creator.child().stdout.take().expect("it is piped")), "created: ");
            let seen: Link<Sample> = spot.link().open().expect("it is there");
            // Its maker ends.
            creator.success();
            assert_eq!(still(&seen).shown(), Sample::made().shown());
            assert!(matches!(fault(spot.link::<ReadWrite>().create()), LinkFault::Exists));
            let link: Writable<Sample> = Link::own(spot.link().open_existing().unwrap());
            still(&link).total.store(77, Relaxed);
            assert_eq!(observed(&seen).fields().total.load(), 77);
            assert_eq!(language.run(&spot, "change"), "7 2.500 1,11,21 1 77 200");
            assert_eq!(observed(&seen).fields().total.load(), 82);
            drop(seen);
            drop(link);
            assert!(matches!(fault(spot.link::<ReadWrite>().open_existing()), LinkFault::Absent));
        }
    }
}

#[test]
fn what_others_have_made_too_short_is_refused() {
    for language in Language::all() {
        let named = NAMES_HAVE_ANY_LENGTH.then(|| (Spot::named(0), 1));
        for (spot, short) in [(Spot::in_a_file(0), 47), (Spot::in_a_file(48), 95)].into_iter().chain(named) {
            language.program(&spot, "create").arg(&short.to_string()).run_to_success();
            let expected = spot.offset + size_of::<Sample>() as u64;
            let refused = fault(spot.link::<ReadWrite>().open_existing());
            let too_short =
                |fault: &LinkFault| matches!(fault, LinkFault::TooShort { expected: found, .. } if *found == expected);
            assert!(too_short(&refused), "{refused:?}");
            assert!(too_short(&fault(spot.link::<ReadOnly>().open())));
        }
    }
}

#[test]
fn another_program_sees_each_change_while_it_looks_on() {
    for language in Language::all() {
        for spot in [Spot::named(24), Spot::in_a_file(0)] {
            let mut link: Writable<Sample> = spot.link().create_with(Sample::made()).unwrap();
            let mut running = language.program(&spot, "look on").spawn();
            let mut to = running.child().stdin.take().unwrap();
            let mut from = BufReader::new(running.child().stdout.take().unwrap());
            for turn in 0..20_u8 {
                // SAFETY: the other reads it when it is told to.
                let sample = unsafe { link.get_mut() };
                sample.kind = turn;
                sample.counts = [turn.into(); 3];
                sample.total = (u64::from(turn) << 50).into();
                writeln!(to).unwrap();
                assert_eq!(said(&mut from, "sample: "), still(&link).shown());
            }
            drop(to);
            running.success();
        }
    }
}

#[test]
fn a_counter_that_a_c_program_and_this_one_count_up_at_the_same_time_is_right() {
    const EACH: u64 = 2_000_000;
    let Some(c) = Language::c() else { return };
    for spot in Spot::all() {
        let link: Writable<Sample> = spot.link().create().unwrap();
        let counting = c.program(&spot, "count").arg(&EACH.to_string()).spawn();
        // It has begun when it says so, in the memory itself.
        let sample = still(&link);
        wait(|| sample.turn.load(Acquire) == 1);
        for _ in 0..EACH {
            sample.total.fetch_add(1, Relaxed);
        }
        counting.success();
        assert_eq!(sample.total.load(Relaxed), 2 * EACH);
    }
}

#[test]
fn plain_data_is_handed_to_and_fro_with_a_c_program_by_an_atomic_flag() {
    const TURNS: u32 = 5_000;
    let Some(c) = Language::c() else { return };
    let spot = Spot::named(0);
    let link: Writable<Sample> = spot.link().create().unwrap();
    let playing = c.program(&spot, "take turns").arg(&TURNS.to_string()).spawn();
    let sample = link.as_mut_ptr();
    // SAFETY: mapped; all that both do with it are atomic accesses.
    let turns = unsafe { &(*sample).turn };
    // SAFETY: mapped; nothing is read or written yet.
    let value = unsafe { &raw mut (*sample).value };
    for turn in (0..2 * TURNS).step_by(2) {
        wait(|| turns.load(Acquire) == turn);
        // SAFETY: this turn is ours, and the other's write came before it.
        let before = unsafe { value.read() };
        assert_eq!(before, f64::from(turn));
        // SAFETY: as above, and the other's read comes after.
        unsafe { value.write(before + 1.0) };
        turns.store(turn + 1, Release);
    }
    playing.success();
    assert_eq!(still(&link).value, f64::from(2 * TURNS));
}

/// Waits for another process, as long as none lives longer.
fn wait(mut is_there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_there() {
        assert!(began.elapsed() < WATCHDOG, "the other program does not answer");
        thread::yield_now();
    }
}

//! What the wire and the control area can hold that no honest process puts there: tokens with a right MAC and wrong
//! fields, noise where a peer attaches, and peers that write what they like while the owner works.
#![allow(unsafe_code)] // The control area is overwritten here, word by word, through atomics.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    hint::black_box,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio, id},
    slice,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use serde::{Serialize, Serializer, de::DeserializeOwned};

use crate::{
    Backing, Config, Error, Kind, SegmentId, Shared, SharedMut, SharedSlice, SharedSliceMut, SharedStr, ShmemBacked,
    Ticket, pool,
    pool::{Issued, Secret, Source},
    segment::{Door, GRANULE, Locator, PREFIX, Segment},
    sweep, sys, trim,
    wire::{Fields, OfBlock, Token, encode, from_text, revoke},
};

const ROLE: &str = "COMMONAGE_FORGED_ROLE";
const TOKENS: &str = "COMMONAGE_FORGED_TOKENS";
/// No claim of these tests takes longer, but on a machine that stands still.
const QUICK: Duration = Duration::from_secs(10);
/// No child lives longer.
const WATCHDOG: Duration = Duration::from_secs(60);

mod alone;
mod content;
mod fields;
mod files;
#[cfg(any(target_os = "linux", windows))]
mod locators;
mod names;
mod noise;
mod peers;

use alone::Alone;

/// For children that exit with messages that nobody comes for: there is no place for their wills.
fn without_wills() -> Config {
    Config::new().wills_in("/nowhere")
}

/// A token as a format sends it.
struct Sent<'a>(&'a Token);

impl Serialize for Sent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.emit(serializer)
    }
}

/// Does it in a thread of its own, so that what hangs is an error.
fn quickly<R: Send + 'static>(what: &str, work: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = mpsc::channel();
    thread::spawn(move || drop(done.send(work())));
    result.recv_timeout(QUICK).unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// The error of a token that can't be claimed: the same from `from_token` and from serde.
fn refusal<H: DeserializeOwned + 'static>(what: &str, claim: fn(&str) -> Result<H, Error>, token: &Token) -> Error {
    let (text, json) = (token.text(), serde_json::to_string(&Sent(token)).unwrap());
    let binary = postcard::to_stdvec(&Sent(token)).unwrap();
    let name = what.to_owned();
    quickly(what, move || {
        let Err(error) = claim(&text) else { panic!("{name}: claimed") };
        let Err(said) = serde_json::from_str::<H>(&json) else { panic!("{name}: claimed through serde") };
        assert!(said.to_string().starts_with(&error.to_string()), "{name}: {said}, not {error}");
        assert!(postcard::from_bytes::<H>(&binary).is_err(), "{name}: claimed through postcard");
        error
    })
}

fn forge<M: Serialize>(fields: &Fields, metadata: &M, secret: &Secret) -> Token {
    encode(fields, metadata, secret).unwrap()
}

/// What a token says, and the key of its MAC.
fn taken_apart(token: &str) -> (Fields, Secret) {
    let fields = from_text(token, |bytes| Ok(*OfBlock::parse(bytes)?.fields())).unwrap();
    (fields, *Source::find(&fields.locator).unwrap().secret())
}

/// Those that the platform has.
fn backings() -> Vec<Backing> {
    let anonymous = sys::anonymous_works().then_some(Backing::Anonymous);
    anonymous.into_iter().chain([Backing::Named]).collect()
}

fn random_id() -> SegmentId {
    Segment::new_id().unwrap()
}

/// Numbers that are the same for the same seed.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    /// A number that is at an end of something, or any.
    fn odd(&mut self) -> u64 {
        match self.below(9) {
            0 => 0,
            1 => 1,
            2 => u64::MAX,
            3 => 1 << 63,
            4 => self.below(256),
            5 => self.next() >> 32,
            6 => 1 << self.below(64),
            7 => self.below(16) << 12 | self.below(4),
            _ => self.next(),
        }
    }
}

/// A child: this test binary, to run one test alone, in a role. It is killed if it does not end.
fn child(program: &Path, test: &str, role: &str) -> Command {
    let mut command = Command::new(program);
    command.args([&format!("forged::{test}"), "--exact", "--nocapture", "--test-threads=1", "--include-ignored"]);
    command.env(ROLE, role).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the rest of a test in a process of its own, as the owner of a pool of its own.
fn run_owner(test: &str) {
    run("owner", Alone::new().put(&mut child(&this_program(), test, "owner")));
}

fn role() -> Option<String> {
    env::var(ROLE).ok()
}

fn this_program() -> PathBuf {
    env::current_exe().unwrap()
}

/// Runs a child to its end, which must be a success; what it wrote.
fn run(what: &str, command: &mut Command) -> String {
    ended(what, command.spawn().unwrap())
}

fn ended(what: &str, mut child: Child) -> String {
    let read = |pipe: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let out = read(child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>));
    let err = read(child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>));
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > WATCHDOG {
            let _ = child.kill();
            let _ = child.wait();
            remove_what_the_dead_left();
            panic!("{what}: it did not end\n{}", out.join().unwrap());
        }
        thread::sleep(Duration::from_millis(1));
    };
    let (out, err) = (out.join().unwrap(), err.join().unwrap());
    if !status.success() {
        remove_what_the_dead_left();
        panic!("{what}: {status}\n--- stdout\n{out}\n--- stderr\n{err}");
    }
    out
}

/// After a failure: names and identity files of processes that did not end cleanly.
fn remove_what_the_dead_left() {
    let entries = |directory| fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in entries(sys::named_directory()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_identity = name.starts_with("commonage-id-");
        let Some(file) = is_identity.then(|| sys::open_private(&path).ok()).flatten() else { continue };
        // One that its process has removed from view, before it let go of it, lists nothing that is a dead one's.
        if sys::try_lock_shared(&file).is_err() || !sys::is_in_view(&file, &path) {
            continue;
        }
        for segment in io::read_to_string(&file).unwrap_or_default().lines() {
            let _ = sys::unlink_named(segment);
        }
        let _ = sys::remove_file(&path);
    }
}

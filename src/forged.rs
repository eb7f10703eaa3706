//! What the wire and the control area can hold that no honest process puts there: tokens with a right MAC and wrong
//! fields, noise where a peer attaches, and peers that write what they like while the owner works.
#![cfg(target_os = "linux")]
#![allow(unsafe_code)] // The control area is overwritten here, word by word, through atomics.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fs::{self, File},
    hint::black_box,
    io::{BufRead, BufReader, Read, Write},
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
        unix::{
            fs::{MetadataExt, PermissionsExt, symlink},
            net::UnixStream,
            process::CommandExt,
        },
    },
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

use rustix::{
    fs::{
        CWD, FileType, MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, ftruncate, inotify, memfd_create, mknodat,
        open,
    },
    process::geteuid,
};
use serde::{Serialize, Serializer, de::DeserializeOwned};

use crate::{
    Backing, Config, Error, Kind, SegmentId, Shared, SharedMut, SharedSlice, SharedSliceMut, SharedStr, ShmemBacked,
    Ticket, pool,
    pool::{Issued, Secret, Source},
    segment::{Door, GRANULE, Locator, PREFIX, Segment},
    sys, trim,
    wire::{Fields, Token, Unverified, encode, from_text},
};

const ROLE: &str = "COMMONAGE_FORGED_ROLE";
const TOKENS: &str = "COMMONAGE_FORGED_TOKENS";
/// No claim of these tests takes longer, but on a machine that stands still.
const QUICK: Duration = Duration::from_secs(10);
/// No child lives longer.
const WATCHDOG: Duration = Duration::from_secs(60);
const NOBODY: u32 = 65534;

// ---- what they have in common

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
    let fields = from_text(token, |bytes| Ok(*Unverified::parse(bytes)?.fields())).unwrap();
    (fields, *Source::find(&fields.locator).unwrap().secret())
}

fn random_id() -> SegmentId {
    SegmentId(sys::random_u64().unwrap())
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
    for path in fs::read_dir("/dev/shm").into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(file) = name.starts_with("commonage-id-").then(|| File::open(&path).ok()).flatten() else { continue };
        // One that its process has removed from view, before it let go of it, lists nothing that is a dead one's.
        if file.try_lock().is_err() || file.metadata().map_or(0, |metadata| metadata.nlink()) == 0 {
            continue;
        }
        for segment in std::io::read_to_string(&file).unwrap_or_default().lines() {
            let _ = fs::remove_file(format!("/dev/shm/{}", segment.trim_start_matches('/')));
        }
        let _ = fs::remove_file(&path);
    }
}

/// A directory of the test's own that everybody may read; removed on drop.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("commonage-forged-{name}-{}", id()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

// ---- locators that lead elsewhere

fn door(fd: &impl AsFd) -> Door {
    Door { pid: id(), fd: fd.as_fd().as_raw_fd().cast_unsigned() }
}

/// The fields of a token for bytes that are at `sender`, or at `owner`.
fn fields_at(kind: Kind, sender: Door, owner: Door, id: SegmentId) -> Fields {
    Fields {
        kind,
        locator: Locator { id, backing: Backing::Anonymous, sender, owner },
        issued: Issued { block: 0, ticket: 0, serial: 1, epoch: 1 },
        start: 0,
        len: 3,
        fingerprint: <[u8]>::fingerprint(),
    }
}

/// What comes of tokens whose locator leads to `door`, as a `Shared` and as a `SharedMut`, from either door.
fn refusals_at(what: &str, door: Door, id: SegmentId) -> Vec<Error> {
    let nowhere = Door { pid: door.pid, fd: 1 << 20 };
    let mut errors = Vec::new();
    for (sender, owner) in [(door, door), (nowhere, door), (door, nowhere)] {
        let token = |kind| forge(&fields_at(kind, sender, owner, id), &3usize, &[7; 16]);
        errors.push(refusal(what, SharedSlice::<u8>::from_token, &token(Kind::Shared)));
        errors.push(refusal(what, SharedSliceMut::<u8>::from_token, &token(Kind::SharedMut)));
        let ticket = Ticket::<[u8]>::from_token(&token(Kind::Shared).text()).unwrap();
        let named = what.to_owned();
        errors.push(quickly(what, move || ticket.revoke().err().unwrap_or_else(|| panic!("{named}: revoked"))));
    }
    errors
}

fn not_the_segment(what: &str, fd: impl AsFd, says: &str) {
    for error in refusals_at(what, door(&fd), random_id()) {
        let Error::NotTheSegment { found, .. } = &error else { panic!("{what}: {error:?}") };
        assert!(found.contains(says), "{what}: {error}");
    }
}

fn gone(what: &str, door: Door) {
    for error in refusals_at(what, door, random_id()) {
        assert!(matches!(error, Error::Gone { .. }), "{what}: {error:?}");
    }
}

/// Sees whether anybody opens a file; opening as a place only does not count.
struct Watch(OwnedFd);

impl Watch {
    fn on(path: &Path) -> Self {
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).unwrap();
        inotify::add_watch(&watch, path, inotify::WatchFlags::OPEN | inotify::WatchFlags::ACCESS).unwrap();
        Watch(watch)
    }

    fn has_seen(&self) -> bool {
        rustix::io::read(&self.0, &mut [0u8; 4096]).is_ok()
    }
}

#[test]
fn a_locator_that_leads_to_a_directory_a_pipe_a_socket_or_a_device() {
    not_the_segment("a directory", File::open("/proc").unwrap(), "directory");
    let (reader, writer) = std::io::pipe().unwrap();
    not_the_segment("the end of a pipe", &reader, "pipe");
    not_the_segment("the other end", &writer, "pipe");
    let (socket, _other) = UnixStream::pair().unwrap();
    not_the_segment("a socket", &socket, "socket");
    for device in ["/dev/null", "/dev/zero", "/dev/ptmx", "/dev/tty"] {
        if let Ok(device) = File::options().read(true).write(true).open(device) {
            not_the_segment("a device", &device, "device");
        }
    }
}

#[test]
fn what_a_locator_leads_to_is_not_opened() {
    let directory = Directory::new("opened");
    let fifo = directory.0.join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let place = open(&fifo, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let watch = Watch::on(&fifo);
    not_the_segment("a pipe that nobody has opened", &place, "pipe");
    assert!(!watch.has_seen(), "the pipe was opened");

    let path = directory.0.join("file");
    fs::write(&path, [0; 4 * PREFIX]).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let watch = Watch::on(&path);
    not_the_segment("a file", &file, "the file ");
    assert!(!watch.has_seen(), "the file was opened");
    let link = directory.0.join("memfd:commonage");
    symlink(&path, &link).unwrap();
    not_the_segment("a file by a link", File::open(&link).unwrap(), "the file ");

    let (mut master, mut terminal) = (-1, -1);
    let none = std::ptr::null_mut();
    // SAFETY: two descriptors are written to two integers; nothing else is asked for.
    let made = unsafe { libc::openpty(&mut master, &mut terminal, none, none.cast(), none.cast()) };
    if made == 0 {
        // SAFETY: a descriptor that was made just now and is nobody else's.
        let _master = unsafe { OwnedFd::from_raw_fd(master) };
        // SAFETY: as above.
        let terminal = unsafe { OwnedFd::from_raw_fd(terminal) };
        let path = fs::read_link(format!("/proc/self/fd/{}", terminal.as_raw_fd())).unwrap();
        let watch = path.exists().then(|| Watch::on(&path));
        not_the_segment("a terminal", &terminal, "terminal");
        assert!(!watch.is_some_and(|watch| watch.has_seen()), "the terminal was opened");
    }
}

fn memfd(content: &[u8], size: u64, seals: SealFlags) -> File {
    let fd = memfd_create("foreign", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&fd, size).unwrap();
    let mut file = File::from(fd);
    file.write_all(content).unwrap();
    fcntl_add_seals(&file, seals).unwrap();
    file
}

const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

#[test]
fn a_locator_that_leads_to_a_memfd_of_somebody_else() {
    not_the_segment("unsealed", memfd(&[], 1 << 20, SealFlags::empty()), "not sealed");
    not_the_segment("empty", memfd(&[], 0, SEALS), "0 bytes");
    not_the_segment("cut short", memfd(&[1; 255], 255, SEALS), "255 bytes");
    not_the_segment("other content", memfd(b"some text", 1 << 20, SEALS), "0x");
    not_the_segment("against writing", memfd(b"commonag", 1 << 20, SEALS.union(SealFlags::WRITE)), "writing");
    for seed in 0..64 {
        let mut random = Random::new(seed);
        let noise: Vec<u8> = (0..PREFIX / 8).flat_map(|_| random.next().to_le_bytes()).collect();
        not_the_segment("noise", memfd(&noise, 1 << 20, SEALS), "0x");
    }
}

#[test]
fn a_memfd_with_a_right_header_and_something_wrong() {
    let id = random_id();
    let header = header(id, [7; 16]);
    let bytes = |header: &[u64; PREFIX / 8]| -> Vec<u8> { header.iter().flat_map(|word| word.to_le_bytes()).collect() };
    let size = (CONTROL + DATA) as u64;
    for size in [PREFIX as u64, 4096, CONTROL as u64, size - 1] {
        for error in refusals_at("too short", door(&memfd(&bytes(&header), size, SEALS)), id) {
            assert!(matches!(error, Error::Corrupt { found, .. } if found == size), "{size}: {error:?}");
        }
    }
    let mut later = header;
    later[1] += 1;
    for error in refusals_at("another version", door(&memfd(&bytes(&later), size, SEALS)), id) {
        assert!(matches!(error, Error::Abi { .. }), "{error:?}");
    }
    for error in refusals_at("another segment", door(&memfd(&bytes(&header), size, SEALS)), random_id()) {
        assert!(matches!(error, Error::NotTheSegment { .. }), "{error:?}");
    }
}

#[test]
fn a_locator_that_leads_nowhere_is_gone() {
    gone("a closed descriptor", Door { pid: id(), fd: 1 << 20 });
    gone("no descriptor at all", Door { pid: id(), fd: u32::MAX });
    let mut dead = Command::new("true").spawn().unwrap();
    let pid = dead.id();
    dead.wait().unwrap();
    for pid in [pid, 0, u32::MAX, i32::MAX.cast_unsigned(), 1 << 31] {
        gone(&format!("process {pid}"), Door { pid, fd: 3 });
    }
}

#[test]
fn a_name_that_is_not_there_is_gone() {
    let mut fields = fields_at(Kind::Shared, door(&std::io::stdin()), door(&std::io::stdin()), random_id());
    fields.locator.backing = Backing::Named;
    let token = forge(&fields, &3usize, &[7; 16]);
    let error = refusal("no name", SharedSlice::<u8>::from_token, &token);
    assert!(matches!(error, Error::Gone { .. }), "{error:?}");
}

#[test]
fn a_process_that_may_not_be_looked_into_is_unreachable() {
    let test = "a_process_that_may_not_be_looked_into_is_unreachable";
    match role().as_deref() {
        Some("claim") => {
            for text in env::var(TOKENS).unwrap().split(' ') {
                unreachable_by(text);
            }
        }
        Some("hide") => {
            let token = SharedSlice::<u8>::copy_from(&[1, 2, 3][..]).unwrap().into_token().unwrap();
            let exclusive = SharedSliceMut::<u8>::copy_from(&[1, 2, 3][..]).unwrap().into_token().unwrap();
            // SAFETY: says of this process, a child of the test, that nobody may look into it; no memory is touched.
            let done = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
            assert_eq!(done, 0);
            println!("\n@{token} {exclusive}");
            let _ = std::io::stdin().read(&mut [0]);
        }
        None if geteuid().is_root() => {
            let token = SharedSlice::<u8>::copy_from(&[1, 2, 3][..]).unwrap().into_token().unwrap();
            let exclusive = SharedSliceMut::<u8>::copy_from(&[1, 2, 3][..]).unwrap().into_token().unwrap();
            let directory = Directory::new("nobody");
            let program = directory.0.join("test");
            fs::copy(this_program(), &program).unwrap();
            fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
            let mut command = child(&program, test, "claim");
            command.env(TOKENS, format!("{token} {exclusive}")).uid(NOBODY).gid(NOBODY).current_dir(&directory.0);
            run("as nobody", &mut command);
            assert_eq!(*SharedSlice::<u8>::from_token(&token).unwrap(), [1, 2, 3]);
            assert_eq!(*SharedSliceMut::<u8>::from_token(&exclusive).unwrap(), [1, 2, 3]);
        }
        None => {
            let mut hidden = child(&this_program(), test, "hide").stdin(Stdio::piped()).spawn().unwrap();
            // Kept until it has ended: it goes on writing.
            let mut lines = BufReader::new(hidden.stdout.take().unwrap()).lines().map_while(Result::ok);
            let tokens = lines.find_map(|line| line.strip_prefix('@').map(str::to_owned)).unwrap();
            tokens.split(' ').for_each(unreachable_by);
            drop(hidden.stdin.take());
            ended("hidden", hidden);
            drop(lines);
        }
        Some(other) => panic!("no role {other}"),
    }
}

fn unreachable_by(text: &str) {
    let fields = from_text(text, |bytes| Ok(*Unverified::parse(bytes)?.fields())).unwrap();
    let token = from_text(text, Token::copy_from).unwrap();
    let error = match fields.kind {
        Kind::Shared => refusal("hidden", SharedSlice::<u8>::from_token, &token),
        Kind::SharedMut => refusal("hidden", SharedSliceMut::<u8>::from_token, &token),
    };
    assert!(matches!(error, Error::Unreachable { pid, .. } if pid == fields.locator.sender.pid), "{error:?}");
}

// ---- right MAC, wrong fields

/// A value of sixteen bytes on its way, and its forged twins: those with wrong fields are refused, and take nothing.
struct Honest {
    text: String,
    fields: Fields,
    secret: Secret,
}

const VALUE: [u16; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

impl Honest {
    fn new(kind: Kind) -> Self {
        let text = match kind {
            Kind::Shared => SharedSlice::<u16>::copy_from(&VALUE[..]).unwrap().into_token().unwrap(),
            Kind::SharedMut => SharedSliceMut::<u16>::copy_from(&VALUE[..]).unwrap().into_token().unwrap(),
        };
        let (fields, secret) = taken_apart(&text);
        Honest { text, fields, secret }
    }

    fn twin(&self, change: impl FnOnce(&mut Fields)) -> Token {
        let mut fields = self.fields;
        change(&mut fields);
        forge(&fields, &VALUE.len(), &self.secret)
    }

    fn refused(&self, what: &str, token: &Token) -> Error {
        let what = format!("{what} of a {}", self.fields.kind);
        match self.fields.kind {
            Kind::Shared => refusal(&what, SharedSlice::<u16>::from_token, token),
            Kind::SharedMut => refusal(&what, SharedSliceMut::<u16>::from_token, token),
        }
    }

    /// It can still be claimed as what it is.
    fn claim_after(self, after: &str) {
        let kind = self.fields.kind;
        let value = match kind {
            Kind::Shared => SharedSlice::<u16>::from_token(&self.text).map(|value| value.to_vec()),
            Kind::SharedMut => SharedSliceMut::<u16>::from_token(&self.text).map(|value| value.to_vec()),
        };
        match value {
            Ok(value) => assert_eq!(value, VALUE, "a {kind} after {after}"),
            Err(error) => panic!("a {kind} after {after}: {error}"),
        }
    }
}

const KINDS: [Kind; 2] = [Kind::Shared, Kind::SharedMut];

/// Each of these changes of a right token's fields is refused, and the right one claimed afterwards.
fn wrong_fields(what: &str, changes: &[&dyn Fn(&mut Fields)]) {
    for kind in KINDS {
        for change in changes {
            let honest = Honest::new(kind);
            let token = honest.twin(change);
            let error = honest.refused(what, &token);
            assert!(
                matches!(
                    error,
                    Error::Expired { .. }
                        | Error::AlreadyClaimed { .. }
                        | Error::Range { .. }
                        | Error::Corrupt { .. }
                        | Error::NotAToken(_)
                        | Error::Metadata { .. }
                ),
                "{what}: {error:?}"
            );
            honest.claim_after(what);
        }
    }
}

#[test]
fn the_twin_of_an_honest_token_is_the_same() {
    for kind in KINDS {
        let honest = Honest::new(kind);
        assert_eq!(honest.twin(|_| ()).text(), honest.text);
        honest.claim_after("nothing");
    }
}

#[test]
fn a_block_number_that_is_wrong() {
    wrong_fields(
        "another block",
        &[
            &|fields| fields.issued.block += 1,
            &|fields| fields.issued.block += 64,
            &|fields| fields.issued.block = 65_535,
            &|fields| fields.issued.block = 65_536,
            &|fields| fields.issued.block |= 1 << 31,
            &|fields| fields.issued.block = u32::MAX,
        ],
    );
}

#[test]
fn a_ticket_number_that_is_out_of_range_joins_a_shared_value_only_while_it_lives() {
    for kind in KINDS {
        for ticket in [127, 16_383, 16_384, 1 << 31, u32::MAX] {
            let honest = Honest::new(kind);
            let token = honest.twin(|fields| fields.issued.ticket = ticket);
            match kind {
                // Whoever has the block's serial has had a ticket: it is as one that was claimed before.
                Kind::Shared => {
                    let joined = SharedSlice::<u16>::from_token(&token.text()).unwrap();
                    assert_eq!(*joined, VALUE);
                    assert_eq!(joined.counts().in_flight, 1, "nothing was taken");
                }
                Kind::SharedMut => {
                    let error = honest.refused("another ticket", &token);
                    assert!(matches!(error, Error::AlreadyClaimed { .. }), "{error:?}");
                }
            }
            honest.claim_after("another ticket");
        }
    }
}

#[test]
fn an_epoch_that_is_wrong_takes_nothing() {
    for change in [1, u64::MAX, 1 << 48] {
        let honest = Honest::new(Kind::SharedMut);
        let token = honest.twin(|fields| fields.issued.epoch = fields.issued.epoch.wrapping_add(change));
        let error = honest.refused("another epoch", &token);
        assert!(matches!(error, Error::AlreadyClaimed { .. }), "{error:?}");
        honest.claim_after("another epoch");

        let honest = Honest::new(Kind::Shared);
        let token = honest.twin(|fields| fields.issued.epoch = fields.issued.epoch.wrapping_add(change));
        let joined = SharedSlice::<u16>::from_token(&token.text()).unwrap();
        assert_eq!(joined.counts().in_flight, 1, "nothing was taken");
        drop(joined);
        honest.claim_after("another epoch");

        wrong_fields(
            "another epoch, another serial",
            &[&|fields| {
                fields.issued.epoch = fields.issued.epoch.wrapping_add(change);
                fields.issued.serial += 1;
            }],
        );
    }
}

#[test]
fn a_serial_that_is_wrong() {
    wrong_fields(
        "another serial",
        &[
            &|fields| fields.issued.serial += 1,
            &|fields| fields.issued.serial = fields.issued.serial.wrapping_sub(1),
            &|fields| fields.issued.serial = u64::MAX,
        ],
    );
}

#[test]
fn a_range_that_is_not_within_the_block() {
    wrong_fields(
        "another range",
        &[
            &|fields| fields.len += 2,
            &|fields| fields.start += 2,
            &|fields| fields.start = 16,
            &|fields| (fields.start, fields.len) = (17, 0),
            &|fields| fields.start = 1 << 40,
            &|fields| fields.len = isize::MAX.cast_unsigned(),
            &|fields| fields.len = usize::MAX,
            &|fields| fields.start = usize::MAX - 15,
            &|fields| fields.start = usize::MAX - 16,
            &|fields| (fields.start, fields.len) = (usize::MAX, usize::MAX),
        ],
    );
}

#[test]
fn a_range_that_is_too_short_for_its_metadata() {
    wrong_fields(
        "another range",
        &[&|fields| fields.len -= 2, &|fields| fields.len = 0, &|fields| {
            (fields.start, fields.len) = (1, 15);
        }],
    );
}

#[test]
fn a_range_that_is_not_aligned() {
    for kind in KINDS {
        let honest = Honest::new(kind);
        let fields = Fields { start: 1, len: 14, ..honest.fields };
        let error = honest.refused("not aligned", &forge(&fields, &7usize, &honest.secret));
        assert!(matches!(error, Error::Metadata { .. }), "{error:?}");
        honest.claim_after("not aligned");
    }
}

#[test]
fn the_other_kind() {
    for kind in KINDS {
        let honest = Honest::new(kind);
        let error = match kind {
            Kind::Shared => {
                let token = honest.twin(|fields| fields.kind = Kind::SharedMut);
                refusal("a Shared as SharedMut", SharedSliceMut::<u16>::from_token, &token)
            }
            Kind::SharedMut => {
                let token = honest.twin(|fields| fields.kind = Kind::Shared);
                refusal("a SharedMut as Shared", SharedSlice::<u16>::from_token, &token)
            }
        };
        assert!(
            matches!(error, Error::WrongKind { .. } | Error::Expired { .. } | Error::AlreadyClaimed { .. }),
            "{error:?}"
        );
        honest.claim_after("the other kind");
    }
}

#[test]
fn a_shared_value_that_others_hold_is_never_claimed_as_exclusive() {
    let held: SharedSlice<u16> = Shared::copy_from(&VALUE[..]).unwrap();
    let text = held.clone().into_token().unwrap();
    let (fields, secret) = taken_apart(&text);
    let token = forge(&Fields { kind: Kind::SharedMut, ..fields }, &VALUE.len(), &secret);
    refusal("a held Shared as SharedMut", SharedSliceMut::<u16>::from_token, &token);
    assert_eq!(*held, VALUE);
    assert_eq!(*SharedSlice::<u16>::from_token(&text).unwrap(), VALUE);
}

#[test]
fn the_fingerprint_of_another_type() {
    for kind in KINDS {
        let honest = Honest::new(kind);
        for other in [0, u64::MAX, str::fingerprint(), <[u32]>::fingerprint()] {
            let token = honest.twin(|fields| fields.fingerprint = other);
            let error = honest.refused("another type", &token);
            assert!(
                matches!(error, Error::WrongType { found_fingerprint, .. } if found_fingerprint == other),
                "{error:?}"
            );
        }
        honest.claim_after("another type");
    }
}

fn wrong_metadata<M: Serialize>(what: &str, metadata: &M) {
    for kind in KINDS {
        let honest = Honest::new(kind);
        let token = forge(&honest.fields, metadata, &honest.secret);
        let error = honest.refused(what, &token);
        assert!(matches!(error, Error::Metadata { .. }), "{what}: {error:?}");
        honest.claim_after(what);
    }
}

#[test]
fn metadata_of_more_elements_than_the_range_has() {
    for len in [9usize, 16, 1 << 40, usize::MAX / 2 + 5, usize::MAX / 2 + 9, usize::MAX] {
        wrong_metadata("too many elements", &len);
    }
}

#[test]
fn metadata_that_are_noise() {
    wrong_metadata("nothing", &());
    wrong_metadata("too much", &(8usize, 1u8));
    wrong_metadata("text", &"metadata");
    wrong_metadata("an endless number", &[0xffu8; 30]);
    wrong_metadata("very long", &vec![0x80u8; 5000]);
    for seed in 0..32 {
        let mut random = Random::new(seed);
        let noise: [u8; 24] = std::array::from_fn(|_| random.next() as u8);
        wrong_metadata("noise", &noise);
    }
}

#[cfg(feature = "ndarray")]
#[test]
fn metadata_of_arrays_that_lead_outside() {
    use ndarray::{Array2, ArrayD};

    use crate::{SharedArray, SharedArrayMut};

    type Meta = (Vec<usize>, Vec<isize>);
    const WRONG: [(&[usize], &[isize]); 16] = [
        (&[3, 4], &[4, 2]),
        (&[3, 4], &[5, 1]),
        (&[4, 4], &[4, 1]),
        (&[3, 4], &[-5, 1]),
        (&[3, 4], &[4, -2]),
        (&[3, 4], &[0, 1]),
        (&[3, 4], &[1, 1]),
        (&[3, 4], &[isize::MAX, 1]),
        (&[3, 4], &[isize::MIN, isize::MIN]),
        (&[usize::MAX, 2], &[1, 1]),
        (&[1 << 63, 2], &[0, 0]),
        (&[1 << 32, 1 << 32], &[0, 0]),
        (&[usize::MAX, 0], &[isize::MAX, isize::MAX]),
        (&[3], &[1]),
        (&[3, 4], &[4]),
        (&[], &[]),
    ];
    let array = Array2::from_shape_fn((3, 4), |(row, column)| (10 * row + column) as f32);
    for (shape, strides) in WRONG {
        let metadata: Meta = (shape.to_vec(), strides.to_vec());
        let text = SharedArray::copy_from(&array).unwrap().into_token().unwrap();
        let (fields, secret) = taken_apart(&text);
        let token = forge(&fields, &metadata, &secret);
        let error = refusal(&format!("{metadata:?}"), SharedArray::<f32, ndarray::Ix2>::from_token, &token);
        assert!(matches!(error, Error::Metadata { .. }), "{metadata:?}: {error:?}");
        let same = SharedArray::<f32, ndarray::Ix2>::from_token(&text);
        assert_eq!(same.unwrap_or_else(|error| panic!("after {metadata:?}: {error}")).as_view(), array);

        let text = SharedArrayMut::copy_from(&array).unwrap().into_token().unwrap();
        let (fields, secret) = taken_apart(&text);
        let token = forge(&fields, &metadata, &secret);
        let error = refusal(&format!("{metadata:?}"), SharedArrayMut::<f32, ndarray::Ix2>::from_token, &token);
        assert!(matches!(error, Error::Metadata { .. }), "{metadata:?}: {error:?}");
        let same = SharedArrayMut::<f32, ndarray::Ix2>::from_token(&text);
        assert_eq!(same.unwrap_or_else(|error| panic!("after {metadata:?}: {error}")).as_view(), array);
    }
    // Backwards is not outside.
    let (fields, secret) = taken_apart(&SharedArray::copy_from(&array).unwrap().into_token().unwrap());
    let token = forge(&fields, &(vec![3usize, 4], vec![-4isize, -1]), &secret);
    let backwards = SharedArray::<f32, ndarray::Ix2>::from_token(&token.text()).unwrap();
    assert_eq!(backwards.as_view(), array.slice(ndarray::s![..;-1, ..;-1]));
    let array: ArrayD<f32> = array.into_dyn();
    for (shape, strides) in WRONG.into_iter().filter(|(shape, _)| shape.len() > 1) {
        let text = SharedArray::copy_from(&array).unwrap().into_token().unwrap();
        let (fields, secret) = taken_apart(&text);
        let token = forge(&fields, &(shape.to_vec(), strides.to_vec()), &secret);
        let error = refusal(&format!("{shape:?} {strides:?}"), SharedArray::<f32, ndarray::IxDyn>::from_token, &token);
        assert!(matches!(error, Error::Metadata { .. }), "{shape:?} {strides:?}: {error:?}");
        drop(SharedArray::<f32, ndarray::IxDyn>::from_token(&text));
    }
}

// ---- content that is no value

/// A value of bytes, and a token that says it is a `T`'s.
fn said_to_be<T: ShmemBacked + ?Sized, M: Serialize>(kind: Kind, bytes: &[u8], metadata: &M) -> Token {
    let text = match kind {
        Kind::Shared => SharedSlice::<u8>::copy_from(bytes).unwrap().into_token().unwrap(),
        Kind::SharedMut => SharedSliceMut::<u8>::copy_from(bytes).unwrap().into_token().unwrap(),
    };
    let (fields, secret) = taken_apart(&text);
    forge(&Fields { fingerprint: T::fingerprint(), ..fields }, metadata, &secret)
}

#[test]
fn a_bool_that_is_two_and_a_char_that_is_none() {
    assert!(
        SharedSlice::<bool>::from_token(&said_to_be::<[bool], _>(Kind::Shared, &[0, 1, 1], &3usize).text()).is_ok()
    );
    for (bytes, at) in [([2, 0, 1], 0), ([0, 1, 2], 2), ([1, 255, 1], 1)] {
        let token = said_to_be::<[bool], _>(Kind::Shared, &bytes, &3usize);
        let error = SharedSlice::<bool>::from_token(&token.text()).unwrap_err();
        assert!(matches!(error, Error::Content { .. }), "{at}: {error:?}");
        let token = said_to_be::<[bool], _>(Kind::SharedMut, &bytes, &3usize);
        let error = SharedSliceMut::<bool>::from_token(&token.text()).unwrap_err();
        assert!(matches!(error, Error::Content { .. }), "{at}: {error:?}");
        let token = said_to_be::<[bool], _>(Kind::Shared, &bytes, &3usize);
        let error = serde_json::from_str::<SharedSlice<bool>>(&serde_json::to_string(&Sent(&token)).unwrap());
        assert!(error.unwrap_err().to_string().contains("content"));
    }
    for bad in [0xd800u32, 0xdfff, 0x11_0000, u32::MAX] {
        let token = said_to_be::<[char], _>(Kind::Shared, &bad.to_ne_bytes(), &1usize);
        let error = SharedSlice::<char>::from_token(&token.text()).unwrap_err();
        assert!(matches!(error, Error::Content { .. }), "{bad:x}: {error:?}");
    }
}

#[test]
fn a_value_refused_for_its_content_can_still_be_claimed_as_what_it_is() {
    for kind in KINDS {
        let text = match kind {
            Kind::Shared => SharedSlice::<u8>::copy_from(&[2, 0xff][..]).unwrap().into_token().unwrap(),
            Kind::SharedMut => SharedSliceMut::<u8>::copy_from(&[2, 0xff][..]).unwrap().into_token().unwrap(),
        };
        let (fields, secret) = taken_apart(&text);
        let bools = forge(&Fields { fingerprint: <[bool]>::fingerprint(), ..fields }, &2usize, &secret);
        let letters = forge(&Fields { fingerprint: str::fingerprint(), ..fields }, &2usize, &secret);
        let errors = match kind {
            Kind::Shared => [
                refusal("bools", SharedSlice::<bool>::from_token, &bools),
                refusal("text", SharedStr::from_token, &letters),
            ],
            Kind::SharedMut => [
                refusal("bools", SharedSliceMut::<bool>::from_token, &bools),
                refusal("text", SharedMut::<str>::from_token, &letters),
            ],
        };
        assert!(errors.iter().all(|error| matches!(error, Error::Content { .. })), "{errors:?}");
        match kind {
            Kind::Shared => {
                let value = SharedSlice::<u8>::from_token(&text).unwrap();
                assert_eq!((&value[..], value.counts().in_flight), (&[2, 0xff][..], 0));
            }
            Kind::SharedMut => assert_eq!(*SharedSliceMut::<u8>::from_token(&text).unwrap(), [2, 0xff]),
        }
    }
}

#[test]
fn text_that_is_not_utf_8() {
    let token = said_to_be::<str, _>(Kind::Shared, "grüße".as_bytes(), &7usize);
    assert_eq!(*SharedStr::from_token(&token.text()).unwrap(), *"grüße");
    for bytes in [&b"\xff"[..], b"ab\xc3", b"\xed\xa0\x80", b"\xc0\x80abc", &[b'x'; 5000].map(|x| x | 0x80)] {
        let token = said_to_be::<str, _>(Kind::Shared, bytes, &bytes.len());
        let error = SharedStr::from_token(&token.text()).unwrap_err();
        assert!(matches!(error, Error::Content { .. }), "{error:?}");
        let token = said_to_be::<str, _>(Kind::SharedMut, bytes, &bytes.len());
        let error = SharedMut::<str>::from_token(&token.text()).unwrap_err();
        assert!(matches!(error, Error::Content { .. }), "{error:?}");
    }
}

// ---- noise where a peer attaches

/// A segment of the smallest tables, laid out by hand as `pool/layout.rs` draws it.
const PARTICIPANTS: u64 = 4;
const BLOCKS: u64 = 64;
const TICKETS: u64 = 128;
const SLOTS_AT: usize = 4096;
const TICKETS_AT: usize = 2 * 4096;
const BLOCKS_AT: usize = 3 * 4096;
const CONTROL: usize = GRANULE;
const DATA: usize = GRANULE;
/// Values of each such segment.
const VALUES: usize = 4;

/// The constant part of a header, after that of a segment of the pool.
fn header(id: SegmentId, secret: Secret) -> [u64; PREFIX / 8] {
    let part = pool::allocate(1, 1, false, 0, Kind::Shared).unwrap();
    let words = control_words(&part.hold().at().segment);
    let mut header: [u64; PREFIX / 8] = std::array::from_fn(|i| words[i].load(Ordering::Relaxed));
    header[2] = id.0;
    for (word, half) in header[3..5].iter_mut().zip(secret.chunks_exact(8)) {
        *word = u64::from_le_bytes(half.try_into().unwrap());
    }
    header[5] = CONTROL as u64;
    header[6] = DATA as u64;
    header[7] = header[7] >> 32 << 32 | PARTICIPANTS;
    header[8] = TICKETS << 32 | BLOCKS;
    header
}

/// All words of a control area. What is not backed must not be touched.
fn control_words(segment: &Segment) -> &[AtomicU64] {
    let start = segment.control().cast::<AtomicU64>().as_ptr();
    // SAFETY: that many bytes are mapped and may be written until the segment is dropped; they are aligned to a page, and
    // everybody touches them through atomics only.
    unsafe { slice::from_raw_parts(start, segment.control_len() / 8) }
}

struct Crafted {
    segment: Segment,
    secret: Secret,
}

impl Crafted {
    fn new(backing: Backing) -> Self {
        let id = random_id();
        let segment = Segment::create(backing, id, CONTROL, DATA).unwrap();
        segment.reserve(0..CONTROL + DATA).unwrap();
        let crafted = Crafted { segment, secret: [9; 16] };
        crafted.segment.occupy(0).unwrap();
        let put = |at: usize, value: u64| control_words(&crafted.segment)[at / 8].store(value, Ordering::Relaxed);
        for (i, word) in header(id, crafted.secret).into_iter().enumerate() {
            put(8 * i, word);
        }
        put(256, TICKETS << 32 | 1);
        put(264, BLOCKS);
        put(384, VALUES as u64);
        put(SLOTS_AT, u64::from(std::process::id()) << 8 | 1);
        put(SLOTS_AT + 8, crafted.segment.identity().unwrap());
        for n in 0..VALUES {
            let exclusive = u64::from(Self::kind(n) == Kind::SharedMut);
            let ticket = TICKETS_AT + 32 * n;
            put(ticket, 1 << 16 | 3);
            put(ticket + 8, 5);
            put(ticket + 24, exclusive << 31 | n as u64);
            let block = BLOCKS_AT + 64 * n;
            put(block, exclusive << 63 | 1 << 12);
            put(block + 8, 5);
            put(block + 16, 128 * n as u64);
            put(block + 24, 16);
            put(block + 32, Self::fingerprint(n));
        }
        crafted
    }

    fn kind(n: usize) -> Kind {
        if n == 1 { Kind::SharedMut } else { Kind::Shared }
    }

    fn fingerprint(n: usize) -> u64 {
        if n == 2 { str::fingerprint() } else { <[u8]>::fingerprint() }
    }

    fn tokens(&self) -> Vec<String> {
        let token = |n: usize| {
            let fields = Fields {
                kind: Self::kind(n),
                locator: self.segment.locator(),
                issued: Issued { block: n as u32, ticket: n as u32, serial: 5, epoch: 1 },
                start: 0,
                len: 16,
                fingerprint: Self::fingerprint(n),
            };
            format!("{n}{}", forge(&fields, &16usize, &self.secret).text())
        };
        (0..VALUES).map(token).collect()
    }

    /// Overwrites, in one of several ways, what the seed says.
    fn spoil(&self, seed: u64) {
        let (words, mut random) = (control_words(&self.segment), Random::new(seed));
        let tables = TICKETS_AT / 8..CONTROL / 8;
        let after = PREFIX / 8..CONTROL / 8;
        match seed % 10 {
            0 => noise(&words[after], &mut random, 1),
            1 => odd(&words[after], &mut random, 2),
            2 => noise(&words[tables], &mut random, 1),
            3 => odd(&words[tables], &mut random, 1),
            4 => odd(&words[tables], &mut random, 3),
            // The tickets of the tokens stay, what they lead to does not.
            5 => odd(&words[BLOCKS_AT / 8..], &mut random, 1),
            6 => odd(&words[BLOCKS_AT / 8..][..8 * VALUES], &mut random, 3),
            // The words of the tickets keep their epoch.
            7 => {
                for n in 0..VALUES {
                    words[TICKETS_AT / 8 + 4 * n].store(1 << 16 | random.below(1 << 16), Ordering::Relaxed);
                }
                odd(&words[PREFIX / 8..TICKETS_AT / 8], &mut random, 20);
            }
            8 => noise(&words[..PREFIX / 8], &mut random, 1),
            _ => odd(&words[..9], &mut random, 8),
        }
    }
}

/// One in `every` words becomes any number.
fn noise(words: &[AtomicU64], random: &mut Random, every: u64) {
    for word in words {
        if random.below(every) == 0 {
            word.store(random.next(), Ordering::Relaxed);
        }
    }
}

/// One in `every` words becomes a number at an end of something.
fn odd(words: &[AtomicU64], random: &mut Random, every: u64) {
    for word in words {
        if random.below(every) == 0 {
            word.store(random.odd(), Ordering::Relaxed);
        }
    }
}

/// As a peer: claims what it can, in every way there is, and says what came of it.
fn claim_all() {
    Config::new().claim_deadline(Duration::from_millis(20)).install().unwrap();
    for token in env::var(TOKENS).unwrap().split(' ') {
        let (what, text) = token.split_at(1);
        println!("{token}");
        let result = match what {
            "1" => SharedSliceMut::<u8>::from_token(text).map(exclusive),
            "2" => SharedStr::from_token(text).map(|value| drop(black_box(value.to_uppercase()))),
            _ => SharedSlice::<u8>::from_token(text).map(shared),
        };
        println!("@{}", result.map_or_else(|error| format!("{error:?}"), |()| "ok".into()));
        // Once more, now that it is gone or was refused.
        let json = format!("\"{text}\"");
        if what == "1" {
            drop(serde_json::from_str::<SharedSliceMut<u8>>(&json).map(exclusive));
        } else {
            drop(serde_json::from_str::<SharedSlice<u8>>(&json).map(shared));
        }
        if let Ok(ticket) = Ticket::<[u8]>::from_token(text) {
            let _ = ticket.revoke();
        }
    }
}

fn shared(value: SharedSlice<u8>) {
    black_box(value.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)));
    let other = value.clone();
    black_box(value.counts());
    if let Ok(token) = other.into_token() {
        drop(SharedSlice::<u8>::from_token(&token));
    }
    if let Ok(value) = value.try_into_mut() {
        exclusive(value);
    }
}

fn exclusive(mut value: SharedSliceMut<u8>) {
    value.fill(7);
    black_box(value.counts());
    if let Ok(token) = value.into_token()
        && let Ok(value) = SharedSliceMut::<u8>::from_token(&token)
    {
        drop(value.freeze());
    }
}

/// Has a peer claim these tokens; what came of each.
fn claimed_by_a_peer(what: &str, test: &str, tokens: &[String]) -> Vec<String> {
    let out = run(what, child(&this_program(), test, "peer").env(TOKENS, tokens.join(" ")));
    let results: Vec<String> = out.lines().filter_map(|line| line.strip_prefix('@').map(str::to_owned)).collect();
    assert_eq!(results.len(), tokens.len(), "{what}: {out}");
    results
}

/// In segments full of noise a process can't give what it holds, so it would leave its identity file for whoever removes
/// the segments, as it must. Nobody does here.
fn forget_identity() {
    let segment = Segment::create(Backing::Named, SegmentId(sys::random_u64().unwrap()), GRANULE, GRANULE).unwrap();
    let number = segment.identity().unwrap();
    segment.remove_name();
    let _ = fs::remove_file(format!("/dev/shm/commonage-id-{number:016x}"));
}

fn noise_before_a_peer_attaches(test: &str, backing: Backing) {
    if role().is_some() {
        claim_all();
        if backing == Backing::Named {
            forget_identity();
        }
        return;
    }
    let mut seen = BTreeSet::new();
    for round in 0..8 {
        let crafted: Vec<Crafted> = (0..40).map(|_| Crafted::new(backing)).collect();
        let tokens: Vec<String> = crafted.iter().flat_map(Crafted::tokens).collect();
        // The first one is as it should be.
        for (n, crafted) in crafted.iter().enumerate().skip(1) {
            crafted.spoil(40 * round + n as u64);
        }
        let results = claimed_by_a_peer(&format!("{backing:?}, round {round}"), test, &tokens);
        for crafted in &crafted {
            crafted.segment.remove_name();
        }
        assert!(results[..VALUES].iter().all(|result| result == "ok"), "{:?}", &results[..VALUES]);
        seen.extend(results.iter().map(|result| result.split([' ', '(']).next().unwrap().to_owned()));
    }
    for one in ["ok", "Corrupt", "Expired", "ParticipantsFull", "NotTheSegment", "Altered", "Range"] {
        assert!(seen.contains(one), "no {one} among {seen:?}");
    }
}

#[test]
fn noise_before_a_peer_attaches_an_anonymous_segment() {
    noise_before_a_peer_attaches("noise_before_a_peer_attaches_an_anonymous_segment", Backing::Anonymous);
}

#[test]
fn noise_before_a_peer_attaches_a_named_segment() {
    noise_before_a_peer_attaches("noise_before_a_peer_attaches_a_named_segment", Backing::Named);
}

#[test]
fn noise_in_a_segment_of_the_pool() {
    let test = "noise_in_a_segment_of_the_pool";
    match role().as_deref() {
        Some("peer") => return claim_all(),
        None => return drop(run("owner", &mut child(&this_program(), test, "owner"))),
        Some(_) => {}
    }
    let anchor = pool::allocate(1, 1, false, 0, Kind::Shared).unwrap();
    let segment = &anchor.hold().at().segment;
    segment.reserve(0..segment.control_len()).unwrap();
    let words = control_words(segment);
    let tokens = || {
        let shared = SharedSlice::<u8>::copy_from(&[1; 100][..]).unwrap().into_token().unwrap();
        let exclusive = SharedSliceMut::<u8>::copy_from(&[1; 5000][..]).unwrap().into_token().unwrap();
        let text = SharedStr::copy_from("text").unwrap().into_token().unwrap();
        [format!("0{shared}"), format!("1{exclusive}"), format!("2{text}")]
    };
    assert_eq!(claimed_by_a_peer("before", test, &tokens()), ["ok"; 3]);
    let before: Vec<u64> = words.iter().map(|word| word.load(Ordering::Relaxed)).collect();
    for seed in 0..12 {
        let (tokens, mut random) = (tokens(), Random::new(seed));
        match seed % 4 {
            0 => noise(&words[PREFIX / 8..], &mut random, 1),
            1 => noise(&words[..PREFIX / 8], &mut random, 1),
            2 => odd(&words[PREFIX / 8..], &mut random, 1),
            // Not the slots: all else.
            _ => odd(&words[SLOTS_AT / 8 + 2 * 1024..], &mut random, 2),
        }
        claimed_by_a_peer(&format!("seed {seed}"), test, &tokens);
        // The owner goes on, and ends, whatever stands there.
        if seed < 11 {
            for (word, before) in words.iter().zip(&before) {
                word.store(*before, Ordering::Relaxed);
            }
        }
    }
}

// ---- peers that write what they like

/// What is live in this process, by address: nothing is handed out twice.
#[derive(Default)]
struct Live(BTreeMap<usize, (SharedSliceMut<u8>, u8)>);

impl Live {
    fn add(&mut self, value: SharedSliceMut<u8>, tag: u8) {
        let (start, end) = (value.as_ptr().addr(), value.as_ptr().addr() + value.len());
        if let Some((before, (other, _))) = self.0.range(..end).next_back() {
            assert!(
                before + other.len() <= start,
                "handed out twice: {start:x}..{end:x} and {} from {before:x}",
                other.len()
            );
        }
        self.0.insert(start, (value, tag));
    }

    fn remove(&mut self, n: usize) -> Option<SharedSliceMut<u8>> {
        let at = *self.0.keys().nth(n)?;
        let (value, tag) = self.0.remove(&at)?;
        assert!(value.iter().all(|byte| *byte == tag), "somebody else has written");
        Some(value)
    }
}

/// The owner makes, sends and drops values for a while.
fn work(seed: u64, steps: u32, between: impl Fn(&mut Random)) {
    let (mut random, mut live, mut made) = (Random::new(seed), Live::default(), 0);
    for step in 0..steps {
        between(&mut random);
        match random.below(12) {
            0..=5 if live.0.len() < 200 => {
                let len = 1 + match random.below(4) {
                    0 => random.below(128),
                    1 => random.below(4096),
                    _ => random.below(40_000),
                };
                let tag = random.next() as u8;
                if let Ok(value) = SharedSliceMut::<u8>::new(&(tag, len as usize)) {
                    made += 1;
                    live.add(value, tag);
                }
            }
            // On its way, nobody holds it: whatever becomes of it, it is no longer among the live.
            10 => {
                let sent = live.remove(random.below(200) as usize).map(SharedMut::into_token);
                if let Some(Ok(token)) = sent {
                    drop(SharedSliceMut::<u8>::from_token(&token));
                }
            }
            11 if step % 100 == 0 => trim(),
            _ => {
                let count = live.0.len().max(1) as u64;
                drop(live.remove(random.below(count) as usize));
            }
        }
    }
    while live.remove(0).is_some() {}
    assert!(made > steps / 100, "only {made} values could be made in {steps} steps");
}

/// Runs the owner's `work` in a process of its own, with a hostile hand in its control area: at every step, or all the
/// time, from other threads.
fn besieged(test: &str, clear_holds: bool) {
    match role() {
        None => return drop(run("owner", &mut child(&this_program(), test, "owner"))),
        Some(_) => Config::new().claim_deadline(Duration::from_millis(5)).install().unwrap(),
    }
    let anchor = pool::allocate(64, 1, true, 0, Kind::Shared).unwrap();
    let at = Arc::clone(anchor.hold().at());
    at.segment.reserve(0..at.segment.control_len()).unwrap();
    let strike = |random: &mut Random| {
        let control = &at.control;
        let blocks = control.layout.blocks;
        let block = random.below(600) as u32;
        let header = control.block(block);
        let any = match random.below(4) {
            0 => random.next(),
            1 => random.below(u64::from(blocks) + 10),
            2 => random.odd(),
            _ => random.below(600),
        };
        match random.below(11) {
            0 => header.word.store(random.odd(), Ordering::SeqCst),
            1 => header.next.store(any as u32, Ordering::SeqCst),
            2 => control.returned().store(any, Ordering::SeqCst),
            3 => {
                header.offset.store(any, Ordering::SeqCst);
                header.length.store(random.odd(), Ordering::SeqCst);
            }
            4 => header.serial.store(any, Ordering::SeqCst),
            5 => {
                let row = control.ticket(random.below(200) as u32);
                match random.below(4) {
                    0 => row.word.store(random.next(), Ordering::SeqCst),
                    1 => row.block.store(any as u32, Ordering::SeqCst),
                    2 => row.signal.store(any as u32, Ordering::SeqCst),
                    _ => row.serial.store(any, Ordering::SeqCst),
                }
            }
            // A block that says that nobody has it, on the stack, alone or in a ring.
            6 | 7 => {
                let other = random.below(600) as u32;
                header.word.store(0, Ordering::SeqCst);
                header.next.store(other + 1, Ordering::SeqCst);
                control.block(other).word.store(0, Ordering::SeqCst);
                control.block(other).next.store(if any % 2 == 0 { block + 1 } else { 0 }, Ordering::SeqCst);
                if clear_holds {
                    for number in [block, other] {
                        let (word, bit) = control.hold_bit(at.slot, number);
                        word.fetch_and(!bit, Ordering::SeqCst);
                    }
                }
                control.returned().store(u64::from(block) + 1, Ordering::SeqCst);
            }
            8 => control.live().store(any, Ordering::SeqCst),
            9 => control.slot(random.below(8) as u32).mark.store(any, Ordering::SeqCst),
            _ => control.raise_blocks_backed(any as u32),
        }
    };
    for seed in 0..4 {
        work(seed, 4000, |random| (0..random.below(4)).for_each(|_| strike(random)));
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for seed in 0..2 {
            let (strike, stop) = (&strike, &stop);
            scope.spawn(move || {
                let mut random = Random::new(seed + 100);
                while !stop.load(Ordering::Relaxed) {
                    strike(&mut random);
                    thread::sleep(Duration::from_micros(random.below(50)));
                }
            });
        }
        let stops = StopOnDrop(&stop);
        for seed in 0..4 {
            work(seed + 200, 4000, |_| ());
        }
        drop(stops);
    });
    println!("done");
}

/// The others end, also after a panic.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_peer_that_overwrites_words_tickets_and_the_returned_stack() {
    besieged("a_peer_that_overwrites_words_tickets_and_the_returned_stack", false);
}

#[test]
fn a_peer_that_clears_the_owners_hold_bits_too() {
    besieged("a_peer_that_clears_the_owners_hold_bits_too", true);
}

#[test]
fn a_block_that_is_held_here_is_not_taken_from_the_returned_stack() {
    let test = "a_block_that_is_held_here_is_not_taken_from_the_returned_stack";
    if role().is_none() {
        return drop(run("owner", &mut child(&this_program(), test, "owner")));
    }
    for clear_bit in [false, true] {
        let mut held = Vec::new();
        for _ in 0..50 {
            let part = pool::allocate(10_000, 1, false, 0, Kind::Shared).unwrap();
            let (hold, at) = (part.hold(), part.hold().at());
            at.control.block(hold.block).word.store(0, Ordering::SeqCst);
            if clear_bit {
                let (word, bit) = at.control.hold_bit(at.slot, hold.block);
                word.fetch_and(!bit, Ordering::SeqCst);
            }
            at.control.block(hold.block).next.store(0, Ordering::SeqCst);
            at.control.returned().store(u64::from(hold.block) + 1, Ordering::SeqCst);
            held.push(part);
        }
        let numbers: BTreeSet<u32> = held.iter().map(|part| part.hold().block).collect();
        assert_eq!(numbers.len(), held.len(), "handed out twice, hold bit cleared: {clear_bit}");
    }
}

#[test]
fn a_stack_of_returned_blocks_with_a_cycle_ends() {
    let test = "a_stack_of_returned_blocks_with_a_cycle_ends";
    if role().is_none() {
        return drop(run("owner", &mut child(&this_program(), test, "owner")));
    }
    let anchor = pool::allocate(10_000, 1, false, 0, Kind::Shared).unwrap();
    let at = anchor.hold().at();
    at.segment.reserve(0..at.segment.control_len()).unwrap();
    let blocks = at.control.layout.blocks;
    let first = anchor.hold().block;
    for (next, top) in [
        (first + 1, u64::from(first) + 1),
        (first + 2, u64::from(first) + 1),
        (first + 1, u64::from(first) + 2),
        (0, u64::from(blocks)),
        (0, u64::from(blocks) + 1),
        (0, u64::from(u32::MAX)),
        (0, u64::from(u32::MAX) + 1),
        (u32::MAX, u64::from(first) + 1),
        (0, u64::MAX),
    ] {
        for block in [first, first + 1] {
            at.control.block(block).next.store(next, Ordering::SeqCst);
        }
        at.control.returned().store(top, Ordering::SeqCst);
        let made: Vec<SharedSlice<u8>> = (0..20).map(|_| Shared::new(&(1, 10_000)).unwrap()).collect();
        let places: BTreeSet<usize> = made.iter().map(|value| value.as_ptr().addr()).collect();
        assert_eq!(places.len(), made.len(), "handed out twice");
    }
}

//! What comes off the wire: bytes in every way in, honest tokens with changed bytes, tokens with a right MAC and wrong
//! fields, wills, and tokens of files, with any fields likewise. An error, or the value that was sent, or what the file has
//! where the token leads; and nothing is left of either.
#![no_main]
#![allow(unsafe_code)] // Files are mapped that nobody else knows of.

mod subjects;

use std::{
    fs,
    ops::Deref,
    path::{Path, PathBuf},
    time::Duration,
};

use arbitrary::{Arbitrary, Unstructured};
use commonage::{
    Config, ShmemBacked, Ticket, Value, file,
    fuzzing::{FileTokenSaid, Key, Said, leave_will, put_together, resealed, taken_apart},
    stats,
};
use libfuzzer_sys::fuzz_target;
use ndarray::{Array, Ix1, Ix2, Ix3, IxDyn};
use serde::de::{IntoDeserializer, value};

use subjects::{AnyHandle, Handle, Sent, Subject, deserialize, emit, emit_mut, from_ticket, from_token};

/// At most `N`: first how many, then each.
#[derive(Debug)]
struct Few<T, const N: usize>(Vec<T>);

impl<'a, T: Arbitrary<'a>, const N: usize> Arbitrary<'a> for Few<T, N> {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let count = bytes.int_in_range(0..=N)?;
        (0..count).map(|_| bytes.arbitrary()).collect::<Result<_, _>>().map(Few)
    }
}

impl<T, const N: usize> Deref for Few<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

/// Which type.
#[derive(Arbitrary, Clone, Copy, PartialEq, Debug)]
enum Type {
    Bytes,
    Words,
    Bools,
    Chars,
    Str,
    Char,
    Quad,
    Line,
    Plane,
    Space,
    Any,
}

const TYPES: [Type; 11] = [
    Type::Bytes,
    Type::Words,
    Type::Bools,
    Type::Chars,
    Type::Str,
    Type::Char,
    Type::Quad,
    Type::Line,
    Type::Plane,
    Type::Space,
    Type::Any,
];

/// Calls a function that is generic over the type of a value.
macro_rules! with {
    ($of:expr, $function:ident($($argument:expr),*)) => {
        match $of {
            Type::Bytes => $function::<[u8]>($($argument),*),
            Type::Words => $function::<[u16]>($($argument),*),
            Type::Bools => $function::<[bool]>($($argument),*),
            Type::Chars => $function::<[char]>($($argument),*),
            Type::Str => $function::<str>($($argument),*),
            Type::Char => $function::<Value<char>>($($argument),*),
            Type::Quad => $function::<Value<[u32; 4]>>($($argument),*),
            Type::Line => $function::<Array<u8, Ix1>>($($argument),*),
            Type::Plane => $function::<Array<u16, Ix2>>($($argument),*),
            Type::Space => $function::<Array<bool, Ix3>>($($argument),*),
            Type::Any => $function::<Array<u32, IxDyn>>($($argument),*),
        }
    };
}

/// By what a token comes.
#[derive(Arbitrary, Clone, Copy, PartialEq, Debug)]
enum Way {
    Text,
    Postcard,
    Json,
    Numbers,
    Ticket,
    Revoked,
}

/// Who claims what it takes for what.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Claim {
    of: Type,
    exclusive: bool,
    way: Way,
}

/// A value that is sent.
#[derive(Arbitrary, Debug)]
struct Made {
    of: Type,
    exclusive: bool,
    /// A `Shared`: its original stays. A `SharedMut`: it is serialized, and not yet dropped.
    kept: bool,
    content: Few<u8, 64>,
}

/// A file, with a value in it that is sent.
#[derive(Arbitrary, Debug)]
enum Filed {
    Headed(Made),
    /// Bytes, from an offset on: the content so many times.
    Foreign {
        content: Few<u8, 64>,
        times: u8,
        offset: u16,
        kept: bool,
    },
}

#[derive(Arbitrary, Debug)]
enum Metadata {
    Any(Few<u8, 64>),
    /// Those of an array.
    Axes(Few<(i16, i16), 4>),
    /// Those of a slice or a string.
    Count(i16),
}

/// A change of what a right token says.
#[derive(Arbitrary, Debug)]
enum Change {
    Exclusive,
    Named,
    Segment(u64),
    Sender(u32, u32),
    Owner(u32, u32),
    Block(i8),
    AnyBlock(u32),
    Ticket(i8),
    AnyTicket(u32),
    Serial(i8),
    AnySerial(u64),
    Epoch(i8),
    AnyEpoch(u64),
    Start(i16),
    AnyStart(usize),
    Len(i16),
    AnyLen(usize),
    /// That of another type.
    Fingerprint(Type),
    AnyFingerprint(u64),
    Metadata(Metadata),
    /// Block, ticket, serial and epoch of the other value.
    Other,
}

/// A change of what the token of a file says.
#[derive(Arbitrary, Debug)]
enum FileChange {
    Exclusive,
    Offset(i16),
    Whole(i16),
    Start(i16),
    Len(i16),
    AnyRange(u64, u64, usize, usize),
    /// That of another type.
    Fingerprint(Type),
    Metadata(Metadata),
    /// Length, fingerprint and metadata of a value of so many elements.
    Fitting(Type, u8),
}

#[derive(Arbitrary, Debug)]
enum Input {
    Bytes {
        bytes: Few<u8, 300>,
        claim: Claim,
    },
    Changed {
        made: Made,
        flips: Few<(u8, u8), 6>,
        cut: Option<u8>,
        more: Few<u8, 64>,
        claim: Claim,
    },
    Forged {
        made: Made,
        other: Made,
        changes: Few<Change, 6>,
        claims: Few<Claim, 4>,
        /// A claimed handle is dropped before the next claim.
        drop_each: bool,
    },
    Will {
        said: Few<Change, 6>,
        exclusive: bool,
        data: Few<u8, 64>,
        flips: Few<(u16, u8), 6>,
        cut: Option<u8>,
        claims: Few<Claim, 4>,
    },
    Filed {
        filed: Filed,
        changes: Few<FileChange, 6>,
        /// With a right length and a right MAC.
        sealed: bool,
        claims: Few<Claim, 4>,
        /// As in `Forged`.
        drop_each: bool,
        flips: Few<(u8, u8), 6>,
        cut: Option<u8>,
        more: Few<u8, 64>,
    },
}

fuzz_target!(
    init: {
        Config::new().claim_deadline(Duration::from_micros(50)).install().expect("first of all");
    },
    |input: Input| {
        match input {
            Input::Bytes { bytes, claim } => drop(with!(claim.of, claimed(claim, &bytes))),
            Input::Changed { made, flips, cut, more, claim } => changed(&made, &flips, cut, &more, claim),
            Input::Forged { made, other, changes, claims, drop_each } => forged(&made, &other, &changes, &claims, drop_each),
            Input::Will { said, exclusive, data, flips, cut, claims } => {
                will(&said, exclusive, &data, &flips, cut, &claims);
            }
            Input::Filed { filed, changes, sealed, claims, drop_each, flips, cut, more } => {
                let change = |honest: &[u8]| mutated(said_otherwise(honest, &changes), &flips, cut, &more);
                in_file(&filed, change, sealed, &claims, drop_each);
            }
        }
        let left = stats();
        assert_eq!((left.blocks, left.tickets, left.live), (0, 0, 0), "nothing is left");
    }
);

/// What a claim came to.
fn claimed<T: Subject + ?Sized>(claim: Claim, token: &[u8]) -> Option<AnyHandle> {
    let Claim { exclusive, way, .. } = claim;
    match way {
        Way::Text => {
            // As it is, if it is text, and as what it would be if it were.
            if let Ok(text) = str::from_utf8(token) {
                drop(from_token::<T>(exclusive, text));
            }
            from_token::<T>(exclusive, &text_of(token)).ok()
        }
        Way::Postcard => {
            drop(deserialize::<T, _>(exclusive, &mut postcard::Deserializer::from_bytes(token)));
            deserialize::<T, _>(exclusive, &mut postcard::Deserializer::from_bytes(&prefixed(token))).ok()
        }
        Way::Json => {
            drop(deserialize::<T, _>(exclusive, &mut serde_json::Deserializer::from_slice(token)));
            let json = format!("\"{}\"", text_of(token));
            deserialize::<T, _>(exclusive, &mut serde_json::Deserializer::from_str(&json)).ok()
        }
        Way::Numbers => {
            let numbers: value::SeqDeserializer<_, value::Error> = token.to_vec().into_deserializer();
            deserialize::<T, _>(exclusive, Binary(numbers)).ok()
        }
        Way::Ticket | Way::Revoked => {
            let ticket: Ticket<T> = Ticket::from_token(&text_of(token)).ok()?;
            assert_eq!(
                postcard::to_stdvec(&ticket).expect("it is written"),
                prefixed(token),
                "a ticket is what it was"
            );
            assert!(format!("{ticket:?}").starts_with("Ticket"));
            if way == Way::Ticket {
                return from_ticket(exclusive, &ticket).ok();
            }
            let _ = ticket.revoke();
            None
        }
    }
}

/// A format that is not human-readable.
struct Binary<D>(D);

impl<'de, D: serde::Deserializer<'de>> serde::Deserializer<'de> for Binary<D> {
    type Error = D::Error;

    fn deserialize_any<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

fn text_of(token: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(token)
}

/// As postcard writes bytes.
fn prefixed(token: &[u8]) -> Vec<u8> {
    struct Bytes<'a>(&'a [u8]);
    impl serde::Serialize for Bytes<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(self.0)
        }
    }
    postcard::to_stdvec(&Bytes(token)).expect("bytes can be written")
}

fn send(made: &Made) -> Sent {
    with!(made.of, sent(made))
}

fn sent<T: Subject + ?Sized>(made: &Made) -> Sent {
    subjects::send::<T>(made.exclusive, made.kept, &made.content)
}

/// A value that was sent is claimed as what it is, unless another token has taken it.
fn claim_honestly(made: &Made, mut sent: Sent, may_be_gone: bool) {
    let claim = Claim { of: made.of, exclusive: made.exclusive, way: Way::Text };
    if made.exclusive && sent.original.is_some() {
        assert!(with!(made.of, claimed(claim, &sent.token)).is_none(), "it is still held");
        sent.original = None;
    }
    match with!(made.of, claimed(claim, &sent.token)) {
        Some(handle) => sent.assert_whole(&*handle),
        None => assert!(may_be_gone, "it is still there"),
    }
}

fn mutated(mut token: Vec<u8>, flips: &[(u8, u8)], cut: Option<u8>, more: &[u8]) -> Vec<u8> {
    for (at, bits) in flips {
        let at = usize::from(*at) % token.len();
        token[at] ^= bits;
    }
    token.truncate(cut.map_or(usize::MAX, usize::from));
    token.extend(more);
    token
}

fn changed(made: &Made, flips: &[(u8, u8)], cut: Option<u8>, more: &[u8], claim: Claim) {
    let sent = send(made);
    let token = mutated(sent.token.clone(), flips, cut, more);
    let mut taken = claim.way == Way::Revoked && token == sent.token;
    if let Some(handle) = with!(claim.of, claimed(claim, &token)) {
        assert_eq!(token, sent.token, "a changed byte gives an error");
        assert_eq!((claim.of, claim.exclusive), (made.of, made.exclusive));
        sent.assert_whole(&*handle);
        taken = true;
    }
    claim_honestly(made, sent, taken);
}

impl Metadata {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Metadata::Any(bytes) => bytes.to_vec(),
            Metadata::Axes(axes) => {
                let (shape, strides): (Vec<i64>, Vec<i64>) =
                    axes.iter().map(|(len, by)| (i64::from(*len), i64::from(*by))).unzip();
                let shape: Vec<usize> = shape.into_iter().map(|len| len as usize).collect();
                postcard::to_stdvec(&(shape, strides)).expect("numbers can be written")
            }
            Metadata::Count(count) => postcard::to_stdvec(&(*count as usize)).expect("a number can be written"),
        }
    }
}

fn fingerprint<T: ShmemBacked + ?Sized>() -> u64 {
    T::fingerprint()
}

fn apply(said: &mut Said, changes: &[Change], other: Option<&Said>) {
    for change in changes {
        match change {
            Change::Exclusive => said.exclusive ^= true,
            Change::Named => said.named ^= true,
            Change::Segment(bits) => said.segment ^= bits,
            Change::Sender(pid, fd) => said.sender = (*pid, *fd),
            Change::Owner(pid, fd) => said.owner = (*pid, *fd),
            Change::Block(by) => said.block = said.block.wrapping_add_signed((*by).into()),
            Change::AnyBlock(block) => said.block = *block,
            Change::Ticket(by) => said.ticket = said.ticket.wrapping_add_signed((*by).into()),
            Change::AnyTicket(ticket) => said.ticket = *ticket,
            Change::Serial(by) => said.serial = said.serial.wrapping_add_signed((*by).into()),
            Change::AnySerial(serial) => said.serial = *serial,
            Change::Epoch(by) => said.epoch = said.epoch.wrapping_add_signed((*by).into()),
            Change::AnyEpoch(epoch) => said.epoch = *epoch,
            Change::Start(by) => said.start = said.start.wrapping_add_signed((*by).into()),
            Change::AnyStart(start) => said.start = *start,
            Change::Len(by) => said.len = said.len.wrapping_add_signed((*by).into()),
            Change::AnyLen(len) => said.len = *len,
            Change::Fingerprint(of) => said.fingerprint = with!(*of, fingerprint()),
            Change::AnyFingerprint(fingerprint) => said.fingerprint = *fingerprint,
            Change::Metadata(metadata) => said.metadata = metadata.bytes(),
            Change::Other => {
                let Some(other) = other else { continue };
                (said.block, said.ticket, said.serial, said.epoch) =
                    (other.block, other.ticket, other.serial, other.epoch);
            }
        }
    }
}

fn forged(made: &Made, other: &Made, changes: &[Change], claims: &[Claim], drop_each: bool) {
    let (sent, beside) = (send(made), send(other));
    let (mut said, key) = taken_apart(&sent.token).expect("an honest token");
    let (said_beside, _) = taken_apart(&beside.token).expect("an honest token");
    assert_eq!(
        put_together(&said, &key, &sent.token).expect("it fits"),
        sent.token,
        "an honest token's twin is the same"
    );
    apply(&mut said, changes, Some(&said_beside));
    let token = put_together(&said, &key, &sent.token).expect("it fits");
    let (mut handles, mut taken) = (Vec::new(), false);
    for claim in claims.iter() {
        taken |= claim.way == Way::Revoked;
        if let Some(handle) = with!(claim.of, claimed(*claim, &token)) {
            let value = if said.block == said_beside.block { &beside } else { &sent };
            value.assert_part(&*handle, said.start, said.len);
            handles.push(handle);
            taken = true;
        }
        if drop_each {
            handles.clear();
        }
    }
    drop(handles);
    claim_honestly(made, sent, taken);
    claim_honestly(other, beside, taken);
}

/// The handle shows these bytes, from the first on.
fn assert_within(handle: &dyn Handle, data: &[u8]) {
    let start = handle.start();
    handle.runs(&mut |run| {
        let from = start.map_or(0, |start| run.as_ptr().addr() - start);
        assert_eq!(data[from..][..run.len()], *run, "what is there");
    });
}

/// A file that is there as long as this.
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn will(changes: &[Change], exclusive: bool, data: &[u8], flips: &[(u16, u8)], cut: Option<u8>, claims: &[Claim]) {
    const KEY: Key = Key::new(*b"of a dead sender");
    /// Where the data begin.
    const DATA: usize = 128;
    /// No process has this number.
    const NOBODY: u32 = i32::MAX as u32;
    let made = Made { of: Type::Str, exclusive: false, kept: false, content: Few(Vec::new()) };
    let sent = send(&made);
    let any = sent.token.clone();
    claim_honestly(&made, sent, false);
    let left = Said {
        exclusive,
        named: false,
        segment: 0x5eed_5eed_5eed_5eed,
        sender: (NOBODY, 3),
        owner: (NOBODY, 4),
        block: 5,
        ticket: 6,
        serial: 7,
        epoch: 8,
        start: 0,
        len: data.len(),
        fingerprint: <[u8]>::fingerprint(),
        metadata: postcard::to_stdvec(&data.len()).expect("a number can be written"),
    };
    let name = format!("commonage-will-{:016x}-{:08x}-{:012x}", left.segment, left.ticket, left.epoch);
    let file = File(Path::new("/dev/shm").join(name));
    for claim in claims.iter() {
        leave_will(&left, &KEY, exclusive, data).expect("there is room");
        let mut bytes = fs::read(&file.0).expect("it is in view");
        if !flips.is_empty() || cut.is_some() {
            for (at, bits) in flips {
                let at = usize::from(*at) % bytes.len();
                bytes[at] ^= bits;
            }
            bytes.truncate(cut.map_or(usize::MAX, usize::from));
            fs::write(&file.0, &bytes).expect("there is room");
        }
        let mut said = left.clone();
        apply(&mut said, changes, None);
        let token = put_together(&said, &KEY, &any).expect("it fits");
        if let Some(handle) = with!(claim.of, claimed(*claim, &token)) {
            assert_within(&*handle, &bytes[DATA..][said.start..][..said.len]);
            assert!(!file.0.exists(), "it is claimed once");
        }
    }
}

/// A directory that is there as long as this.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        // As long in every process: what an input does depends on the length of a token.
        let path = PathBuf::from(format!("/dev/shm/commonage-fuzzed-tokens-{:010}", std::process::id()));
        fs::create_dir(&path).expect("nobody else makes it");
        Place(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An honest token, and the handle if it is kept.
fn file_sent<T: Subject + ?Sized>(made: &Made, path: &Path) -> (Vec<u8>, Option<AnyHandle>) {
    T::with(&made.content, |value, _| file::write(path, value)).expect("there is room");
    match made.exclusive {
        // SAFETY: nobody else knows of the file.
        true => emit_mut(unsafe { file::open_mut::<T>(path) }.expect("it has been written"), made.kept),
        // SAFETY: as above.
        false => emit(unsafe { file::open::<T>(path) }.expect("it has been written"), made.kept),
    }
}

/// As [`file_sent`], of all from an offset on, if there is anything.
fn foreign_sent(bytes: &[u8], offset: u16, kept: bool, path: &Path) -> Option<(Vec<u8>, Option<AnyHandle>)> {
    fs::write(path, bytes).expect("there is room");
    // SAFETY: nobody else knows of the file.
    let value = unsafe { file::options::<[u8]>().raw().offset(offset.into()).open(path) };
    assert_eq!(value.is_ok(), usize::from(offset) <= bytes.len(), "it lies within");
    Some(emit(value.ok()?, kept))
}

/// A token that says something else, yet to be sealed.
fn said_otherwise(honest: &[u8], changes: &[FileChange]) -> Vec<u8> {
    let mut said = FileTokenSaid::of(honest).expect("an honest token");
    for change in changes {
        match change {
            FileChange::Exclusive => said.exclusive ^= true,
            FileChange::Offset(by) => said.offset = said.offset.wrapping_add_signed((*by).into()),
            FileChange::Whole(by) => said.whole = said.whole.wrapping_add_signed((*by).into()),
            FileChange::Start(by) => said.start = said.start.wrapping_add_signed((*by).into()),
            FileChange::Len(by) => said.len = said.len.wrapping_add_signed((*by).into()),
            FileChange::AnyRange(offset, whole, start, len) => {
                (said.offset, said.whole, said.start, said.len) = (*offset, *whole, *start, *len);
            }
            FileChange::Fingerprint(of) => said.fingerprint = with!(*of, fingerprint()),
            FileChange::Metadata(metadata) => said.metadata = metadata.bytes(),
            FileChange::Fitting(of, count) => {
                (said.len, said.fingerprint, said.metadata) = with!(*of, fitting(&vec![0; (*count).into()]));
            }
        }
    }
    said.put_together(honest).expect("an honest token")
}

fn fitting<T: Subject + ?Sized>(content: &[u8]) -> (usize, u64, Vec<u8>) {
    T::with(content, |value, bytes| {
        let (_, metadata) = T::plain_bytes(value).expect("all of these types are bytes");
        (bytes.len(), T::fingerprint(), postcard::to_stdvec(&metadata).expect("metadata can be written"))
    })
}

/// A claim as what the token says that it is.
fn apt(token: &[u8]) -> Option<Claim> {
    let said = FileTokenSaid::of(token).ok()?;
    let of = TYPES.into_iter().find(|of| with!(of, fingerprint()) == said.fingerprint)?;
    Some(Claim { of, exclusive: said.exclusive, way: Way::Text })
}

/// Whatever is claimed is what the file has where the token says; and an honest token is as good as before, unless what it
/// leads to has been taken for writing.
fn in_file(filed: &Filed, change: impl FnOnce(&[u8]) -> Vec<u8>, sealed: bool, claims: &[Claim], drop_each: bool) {
    let place = Place::new();
    let path = place.0.join("value");
    let (of, exclusive, sent) = match filed {
        Filed::Headed(made) => (made.of, made.exclusive, Some(with!(made.of, file_sent(made, &path)))),
        Filed::Foreign { content, times, offset, kept } => {
            let bytes = content.repeat((*times).into());
            (Type::Bytes, false, foreign_sent(&bytes, *offset, *kept, &path))
        }
    };
    let Some((honest, original)) = sent else { return };
    let twin = resealed(said_otherwise(&honest, &[]));
    // What is still being written can't be read, not even its key.
    assert!(twin == honest || exclusive && original.is_some(), "an honest token's twin is the same");
    let bytes = fs::read(&path).expect("it is there");
    let token = change(&honest);
    let token = if sealed { resealed(token) } else { token };
    let (mut handles, mut taken) = (Vec::new(), false);
    for claim in claims.iter().copied().chain(apt(&token)) {
        taken |= claim.way == Way::Revoked;
        if let Some(handle) = with!(claim.of, claimed(claim, &token)) {
            let said = FileTokenSaid::of(&token).expect("it has been claimed");
            assert_within(&*handle, &bytes[said.range()]);
            let same = token == honest;
            assert!(same || sealed, "a changed byte gives an error");
            assert!(!same || (claim.of, claim.exclusive) == (of, exclusive), "as what it was sent");
            taken |= claim.exclusive;
            handles.push(handle);
        }
        if drop_each {
            handles.clear();
        }
    }
    drop((handles, original));
    let claim = Claim { of, exclusive, way: Way::Text };
    match with!(of, claimed(claim, &honest)) {
        Some(handle) => {
            let mut shown = 0;
            handle.runs(&mut |run| shown += run.len());
            let range = FileTokenSaid::of(&honest).expect("an honest token").range();
            assert_eq!(shown, range.len(), "all of it");
            assert_within(&*handle, &bytes[range]);
        }
        None => assert!(taken, "it is still there"),
    }
    assert_eq!(fs::read_dir(&place.0).expect("it is there").count(), 1, "nothing is left beside it");
}

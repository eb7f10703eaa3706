//! What comes off the wire: bytes in every way in, honest tokens with changed bytes, tokens with a right MAC and wrong
//! fields, and wills. An error, or the value that was sent; and nothing is left of either.
#![no_main]

mod subjects;

use std::{
    fs,
    ops::Deref,
    path::{Path, PathBuf},
    time::Duration,
};

use arbitrary::{Arbitrary, Unstructured};
use commonage::{
    Config, ShmemBacked, Ticket, Value,
    fuzzing::{Key, Said, leave_will, put_together, taken_apart},
    stats,
};
use libfuzzer_sys::fuzz_target;
use ndarray::{Array, Ix1, Ix2, Ix3, IxDyn};
use serde::de::{IntoDeserializer, value};

use subjects::{AnyHandle, Sent, Subject, deserialize, from_ticket, from_token};

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
    Metadata(Few<u8, 64>),
    /// Those of an array.
    Axes(Few<(i16, i16), 4>),
    /// Those of a slice or a string.
    Count(i16),
    /// Block, ticket, serial and epoch of the other value.
    Other,
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

fn changed(made: &Made, flips: &[(u8, u8)], cut: Option<u8>, more: &[u8], claim: Claim) {
    let sent = send(made);
    let mut token = sent.token.clone();
    for (at, bits) in flips {
        let at = usize::from(*at) % token.len();
        token[at] ^= bits;
    }
    token.truncate(cut.map_or(usize::MAX, usize::from));
    token.extend(more);
    let mut taken = claim.way == Way::Revoked && token == sent.token;
    if let Some(handle) = with!(claim.of, claimed(claim, &token)) {
        assert_eq!(token, sent.token, "a changed byte gives an error");
        assert_eq!((claim.of, claim.exclusive), (made.of, made.exclusive));
        sent.assert_whole(&*handle);
        taken = true;
    }
    claim_honestly(made, sent, taken);
}

fn apply(said: &mut Said, changes: &[Change], other: Option<&Said>) {
    fn fingerprint<T: ShmemBacked + ?Sized>() -> u64 {
        T::fingerprint()
    }
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
            Change::Metadata(bytes) => said.metadata = bytes.to_vec(),
            Change::Axes(axes) => {
                let (shape, strides): (Vec<i64>, Vec<i64>) =
                    axes.iter().map(|(len, by)| (i64::from(*len), i64::from(*by))).unzip();
                let shape: Vec<usize> = shape.into_iter().map(|len| len as usize).collect();
                said.metadata = postcard::to_stdvec(&(shape, strides)).expect("numbers can be written");
            }
            Change::Count(count) => {
                said.metadata = postcard::to_stdvec(&(*count as usize)).expect("a number can be written")
            }
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
            let data = &bytes[DATA..][said.start..][..said.len];
            let start = handle.start();
            handle.runs(&mut |run| {
                let from = start.map_or(0, |start| run.as_ptr().addr() - start);
                assert_eq!(data[from..][..run.len()], *run, "what the will says");
            });
            assert!(!file.0.exists(), "it is claimed once");
        }
    }
}

//! What the targets `wire` and `file_token` claim, and by what.

use std::{ops::Deref, time::Duration};

use arbitrary::{Arbitrary, Unstructured};
use commonage::{Config, ShmemBacked, Ticket, stats};
use serde::de::{IntoDeserializer, value};

use crate::subjects::{AnyHandle, Handle, Subject, deserialize, from_ticket, from_token};

/// What others hold is not waited for.
pub fn install() {
    Config::new().claim_deadline(Duration::from_micros(50)).install().expect("first of all");
}

/// After each input.
pub fn assert_nothing_is_left() {
    let left = stats();
    assert_eq!((left.blocks, left.tickets, left.live), (0, 0, 0), "nothing is left");
}

/// At most `N`: first how many, then each.
#[derive(Debug)]
pub struct Few<T, const N: usize>(pub Vec<T>);

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
pub enum Type {
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
            $crate::claims::Type::Bytes => $function::<[u8]>($($argument),*),
            $crate::claims::Type::Words => $function::<[u16]>($($argument),*),
            $crate::claims::Type::Bools => $function::<[bool]>($($argument),*),
            $crate::claims::Type::Chars => $function::<[char]>($($argument),*),
            $crate::claims::Type::Str => $function::<str>($($argument),*),
            $crate::claims::Type::Char => $function::<commonage::Value<char>>($($argument),*),
            $crate::claims::Type::Quad => $function::<commonage::Value<[u32; 4]>>($($argument),*),
            $crate::claims::Type::Line => $function::<ndarray::Array<u8, ndarray::Ix1>>($($argument),*),
            $crate::claims::Type::Plane => $function::<ndarray::Array<u16, ndarray::Ix2>>($($argument),*),
            $crate::claims::Type::Space => $function::<ndarray::Array<bool, ndarray::Ix3>>($($argument),*),
            $crate::claims::Type::Any => $function::<ndarray::Array<u32, ndarray::IxDyn>>($($argument),*),
        }
    };
}
pub(crate) use with;

/// By what a token comes.
#[derive(Arbitrary, Clone, Copy, PartialEq, Debug)]
pub enum Way {
    Text,
    Postcard,
    Json,
    Numbers,
    Ticket,
    Revoked,
}

/// Who claims what it takes for what.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Claim {
    pub of: Type,
    pub exclusive: bool,
    pub way: Way,
}

/// A value that is sent.
#[derive(Arbitrary, Debug)]
pub struct Made {
    pub of: Type,
    pub exclusive: bool,
    /// A `Shared`: its original stays. A `SharedMut`: it is serialized, and not yet dropped.
    pub kept: bool,
    pub content: Few<u8, 64>,
}

#[derive(Arbitrary, Debug)]
pub enum Metadata {
    Any(Few<u8, 64>),
    /// Those of an array.
    Axes(Few<(i16, i16), 4>),
    /// Those of a slice or a string.
    Count(i16),
}

impl Metadata {
    pub fn bytes(&self) -> Vec<u8> {
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

pub fn fingerprint<T: ShmemBacked + ?Sized>() -> u64 {
    T::fingerprint()
}

/// What a claim came to.
pub fn claimed<T: Subject + ?Sized>(claim: Claim, token: &[u8]) -> Option<AnyHandle> {
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

/// Changed bytes, an end, and bytes behind it.
#[derive(Arbitrary, Debug)]
pub struct Noise {
    flips: Few<(u8, u8), 6>,
    cut: Option<u8>,
    more: Few<u8, 64>,
}

impl Noise {
    pub fn on(&self, mut token: Vec<u8>) -> Vec<u8> {
        for (at, bits) in self.flips.iter() {
            let at = usize::from(*at) % token.len();
            token[at] ^= bits;
        }
        token.truncate(self.cut.map_or(usize::MAX, usize::from));
        token.extend(self.more.iter());
        token
    }
}

/// The handle shows these bytes, from the first on.
pub fn assert_within(handle: &dyn Handle, data: &[u8]) {
    let start = handle.start();
    handle.runs(&mut |run| {
        let from = start.map_or(0, |start| run.as_ptr().addr() - start);
        assert_eq!(data[from..][..run.len()], *run, "what is there");
    });
}

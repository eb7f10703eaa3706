//! What travels: one opaque token, the same bytes whatever carries it.
//!
//! Binary formats carry the bytes; human-readable ones, argv and the environment carry them as URL-safe base64 without
//! padding. [`token`] is the codec of what leads to a block, [`file_token`] of what leads to a file. The bytes go the way
//! [`Draft`] → [`Token`] at the sender, [`Unverified`] → verified at the receiver: nobody holds metadata that have not been
//! under the MAC.

use std::{any::type_name, fmt, marker::PhantomData};

use serde::{Deserializer, de};

use crate::{
    Backing, Error, FileFault, Kind, ShmemBacked,
    mapped::{Found, Identity},
    part::Part,
    pool::{self, Source, Will, may_be_willed},
};

mod file_token;
mod token;

pub(crate) use file_token::OfFile;
#[cfg(test)]
pub(crate) use file_token::{Fields as FileFields, encode as encode_file};
pub(crate) use token::{Draft, OfBlock, Token, from_text};
#[cfg(test)]
#[allow(unused_imports, reason = "the tests that forge tokens do not run on every platform")]
pub(crate) use token::{Fields, encode};

/// Bytes that look like a token, of either form.
pub(crate) enum Unverified<'a> {
    Block(OfBlock<'a>),
    File(OfFile<'a>),
}

impl<'a> Unverified<'a> {
    /// # Errors
    ///
    /// `NotAToken`.
    #[inline]
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.starts_with(&file_token::MAGIC.to_le_bytes()) {
            return OfFile::parse(bytes).map(Unverified::File).map_err(Error::NotAToken);
        }
        OfBlock::parse(bytes).map(Unverified::Block)
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Unverified::Block(token) => token.fields().kind,
            Unverified::File(token) => token.fields().kind,
        }
    }

    #[inline]
    fn fingerprint(&self) -> u64 {
        match self {
            Unverified::Block(token) => token.fields().fingerprint,
            Unverified::File(token) => token.fields().fingerprint,
        }
    }
}

/// Claims what a token is for. A claim that fails before the ticket is taken leaves it to be claimed by whoever can.
///
/// # Errors
///
/// `NotAToken`, `WrongKind`, `WrongType`, those of finding the segment or the file, `Altered`, `Metadata`, those of taking
/// the ticket, `Metadata` or `Content` if the value does not pass its type's check.
pub(crate) fn claim<T: ShmemBacked + ?Sized>(bytes: &[u8], kind: Kind) -> Result<(Part, T::MetaData), Error> {
    let token = Unverified::parse(bytes)?;
    if token.kind() != kind {
        return Err(Error::WrongKind { expected: kind, found: token.kind() });
    }
    let fingerprint = T::fingerprint();
    if token.fingerprint() != fingerprint {
        return Err(Error::WrongType {
            expected: type_name::<T>(),
            expected_fingerprint: fingerprint,
            found_fingerprint: token.fingerprint(),
        });
    }
    let (part, metadata) = match &token {
        Unverified::Block(token) => claim_block::<T>(token, kind)?,
        Unverified::File(token) => return claim_file::<T>(token, kind),
    };
    Ok((Part::Block(part), metadata))
}

#[inline]
fn claim_block<T: ShmemBacked + ?Sized>(token: &OfBlock<'_>, kind: Kind) -> Result<(pool::Part, T::MetaData), Error> {
    let claim = || {
        let token::Fields { locator, issued, start, len, .. } = token.fields();
        let source = Source::find(locator)?;
        let metadata = token.verify(source.secret())?.metadata::<T>()?;
        let part = source.claim(issued, kind, *start, *len, |part| check::<T>(part, &metadata))?;
        Ok((part, metadata))
    };
    match claim() {
        Err(missing) if may_be_willed(&token.fields().locator, &missing) => {
            claim_will::<T>(token, kind).unwrap_or(Err(missing))
        }
        claimed => claimed,
    }
}

/// Claims a value in a file: the same file is mapped, once in this process however often it is claimed.
#[allow(unsafe_code)] // One look at the bytes before there is a handle to look through.
fn claim_file<T: ShmemBacked + ?Sized>(token: &OfFile<'_>, kind: Kind) -> Result<(Part, T::MetaData), Error> {
    let found = Found::find(token.origin(), kind)?;
    let metadata = token.metadata::<T>(found.secret())?;
    let file_token::Fields { start, len, identity, .. } = *token.fields();
    // What begins elsewhere is aligned as at its sender, to a page; whether that is enough its check says.
    let alignment = match (start, identity) {
        (0, Identity::Headed { .. }) => T::ALIGNMENT,
        _ => 1,
    };
    let part = found.claim(start, len, alignment, |part| {
        // SAFETY: the file has just been locked: for writing by this process alone, or against all who write.
        let data = unsafe { part.bytes() };
        T::check(data, &metadata).map_err(|error| error.into_error::<T>())
    })?;
    Ok((Part::File(part), metadata))
}

/// Claims what the sender has left in a will when it exited; `None` if there is none.
#[cold]
fn claim_will<T: ShmemBacked + ?Sized>(
    token: &OfBlock<'_>,
    kind: Kind,
) -> Option<Result<(pool::Part, T::MetaData), Error>> {
    let will = Will::open(&token.fields().locator, token.fields().issued)?;
    let claim = |will: Will| {
        let token = token.verify(will.secret())?;
        let metadata = token.metadata::<T>()?;
        let token::Fields { start, len, .. } = *token.fields();
        let part = will.claim(kind, (start, len), T::ALIGNMENT, |part| check::<T>(part, &metadata))?;
        Ok((part, metadata))
    };
    Some(claim(will))
}

/// The type's own check of what has been claimed; a value that does not pass is given back.
#[allow(unsafe_code)] // One look at the bytes before there is a handle to look through.
#[inline]
fn check<T: ShmemBacked + ?Sized>(part: &pool::Part, metadata: &T::MetaData) -> Result<(), Error> {
    // SAFETY: the part has just been claimed: it is a `Shared`'s, which nobody writes, or a `SharedMut`'s, which nobody
    // else has.
    let data = unsafe { part.bytes() };
    T::check(data, metadata).map_err(|error| error.into_error::<T>())
}

/// Takes back the ticket of a token, if nobody has claimed it: then true. The token of a file's `Shared` is as good as the
/// file, and stays so: false.
///
/// # Errors
///
/// `NotAToken`, those of finding the segment or the file, `Altered`.
pub(crate) fn revoke(bytes: &[u8]) -> Result<bool, Error> {
    match Unverified::parse(bytes)? {
        Unverified::Block(token) => revoke_block(&token),
        Unverified::File(token) if token.fields().kind == Kind::Shared => Ok(false),
        Unverified::File(token) => revoke_file(&token),
    }
}

/// Claims the file, so that nobody else can, and lets it go.
fn revoke_file(token: &OfFile<'_>) -> Result<bool, Error> {
    let found = match Found::find(token.origin(), Kind::SharedMut) {
        Err(Error::File { fault: FileFault::AlreadyClaimed, .. }) => return Ok(false),
        found => found?,
    };
    token.verify(found.secret())?;
    let file_token::Fields { start, len, .. } = *token.fields();
    found.claim(start, len, 1, |_| Ok(())).map(|_| true)
}

fn revoke_block(token: &OfBlock<'_>) -> Result<bool, Error> {
    let token::Fields { locator, issued, .. } = *token.fields();
    let revoked = Source::find(&locator).and_then(|source| {
        token.verify(source.secret())?;
        Ok(source.revoke(issued))
    });
    if let Ok(true) = revoked {
        return revoked;
    }
    match Will::open(&locator, issued) {
        Some(will) if locator.backing == Backing::Anonymous => {
            token.verify(will.secret())?;
            Ok(will.revoke())
        }
        _ => revoked,
    }
}

/// Takes the bytes of a token from a deserializer and does something with them, in place.
pub(crate) fn receive<'de, D: Deserializer<'de>, R>(
    deserializer: D,
    then: fn(&[u8]) -> Result<R, Error>,
) -> Result<R, D::Error> {
    let receiver = Receiver { then, of: PhantomData };
    if deserializer.is_human_readable() {
        deserializer.deserialize_str(receiver)
    } else {
        deserializer.deserialize_bytes(receiver)
    }
}

struct Receiver<R> {
    then: fn(&[u8]) -> Result<R, Error>,
    of: PhantomData<R>,
}

impl<'de, R> de::Visitor<'de> for Receiver<R> {
    type Value = R;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the token of a value in shared memory")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<R, E> {
        from_text(text, self.then).map_err(E::custom)
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<R, E> {
        (self.then)(bytes).map_err(E::custom)
    }

    /// Formats without bytes of their own have sequences of numbers instead.
    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<R, A::Error> {
        let mut bytes = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(token::INLINE));
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        (self.then)(&bytes).map_err(de::Error::custom)
    }
}

/// The types of serializers that write nothing and only count; they appear in the name of the serializer's type.
const SIZERS: [&str; 4] = [
    "bincode::ser::SizeChecker",
    "bincode::internal::SizeChecker",
    "bincode::enc::write::SizeWriter",
    "postcard::ser::flavors::Size",
];

/// Whether a serializer of type `S` only counts bytes: then no ticket is issued for what it is given.
#[inline]
pub(crate) fn only_measures<S>() -> bool {
    let name = type_name::<S>();
    // One quick search rules out nearly every serializer that writes.
    name.contains("Size") && is_sizer(name)
}

#[cold]
fn is_sizer(name: &str) -> bool {
    // A whole path: `flavors::Size`, not `flavors::SizeLimited`.
    let ends = |rest: &str| !rest.starts_with(|c: char| c == '_' || c.is_alphanumeric());
    SIZERS.iter().any(|sizer| name.match_indices(sizer).any(|(at, _)| ends(&name[at + sizer.len()..])))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde::{Serialize, Serializer};

    use super::*;

    #[test]
    fn measuring_serializers_are_known() {
        struct Probe(Cell<Option<bool>>);
        impl Serialize for Probe {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.set(Some(only_measures::<S>()));
                serializer.serialize_unit()
            }
        }
        let probe = Probe(Cell::new(None));
        postcard::serialize_with_flavor(&probe, postcard::ser_flavors::Size::default()).unwrap();
        assert_eq!(probe.0.take(), Some(true));
        let mut counter = bincode::enc::write::SizeWriter::default();
        bincode::serde::encode_into_writer(&probe, &mut counter, bincode::config::standard()).ok();
        assert_eq!(probe.0.take(), Some(true));

        postcard::to_allocvec(&probe).unwrap();
        assert_eq!(probe.0.take(), Some(false));
        postcard::to_slice(&probe, &mut []).unwrap();
        assert_eq!(probe.0.take(), Some(false));
        bincode::serde::encode_to_vec(&probe, bincode::config::standard()).unwrap();
        assert_eq!(probe.0.take(), Some(false));
        serde_json::to_vec(&probe).unwrap();
        assert_eq!(probe.0.take(), Some(false));

        assert!(is_sizer("&mut bincode::ser::SizeChecker<bincode::config::DefaultOptions>"));
        assert!(!is_sizer("&mut postcard::ser::serializer::Serializer<postcard::ser::flavors::SizeLimited>"));
    }

    #[test]
    fn every_kind_of_format_can_carry_it() {
        use serde::de::value::{BorrowedBytesDeserializer, Error as ValueError, SeqDeserializer, StrDeserializer};
        let token = encode(&token::fields_for_tests(), &5usize, b"sixteen bytes ok").unwrap();
        let bytes = token.as_bytes();
        let receiver = || Receiver { then: Token::copy_from, of: PhantomData };
        let same = |copy: Result<Token, ValueError>| assert_eq!(copy.unwrap().as_bytes(), bytes);
        same(BorrowedBytesDeserializer::new(bytes).deserialize_any(receiver()));
        same(SeqDeserializer::new(bytes.iter().copied()).deserialize_any(receiver()));
        same(StrDeserializer::new(&token.text()).deserialize_any(receiver()));
        same(de::Visitor::visit_byte_buf(receiver(), bytes.to_vec()));
    }
}

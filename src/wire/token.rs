//! The codec of the token of a value in a block, and what tokens of both forms have in common.
//!
//! Numbers are little-endian and have fixed widths, so that only the metadata decides how long a token is: one that is only
//! measured is as long as the one that is sent.
//!
//! ```text
//! offset size
//!      0    4  magic, its last byte the version
//!      4    4  length of the token in bytes
//!      8    1  kind: 0 Shared, 1 SharedMut
//!      9    1  backing: 0 Anonymous, 1 Named
//!     10    8  segment id
//!     18    8  sender: process id, descriptor
//!     26    8  owner: process id, descriptor
//!     34    4  block
//!     38    4  ticket
//!     42    8  serial
//!     50    8  epoch
//!     58    8  start of the range in the block, in bytes
//!     66    8  length of the range, in bytes
//!     74    8  fingerprint
//!     82    m  metadata, in postcard
//!   82+m    8  MAC: SipHash-1-3, keyed by the segment's secret, of everything before
//! ```

use std::any::type_name;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, Serializer};
use siphasher::sip::SipHasher13;

use super::{Unverified, file_token};
use crate::{
    Backing, Error, Kind, SegmentId, ShmemBacked, TokenFault, metadata,
    part::{self, Part},
    pool::{Issued, Secret},
    segment::{Door, Locator},
};

/// The first bytes of a token; the last of them is the version of the layout.
const MAGIC: u32 = u32::from_le_bytes(*b"cmn\x01");

/// Where the fields are, each after the one before.
mod at {
    pub(super) const MAGIC: usize = 0;
    pub(super) const LENGTH: usize = MAGIC + 4;
    pub(super) const KIND: usize = LENGTH + 4;
    pub(super) const BACKING: usize = KIND + 1;
    pub(super) const SEGMENT: usize = BACKING + 1;
    pub(super) const SENDER: usize = SEGMENT + 8;
    pub(super) const OWNER: usize = SENDER + 8;
    pub(super) const BLOCK: usize = OWNER + 8;
    pub(super) const TICKET: usize = BLOCK + 4;
    pub(super) const SERIAL: usize = TICKET + 4;
    pub(super) const EPOCH: usize = SERIAL + 8;
    pub(super) const START: usize = EPOCH + 8;
    pub(super) const LEN: usize = START + 8;
    pub(super) const FINGERPRINT: usize = LEN + 8;
    pub(super) const METADATA: usize = FINGERPRINT + 8;
}

const HEADER: usize = at::METADATA;
pub(super) const MAC: usize = 8;
/// No token is shorter.
const SHORTEST: usize = HEADER + MAC;
/// Tokens of at most this many bytes need no allocation: those of slices, strings, and arrays of up to six axes.
pub(super) const INLINE: usize = 192;

const _: () = assert!(HEADER == 82 && SHORTEST == 90);

/// What a token says besides its metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fields {
    pub(crate) kind: Kind,
    pub(crate) locator: Locator,
    pub(crate) issued: Issued,
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) fingerprint: u64,
}

impl Fields {
    fn write(&self, header: &mut [u8; HEADER], length: u32) {
        let Fields { kind, locator, issued, start, len, fingerprint } = self;
        put(header, at::MAGIC, MAGIC.to_le_bytes());
        put(header, at::LENGTH, length.to_le_bytes());
        put(header, at::KIND, [u8::from(*kind == Kind::SharedMut)]);
        put(header, at::BACKING, [u8::from(locator.backing == Backing::Named)]);
        put(header, at::SEGMENT, locator.id.0.to_le_bytes());
        put_door(header, at::SENDER, locator.sender);
        put_door(header, at::OWNER, locator.owner);
        put_issued(header, issued);
        put(header, at::START, (*start as u64).to_le_bytes());
        put(header, at::LEN, (*len as u64).to_le_bytes());
        put(header, at::FINGERPRINT, fingerprint.to_le_bytes());
    }

    #[inline(always)]
    fn read(header: &[u8; HEADER]) -> Result<Self, TokenFault> {
        let kind = match take(header, at::KIND) {
            [0] => Kind::Shared,
            [1] => Kind::SharedMut,
            [_] => return Err(TokenFault::Field("kind")),
        };
        let backing = match take(header, at::BACKING) {
            [0] => Backing::Anonymous,
            [1] => Backing::Named,
            [_] => return Err(TokenFault::Field("backing")),
        };
        let size = |at, name| {
            let bytes = u64::from_le_bytes(take(header, at));
            usize::try_from(bytes).map_err(|_| TokenFault::Field(name))
        };
        let (start, len) = (size(at::START, "start")?, size(at::LEN, "length of the range")?);
        if start.checked_add(len).is_none() {
            return Err(TokenFault::Field("length of the range"));
        }
        Ok(Fields {
            kind,
            locator: Locator {
                id: SegmentId(u64::from_le_bytes(take(header, at::SEGMENT))),
                backing,
                sender: take_door(header, at::SENDER),
                owner: take_door(header, at::OWNER),
            },
            issued: Issued {
                block: u32::from_le_bytes(take(header, at::BLOCK)),
                ticket: u32::from_le_bytes(take(header, at::TICKET)),
                serial: u64::from_le_bytes(take(header, at::SERIAL)),
                epoch: u64::from_le_bytes(take(header, at::EPOCH)),
            },
            start,
            len,
            fingerprint: u64::from_le_bytes(take(header, at::FINGERPRINT)),
        })
    }
}

#[inline]
pub(super) fn put<const N: usize>(header: &mut [u8], at: usize, value: [u8; N]) {
    header[at..at + N].copy_from_slice(&value);
}

#[inline]
pub(super) fn take<const N: usize>(header: &[u8], at: usize) -> [u8; N] {
    let mut value = [0; N];
    value.copy_from_slice(&header[at..at + N]);
    value
}

#[inline]
fn put_door(header: &mut [u8; HEADER], at: usize, door: Door) {
    put(header, at, door.pid.to_le_bytes());
    put(header, at + 4, door.fd.to_le_bytes());
}

#[inline]
fn take_door(header: &[u8; HEADER], at: usize) -> Door {
    Door { pid: u32::from_le_bytes(take(header, at)), fd: u32::from_le_bytes(take(header, at + 4)) }
}

#[inline]
fn put_issued(header: &mut [u8; HEADER], issued: &Issued) {
    put(header, at::BLOCK, issued.block.to_le_bytes());
    put(header, at::TICKET, issued.ticket.to_le_bytes());
    put(header, at::SERIAL, issued.serial.to_le_bytes());
    put(header, at::EPOCH, issued.epoch.to_le_bytes());
}

/// SipHash-1-3: what the key protects from are accidents and guesses; whoever can read the key can write the segment.
pub(super) fn mac(bytes: &[u8], secret: &Secret) -> [u8; MAC] {
    SipHasher13::new_with_key(secret).hash(bytes).to_le_bytes()
}

/// The bytes of a token: in place if they are few.
#[derive(Clone)]
enum Bytes {
    Inline { bytes: [u8; INLINE], len: u8 },
    Heap(Vec<u8>),
}

impl Bytes {
    fn from(slice: &[u8]) -> Self {
        match u8::try_from(slice.len()) {
            Ok(len) if slice.len() <= INLINE => {
                let mut bytes = [0; INLINE];
                bytes[..slice.len()].copy_from_slice(slice);
                Bytes::Inline { bytes, len }
            }
            _ => Bytes::Heap(slice.to_vec()),
        }
    }

    #[inline]
    fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Inline { bytes, len } => &bytes[..usize::from(*len)],
            Bytes::Heap(bytes) => bytes,
        }
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [u8] {
        match self {
            Bytes::Inline { bytes, len } => &mut bytes[..usize::from(*len)],
            Bytes::Heap(bytes) => bytes,
        }
    }
}

/// A token for which no ticket has been issued yet: everything that can fail has been done. It becomes the token where it
/// is: it is too long to be moved often.
pub(crate) struct Draft {
    token: Token,
    /// The key of the MAC.
    secret: Secret,
}

impl Draft {
    /// The token of a range of a block with its metadata; the ticket in `fields` counts for nothing.
    ///
    /// # Errors
    ///
    /// `Metadata` if postcard can't write it.
    #[inline]
    pub(crate) fn new<M: Serialize>(
        fields: &Fields,
        metadata: &M,
        type_name: &'static str,
        secret: &Secret,
    ) -> Result<Self, Error> {
        let mut draft = Self::empty(secret);
        let length = draft.fill(HEADER, metadata, type_name)?;
        if let Some(header) = draft.token.0.as_mut_slice().first_chunk_mut() {
            fields.write(header, length);
        }
        Ok(draft)
    }

    #[inline]
    pub(super) fn empty(secret: &Secret) -> Self {
        Draft { token: Token(Bytes::Inline { bytes: [0; INLINE], len: 0 }), secret: *secret }
    }

    /// Writes metadata behind `ahead` bytes of zeros; the length of the token, which still lacks those and its MAC.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    #[inline]
    pub(super) fn fill<M: Serialize>(
        &mut self,
        ahead: usize,
        metadata: &M,
        type_name: &'static str,
    ) -> Result<u32, Error> {
        let Token(bytes) = &mut self.token;
        let written = match bytes {
            Bytes::Inline { bytes, .. } => match bytes.get_mut(ahead..INLINE - MAC) {
                Some(room) => postcard::to_slice(metadata, room).map(|m| m.len()),
                None => Err(postcard::Error::SerializeBufferFull),
            },
            Bytes::Heap(_) => Err(postcard::Error::SerializeBufferFull),
        };
        match (written, &mut *bytes) {
            // At most INLINE, which fits a u8.
            (Ok(written), Bytes::Inline { len, .. }) => *len = (ahead + written + MAC) as u8,
            // Whatever goes wrong in place is tried again, and reported, with as much room as it takes.
            _ => *bytes = Bytes::Heap(Self::at_length(ahead, metadata, type_name)?),
        }
        let length = bytes.as_slice().len();
        u32::try_from(length).map_err(|_| {
            let reason = format!("{length} bytes are too many for a token");
            Error::Metadata { type_name, reason }
        })
    }

    #[cold]
    fn at_length<M: Serialize>(ahead: usize, metadata: &M, type_name: &'static str) -> Result<Vec<u8>, Error> {
        let mut bytes = postcard::to_extend(metadata, vec![0; ahead])
            .map_err(|error| Error::Metadata { type_name, reason: error.to_string() })?;
        bytes.extend([0; MAC]);
        Ok(bytes)
    }

    /// The token that `part` would travel as. What [`seal`](Self::seal) fills in is still missing.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); of a file those of its origin: that it can't be sent.
    #[inline]
    pub(crate) fn of<T: ShmemBacked + ?Sized>(part: &Part, kind: Kind, metadata: &T::MetaData) -> Result<Self, Error> {
        let part = match part {
            Part::Block(part) => part,
            Part::File(part) => return file_token::draft::<T>(part, kind, metadata),
        };
        let fields = Fields {
            kind,
            locator: part.locator(),
            issued: Issued { block: 0, ticket: 0, serial: 0, epoch: 0 },
            start: part.offset(),
            len: part.len(),
            fingerprint: part.fingerprint(),
        };
        Self::new(&fields, metadata, type_name::<T>(), part.secret())
    }

    /// The bytes of the token, to be filled in.
    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        self.token.0.as_mut_slice()
    }

    /// The token of what has been issued.
    #[inline]
    pub(crate) fn seal(&mut self, issued: part::Issued) -> &Token {
        let Draft { token, secret } = self;
        let bytes = token.0.as_mut_slice();
        if let (part::Issued::Block(issued), Some(header)) = (issued, bytes.first_chunk_mut()) {
            put_issued(header, &issued);
        }
        if let Some((before, last)) = bytes.split_last_chunk_mut() {
            *last = mac(before, secret);
        }
        token
    }

    /// A token of the right length that nobody can claim, for serializers that only measure.
    pub(crate) fn placeholder(&self) -> &Token {
        &self.token
    }
}

/// The token with these fields and the right MAC: what a sender makes, in one step and without a ticket.
#[cfg(test)]
pub(crate) fn encode<M: Serialize>(fields: &Fields, metadata: &M, secret: &Secret) -> Result<Token, Error> {
    let mut draft = Draft::new(fields, metadata, type_name::<M>(), secret)?;
    Ok(draft.seal(part::Issued::Block(fields.issued)).clone())
}

/// The bytes of a token, whole; at the receiver their MAC is still to be verified.
#[derive(Clone)]
pub(crate) struct Token(Bytes);

impl Token {
    /// Keeps bytes that are a token by all that can be seen without its segment.
    pub(crate) fn copy_from(bytes: &[u8]) -> Result<Self, Error> {
        Unverified::parse(bytes)?;
        Ok(Token(Bytes::from(bytes)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// What it says. A token parses: only [`Draft`] and [`copy_from`](Self::copy_from) make one.
    pub(crate) fn parse(&self) -> Result<Unverified<'_>, Error> {
        Unverified::parse(self.as_bytes())
    }

    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.as_bytes())
    }

    /// Hands the token to a serializer: text to a human-readable format, bytes to any other.
    #[inline]
    pub(crate) fn emit<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&self.text())
        } else {
            serializer.serialize_bytes(self.as_bytes())
        }
    }
}

/// The bytes of a token in text, which may have white space around it.
///
/// # Errors
///
/// `NotAToken` if it is not base64.
pub(crate) fn from_text<R>(text: &str, then: impl FnOnce(&[u8]) -> Result<R, Error>) -> Result<R, Error> {
    let text = text.trim_ascii();
    let fault = |_| Error::NotAToken(TokenFault::Text);
    let mut room = [0; INLINE];
    // Three bytes for every four letters begun.
    if text.len().div_ceil(4) * 3 <= INLINE {
        let len = URL_SAFE_NO_PAD.decode_slice(text, &mut room).map_err(|_| fault(()))?;
        then(&room[..len])
    } else {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| fault(()))?;
        then(&bytes)
    }
}

/// That a token is as long as it says, and that it does not say less than `shortest`, which it has.
#[inline]
pub(super) fn check_length(bytes: &[u8], shortest: usize) -> Result<(), TokenFault> {
    let found = bytes.len();
    let expected = usize::try_from(u32::from_le_bytes(take(bytes, at::LENGTH))).unwrap_or(usize::MAX);
    if expected < shortest {
        return Err(TokenFault::Field("length of the token"));
    }
    if found < expected {
        return Err(TokenFault::TooShort { expected, found });
    }
    if found > expected {
        return Err(TokenFault::TooLong { expected, found });
    }
    Ok(())
}

/// Bytes that look like a token of a value in a block: enough to find the segment, nothing to be believed.
pub(crate) struct OfBlock<'a> {
    fields: Fields,
    /// INVARIANT: at least `SHORTEST` bytes.
    bytes: &'a [u8],
}

impl<'a> OfBlock<'a> {
    /// # Errors
    ///
    /// `NotAToken`.
    #[inline(always)]
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::parse_bytes(bytes).map_err(Error::NotAToken)
    }

    #[inline(always)]
    fn parse_bytes(bytes: &'a [u8]) -> Result<Self, TokenFault> {
        let found = bytes.len();
        if let Some(magic) = bytes.first_chunk() {
            let magic = u32::from_le_bytes(*magic);
            if magic != MAGIC {
                return Err(TokenFault::Magic { found: magic });
            }
        }
        let Some(header) = bytes.first_chunk::<HEADER>().filter(|_| found >= SHORTEST) else {
            return Err(TokenFault::TooShort { expected: SHORTEST, found });
        };
        check_length(bytes, SHORTEST)?;
        Ok(OfBlock { fields: Fields::read(header)?, bytes })
    }

    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// # Errors
    ///
    /// `Altered` if the MAC is not that of the bytes.
    #[inline]
    pub(crate) fn verify(&self, secret: &Secret) -> Result<Verified<'_>, Error> {
        let OfBlock { fields, bytes } = self;
        match bytes.split_last_chunk() {
            Some((before, last)) if *last == mac(before, secret) => {
                Ok(Verified { fields, metadata: &before[HEADER..] })
            }
            _ => Err(Error::Altered { segment: fields.locator.id }),
        }
    }
}

/// A token as its sender made it.
pub(crate) struct Verified<'a> {
    fields: &'a Fields,
    metadata: &'a [u8],
}

impl Verified<'_> {
    pub(crate) fn fields(&self) -> &Fields {
        self.fields
    }

    /// # Errors
    ///
    /// `Metadata` if they are not those of a `T`, whole.
    #[inline]
    pub(crate) fn metadata<T: ShmemBacked + ?Sized>(&self) -> Result<T::MetaData, Error> {
        metadata::decode::<T>(self.metadata)
    }
}

/// Some fields.
#[cfg(test)]
pub(super) fn fields_for_tests() -> Fields {
    Fields {
        kind: Kind::Shared,
        locator: Locator {
            id: SegmentId(0x0123_4567_89ab_cdef),
            backing: Backing::Anonymous,
            sender: Door { pid: 4711, fd: 5 },
            owner: Door { pid: 4712, fd: 6 },
        },
        issued: Issued { block: 7, ticket: 8, serial: 9, epoch: 10 },
        start: 128,
        len: 4096,
        fingerprint: 0xfeed_beef,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{fields_for_tests as fields, *};

    const SECRET: Secret = *b"sixteen bytes ok";

    fn bytes_of(token: &Token) -> Vec<u8> {
        token.as_bytes().to_vec()
    }

    fn parsed(token: &Token) -> OfBlock<'_> {
        OfBlock::parse(token.as_bytes()).unwrap()
    }

    /// The metadata of a type of somebody's own.
    type Rich = (BTreeMap<String, f64>, Vec<String>);

    fn rich(entries: usize) -> Rich {
        ((0..entries).map(|n| (format!("entry {n}"), n as f64 / 3.0)).collect(), vec!["ü".into(); entries])
    }

    struct RichBacked;

    #[allow(unsafe_code)]
    // SAFETY: never viewed.
    unsafe impl ShmemBacked for RichBacked {
        type NewArg = ();
        type MetaData = Rich;
        fn required_memory_arg(_: &()) -> usize {
            0
        }
        fn required_memory_src(_: &Self) -> usize {
            0
        }
        fn new(_: &mut [u8], _: &()) -> Rich {
            rich(0)
        }
        fn new_from_src(_: &mut [u8], _: &Self) -> Rich {
            rich(0)
        }
    }

    #[test]
    fn token_of_a_slice_is_short() {
        let token = encode(&fields(), &1_000_000usize, &SECRET).unwrap();
        assert!(matches!(token.0, Bytes::Inline { .. }));
        assert_eq!(token.as_bytes().len(), 93);
        assert!(token.text().len() <= 128);
    }

    #[test]
    fn layout_is_the_one_in_the_drawing() {
        let bytes = bytes_of(&encode(&fields(), &5usize, &SECRET).unwrap());
        assert_eq!(bytes[..10], *b"cmn\x01\x5b\0\0\0\0\0");
        assert_eq!(bytes[10..18], 0x0123_4567_89ab_cdefu64.to_le_bytes());
        assert_eq!(bytes[18..22], 4711u32.to_le_bytes());
        assert_eq!(bytes[58..66], 128u64.to_le_bytes());
        assert_eq!(bytes[82], 5);
        assert_eq!(bytes.len(), 91);
    }

    #[test]
    fn round_trip_with_rich_metadata_in_place_and_on_the_heap() {
        for entries in [0, 1, 2, 5, 6, 7, 100, 5000] {
            let token = encode(&fields(), &rich(entries), &SECRET).unwrap();
            let unverified = parsed(&token);
            let verified = unverified.verify(&SECRET).unwrap();
            assert_eq!(*verified.fields(), fields());
            assert_eq!(verified.metadata::<RichBacked>().unwrap(), rich(entries));
        }
    }

    #[test]
    fn metadata_of_every_length_around_the_inline_limit() {
        for len in 0..2 * INLINE {
            let token = encode(&fields(), &"x".repeat(len), &SECRET).unwrap();
            let copy = Token::copy_from(token.as_bytes()).unwrap();
            assert_eq!(copy.as_bytes(), token.as_bytes());
            assert_eq!(matches!(copy.0, Bytes::Inline { .. }), token.as_bytes().len() <= INLINE);
            assert!(parsed(&copy).verify(&SECRET).is_ok());
        }
    }

    #[test]
    fn metadata_that_is_no_postcard_is_an_error() {
        struct Refuses;
        impl Serialize for Refuses {
            fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("no"))
            }
        }
        assert!(matches!(encode(&fields(), &Refuses, &SECRET), Err(Error::Metadata { .. })));
    }

    #[test]
    fn metadata_of_another_type_is_an_error() {
        let token = encode(&fields(), &(3u8, 4u8), &SECRET).unwrap();
        let unverified = parsed(&token);
        let verified = unverified.verify(&SECRET).unwrap();
        assert!(matches!(verified.metadata::<[u8]>(), Err(Error::Metadata { .. })), "a byte is left over");
        assert!(matches!(verified.metadata::<RichBacked>(), Err(Error::Metadata { .. })), "bytes are missing");
    }

    #[test]
    fn cut_at_every_length() {
        for metadata in [String::new(), "x".repeat(300)] {
            let bytes = bytes_of(&encode(&fields(), &metadata, &SECRET).unwrap());
            for len in 0..bytes.len() {
                let error = OfBlock::parse(&bytes[..len]).err().unwrap();
                assert!(matches!(error, Error::NotAToken(TokenFault::TooShort { .. })), "{len}: {error}");
            }
            let mut longer = bytes.clone();
            longer.push(0);
            let error = OfBlock::parse(&longer).err().unwrap();
            assert!(matches!(error, Error::NotAToken(TokenFault::TooLong { .. })), "{error}");
        }
    }

    #[test]
    fn every_bit_flipped_is_an_error() {
        for metadata in [String::new(), "x".repeat(300)] {
            let bytes = bytes_of(&encode(&fields(), &metadata, &SECRET).unwrap());
            for bit in 0..bytes.len() * 8 {
                let mut bytes = bytes.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let verified = OfBlock::parse(&bytes).and_then(|token| token.verify(&SECRET).map(drop));
                assert!(verified.is_err(), "bit {bit}");
            }
        }
    }

    #[test]
    fn the_mac_depends_on_every_bit_of_the_secret() {
        let token = encode(&fields(), &5usize, &SECRET).unwrap();
        for bit in 0..128 {
            let mut secret = SECRET;
            secret[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(parsed(&token).verify(&secret), Err(Error::Altered { .. })), "bit {bit}");
        }
    }

    #[test]
    fn text_round_trip_and_every_bit_of_it() {
        for metadata in [String::new(), "x".repeat(300)] {
            let token = encode(&fields(), &metadata, &SECRET).unwrap();
            let text = token.text();
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{text}");
            let copy = from_text(&text, Token::copy_from).unwrap();
            assert_eq!(copy.as_bytes(), token.as_bytes());
            let copy = from_text(&format!(" {text}\r\n"), Token::copy_from).unwrap();
            assert_eq!(copy.as_bytes(), token.as_bytes());
            let check = |text: &str| from_text(text, |bytes| OfBlock::parse(bytes)?.verify(&SECRET).map(drop));
            for len in 0..text.len() {
                assert!(check(&text[..len]).is_err(), "cut at {len}");
            }
            for bit in 0..text.len() * 8 {
                let mut bytes = text.clone().into_bytes();
                bytes[bit / 8] ^= 1 << (bit % 8);
                if let Ok(text) = String::from_utf8(bytes) {
                    assert!(check(&text).is_err(), "bit {bit}");
                }
            }
        }
    }

    #[test]
    fn fields_without_meaning() {
        let altered = |at: usize, with: &[u8]| {
            let mut bytes = bytes_of(&encode(&fields(), &5usize, &SECRET).unwrap());
            bytes[at..at + with.len()].copy_from_slice(with);
            match OfBlock::parse(&bytes) {
                Err(Error::NotAToken(TokenFault::Field(name))) => name,
                other => panic!("{:?}", other.map(|token| *token.fields())),
            }
        };
        assert_eq!(altered(at::KIND, &[2]), "kind");
        assert_eq!(altered(at::BACKING, &[0xff]), "backing");
        assert_eq!(altered(at::START, &[0xff; 8]), "length of the range");
        assert_eq!(altered(at::LENGTH, &[89, 0, 0, 0]), "length of the token");
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_error_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(OfBlock::parse(&bytes).is_err());
        }

        #[test]
        fn any_bytes_after_the_magic(mut bytes in proptest::collection::vec(any::<u8>(), 8..300)) {
            let length = bytes.len() as u32;
            bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
            bytes[4..8].copy_from_slice(&length.to_le_bytes());
            if let Ok(token) = OfBlock::parse(&bytes) {
                prop_assert!(token.verify(&SECRET).is_err());
            }
        }

        #[test]
        fn any_text(text in ".{0,400}") {
            prop_assert!(from_text(&text, Token::copy_from).is_err());
        }

        #[test]
        fn any_fields(
            (exclusive, named) in any::<(bool, bool)>(),
            (id, doors) in any::<(u64, [u32; 4])>(),
            (block, ticket, serial, epoch) in any::<(u32, u32, u64, u64)>(),
            (start, len, fingerprint) in (0..usize::MAX / 2, 0..usize::MAX / 2, any::<u64>()),
            metadata in any::<usize>(),
        ) {
            let [sender_pid, sender_fd, owner_pid, owner_fd] = doors;
            let fields = Fields {
                kind: if exclusive { Kind::SharedMut } else { Kind::Shared },
                locator: Locator {
                    id: SegmentId(id),
                    backing: if named { Backing::Named } else { Backing::Anonymous },
                    sender: Door { pid: sender_pid, fd: sender_fd },
                    owner: Door { pid: owner_pid, fd: owner_fd },
                },
                issued: Issued { block, ticket, serial, epoch },
                start,
                len,
                fingerprint,
            };
            let token = encode(&fields, &metadata, &SECRET).unwrap();
            let unverified = parsed(&token);
            let verified = unverified.verify(&SECRET).unwrap();
            prop_assert_eq!(*verified.fields(), fields);
            prop_assert_eq!(verified.metadata::<[u8]>().unwrap(), metadata);
        }
    }
}

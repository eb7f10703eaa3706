//! The codec of the token of a value in a file.
//!
//! It names the file, and says what tells its value from whatever else may be there by now: nothing of it has to be kept
//! anywhere until it is claimed. Numbers are little-endian and have fixed widths.
//!
//! ```text
//! offset size
//!      0    4  magic, its last byte the version
//!      4    4  length of the token in bytes
//!      8    1  kind: 0 Shared, 1 SharedMut
//!      9    1  form: 0 headed, 1 foreign
//!     10    8  headed: file id     foreign: device
//!     18    8          generation           inode
//!     26    8          0                    size of the file, in bytes
//!     34    8          0                    time of its last change, in nanoseconds
//!     42    8  offset of the value in the file, in bytes
//!     50    8  length of the value, in bytes
//!     58    8  start of the range in the value, in bytes
//!     66    8  length of the range, in bytes
//!     74    8  fingerprint
//!     82    4  length of the path, in bytes
//!     86    p  path, absolute, as the system encodes it
//!   86+p    m  metadata, in postcard
//! 86+p+m    8  MAC: SipHash-1-3, keyed by the secret in the file's header, of everything before; for a foreign file, which
//!              has none, by a hash of the value's first 4096 bytes and the file's size
//! ```

use std::{any::type_name, path::Path};

use super::token::{Draft, MAC, check_length, mac, put, take};
use crate::{
    Error, FileFault, Kind, ShmemBacked, TokenFault,
    mapped::{self, Identity, Origin},
    metadata,
    pool::Secret,
    sys,
};

/// The first bytes of a token; the last of them is the version of the layout.
pub(super) const MAGIC: u32 = u32::from_le_bytes(*b"cmf\x01");

/// Where the fields are, each after the one before.
mod at {
    pub(super) const MAGIC: usize = 0;
    pub(super) const LENGTH: usize = MAGIC + 4;
    pub(super) const KIND: usize = LENGTH + 4;
    pub(super) const FORM: usize = KIND + 1;
    pub(super) const IDENTITY: usize = FORM + 1;
    pub(super) const OFFSET: usize = IDENTITY + 4 * 8;
    pub(super) const WHOLE: usize = OFFSET + 8;
    pub(super) const START: usize = WHOLE + 8;
    pub(super) const LEN: usize = START + 8;
    pub(super) const FINGERPRINT: usize = LEN + 8;
    pub(super) const PATH_LEN: usize = FINGERPRINT + 8;
    pub(super) const PATH: usize = PATH_LEN + 4;
}

const HEADER: usize = at::PATH;
/// No token is shorter, the path's first byte not counted.
const SHORTEST: usize = HEADER + MAC;
/// No path is longer: what Windows has, in UTF-8.
const LONGEST_PATH: usize = 3 * 32_767;

const _: () = assert!(HEADER == 86 && SHORTEST == 94);

/// What a token says besides path and metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fields {
    pub(crate) kind: Kind,
    pub(crate) identity: Identity,
    /// Of the value in the file.
    pub(crate) offset: u64,
    /// Bytes of the value.
    pub(crate) whole: u64,
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) fingerprint: u64,
}

impl Fields {
    fn write(&self, header: &mut [u8], length: u32, path_len: u32) {
        let Fields { kind, identity, offset, whole, start, len, fingerprint } = self;
        put(header, at::MAGIC, MAGIC.to_le_bytes());
        put(header, at::LENGTH, length.to_le_bytes());
        put(header, at::KIND, [u8::from(*kind == Kind::SharedMut)]);
        let (form, numbers) = match *identity {
            Identity::Headed { id, generation } => (0, [id, generation, 0, 0]),
            Identity::Foreign { device, inode, size, modified } => (1, [device, inode, size, modified]),
        };
        put(header, at::FORM, [form]);
        for (at, number) in (at::IDENTITY..).step_by(8).zip(numbers) {
            put(header, at, number.to_le_bytes());
        }
        put(header, at::OFFSET, offset.to_le_bytes());
        put(header, at::WHOLE, whole.to_le_bytes());
        put(header, at::START, (*start as u64).to_le_bytes());
        put(header, at::LEN, (*len as u64).to_le_bytes());
        put(header, at::FINGERPRINT, fingerprint.to_le_bytes());
        put(header, at::PATH_LEN, path_len.to_le_bytes());
    }

    fn read(header: &[u8; HEADER]) -> Result<Self, TokenFault> {
        let kind = match take(header, at::KIND) {
            [0] => Kind::Shared,
            [1] => Kind::SharedMut,
            [_] => return Err(TokenFault::Field("kind")),
        };
        let number = |at| u64::from_le_bytes(take(header, at));
        let [first, second, third, fourth] = [0, 1, 2, 3].map(|index| number(at::IDENTITY + 8 * index));
        let identity = match (take(header, at::FORM), third, fourth) {
            ([0], 0, 0) => Identity::Headed { id: first, generation: second },
            ([1], size, modified) => Identity::Foreign { device: first, inode: second, size, modified },
            _ => return Err(TokenFault::Field("form")),
        };
        let (offset, whole) = (number(at::OFFSET), number(at::WHOLE));
        // No file has a byte beyond the largest signed number.
        if offset.checked_add(whole).is_none_or(|end| end > i64::MAX as u64) {
            return Err(TokenFault::Field("length of the value"));
        }
        let (start, len) = (number(at::START), number(at::LEN));
        if start.checked_add(len).is_none_or(|end| end > whole) {
            return Err(TokenFault::Field("length of the range"));
        }
        let (Ok(start), Ok(len), Ok(_)) = (usize::try_from(start), usize::try_from(len), usize::try_from(whole)) else {
            return Err(TokenFault::Field("length of the value"));
        };
        let is_whole_and_headed = len as u64 == whole && matches!(identity, Identity::Headed { .. });
        if kind == Kind::SharedMut && !is_whole_and_headed {
            return Err(TokenFault::Field("kind"));
        }
        let fingerprint = number(at::FINGERPRINT);
        Ok(Fields { kind, identity, offset, whole, start, len, fingerprint })
    }
}

/// The token that `part` would travel as, but for its MAC.
///
/// # Errors
///
/// Those of the part's origin, `Metadata`.
#[cold]
pub(super) fn draft<T: ShmemBacked + ?Sized>(
    part: &mapped::Part,
    kind: Kind,
    metadata: &T::MetaData,
) -> Result<Draft, Error> {
    let (Origin { path, identity, offset, len, fingerprint }, secret) = part.origin(kind)?;
    let fields = Fields { kind, identity, offset, whole: len, start: part.offset(), len: part.len(), fingerprint };
    new(&fields, &path, metadata, type_name::<T>(), &secret)
}

fn new<M: serde::Serialize>(
    fields: &Fields,
    path: &[u8],
    metadata: &M,
    type_name: &'static str,
    secret: &Secret,
) -> Result<Draft, Error> {
    let mut draft = Draft::empty(secret);
    let length = draft.fill(HEADER + path.len(), metadata, type_name)?;
    let bytes = draft.as_mut_slice();
    // Not longer than the token, whose length has 32 bits.
    fields.write(bytes, length, path.len() as u32);
    bytes[at::PATH..at::PATH + path.len()].copy_from_slice(path);
    Ok(draft)
}

/// The token with these fields and the right MAC.
#[cfg(test)]
pub(crate) fn encode<M: serde::Serialize>(
    fields: &Fields,
    path: &[u8],
    metadata: &M,
    secret: &Secret,
) -> Result<super::Token, Error> {
    let mut draft = new(fields, path, metadata, type_name::<M>(), secret)?;
    Ok(draft.seal(crate::part::Issued::File(fields.kind)).clone())
}

/// Bytes that look like a token of a value in a file: enough to find the file, nothing to be believed.
pub(crate) struct OfFile<'a> {
    fields: Fields,
    path: &'a Path,
    /// INVARIANT: at least `SHORTEST` bytes and those of the path.
    bytes: &'a [u8],
    path_len: usize,
}

impl<'a> OfFile<'a> {
    /// # Errors
    ///
    /// `NotAToken`.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, TokenFault> {
        let found = bytes.len();
        let Some(header) = bytes.first_chunk::<HEADER>().filter(|_| found >= SHORTEST) else {
            return Err(TokenFault::TooShort { expected: SHORTEST, found });
        };
        check_length(bytes, SHORTEST)?;
        let fields = Fields::read(header)?;
        let path_len = usize::try_from(u32::from_le_bytes(take(header, at::PATH_LEN))).unwrap_or(usize::MAX);
        if path_len > LONGEST_PATH.min(found - SHORTEST) {
            return Err(TokenFault::Field("length of the path"));
        }
        let path = sys::path_in(&bytes[at::PATH..at::PATH + path_len]).ok_or(TokenFault::Field("path"))?;
        Ok(OfFile { fields, path, bytes, path_len })
    }

    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Where the file is said to be. Absolute.
    pub(crate) fn path(&self) -> &'a Path {
        self.path
    }

    pub(crate) fn origin(&self) -> Origin {
        let Fields { identity, offset, whole, fingerprint, .. } = self.fields;
        Origin { path: self.path.as_os_str().as_encoded_bytes().to_vec(), identity, offset, len: whole, fingerprint }
    }

    /// The metadata, if the token is as its sender made it.
    ///
    /// # Errors
    ///
    /// `FileFault::Altered`; `Metadata` if they are not those of a `T`, whole.
    pub(super) fn metadata<T: ShmemBacked + ?Sized>(&self, secret: &Secret) -> Result<T::MetaData, Error> {
        metadata::decode::<T>(self.verified(secret)?)
    }

    /// # Errors
    ///
    /// `FileFault::Altered`.
    pub(crate) fn verify(&self, secret: &Secret) -> Result<(), Error> {
        self.verified(secret).map(drop)
    }

    fn verified(&self, secret: &Secret) -> Result<&'a [u8], Error> {
        match self.bytes.split_last_chunk() {
            Some((before, last)) if *last == mac(before, secret) => Ok(&before[HEADER + self.path_len..]),
            _ => Err(Error::File { path: self.path.to_path_buf(), fault: FileFault::Altered }),
        }
    }
}

/// For tokens that say anything, with a right MAC.
#[cfg(fuzzing)]
impl OfFile<'_> {
    /// What it has behind its path, sealed or not.
    pub(crate) fn unverified_metadata(&self) -> &[u8] {
        &self.bytes[HEADER + self.path_len..self.bytes.len() - MAC]
    }

    /// One of the same file that says something else, not sealed.
    pub(crate) fn saying(&self, fields: &Fields, metadata: &[u8]) -> Vec<u8> {
        let path = &self.bytes[at::PATH..at::PATH + self.path_len];
        let mut bytes = [&[0; HEADER], path, metadata, &[0; MAC]].concat();
        let length = bytes.len() as u32;
        fields.write(&mut bytes, length, path.len() as u32);
        bytes
    }

    /// Has the bytes say how many they are.
    pub(crate) fn measure(bytes: &mut [u8]) {
        let length = bytes.len() as u32;
        if let Some(field) = bytes.get_mut(at::LENGTH..at::KIND) {
            field.copy_from_slice(&length.to_le_bytes());
        }
    }

    pub(crate) fn seal(bytes: &mut [u8], secret: &Secret) {
        if let Some((before, last)) = bytes.split_last_chunk_mut() {
            *last = mac(before, secret);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::{super::Token, *};
    use crate::wire::{Unverified, from_text};

    const SECRET: Secret = *b"sixteen bytes ok";

    /// Of the whole of a value, as both kinds can be.
    fn fields() -> Fields {
        Fields {
            kind: Kind::Shared,
            identity: Identity::Headed { id: 0x0123_4567_89ab_cdef, generation: 7 },
            offset: 4096,
            whole: 1000,
            start: 0,
            len: 1000,
            fingerprint: 0xfeed_beef,
        }
    }

    fn foreign() -> Fields {
        let identity = Identity::Foreign { device: 1, inode: 2, size: 5096, modified: 1_700_000_000_000_000_000 };
        Fields { identity, ..fields() }
    }

    #[cfg(unix)]
    const ROOT: &str = "/";
    #[cfg(windows)]
    const ROOT: &str = r"C:\";

    /// An absolute path of so many bytes.
    fn path(len: usize) -> Vec<u8> {
        format!("{ROOT}{}", "x".repeat(len - ROOT.len())).into_bytes()
    }

    fn encoded(fields: &Fields, metadata: &str) -> Vec<u8> {
        encode(fields, &path(20), &metadata, &SECRET).unwrap().as_bytes().to_vec()
    }

    fn parsed(bytes: &[u8]) -> OfFile<'_> {
        match Unverified::parse(bytes) {
            Ok(Unverified::File(token)) => token,
            Ok(Unverified::Block(_)) => panic!("it leads to a block"),
            Err(error) => panic!("{error}"),
        }
    }

    fn fault(bytes: &[u8]) -> TokenFault {
        match Unverified::parse(bytes) {
            Err(Error::NotAToken(fault)) => fault,
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it parses"),
        }
    }

    #[test]
    fn layout_is_the_one_in_the_drawing() {
        let bytes = encode(&fields(), &path(20), &5usize, &SECRET).unwrap().as_bytes().to_vec();
        assert_eq!(bytes[..10], *b"cmf\x01\x73\0\0\0\0\0");
        assert_eq!(bytes[10..18], 0x0123_4567_89ab_cdefu64.to_le_bytes());
        assert_eq!(bytes[18..26], 7u64.to_le_bytes());
        assert_eq!(bytes[26..42], [0; 16]);
        assert_eq!(bytes[42..50], 4096u64.to_le_bytes());
        assert_eq!(bytes[82..86], 20u32.to_le_bytes());
        assert_eq!(bytes[86..106], path(20));
        assert_eq!(bytes[106], 5);
        assert_eq!(bytes.len(), 115);
    }

    #[test]
    fn round_trip_with_paths_and_metadata_of_every_length() {
        for fields in [fields(), foreign(), Fields { start: 8, len: 16, ..fields() }] {
            for len in (3..300).chain([4095, LONGEST_PATH]) {
                let token = encode(&fields, &path(len), &(len % 200), &SECRET).unwrap();
                let token = parsed(token.as_bytes());
                assert_eq!(*token.fields(), fields);
                assert_eq!(token.path().as_os_str().as_encoded_bytes(), path(len));
                assert_eq!(token.origin().path, path(len));
                assert_eq!(token.metadata::<[u8]>(&SECRET).unwrap(), len % 200);
            }
        }
        for len in 0..400 {
            let bytes = encoded(&fields(), &"x".repeat(len));
            assert_eq!(Token::copy_from(&bytes).unwrap().as_bytes(), bytes);
            parsed(&bytes).verify(&SECRET).unwrap();
        }
    }

    #[test]
    fn metadata_of_another_type_is_an_error() {
        let token = encode(&fields(), &path(20), &(3u8, 4u8), &SECRET).unwrap();
        let error = parsed(token.as_bytes()).metadata::<[u8]>(&SECRET).unwrap_err();
        assert!(matches!(error, Error::Metadata { .. }), "{error}");
    }

    #[test]
    fn cut_at_every_length() {
        for metadata in [String::new(), "x".repeat(300)] {
            let bytes = encoded(&fields(), &metadata);
            for len in 0..bytes.len() {
                assert!(matches!(fault(&bytes[..len]), TokenFault::TooShort { .. }), "{len}");
            }
            let mut longer = bytes.clone();
            longer.push(0);
            assert!(matches!(fault(&longer), TokenFault::TooLong { .. }));
        }
    }

    #[test]
    fn every_byte_changed_to_anything_is_an_error() {
        for fields in [fields(), foreign()] {
            let right = encoded(&fields, "metadata");
            for at in 0..right.len() {
                for change in 1..=255 {
                    let mut bytes = right.clone();
                    bytes[at] ^= change;
                    let verified = match Unverified::parse(&bytes) {
                        Ok(Unverified::File(token)) => token.verify(&SECRET),
                        Ok(Unverified::Block(token)) => token.verify(&SECRET).map(drop),
                        Err(error) => Err(error),
                    };
                    assert!(verified.is_err(), "byte {at}, {change:#x}");
                }
            }
        }
    }

    #[test]
    fn the_mac_depends_on_every_bit_of_the_secret() {
        let bytes = encoded(&fields(), "");
        for bit in 0..128 {
            let mut secret = SECRET;
            secret[bit / 8] ^= 1 << (bit % 8);
            let error = parsed(&bytes).verify(&secret).unwrap_err();
            assert!(matches!(error, Error::File { fault: FileFault::Altered, .. }), "bit {bit}: {error}");
        }
    }

    #[test]
    fn text_round_trip() {
        let token = encode(&fields(), &path(300), &5usize, &SECRET).unwrap();
        let copy = from_text(&token.text(), Token::copy_from).unwrap();
        assert_eq!(copy.as_bytes(), token.as_bytes());
    }

    #[test]
    fn fields_without_meaning() {
        let altered = |fields: Fields, at: usize, with: &[u8]| {
            let mut bytes = encoded(&fields, "");
            bytes[at..at + with.len()].copy_from_slice(with);
            match fault(&bytes) {
                TokenFault::Field(name) => name,
                fault => panic!("{fault}"),
            }
        };
        let wrong = |at, with: &[u8]| altered(fields(), at, with);
        assert_eq!(wrong(at::KIND, &[2]), "kind");
        assert_eq!(wrong(at::FORM, &[2]), "form");
        assert_eq!(wrong(at::IDENTITY + 16, &[1]), "form", "a headed one has two numbers");
        assert_eq!(wrong(at::IDENTITY + 31, &[1]), "form");
        assert_eq!(wrong(at::OFFSET, &[0xff; 8]), "length of the value");
        assert_eq!(wrong(at::OFFSET, &i64::MAX.to_le_bytes()), "length of the value");
        assert_eq!(wrong(at::WHOLE, &[0xff; 8]), "length of the value");
        assert_eq!(wrong(at::START, &[0xff; 8]), "length of the range");
        assert_eq!(wrong(at::START, &[1]), "length of the range");
        assert_eq!(wrong(at::LEN, &1001u64.to_le_bytes()), "length of the range");
        assert_eq!(wrong(at::LENGTH, &93u32.to_le_bytes()), "length of the token");
        assert_eq!(wrong(at::PATH_LEN, &[0xff; 4]), "length of the path");
        // The path would have a byte of the MAC.
        assert_eq!(wrong(at::PATH_LEN, &22u32.to_le_bytes()), "length of the path");
        assert_eq!(wrong(at::PATH_LEN, &[0; 4]), "path");
        assert_eq!(wrong(at::PATH, b"1"), "path", "it is relative");
        assert_eq!(wrong(at::PATH + 7, &[0]), "path", "it has a NUL");
    }

    #[test]
    fn only_the_whole_of_a_headed_file_is_handed_over() {
        let exclusive = |fields| Fields { kind: Kind::SharedMut, ..fields };
        parsed(&encoded(&exclusive(fields()), "")).verify(&SECRET).unwrap();
        let empty = Fields { whole: 0, len: 0, ..fields() };
        parsed(&encoded(&exclusive(empty), "")).verify(&SECRET).unwrap();
        for other in [foreign(), Fields { start: 1, len: 999, ..fields() }, Fields { len: 999, ..fields() }] {
            assert_eq!(fault(&encoded(&exclusive(other), "")), TokenFault::Field("kind"));
        }
    }

    #[test]
    fn a_path_that_is_too_long_is_an_error() {
        let token = encode(&fields(), &path(LONGEST_PATH + 1), &(), &SECRET).unwrap();
        assert_eq!(fault(token.as_bytes()), TokenFault::Field("length of the path"));
    }

    proptest! {
        #[test]
        fn any_bytes_after_the_magic(mut bytes in proptest::collection::vec(any::<u8>(), 8..400)) {
            let length = bytes.len() as u32;
            bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
            bytes[4..8].copy_from_slice(&length.to_le_bytes());
            if let Ok(Unverified::File(token)) = Unverified::parse(&bytes) {
                prop_assert!(token.verify(&SECRET).is_err());
            }
        }

        /// Whatever parses is within its bounds, and what has the right MAC is read as it was written.
        #[test]
        fn any_fields(
            (exclusive, is_foreign, numbers) in any::<(bool, bool, [u64; 4])>(),
            (offset, whole, start, len) in any::<(u64, u64, u64, u64)>(),
            (small, fingerprint) in any::<(bool, u64)>(),
        ) {
            let [offset, whole] = [offset, whole].map(|number| if small { number >> 2 } else { number });
            let [start, len] = [start, len].map(|number| if small && whole > 0 { number % whole } else { number });
            let [first, second, size, modified] = numbers;
            let fields = Fields {
                kind: if exclusive { Kind::SharedMut } else { Kind::Shared },
                identity: match is_foreign {
                    true => Identity::Foreign { device: first, inode: second, size, modified },
                    false => Identity::Headed { id: first, generation: second },
                },
                offset,
                whole,
                start: start as usize,
                len: len as usize,
                fingerprint,
            };
            let bytes = encoded(&fields, "metadata");
            if let Ok(Unverified::File(token)) = Unverified::parse(&bytes) {
                token.verify(&SECRET).unwrap();
                prop_assert_eq!(*token.fields(), fields);
                prop_assert!(start + len <= whole && offset + whole <= i64::MAX as u64);
                prop_assert!(Path::new(token.path()).is_absolute());
            }
        }
    }
}

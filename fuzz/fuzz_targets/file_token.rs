//! Tokens of files that say anything, with a right MAC or without: an error, or what the file has where the token leads; and
//! nothing is left beside it.
#![no_main]
#![allow(unsafe_code)] // Files are mapped that nobody else knows of.

mod claims;
mod subjects;

use std::{
    fs,
    path::{Path, PathBuf},
};

use arbitrary::Arbitrary;
use commonage::{
    file,
    fuzzing::{FileTokenSaid, resealed},
};
use libfuzzer_sys::fuzz_target;

use claims::{
    Claim, Few, Made, Metadata, Noise, Type, Way, assert_nothing_is_left, assert_within, claimed, fingerprint, install,
    with,
};
use subjects::{AnyHandle, Subject, emit, emit_mut};

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

/// A change of what the token says.
#[derive(Arbitrary, Debug)]
enum Change {
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
struct Input {
    filed: Filed,
    changes: Few<Change, 6>,
    /// With a right length and a right MAC.
    sealed: bool,
    claims: Few<Claim, 4>,
    /// A claimed handle is dropped before the next claim.
    drop_each: bool,
    noise: Noise,
}

fuzz_target!(
    init: install(),
    |input: Input| {
        in_file(&input);
        assert_nothing_is_left();
    }
);

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
fn said_otherwise(honest: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut said = FileTokenSaid::of(honest).expect("an honest token");
    for change in changes {
        match change {
            Change::Exclusive => said.exclusive ^= true,
            Change::Offset(by) => said.offset = said.offset.wrapping_add_signed((*by).into()),
            Change::Whole(by) => said.whole = said.whole.wrapping_add_signed((*by).into()),
            Change::Start(by) => said.start = said.start.wrapping_add_signed((*by).into()),
            Change::Len(by) => said.len = said.len.wrapping_add_signed((*by).into()),
            Change::AnyRange(offset, whole, start, len) => {
                (said.offset, said.whole, said.start, said.len) = (*offset, *whole, *start, *len);
            }
            Change::Fingerprint(of) => said.fingerprint = with!(*of, fingerprint()),
            Change::Metadata(metadata) => said.metadata = metadata.bytes(),
            Change::Fitting(of, count) => {
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
fn in_file(input: &Input) {
    let Input { filed, changes, sealed, claims, drop_each, noise } = input;
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
    let token = noise.on(said_otherwise(&honest, changes));
    let token = if *sealed { resealed(token) } else { token };
    let (mut handles, mut taken) = (Vec::new(), false);
    for claim in claims.iter().copied().chain(apt(&token)) {
        taken |= claim.way == Way::Revoked;
        if let Some(handle) = with!(claim.of, claimed(claim, &token)) {
            let said = FileTokenSaid::of(&token).expect("it has been claimed");
            assert_within(&*handle, &bytes[said.range()]);
            let same = token == honest;
            assert!(same || *sealed, "a changed byte gives an error");
            assert!(!same || (claim.of, claim.exclusive) == (of, exclusive), "as what it was sent");
            taken |= claim.exclusive;
            handles.push(handle);
        }
        if *drop_each {
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

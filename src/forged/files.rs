//! Tokens that lead to files, with a right MAC and wrong fields; and files that are no place to lead to.

#[cfg(unix)]
mod unix;

use std::io::Write;

use crate::{
    FileFault, file,
    mapped::{Found, Identity},
    wire::{FileFields, Unverified, encode_file},
};

use super::*;

/// A directory of its own, removed on drop.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let path = env::temp_dir().join(format!("commonage-forged-{:016x}", sys::random_u64().unwrap()));
        fs::create_dir(&path).unwrap();
        Place(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const VALUE: [u16; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// A value in a file, and what an honest token of it says.
struct Honest {
    place: Place,
    path: PathBuf,
    text: String,
    fields: FileFields,
    secret: Secret,
}

impl Honest {
    fn new(kind: Kind) -> Self {
        let place = Place::new();
        let path = place.file("value");
        file::write(&path, &VALUE[..]).unwrap();
        let text = match kind {
            // SAFETY: nobody changes it but this crate.
            Kind::Shared => unsafe { file::open::<[u16]>(&path) }.unwrap().into_token().unwrap(),
            // SAFETY: as above.
            Kind::SharedMut => unsafe { file::open_mut::<[u16]>(&path) }.unwrap().into_token().unwrap(),
        };
        let (fields, secret) = file_token_taken_apart(&text);
        Honest { place, path, text, fields, secret }
    }

    fn forged_at<M: Serialize>(&self, path: &Path, fields: &FileFields, metadata: &M) -> Token {
        encode_file(fields, path.as_os_str().as_encoded_bytes(), metadata, &self.secret).unwrap()
    }

    fn twin(&self, change: impl FnOnce(&mut FileFields)) -> Token {
        let mut fields = self.fields;
        change(&mut fields);
        self.forged_at(&self.path, &fields, &VALUE.len())
    }

    fn refused(&self, what: &str, token: &Token) -> Error {
        let what = format!("{what} of a {}", self.fields.kind);
        match self.fields.kind {
            Kind::Shared => refusal(&what, SharedSlice::<u16>::from_token, token),
            Kind::SharedMut => refusal(&what, SharedSliceMut::<u16>::from_token, token),
        }
    }

    /// It can still be claimed as what it is, with all that it held.
    fn claim_after(&self, after: &str) {
        let kind = self.fields.kind;
        let value = match kind {
            Kind::Shared => SharedSlice::<u16>::from_token(&self.text).map(|value| value.to_vec()),
            Kind::SharedMut => SharedSliceMut::<u16>::from_token(&self.text).map(|value| value.to_vec()),
        };
        assert_eq!(value.unwrap_or_else(|error| panic!("a {kind} after {after}: {error}")), VALUE, "after {after}");
    }
}

/// What a token of a file says, and the key of its MAC.
fn file_token_taken_apart(text: &str) -> (FileFields, Secret) {
    from_text(text, |bytes| {
        let Unverified::File(token) = Unverified::parse(bytes)? else { panic!("it leads to a block") };
        let found = Found::find(token.origin(), token.fields().kind)?;
        token.verify(found.secret())?;
        Ok((*token.fields(), *found.secret()))
    })
    .unwrap()
}

fn fault(what: &str, error: Error) -> FileFault {
    match error {
        Error::File { fault, .. } => fault,
        error => panic!("{what}: {error:?}"),
    }
}

const KINDS: [Kind; 2] = [Kind::Shared, Kind::SharedMut];

#[test]
fn the_twin_of_an_honest_token_is_the_same() {
    for kind in KINDS {
        let honest = Honest::new(kind);
        assert_eq!(honest.twin(|_| ()).text(), honest.text);
        honest.claim_after("nothing");
    }
}

/// Who knows of a file all that the system tells everybody, but not what is in it.
#[test]
fn a_token_of_a_file_without_a_header_is_made_by_who_can_read_it() {
    let place = Place::new();
    let path = place.file("foreign");
    fs::write(&path, [7; 100]).unwrap();
    // SAFETY: nobody changes it while it is open.
    let value = unsafe { file::options::<[u8]>().raw().open(&path) }.unwrap();
    let text = value.into_token().unwrap();
    let (fields, right) = file_token_taken_apart(&text);
    let path = path.as_os_str().as_encoded_bytes();
    for secret in [[0; 16], *b"commonage:nobody"] {
        let token = encode_file(&fields, path, &100usize, &secret).unwrap();
        let error = refusal("a guessed key", SharedSlice::<u8>::from_token, &token);
        assert!(matches!(fault("a guessed key", error), FileFault::Altered));
    }
    let token = encode_file(&fields, path, &100usize, &right).unwrap();
    assert_eq!(token.text(), text);
    assert_eq!(SharedSlice::<u8>::from_token(&text).unwrap(), [7; 100]);
}

/// Bytes of the file that take room.
fn backed(path: &Path) -> u64 {
    sys::DiskFile::open(path, false).unwrap().unwrap().facts().unwrap().backed
}

#[test]
fn the_holes_of_a_file_take_no_room_before_its_token_has_been_verified() {
    let place = Place::new();
    let whole = place.file("whole");
    file::write(&whole, &[0u16; 1 << 20][..]).unwrap();
    // SAFETY: nobody changes it but this crate.
    let text = unsafe { file::open_mut::<[u16]>(&whole) }.unwrap().into_token().unwrap();
    let (fields, secret) = file_token_taken_apart(&text);
    let bytes = fs::read(&whole).unwrap();
    let (start, end) = (fields.offset as usize, (fields.offset + fields.whole) as usize);
    let path = place.file("with a hole");
    fs::write(&path, &bytes[..start]).unwrap();
    let mut file = fs::File::options().append(true).open(&path).unwrap();
    file.set_len(end as u64).unwrap();
    file.write_all(&bytes[end..]).unwrap();
    drop(file);

    let before = backed(&path);
    let token = |secret| encode_file(&fields, path.as_os_str().as_encoded_bytes(), &(1usize << 20), secret).unwrap();
    let error = refusal("a guessed key", SharedSliceMut::<u16>::from_token, &token(&[0; 16]));
    assert!(matches!(fault("a guessed key", error), FileFault::Altered));
    assert_eq!(backed(&path), before);
    let mut value = SharedSliceMut::<u16>::from_token(&token(&secret).text()).unwrap();
    value.fill(1);
    drop(value);
    assert!(backed(&path) >= fields.whole);
    assert_eq!(*file::read::<[u16]>(&path).unwrap(), [1; 1 << 20]);
}

#[test]
fn another_id_or_generation_is_another_value() {
    for kind in KINDS {
        let honest = Honest::new(kind);
        let Identity::Headed { id, generation } = honest.fields.identity else { panic!("it has a header") };
        let with = |id, generation| honest.twin(|fields| fields.identity = Identity::Headed { id, generation });
        for token in [with(id + 1, generation), with(!id, generation), with(0, 0)] {
            let fault = fault("another id", honest.refused("another id", &token));
            assert!(matches!(fault, FileFault::Changed { .. }), "{fault}");
        }
        for other in [generation + 1, generation.wrapping_sub(1), u64::MAX, !generation] {
            let fault = fault("another generation", honest.refused("another generation", &with(id, other)));
            match kind {
                Kind::Shared => assert!(matches!(fault, FileFault::Changed { .. }), "{fault}"),
                Kind::SharedMut => assert!(matches!(fault, FileFault::AlreadyClaimed), "{fault}"),
            }
        }
        honest.claim_after("another id");
    }
}

#[test]
fn another_place_in_the_file_is_refused_before_a_byte_of_it_is_touched() {
    type Change = fn(&mut FileFields);
    let changes: [(&str, Change); 6] = [
        ("a value further on", |fields| fields.offset += 1),
        ("a value at the beginning", |fields| fields.offset = 0),
        ("a value behind the end", |fields| fields.offset = 1 << 62),
        ("a longer value", |fields| (fields.whole, fields.len) = (fields.whole + 2, fields.len + 2)),
        ("a value without end", |fields| (fields.whole, fields.len) = (1 << 60, 1 << 60)),
        ("a shorter value", |fields| (fields.whole, fields.len) = (2, 2)),
    ];
    for kind in KINDS {
        for (what, change) in changes {
            let honest = Honest::new(kind);
            let fault = fault(what, honest.refused(what, &honest.twin(change)));
            assert!(matches!(fault, FileFault::Changed { .. } | FileFault::TooShort { .. }), "{what}: {fault}");
            honest.claim_after(what);
        }
    }
}

#[test]
fn a_range_that_does_not_fit_the_metadata_is_refused() {
    let honest = Honest::new(Kind::Shared);
    for (start, len) in [(0, 15), (2, 14), (16, 0), (1, 15)] {
        let error = honest.refused("a part", &honest.twin(|fields| (fields.start, fields.len) = (start, len)));
        assert!(matches!(error, Error::Metadata { .. }), "{error}");
    }
    // What is aligned at its sender is so here: this was at no sender.
    let token = honest.forged_at(&honest.path, &FileFields { start: 1, len: 4, ..honest.fields }, &2usize);
    let error = honest.refused("an odd start", &token);
    assert!(matches!(error, Error::Metadata { .. }), "{error}");
    let token = honest.forged_at(&honest.path, &FileFields { start: 2, len: 4, ..honest.fields }, &2usize);
    assert_eq!(SharedSlice::<u16>::from_token(&token.text()).unwrap(), [2, 3]);
    honest.claim_after("a part");
}

#[test]
fn metadata_of_more_than_there_is_are_refused_and_nothing_is_claimed() {
    for kind in KINDS {
        let honest = Honest::new(kind);
        for len in [9usize, 1 << 40, usize::MAX] {
            let error = honest.refused("metadata", &honest.forged_at(&honest.path, &honest.fields, &len));
            assert!(matches!(error, Error::Metadata { .. }), "{error}");
        }
        honest.claim_after("wrong metadata");
    }
}

#[test]
fn content_that_is_none_of_the_type_is_refused_and_nothing_is_claimed() {
    for kind in KINDS {
        let honest = Honest::new(kind);
        let fields = FileFields { fingerprint: <[char]>::fingerprint(), ..honest.fields };
        let token = honest.forged_at(&honest.path, &fields, &4usize);
        let error = match kind {
            Kind::Shared => SharedSlice::<char>::from_token(&token.text()).map(drop),
            Kind::SharedMut => SharedSliceMut::<char>::from_token(&token.text()).map(drop),
        };
        let fault = fault("another type", error.unwrap_err());
        assert!(matches!(fault, FileFault::Changed { .. } | FileFault::Type { .. }), "{fault}");
        honest.claim_after("another type");
    }

    // A file that says of itself that it holds booleans.
    let place = Place::new();
    let path = place.file("value");
    file::write(&path, &[true, false, true][..]).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - 2;
    bytes[at] = 2;
    // SAFETY: nobody changes it but this crate.
    let token = unsafe { file::open::<[bool]>(&path) }.unwrap().into_token().unwrap();
    fs::write(&path, bytes).unwrap();
    let error = SharedSlice::<bool>::from_token(&token).unwrap_err();
    assert!(matches!(error, Error::Content { .. }), "{error}");
}

#[test]
fn another_file_is_not_the_one_that_was_named() {
    for kind in KINDS {
        let honest = Honest::new(kind);
        let there = |name: &str| honest.place.file(name);
        file::write(there("other"), &VALUE[..]).unwrap();
        fs::write(there("text"), "not one of these files, but long enough to have a header ".repeat(100)).unwrap();
        fs::write(there("empty"), "").unwrap();
        fs::create_dir(there("directory")).unwrap();
        let refused = |name: &str| {
            let token = honest.forged_at(&there(name), &honest.fields, &VALUE.len());
            fault(name, honest.refused(name, &token))
        };
        assert!(matches!(refused("other"), FileFault::Changed { .. }));
        assert!(matches!(refused("text"), FileFault::NoHeader { .. }));
        let empty = refused("empty");
        assert!(matches!(empty, FileFault::TooShort { .. } | FileFault::NoHeader { .. }), "{empty}");
        assert!(matches!(refused("nothing"), FileFault::Absent));
        let below = refused("text/below");
        assert!(matches!(below, FileFault::Absent | FileFault::NoDirectory | FileFault::NotAFile(_)), "{below}");
        let directory = refused("directory");
        assert!(matches!(directory, FileFault::NotAFile(_)), "{directory}");
        // The key of the other one is needed for what leads there.
        let Identity::Headed { id, .. } = other_identity(&there("other")) else { panic!("it has a header") };
        let generation = 0;
        for generation in generation..3 {
            let fields = FileFields { identity: Identity::Headed { id, generation }, ..honest.fields };
            let token = honest.forged_at(&there("other"), &fields, &VALUE.len());
            let fault = fault("a guess", honest.refused("a guess", &token));
            assert!(
                matches!(fault, FileFault::Altered | FileFault::Changed { .. } | FileFault::AlreadyClaimed),
                "{fault}"
            );
        }
        honest.claim_after("another file");
    }
}

fn other_identity(path: &Path) -> Identity {
    // SAFETY: nobody changes it but this crate.
    let text = unsafe { file::open::<[u16]>(path) }.unwrap().into_token().unwrap();
    file_token_taken_apart(&text).0.identity
}

#[test]
fn a_file_that_has_become_shorter_is_refused_before_it_is_touched() {
    for kind in KINDS {
        for left in [0u64, 10, 96, 4095, 4096, 4100] {
            let honest = Honest::new(kind);
            fs::File::options().write(true).open(&honest.path).unwrap().set_len(left).unwrap();
            let token = honest.twin(|_| ());
            let fault = fault("a cut", honest.refused("a cut", &token));
            assert!(
                matches!(fault, FileFault::TooShort { .. } | FileFault::NoHeader { .. } | FileFault::Changed { .. }),
                "{left} bytes: {fault}"
            );
        }
    }
}

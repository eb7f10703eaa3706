//! Locators that lead elsewhere, in tokens with a right MAC: of segments with a name, and of those without one.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
use elsewhere as platform;
#[cfg(target_os = "linux")]
use linux as platform;

use std::io::Write;

use super::{
    noise::{CONTROL, DATA, header},
    *,
};

/// Something at a name, that goes with the test.
struct Left(PathBuf);

impl Left {
    /// A file of the user's own where the segment should be.
    fn new(id: SegmentId, bytes: &[u8]) -> Self {
        let path = path_of(id);
        let mut file = sys::create_private(&path).unwrap();
        let left = Left(path);
        file.write_all(bytes).unwrap();
        left
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Where a named segment is; the directory is there.
fn path_of(id: SegmentId) -> PathBuf {
    let directories = sys::named_directories();
    let directory = directories.last().unwrap();
    fs::create_dir_all(directory).unwrap();
    directory.join(format!("commonage-{:016x}", id.0))
}

/// What somebody has made of these bytes where there should be this segment: at which door, and what keeps it there.
fn made(backing: Backing, id: SegmentId, bytes: &[u8]) -> (Door, platform::Kept) {
    match backing {
        Backing::Named => (Door { pid: std::process::id(), fd: 0 }, platform::kept(Left::new(id, bytes))),
        Backing::Anonymous => platform::without_a_name(bytes),
    }
}

/// The fields of a token for bytes that are at `sender`, or at `owner`.
fn fields_at(kind: Kind, backing: Backing, sender: Door, owner: Door, id: SegmentId) -> Fields {
    Fields {
        kind,
        locator: Locator { id, backing, sender, owner },
        issued: Issued { block: 0, ticket: 0, serial: 1, epoch: 1 },
        start: 0,
        len: 3,
        fingerprint: <[u8]>::fingerprint(),
    }
}

/// What comes of tokens whose locator leads to `door`, as a `Shared` and as a `SharedMut`, from either door.
fn refusals_at(what: &str, backing: Backing, door: Door, id: SegmentId) -> Vec<Error> {
    let nowhere = Door { pid: door.pid, fd: 1 << 20 };
    let mut errors = Vec::new();
    for (sender, owner) in [(door, door), (nowhere, door), (door, nowhere)] {
        let token = |kind| forge(&fields_at(kind, backing, sender, owner, id), &3usize, &[7; 16]);
        errors.push(refusal(what, SharedSlice::<u8>::from_token, &token(Kind::Shared)));
        errors.push(refusal(what, SharedSliceMut::<u8>::from_token, &token(Kind::SharedMut)));
        let ticket = Ticket::<[u8]>::from_token(&token(Kind::Shared).text()).unwrap();
        let named = what.to_owned();
        errors.push(quickly(what, move || ticket.revoke().err().unwrap_or_else(|| panic!("{named}: revoked"))));
    }
    errors
}

fn says_what_it_is(what: &str, error: &Error, says: &str) {
    let Error::NotTheSegment { found, .. } = error else { panic!("{what}: {error:?}") };
    assert!(found.contains(says), "{what}: {error}");
}

/// Bytes that are no segment.
fn not_the_segment(what: &str, bytes: &[u8], says: &str) {
    for backing in backings() {
        let id = random_id();
        let (door, _kept) = made(backing, id, bytes);
        for error in refusals_at(what, backing, door, id) {
            says_what_it_is(what, &error, says);
        }
    }
}

#[test]
fn a_locator_that_leads_to_a_directory_or_another_thing_that_is_no_file() {
    let id = random_id();
    let path = path_of(id);
    fs::create_dir(&path).unwrap();
    let errors = refusals_at("a directory", Backing::Named, Door { pid: std::process::id(), fd: 0 }, id);
    fs::remove_dir(&path).unwrap();
    errors.iter().for_each(|error| says_what_it_is("a directory", error, "directory"));
    platform::other_things_are_not_the_segment();
}

#[test]
fn a_locator_that_leads_to_an_object_of_somebody_else() {
    not_the_segment("empty", &[], "0 bytes");
    not_the_segment("cut short", &[1; PREFIX - 1], "255 bytes");
    let mut text = vec![0; 1 << 16];
    text[..9].copy_from_slice(b"some text");
    not_the_segment("other content", &text, "0x");
    for seed in 0..64 {
        let mut random = Random::new(seed);
        let noise: Vec<u8> = (0..1 << 10).flat_map(|_| random.next().to_le_bytes()).collect();
        not_the_segment("noise", &noise, "0x");
    }
    platform::other_objects_are_not_the_segment();
}

#[test]
fn an_object_with_a_right_header_and_something_wrong() {
    for backing in backings() {
        let id = random_id();
        let header = header(id, [7; 16]);
        let bytes = |header: &[u64; PREFIX / 8], size: usize| -> Vec<u8> {
            let mut bytes: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
            bytes.resize(size, 0);
            bytes
        };
        let size = CONTROL + DATA;
        for size in [PREFIX, 4096, CONTROL, size - 1] {
            let (door, _kept) = made(backing, id, &bytes(&header, size));
            for error in refusals_at("too short", backing, door, id) {
                assert!(matches!(error, Error::Corrupt { found, .. } if found == size as u64), "{size}: {error:?}");
            }
        }
        let mut later = header;
        later[1] += 1;
        let (door, kept) = made(backing, id, &bytes(&later, size));
        for error in refusals_at("another version", backing, door, id) {
            assert!(matches!(error, Error::Abi { .. }), "{error:?}");
        }
        drop(kept);
        let other = random_id();
        let (door, _kept) = made(backing, other, &bytes(&header, size));
        for error in refusals_at("another segment", backing, door, other) {
            assert!(matches!(error, Error::NotTheSegment { .. }), "{error:?}");
        }
    }
}

#[test]
fn a_locator_that_leads_nowhere_is_gone() {
    let mut dead = Command::new(this_program());
    let mut dead = dead.arg("--list").stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let pid = dead.id();
    dead.wait().unwrap();
    for backing in backings() {
        let gone = |what: &str, door: Door| {
            for error in refusals_at(what, backing, door, random_id()) {
                assert!(matches!(error, Error::Gone { .. }), "{backing:?}, {what}: {error:?}");
            }
        };
        gone("a closed descriptor", Door { pid: id(), fd: 1 << 20 });
        gone("no descriptor at all", Door { pid: id(), fd: u32::MAX });
        for pid in [pid, 0, u32::MAX, i32::MAX.cast_unsigned(), 1 << 31] {
            gone(&format!("process {pid}"), Door { pid, fd: 3 });
        }
    }
}

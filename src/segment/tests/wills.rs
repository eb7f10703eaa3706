//! Wills, in a directory of the test's own.

use std::{
    env, io,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

const HEADER: WillHeader = WillHeader {
    secret: *b"0123456789abcdef",
    block: 0x0102_0304,
    serial: 0x1122_3344_5566_7788,
    fingerprint: 0x99aa_bbcc_ddee_ff00,
    exclusive: true,
    len: 0,
};

/// A directory that goes with the test, however it ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let path = env::temp_dir().join(format!("commonage-wills-{:016x}", sys::random_u64().unwrap()));
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    fn write(&self, name: WillName, data: &[u8]) -> Draft {
        // SAFETY: the slice is as long as it says.
        unsafe { self.try_write(name, data, data.len() as u64) }.unwrap()
    }

    /// # Safety
    ///
    /// `data` has `len` bytes, or nothing comes to be read.
    unsafe fn try_write(&self, name: WillName, data: &[u8], len: u64) -> Result<Draft, Error> {
        let header = WillHeader { len, ..HEADER };
        // SAFETY: the caller's promise.
        unsafe { Draft::write_in(self.0.clone(), name, &header, NonNull::from(data).cast()) }
    }

    fn show(&self, name: WillName, data: &[u8]) -> Draft {
        let mut draft = self.write(name, data);
        draft.show().unwrap();
        draft
    }

    fn open(&self, name: WillName) -> Option<Will> {
        Will::open_in(&self.0, name)
    }

    fn path(&self, name: WillName) -> PathBuf {
        self.0.join(name.in_view())
    }

    /// The names of the files that there are, in order.
    fn files(&self) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut files: Vec<String> = fs::read_dir(&self.0).unwrap().map(name).collect();
        files.sort();
        files
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn name(ticket: u32) -> WillName {
    WillName { segment: SegmentId(0xfeed_0000_0000_0042), ticket, epoch: 0xabc }
}

fn content(will: &Will) -> Vec<u8> {
    let mut bytes = vec![0; will.header().len as usize];
    will.read(0, &mut bytes).unwrap();
    bytes
}

fn written(path: &Path, at: SystemTime) {
    File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

#[test]
fn a_will_says_what_was_written() {
    let scratch = Scratch::new();
    for len in [0, 1, 127, 128, 100_000] {
        let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let mut draft = scratch.write(name(7), &data);
        assert!(scratch.open(name(7)).is_none() && !exists_in(&scratch.0, name(7)), "it is not in view yet");
        draft.show().unwrap();
        draft.show().unwrap();
        drop(draft);
        assert_eq!(scratch.files(), ["commonage-will-feed000000000042-00000007-000000000abc"]);

        assert!(exists_in(&scratch.0, name(7)));
        let will = scratch.open(name(7)).unwrap();
        assert_eq!(*will.header(), WillHeader { len: len as u64, ..HEADER });
        assert_eq!(content(&will), data);
        assert!(will.take());
        assert!(scratch.open(name(7)).is_none() && !exists_in(&scratch.0, name(7)));
        assert!(scratch.files().is_empty());
    }
}

#[test]
fn parts_can_be_read_and_nothing_beyond_the_end() {
    let scratch = Scratch::new();
    drop(scratch.show(name(1), b"what was sent"));
    let will = scratch.open(name(1)).unwrap();
    let mut part = [0; 4];
    will.read(9, &mut part).unwrap();
    assert_eq!(&part, b"sent");
    will.read(13, &mut []).unwrap();
    for offset in [10, 14, u64::MAX - 3, u64::MAX] {
        assert!(matches!(will.read(offset, &mut part), Err(Error::Range { length: 13, .. })));
    }
    // Cut after it was opened: an error, too.
    File::options().write(true).open(scratch.path(name(1))).unwrap().set_len(130).unwrap();
    assert!(matches!(will.read(0, &mut part), Err(Error::Os { .. })));
}

#[test]
fn of_all_who_claim_one_wins() {
    let scratch = Scratch::new();
    for ticket in 0..50 {
        drop(scratch.show(name(ticket), b"once"));
        let (barrier, winners) = (Barrier::new(4), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let will = scratch.open(name(ticket)).unwrap();
                    barrier.wait();
                    assert_eq!(content(&will), b"once");
                    winners.fetch_add(usize::from(will.take()), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(winners.into_inner(), 1);
    }
    assert!(scratch.files().is_empty());
}

#[test]
fn a_file_that_is_cut_is_none() {
    let scratch = Scratch::new();
    drop(scratch.show(name(1), b"0123456789"));
    let path = scratch.path(name(1));
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len(), DATA + 10);
    let file = File::options().write(true).open(&path).unwrap();
    for len in [DATA + 9, DATA, DATA - 1, 8, 0] {
        file.set_len(len as u64).unwrap();
        assert!(scratch.open(name(1)).is_none(), "{len} bytes");
    }
    (&file).write_all(&whole).unwrap();
    (&file).write_all(b"more").unwrap();
    assert_eq!(content(&scratch.open(name(1)).unwrap()), b"0123456789");
}

#[test]
fn a_header_with_a_bit_that_has_no_meaning_is_none() {
    let scratch = Scratch::new();
    drop(scratch.show(name(1), b"data"));
    let file = File::options().write(true).open(scratch.path(name(1))).unwrap();
    let right = WillHeader { len: 4, ..HEADER }.encode(name(1).segment);
    let holds = |bytes: &[u8; DATA]| {
        let mut file = &file;
        io::Seek::rewind(&mut file).unwrap();
        file.write_all(bytes).unwrap();
        scratch.open(name(1)).map(|will| *will.header())
    };
    for at in 0..DATA {
        for bit in [0, 7] {
            let mut bytes = right;
            bytes[at] ^= 1 << bit;
            match (at, bit) {
                // The lowest of `exclusive`, and what only the token can tell.
                (12, 0) | (24..44, _) | (48..64, _) => assert_ne!(holds(&bytes).unwrap(), HEADER, "byte {at}"),
                _ => assert_eq!(holds(&bytes), None, "byte {at}, bit {bit}"),
            }
        }
    }
    let largest = WillHeader { len: u64::MAX, ..HEADER }.encode(name(1).segment);
    assert_eq!(holds(&largest), None);
    assert!(holds(&right).is_some());

    // Another segment's, under this one's name.
    let other = WillName { segment: SegmentId(1), ..name(1) };
    fs::rename(scratch.path(name(1)), scratch.path(other)).unwrap();
    assert!(scratch.open(other).is_none());
}

#[test]
fn what_is_no_file_of_this_users_alone_is_none() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path(name(1))).unwrap();
    assert!(scratch.open(name(1)).is_none());
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt, symlink};
        drop(scratch.show(name(2), b"data"));
        symlink(scratch.path(name(2)), scratch.path(name(3))).unwrap();
        assert!(scratch.open(name(3)).is_none());
        let mode = |mode| fs::set_permissions(scratch.path(name(2)), fs::Permissions::from_mode(mode)).unwrap();
        for loose in [0o601, 0o610, 0o644, 0o666] {
            mode(loose);
            assert!(scratch.open(name(2)).is_none(), "{loose:o}");
        }
        mode(0o600);
        assert!(scratch.open(name(2)).is_some());
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        mknodat(CWD, scratch.path(name(4)), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert!(scratch.open(name(4)).is_none(), "and nobody waited for a writer");
    }
    // A sweep leaves them alone as well.
    let strange = scratch.files().len() - usize::from(cfg!(unix));
    assert_eq!(sweep_in(&scratch.0, Duration::ZERO), usize::from(cfg!(unix)));
    assert_eq!(scratch.files().len(), strange);
}

#[test]
fn two_drafts_of_one_name_are_two_files() {
    let scratch = Scratch::new();
    let (mut first, second) = (scratch.write(name(1), b"the same"), scratch.write(name(1), b"the same"));
    assert_eq!(scratch.files().len(), 2);
    first.show().unwrap();
    assert_eq!(scratch.files().len(), 2);
    drop(second);
    drop(first);
    assert_eq!(scratch.files(), [name(1).in_view()]);
    assert_eq!(content(&scratch.open(name(1)).unwrap()), b"the same");
}

#[test]
fn a_draft_that_is_not_shown_leaves_nothing() {
    let scratch = Scratch::new();
    let draft = scratch.write(name(1), b"data");
    assert_eq!(scratch.files().len(), 1);
    drop(draft.link(name(2)).unwrap());
    assert_eq!(scratch.files().len(), 1);
    drop(draft);
    assert!(scratch.files().is_empty());

    // SAFETY: nothing is read: no file system has room for so much.
    let refused = unsafe { scratch.try_write(name(1), b"", 1 << 62) };
    assert!(refused.is_err());
    #[cfg(target_os = "linux")]
    assert!(matches!(refused, Err(Error::NoSpace { requested, .. }) if requested > 1 << 62), "{refused:?}");
    // SAFETY: nothing is read: it is more than any file has.
    assert!(unsafe { scratch.try_write(name(1), b"", u64::MAX - 100) }.is_err());
    assert!(scratch.files().is_empty());
}

#[test]
fn a_draft_that_can_not_be_shown_is_as_it_was() {
    let scratch = Scratch::new();
    let mut draft = scratch.write(name(1), b"data");
    fs::create_dir(scratch.path(name(1))).unwrap();
    assert!(matches!(draft.show(), Err(Error::Os { .. })));
    assert_eq!(scratch.files().len(), 2);
    fs::remove_dir(scratch.path(name(1))).unwrap();
    draft.show().unwrap();
    assert_eq!(content(&scratch.open(name(1)).unwrap()), b"data");
}

#[test]
fn a_link_is_a_message_of_its_own_with_the_same_bytes() {
    let scratch = Scratch::new();
    let mut first = scratch.write(name(1), b"both");
    let mut second = first.link(name(2)).unwrap();
    first.show().unwrap();
    second.show().unwrap();
    let mut third = first.link(name(3)).unwrap();
    third.show().unwrap();
    assert_eq!(scratch.files(), [1, 2, 3].map(|ticket| name(ticket).in_view()));
    let wills = [1, 2, 3].map(|ticket| scratch.open(name(ticket)).unwrap());
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let numbers = wills.each_ref().map(|will| will.file.metadata().unwrap().ino());
        assert_eq!(numbers, [numbers[0]; 3]);
    }
    let [one, two, three] = wills;
    assert!(one.take());
    assert_eq!(content(&two), b"both");
    assert!(two.take());
    assert_eq!(content(&three), b"both");
    assert!(three.take());
    // Claimed: then it has to be written again.
    assert!(matches!(first.link(name(4)), Err(Error::Os { .. })));
    assert!(scratch.files().is_empty());
}

#[test]
fn a_sweep_goes_by_age() {
    let scratch = Scratch::new();
    let now = SystemTime::now();
    let ages = [2 * HOUR, HOUR + MINUTE, HOUR - MINUTE, Duration::ZERO];
    for (ticket, age) in (0..).zip(ages) {
        drop(scratch.show(name(ticket), b"data"));
        written(&scratch.path(name(ticket)), now - age);
    }
    drop(scratch.show(name(4), b"data"));
    written(&scratch.path(name(4)), now + 24 * HOUR);
    let left = |tickets: &[u32]| {
        let names: Vec<String> = tickets.iter().map(|ticket| name(*ticket).in_view()).collect();
        assert_eq!(scratch.files(), names);
    };
    assert_eq!(sweep_in(&scratch.0, 3 * HOUR), 0);
    assert_eq!(sweep_in(&scratch.0, HOUR), 2);
    left(&[2, 3, 4]);
    assert_eq!(sweep_in(&scratch.0, Duration::MAX), 0);
    assert_eq!(sweep_in(&scratch.0, MINUTE), 1);
    left(&[3, 4]);
    assert_eq!(sweep_in(&scratch.0, Duration::ZERO), 2);
    left(&[]);
    assert_eq!(sweep_in(&scratch.0.join("nowhere"), Duration::ZERO), 0);
}

#[test]
fn what_a_mover_left_is_swept_and_what_it_is_at_is_not() {
    let scratch = Scratch::new();
    let now = SystemTime::now();
    let left = |age: Duration| {
        let draft = scratch.write(name(1), b"data");
        written(draft.hidden.as_ref().unwrap(), now - age);
        std::mem::forget(draft);
    };
    left(2 * HOUR);
    left(2 * MINUTE);
    left(MINUTE / 4);
    assert_eq!(sweep_in(&scratch.0, HOUR), 0);
    assert_eq!(scratch.files().len(), 2, "those that are not in view are not counted, but go");
    assert_eq!(sweep_in(&scratch.0, Duration::from_nanos(1)), 0);
    assert_eq!(scratch.files().len(), 1);
    assert_eq!(sweep_in(&scratch.0, Duration::ZERO), 0);
    assert!(scratch.files().is_empty());
}

#[test]
fn a_sweep_knows_wills_by_their_names() {
    let scratch = Scratch::new();
    let right = name(1).in_view();
    let hidden = name(1).hidden().unwrap();
    assert_ne!(hidden, name(1).hidden().unwrap());
    assert_eq!((is_in_view(&right), is_in_view(&hidden)), (Some(true), Some(false)));
    let others = [
        "commonage-0123456789abcdef".to_owned(),
        "commonage-id-0123456789abcdef".to_owned(),
        "commonage-will-".to_owned(),
        right.to_uppercase(),
        right.replace("feed", "FEED"),
        right.replace("feed", "fEeg"),
        right.replacen('-', "_", 3),
        format!("x{right}"),
        format!("{right}0"),
        format!("{right}-0"),
        format!("{right}."),
        format!("{right}.new"),
        format!("{right}.0123456789abcde.new"),
        format!("{right}.0123456789abcdef"),
        format!("{hidden}.new"),
    ];
    // One after the other: there are file systems to which some of them are the same name.
    for other in &others {
        assert_eq!(is_in_view(other), None, "{other}");
        drop(sys::create_private(&scratch.0.join(other)).unwrap());
        // There are file systems, too, that leave out a dot at the end.
        if scratch.files() == [other.as_str()] {
            assert_eq!(sweep_in(&scratch.0, Duration::ZERO), 0);
            assert_eq!(scratch.files(), [other.as_str()]);
        }
        fs::remove_file(scratch.0.join(other)).unwrap();
    }
    drop(scratch.show(name(1), b"data"));
    assert_eq!(sweep_in(&scratch.0, Duration::ZERO), 1);
    assert!(scratch.files().is_empty());
}

/// Where others sweep, too: nothing is shown there.
#[test]
fn the_directory_is_the_configurations() {
    let nobodys = WillName { segment: SegmentId(sys::random_u64().unwrap()), ..name(1) };
    let data = *b"sent";
    // SAFETY: as many bytes as it says.
    let draft =
        unsafe { Draft::write(nobodys, &WillHeader { len: 4, ..HEADER }, NonNull::from(&data).cast()) }.unwrap();
    assert_eq!(draft.hidden.as_ref().unwrap().parent(), Some(&*directory()));
    assert!(!exists(nobodys));
    assert!(Will::open(nobodys).is_none());
    assert_eq!(sweep(Duration::MAX), 0);
}

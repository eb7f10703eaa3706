//! A file that is made: nobody sees it before it is whole.
//!
//! Where the platform has files without a name, a process that dies leaves nothing of one. To replace what has its name it
//! needs another name for a moment, from which it is renamed; elsewhere it has that one from the beginning. The name follows
//! from that of the file, and whoever has a file under it has it locked: what is found there unlocked is of a process that
//! died, and goes.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    hash::{Hash, Hasher},
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, fstat, linkat, open, rename, statat, unlink},
    io::Errno,
};
use siphasher::sip::SipHasher13;

use super::{
    DiskFile, above_standard, identity_of, kind_of,
    place::{is_there, not_made, refused, set_mode},
};
use crate::sys::{PlaceError, platform};

/// How long to wait for another who has the draft's name: it needs it for a moment.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes of the longest name of a file.
const LONGEST: usize = 255;

/// A new file, locked alone. Dropped, nothing is left of it.
#[derive(Debug)]
pub(crate) struct NewFile {
    file: DiskFile,
    len: u64,
    path: PathBuf,
    /// Whether it has the name of a draft.
    named: bool,
}

impl NewFile {
    /// `len` bytes, all zero, reserved; with these permission bits, whatever the umask. The path is absolute. If the file must
    /// be new, what has its name is found before room is taken for another, and once more when it is published.
    ///
    /// # Errors
    ///
    /// All but [`PlaceError::Absent`]; [`PlaceError::Exists`] if another process is making the same file, where it has a name
    /// from the beginning.
    pub(crate) fn create(path: &Path, len: u64, mode: u32, must_be_new: bool) -> Result<NewFile, PlaceError> {
        if must_be_new && is_there(path) {
            return Err(PlaceError::Exists);
        }
        let draft = draft_name(path);
        // What a maker that died has left.
        if is_there(&draft) {
            let _ = sweep(&draft);
        }
        let directory = path.parent().unwrap_or(Path::new("/"));
        let Some(fd) = platform::open_nameless(directory)? else {
            return NewFile::with_another_name(path, len, mode);
        };
        let new = NewFile { file: DiskFile::of(fd.into()), len, path: path.to_owned(), named: false };
        if !new.file.lock(true)? {
            return Err(PlaceError::Failed("fcntl(F_OFD_SETLK)", io::ErrorKind::WouldBlock.into()));
        }
        new.prepare(mode)?;
        Ok(new)
    }

    /// Where there are no files without a name.
    fn with_another_name(path: &Path, len: u64, mode: u32) -> Result<NewFile, PlaceError> {
        let file = named(&draft_name(path))?;
        let mut new = NewFile { file, len, path: path.to_owned(), named: true };
        if let Err(error) = new.prepare(mode) {
            new.discard();
            return Err(error);
        }
        Ok(new)
    }

    fn prepare(&self, mode: u32) -> Result<(), PlaceError> {
        set_mode(&self.file, mode)?;
        platform::extend(&self.file, 0..self.len)
    }

    /// Makes it longer, by zeros with something behind them.
    ///
    /// # Errors
    ///
    /// [`PlaceError::NoSpace`], [`PlaceError::Failed`].
    pub(crate) fn extend(&mut self, len: u64) -> Result<(), PlaceError> {
        if len > self.len {
            platform::extend(&self.file, self.len..len)?;
            self.len = len;
        }
        Ok(())
    }

    pub(crate) fn file(&self) -> &DiskFile {
        &self.file
    }

    /// Where it will be.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Brings it into view, whole as it is, in place of what has the name, or only if nothing has. After an error it is a
    /// draft as before.
    ///
    /// # Errors
    ///
    /// [`PlaceError::Exists`] if nothing was to have the name, or another maker keeps the draft's; `NotAFile`, `NoDirectory`,
    /// `Denied`, `NoSpace`, `Failed`.
    pub(crate) fn publish(&mut self, must_be_new: bool) -> Result<(), PlaceError> {
        let draft = draft_name(&self.path);
        if !self.named {
            match self.link(&self.path) {
                Err(PlaceError::Exists) if !must_be_new => {}
                done => return done,
            }
        }
        if must_be_new {
            linkat(CWD, &draft, CWD, &self.path, AtFlags::empty()).map_err(|error| not_made("link", error))?;
            let _ = unlink(&draft);
            self.named = false;
            return Ok(());
        }
        let stat = statat(CWD, &self.path, AtFlags::SYMLINK_NOFOLLOW);
        if let Some(kind) = stat.ok().map(|stat| FileType::from_raw_mode(stat.st_mode))
            && !matches!(kind, FileType::RegularFile | FileType::Symlink)
        {
            return Err(PlaceError::NotAFile(kind_of(kind)));
        }
        if !self.named {
            waiting(|| self.link(&draft), || sweep(&draft))?;
            self.named = true;
        }
        rename(&draft, &self.path).map_err(|error| not_made("rename", error))?;
        self.named = false;
        Ok(())
    }

    fn link(&self, path: &Path) -> Result<(), PlaceError> {
        platform::link_nameless(&self.file, path).map_err(|error| not_made("linkat", error))
    }

    /// Has what was written be on the disk.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn sync(&self) -> io::Result<()> {
        platform::sync_file(self.file.file())
    }

    /// Has the name be on the disk.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn sync_name(&self) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        match File::open(directory)?.sync_all() {
            // Some file systems have nothing to do there.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
            done => done,
        }
    }

    /// The file, in view by now.
    pub(crate) fn into_file(self) -> DiskFile {
        self.file
    }

    /// Takes the draft's name away, if it has one. Not for a forked child, whose it is not.
    pub(crate) fn discard(&mut self) {
        if self.named {
            self.named = false;
            let _ = unlink(draft_name(&self.path));
        }
    }
}

/// A new file with this name, locked.
fn named(draft: &Path) -> Result<DiskFile, PlaceError> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let make = || {
        let fd = open(draft, flags, Mode::RUSR | Mode::WUSR).and_then(above_standard);
        let file = DiskFile::of(fd.map_err(|error| not_made("open of a new file", error))?.into());
        // Before it was locked, another could take it for what a dead maker has left.
        if file.lock(true)? && is_at(&file, draft) { Ok(file) } else { Err(PlaceError::Exists) }
    };
    // One who makes the same file has the name as long as it is a draft: that is not waited for.
    match make() {
        Err(PlaceError::Exists) if sweep(draft)? => make(),
        done => done,
    }
}

/// Does it again after a while, as long as something has the name that does not go.
fn waiting(
    mut work: impl FnMut() -> Result<(), PlaceError>,
    mut make_room: impl FnMut() -> Result<bool, PlaceError>,
) -> Result<(), PlaceError> {
    let began = Instant::now();
    loop {
        match work() {
            Err(PlaceError::Exists) => {}
            done => return done,
        }
        if !make_room()? {
            if began.elapsed() > PATIENCE {
                return Err(PlaceError::Exists);
            }
            thread::sleep(Duration::from_micros(200));
        }
    }
}

/// Takes away what a maker that died has left under the name of a draft; false if a living one has it.
fn sweep(draft: &Path) -> Result<bool, PlaceError> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let fd: OwnedFd = match open(draft, flags, Mode::empty()).and_then(above_standard) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(true),
        Err(error) => return Err(refused("open of a draft", error)),
    };
    let left = DiskFile::of(fd.into());
    left.facts()?;
    // What has another name by now is a file in view.
    if !is_at(&left, draft) {
        return Ok(true);
    }
    if !left.lock(true)? {
        return Ok(false);
    }
    // As long as it has the name and this process its lock, nobody else takes the name away.
    if is_at(&left, draft) {
        unlink(draft).map_err(|error| refused("unlink of a draft", error))?;
    }
    left.unlock();
    Ok(true)
}

/// Does the name lead to this very file?
fn is_at(file: &DiskFile, path: &Path) -> bool {
    match (fstat(file), statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)) {
        (Ok(a), Ok(b)) => identity_of(&a) == identity_of(&b),
        _ => false,
    }
}

/// `.NAME.commonage-draft`, in the same directory.
fn draft_name(path: &Path) -> PathBuf {
    const SUFFIX: &str = ".commonage-draft";
    let name = path.file_name().unwrap_or(OsStr::new(""));
    let mut draft = OsString::from(".");
    if name.len() + 1 + SUFFIX.len() <= LONGEST {
        draft.push(name);
    } else {
        let mut hasher = SipHasher13::new();
        name.as_bytes().hash(&mut hasher);
        draft.push(format!("{:016x}", hasher.finish()));
    }
    draft.push(SUFFIX);
    path.with_file_name(draft)
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use super::*;
    use crate::sys::random_u64;

    /// A directory of one's own, removed with all that is in it.
    struct Directory(PathBuf);

    impl Directory {
        fn new() -> Directory {
            let path = env::temp_dir().join(format!("commonage-test-new-{:016x}", random_u64().unwrap()));
            fs::create_dir(&path).unwrap();
            Directory(path)
        }

        fn names(&self) -> Vec<String> {
            let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<String> = names.collect();
            names.sort();
            names
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Without a name, where there are such files, and with another.
    fn both(path: &Path, len: u64, mut with: impl FnMut(NewFile)) {
        with(NewFile::create(path, len, 0o600, false).unwrap());
        with(NewFile::with_another_name(path, len, 0o600).unwrap());
    }

    #[test]
    fn a_file_comes_into_view_whole_and_in_place_of_another_unless_it_must_be_new() {
        let directory = Directory::new();
        let path = directory.0.join("value");
        for (old, must_be_new) in [(false, false), (true, false), (true, true)] {
            both(&path, 5, |mut new| {
                if old {
                    fs::write(&path, "old").unwrap();
                }
                assert_eq!(fs::metadata(&path).is_ok(), old);
                new.extend(6).unwrap();
                if must_be_new {
                    // It is a draft as long as something has its name.
                    assert!(matches!(new.publish(true), Err(PlaceError::Exists)));
                    assert_eq!(fs::read(&path).unwrap(), b"old");
                    fs::remove_file(&path).unwrap();
                }
                new.publish(must_be_new).unwrap();
                assert_eq!(fs::read(&path).unwrap(), [0; 6]);
                new.discard(); // it has no other name any more
                assert_eq!(directory.names(), ["value"]);
                fs::remove_file(&path).unwrap();
            });
        }
    }

    #[test]
    fn a_draft_with_a_name_is_its_maker_s_as_long_as_that_lives() {
        let directory = Directory::new();
        let path = directory.0.join("value");
        let mut new = NewFile::with_another_name(&path, 5, 0o600).unwrap();
        assert_eq!(directory.names(), [".value.commonage-draft"]);
        assert!(matches!(NewFile::with_another_name(&path, 5, 0o600), Err(PlaceError::Exists)));
        new.discard();
        assert!(directory.names().is_empty());
        // One that dies discards nothing.
        drop(NewFile::with_another_name(&path, 5, 0o600).unwrap());
        assert_eq!(directory.names(), [".value.commonage-draft"]);
        let mut new = NewFile::with_another_name(&path, 5, 0o600).unwrap();
        new.publish(false).unwrap();
        assert_eq!(directory.names(), ["value"]);
    }

    #[test]
    fn one_who_needs_the_draft_s_name_waits_for_who_has_it() {
        let directory = Directory::new();
        let path = directory.0.join("value");
        fs::write(&path, "old").unwrap();
        let mut first = NewFile::with_another_name(&path, 5, 0o600).unwrap();
        let mut second = NewFile::create(&path, 6, 0o600, false).unwrap();
        thread::scope(|threads| {
            let published = threads.spawn(move || second.publish(false));
            first.publish(false).unwrap();
            drop(first);
            published.join().unwrap().unwrap();
        });
        assert_eq!(fs::read(&path).unwrap(), [0; 6]);
        assert_eq!(directory.names(), ["value"]);
    }

    #[test]
    fn what_is_no_draft_is_not_taken_away() {
        let directory = Directory::new();
        let path = directory.0.join("value");
        fs::create_dir(directory.0.join(".value.commonage-draft")).unwrap();
        fs::write(&path, "old").unwrap();
        let mut new = NewFile::create(&path, 5, 0o600, false).unwrap();
        assert!(new.publish(false).is_err());
        assert_eq!(directory.names(), [".value.commonage-draft", "value"]);
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }
}

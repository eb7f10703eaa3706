//! Doors of memory without a name: descriptors of other processes.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
        unix::{
            fs::{PermissionsExt, symlink},
            net::UnixStream,
            process::CommandExt,
        },
    },
};

use rustix::{
    fs::{
        CWD, FileType, MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, ftruncate, inotify, memfd_create, mknodat,
        open,
    },
    process::geteuid,
};

use super::*;

const NOBODY: u32 = 65534;

/// What keeps something where it was made.
#[expect(dead_code, reason = "it is there to be dropped")]
pub(super) enum Kept {
    Name(Left),
    Memory(File),
}

pub(super) fn kept(left: Left) -> Kept {
    Kept::Name(left)
}

/// Memory that holds these bytes, and at which door.
pub(super) fn without_a_name(bytes: &[u8]) -> (Door, Kept) {
    let memory = memfd(bytes, bytes.len() as u64, SEALS);
    (door(&memory), Kept::Memory(memory))
}

/// A directory of the test's own that everybody may read; removed on drop.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("commonage-forged-{name}-{}", id()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn door(fd: &impl AsFd) -> Door {
    Door { pid: id(), fd: fd.as_fd().as_raw_fd().cast_unsigned() }
}

fn nothing_but(what: &str, fd: impl AsFd, says: &str) {
    for error in refusals_at(what, Backing::Anonymous, door(&fd), random_id()) {
        says_what_it_is(what, &error, says);
    }
}

/// Sees whether anybody opens a file; opening as a place only does not count.
struct Watch(OwnedFd);

impl Watch {
    fn on(path: &Path) -> Self {
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).unwrap();
        inotify::add_watch(&watch, path, inotify::WatchFlags::OPEN | inotify::WatchFlags::ACCESS).unwrap();
        Watch(watch)
    }

    fn has_seen(&self) -> bool {
        rustix::io::read(&self.0, &mut [0u8; 4096]).is_ok()
    }
}

pub(super) fn other_things_are_not_the_segment() {
    nothing_but("a directory", File::open("/proc").unwrap(), "directory");
    let (reader, writer) = std::io::pipe().unwrap();
    nothing_but("the end of a pipe", &reader, "pipe");
    nothing_but("the other end", &writer, "pipe");
    let (socket, _other) = UnixStream::pair().unwrap();
    nothing_but("a socket", &socket, "socket");
    for device in ["/dev/null", "/dev/zero", "/dev/ptmx", "/dev/tty"] {
        if let Ok(device) = File::options().read(true).write(true).open(device) {
            nothing_but("a device", &device, "device");
        }
    }
}

#[test]
fn what_a_locator_leads_to_is_not_opened() {
    let directory = Directory::new("opened");
    let fifo = directory.0.join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let place = open(&fifo, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let watch = Watch::on(&fifo);
    nothing_but("a pipe that nobody has opened", &place, "pipe");
    assert!(!watch.has_seen(), "the pipe was opened");

    let path = directory.0.join("file");
    fs::write(&path, [0; 4 * PREFIX]).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let watch = Watch::on(&path);
    nothing_but("a file", &file, "the file ");
    assert!(!watch.has_seen(), "the file was opened");
    let link = directory.0.join("memfd:commonage");
    symlink(&path, &link).unwrap();
    nothing_but("a file by a link", File::open(&link).unwrap(), "the file ");

    let (mut master, mut terminal) = (-1, -1);
    let none = std::ptr::null_mut();
    // SAFETY: two descriptors are written to two integers; nothing else is asked for.
    let made = unsafe { libc::openpty(&mut master, &mut terminal, none, none.cast(), none.cast()) };
    assert_eq!(made, 0, "no terminal could be made: {}", std::io::Error::last_os_error());
    {
        // SAFETY: a descriptor that was made just now and is nobody else's.
        let _master = unsafe { OwnedFd::from_raw_fd(master) };
        // SAFETY: as above.
        let terminal = unsafe { OwnedFd::from_raw_fd(terminal) };
        let path = fs::read_link(format!("/proc/self/fd/{}", terminal.as_raw_fd())).unwrap();
        let watch = path.exists().then(|| Watch::on(&path));
        nothing_but("a terminal", &terminal, "terminal");
        assert!(!watch.is_some_and(|watch| watch.has_seen()), "the terminal was opened");
    }
}

fn memfd(content: &[u8], size: u64, seals: SealFlags) -> File {
    let fd = memfd_create("foreign", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&fd, size).unwrap();
    let mut file = File::from(fd);
    file.write_all(content).unwrap();
    fcntl_add_seals(&file, seals).unwrap();
    file
}

const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// Not memory that can be cut short, or that can't be written to.
pub(super) fn other_objects_are_not_the_segment() {
    nothing_but("unsealed", memfd(&[], 1 << 20, SealFlags::empty()), "not sealed");
    nothing_but("against writing", memfd(b"commonag", 1 << 20, SEALS.union(SealFlags::WRITE)), "writing");
}

#[test]
fn a_process_that_may_not_be_looked_into_is_unreachable() {
    let test = "locators::linux::a_process_that_may_not_be_looked_into_is_unreachable";
    match role().as_deref() {
        Some("claim") => {
            for text in env::var(TOKENS).unwrap().split(' ') {
                unreachable_by(text);
            }
        }
        Some("hide") => {
            let token = SharedSlice::<u8>::copy_from(&[1, 2, 3][..]).unwrap().into_token().unwrap();
            let exclusive = SharedSliceMut::<u8>::copy_from(&[1, 2, 3][..]).unwrap().into_token().unwrap();
            // SAFETY: says of this process, a child of the test, that nobody may look into it; no memory is touched.
            let done = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
            assert_eq!(done, 0);
            println!("\n@{token} {exclusive}");
            let _ = std::io::stdin().read(&mut [0]);
        }
        None if geteuid().is_root() => {
            let token = SharedSlice::<u8>::copy_from(&[1, 2, 3][..]).unwrap().into_token().unwrap();
            let exclusive = SharedSliceMut::<u8>::copy_from(&[1, 2, 3][..]).unwrap().into_token().unwrap();
            let directory = Directory::new("nobody");
            let program = directory.0.join("test");
            fs::copy(this_program(), &program).unwrap();
            fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
            let mut command = child(&program, test, "claim");
            command.env(TOKENS, format!("{token} {exclusive}")).uid(NOBODY).gid(NOBODY).current_dir(&directory.0);
            run("as nobody", &mut command);
            assert_eq!(*SharedSlice::<u8>::from_token(&token).unwrap(), [1, 2, 3]);
            assert_eq!(*SharedSliceMut::<u8>::from_token(&exclusive).unwrap(), [1, 2, 3]);
        }
        None => {
            let mut hidden = child(&this_program(), test, "hide").stdin(Stdio::piped()).spawn().unwrap();
            // Kept until it has ended: it goes on writing.
            let mut lines = BufReader::new(hidden.stdout.take().unwrap()).lines().map_while(Result::ok);
            let tokens = lines.find_map(|line| line.strip_prefix('@').map(str::to_owned)).unwrap();
            tokens.split(' ').for_each(unreachable_by);
            drop(hidden.stdin.take());
            ended("hidden", hidden);
            drop(lines);
        }
        Some(other) => panic!("no role {other}"),
    }
}

fn unreachable_by(text: &str) {
    let fields = from_text(text, |bytes| Ok(*OfBlock::parse(bytes)?.fields())).unwrap();
    let token = from_text(text, Token::copy_from).unwrap();
    let error = match fields.kind {
        Kind::Shared => refusal("hidden", SharedSlice::<u8>::from_token, &token),
        Kind::SharedMut => refusal("hidden", SharedSliceMut::<u8>::from_token, &token),
    };
    assert!(matches!(error, Error::Unreachable { pid, .. } if pid == fields.locator.sender.pid), "{error:?}");
}

//! Doors of memory without a name: descriptors of other processes.

use std::{
    fs::File,
    io::{PipeReader, Write},
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
        unix::{
            fs::PermissionsExt,
            net::{UnixListener, UnixStream},
            process::CommandExt,
        },
    },
    path::Path,
};

use rustix::{
    fs::{CWD, FileType, MemfdFlags, Mode, SealFlags, fcntl_add_seals, ftruncate, memfd_create, mknodat},
    process::{DumpableBehavior, geteuid, set_dumpable_behavior},
};

use super::*;

const NOBODY: u32 = 65534;

pub(in crate::segment::tests) fn child(role: &str, told: &Told) -> bool {
    match role {
        // As another user: says what comes of attaching.
        "attach-as-nobody" => {
            become_nobody();
            told.say(&short(attach(&told.locator())));
        }
        // Makes a segment, and can't be looked into.
        "create-hidden" => {
            let segment = create(Backing::Anonymous);
            set_dumpable_behavior(DumpableBehavior::NotDumpable).unwrap();
            assert!(!sys::anonymous_works());
            told.say(&peer::text(&segment.locator()));
            told.hear();
        }
        // As an ordinary user: starts a process, kills it, leaves it a zombie, and tries to attach.
        "zombie-as-nobody" => {
            told.say(&attach_to_a_zombie());
        }
        _ => return false,
    }
    true
}

/// For a process of its own: the whole process becomes another user.
fn become_nobody() {
    // SAFETY: changes the user of this process and nothing else.
    let done = unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) };
    assert_eq!(done, 0);
}

fn attach_to_a_zombie() -> String {
    let mut maker = Peer::start("create");
    maker.say("anonymous");
    let theirs = peer::locator(&maker.hear());
    drop(attach(&theirs).unwrap());
    maker.kill_and_leave();
    short(attach(&theirs))
}

fn door(fd: impl AsFd) -> Door {
    Door { pid: id(), fd: fd.as_fd().as_raw_fd().cast_unsigned() }
}

/// A descriptor of something else.
pub(super) fn door_to_something() -> (Door, PipeReader) {
    let (reader, _writer) = std::io::pipe().unwrap();
    (door(&reader), reader)
}

fn memfd(size: u64, seals: SealFlags) -> File {
    let fd = memfd_create("foreign", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&fd, size).unwrap();
    fcntl_add_seals(&fd, seals).unwrap();
    fd.into()
}

/// What goes with a test.
pub(super) struct Made {
    _name: Option<Left>,
    _memory: Option<File>,
}

/// Makes something of these bytes where there should be a segment, and says at which door.
pub(super) fn make(backing: Backing, id: SegmentId, bytes: &[u8]) -> (Door, Made) {
    if backing == Backing::Named {
        let name = Left::at(of_segment(id), "");
        fs::write(&name.0, bytes).unwrap();
        return (Door { pid: 1, fd: 0 }, Made { _name: Some(name), _memory: None });
    }
    let size = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    let mut memory = memfd(bytes.len() as u64, size);
    memory.write_all(bytes).unwrap();
    (door(&memory), Made { _name: None, _memory: Some(memory) })
}

/// What is found at a wrong door; the same when a door to nowhere comes first or second.
fn found_at(fd: impl AsFd) -> String {
    let nowhere = Door { pid: id(), fd: 1 << 20 };
    let door = door(&fd);
    let pairs = [(door, door), (nowhere, door), (door, nowhere)];
    let found = pairs.map(|(sender, owner)| found_by(&to(Backing::Anonymous, sender, owner)));
    assert!(found.iter().all(|one| *one == found[0]), "{found:?}");
    found.into_iter().next().unwrap()
}

pub(super) fn other_things_are_no_segments() {
    assert_eq!(found_at(File::open("/proc").unwrap()), "a directory");
    let (reader, writer) = std::io::pipe().unwrap();
    assert_eq!(found_at(&reader), "a pipe");
    assert_eq!(found_at(&writer), "a pipe");
    assert!(found_at(File::open("/dev/zero").unwrap()).contains("device"));
    if let Ok(terminal) = File::options().read(true).write(true).open("/dev/ptmx") {
        assert!(found_at(&terminal).contains("terminal"));
    }
    let (socket, _other) = UnixStream::pair().unwrap();
    assert_eq!(found_at(&socket), "a socket");
    // SAFETY: makes a descriptor.
    let event = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    // SAFETY: it was made above, and is nobody else's.
    let event = unsafe { OwnedFd::from_raw_fd(event) };
    assert_eq!(found_at(&event), "no file");

    let path = std::env::temp_dir().join(format!("commonage-test-door-{}", id()));
    fs::write(&path, [0; 2 * PREFIX]).unwrap();
    assert!(found_at(File::open(&path).unwrap()).starts_with("the file "));
    fs::remove_file(&path).unwrap();

    let size = SealFlags::SHRINK | SealFlags::GROW;
    assert!(found_at(memfd(1 << 20, SealFlags::empty())).contains("not sealed"));
    assert!(found_at(memfd(1 << 20, SealFlags::SHRINK | SealFlags::SEAL)).contains("not sealed"));
    assert!(found_at(memfd(1 << 20, size)).contains("not sealed"), "its seals can still change");
    assert!(found_at(memfd(1 << 20, size | SealFlags::WRITE | SealFlags::SEAL)).contains("against writing"));
    assert!(found_at(memfd(1 << 20, size | SealFlags::FUTURE_WRITE | SealFlags::SEAL)).contains("against writing"));
    assert_eq!(found_at(memfd(100, size | SealFlags::SEAL)), "an object of 100 bytes");
}

/// `path` is that of the name.
pub(super) fn names_lead_to_other_things(path: &Path, found: &dyn Fn() -> String) {
    let remove = || fs::remove_file(path).unwrap();
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    assert_eq!(found(), "a pipe");
    remove();
    let socket = UnixListener::bind(path).unwrap();
    assert_eq!(found(), "a socket or a device");
    drop(socket);
    remove();
    fs::write(path, [0; PREFIX]).unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(0o604)).unwrap();
    assert!(found().contains("mode 604"));
    fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    if geteuid().is_root() {
        std::os::unix::fs::chown(path, Some(NOBODY), None).unwrap();
        assert_eq!(found(), "a file of user 65534");
    }
    remove();
}

pub(super) fn memory_of_a_zombie_is_gone() {
    assert_eq!(attach_to_a_zombie(), "gone");
    if geteuid().is_root() {
        // An ordinary user may not look into a zombie; that it is one, everybody may see.
        // Where this program is, such a user may have no access.
        let copy = env::temp_dir().join(format!("commonage-segment-test-{}", sys::process_id()));
        fs::copy(env::current_exe().unwrap(), &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        let mut user = Peer::start_as("zombie-as-nobody", Command::new(&copy).uid(NOBODY).current_dir("/"));
        let heard = user.hear();
        user.end();
        fs::remove_file(&copy).unwrap();
        assert_eq!(heard, "gone");
    }
}

#[test]
fn what_may_not_be_looked_into() {
    if geteuid().is_root() {
        let made = create(Backing::Anonymous);
        let mut other = Peer::start("attach-as-nobody");
        assert_eq!(other.ask(&peer::text(&made.locator())), "unreachable");
        other.end();
    } else {
        let mut hidden = Peer::start("create-hidden");
        let theirs = peer::locator(&hidden.hear());
        let unreachable = attach(&theirs).err().unwrap();
        assert!(matches!(unreachable, Error::Unreachable { pid, .. } if pid == theirs.sender.pid), "{unreachable}");
        assert!(unreachable.to_string().contains("Backing::Named"));
        // Another door may still be open, and one that is shut says more than one that leads nowhere.
        let nowhere = Door { pid: 0, fd: 0 };
        for (sender, owner) in [(theirs.sender, nowhere), (nowhere, theirs.sender)] {
            assert_eq!(short(attach(&Locator { sender, owner, ..theirs })), "unreachable");
        }
        hidden.end();
    }
}

/// Memory without a name is sealed.
pub(super) fn nobody_changes_the_size() {
    let made = create(Backing::Anonymous);
    let Door { fd, .. } = made.locator().sender;
    assert!(fd > 2);
    let file = File::options().read(true).write(true).open(format!("/proc/self/fd/{fd}")).unwrap();
    assert!(file.set_len(0).is_err());
    assert!(file.set_len(1 << 30).is_err());
    assert!(fcntl_add_seals(&file, SealFlags::WRITE).is_err());
}

#[test]
fn not_in_core_dumps() {
    for backing in backings() {
        let made = create(backing);
        let start = format!("{:x}-", made.control().as_ptr().addr());
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let flags = maps.lines().skip_while(|line| !line.starts_with(&start)).find(|line| line.starts_with("VmFlags:"));
        assert!(flags.unwrap().split_whitespace().any(|flag| flag == "dd"), "{flags:?}");
        made.remove_name();
    }
}

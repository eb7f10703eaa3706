//! Doors that lead nowhere, elsewhere, or to what may not be had.

use std::{
    env,
    fs::{self, File},
    io::Write,
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
        unix::{
            fs::{PermissionsExt, symlink},
            net::{UnixListener, UnixStream},
            process::CommandExt,
        },
    },
    path::PathBuf,
    process::{Command, id},
};

use rustix::{
    fs::{CWD, FileType, MemfdFlags, Mode, SealFlags, fcntl_add_seals, ftruncate, memfd_create, mknodat},
    process::{DumpableBehavior, geteuid, set_dumpable_behavior},
};

use super::*;

const NOBODY: u32 = 65534;

pub(super) fn child(role: &str, told: &Told) -> bool {
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

fn short(result: Result<Segment, Error>) -> String {
    match result {
        Ok(_) => "attached".into(),
        Err(Error::Gone { .. }) => "gone".into(),
        Err(Error::Unreachable { .. }) => "unreachable".into(),
        Err(other) => other.to_string(),
    }
}

fn attach_to_a_zombie() -> String {
    let mut maker = Peer::start("create");
    maker.say("anonymous");
    let theirs = peer::locator(&maker.hear());
    drop(attach(&theirs).unwrap());
    maker.kill_and_leave();
    short(attach(&theirs))
}

/// A locator with these two doors for a segment that is nowhere.
fn to(sender: Door, owner: Door) -> Locator {
    Locator { id: SegmentId(0x1234_0000), backing: Backing::Anonymous, sender, owner }
}

fn door(fd: impl AsFd) -> Door {
    Door { pid: id(), fd: fd.as_fd().as_raw_fd().cast_unsigned() }
}

fn memfd(size: u64, seals: SealFlags) -> File {
    let fd = memfd_create("foreign", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&fd, size).unwrap();
    fcntl_add_seals(&fd, seals).unwrap();
    fd.into()
}

/// What is found at a wrong door; the same when a door to nowhere comes first or second.
fn found_at(fd: impl AsFd) -> String {
    let nowhere = Door { pid: id(), fd: 1 << 20 };
    let door = door(&fd);
    let found = [to(door, door), to(nowhere, door), to(door, nowhere)].map(|locator| match attach(&locator) {
        Err(error @ Error::NotTheSegment { .. }) => {
            println!("{error}");
            let Error::NotTheSegment { found, segment, .. } = error else { unreachable!() };
            assert_eq!(segment, locator.id);
            found
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("attached"),
    });
    assert!(found.iter().all(|one| *one == found[0]), "{found:?}");
    found.into_iter().next().unwrap()
}

#[test]
fn what_is_no_segment() {
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
    let mut foreign = memfd(1 << 20, size | SealFlags::SEAL);
    assert_eq!(found_at(&foreign), "0000000000000000");
    foreign.write_all(&[0x77; 4096]).unwrap();
    assert_eq!(found_at(&foreign), "7777777777777777");

    let mut lying = memfd(PREFIX as u64, size | SealFlags::SEAL);
    lying.write_all(&[HEADER[0], HEADER[1], 0x1234_0000].map(u64::to_le_bytes).concat()).unwrap();
    let lies = attach(&to(door(&lying), door(&lying))).err().unwrap();
    assert!(matches!(lies, Error::Corrupt { found, .. } if found == PREFIX as u64), "{lies}");
}

#[test]
fn a_number_that_is_anothers_by_now() {
    let made = create(Backing::Anonymous);
    let (reader, _writer) = std::io::pipe().unwrap();
    let owner = made.locator().owner;
    attach(&Locator { sender: door(&reader), ..made.locator() }).unwrap();
    attach(&Locator { sender: Door { pid: 0, fd: 0 }, ..made.locator() }).unwrap();
    attach(&Locator { owner: door(&reader), ..made.locator() }).unwrap();
    let other = create(Backing::Anonymous);
    attach(&Locator { sender: other.locator().sender, owner, ..made.locator() }).unwrap();
}

#[test]
fn nobody_is_there() {
    let mut dead = Command::new("true").spawn().unwrap();
    let pid = dead.id();
    dead.wait().unwrap();
    for pid in [pid, 0, u32::MAX, i32::MAX as u32] {
        let door = Door { pid, fd: 3 };
        let gone = attach(&to(door, door)).err().unwrap();
        assert!(matches!(gone, Error::Gone { sender, owner, .. } if (sender, owner) == (pid, pid)), "{gone}");
    }
    let closed = Door { pid: id(), fd: 1 << 20 };
    assert_eq!(short(attach(&to(closed, closed))), "gone");
}

#[test]
fn the_sender_has_died_and_the_owner_lives() {
    let made = create(Backing::Anonymous);
    word(&made, CONTROL).store(3, Ordering::Relaxed);
    let mut sender = Peer::start("attach");
    sender.say(&peer::text(&made.locator()));
    let theirs = peer::locator(&sender.hear());
    sender.kill_and_leave();
    assert_eq!(word(&attach(&theirs).unwrap(), CONTROL).load(Ordering::Relaxed), 3);
    drop(sender);
    assert_eq!(word(&attach(&theirs).unwrap(), CONTROL).load(Ordering::Relaxed), 3);
    drop(made);
    // Other tests run in this process: the number may be that of another descriptor by now.
    assert!(matches!(attach(&theirs), Err(Error::Gone { .. } | Error::NotTheSegment { .. })));
}

#[test]
fn a_zombie_is_gone() {
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

#[test]
fn nobody_changes_the_size() {
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

#[test]
fn names_that_lead_elsewhere() {
    let name = |id: u64| PathBuf::from(format!("/dev/shm/commonage-{id:016x}"));
    let found = |id: u64| {
        let door = Door { pid: 1, fd: 0 };
        let locator = Locator { id: SegmentId(id), backing: Backing::Named, sender: door, owner: door };
        match attach(&locator) {
            Err(Error::NotTheSegment { found, .. }) => found,
            Err(error) => error.to_string(),
            Ok(_) => "attached".into(),
        }
    };
    let id = sys::random_u64().unwrap();
    let (path, made) = (name(id), create(Backing::Named));
    let remove = || fs::remove_file(&path).unwrap();

    assert!(found(id).contains("is gone"));
    symlink(name(made.id().0), &path).unwrap();
    assert_eq!(found(id), "a symbolic link");
    remove();
    fs::create_dir(&path).unwrap();
    assert_eq!(found(id), "a directory");
    fs::remove_dir(&path).unwrap();
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    assert_eq!(found(id), "a pipe");
    remove();
    let socket = UnixListener::bind(&path).unwrap();
    assert_eq!(found(id), "a socket or a device");
    drop(socket);
    remove();
    fs::write(&path, [0; PREFIX]).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o604)).unwrap();
    assert!(found(id).contains("mode 604"));
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(found(id), "0000000000000000");
    fs::write(&path, [0; PREFIX - 1]).unwrap();
    assert_eq!(found(id), "an object of 255 bytes");
    if geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(NOBODY), None).unwrap();
        assert_eq!(found(id), "a file of user 65534");
    }
    remove();
    made.remove_name();
}

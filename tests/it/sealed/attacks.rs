//! What browsers try on memory that was given to them: every way to write it, whoever tries, root and the maker included.

use std::{
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    ptr::null_mut,
};

use rustix::{
    fs::{FallocateFlags, Mode, OFlags, fallocate, fchmod, ftruncate, open},
    io::{Errno, pwrite, write},
    mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap, mprotect, munmap},
    param::page_size,
};

use super::*;
use crate::{
    containers::{become_nobody, has_other_users},
    support::Directory,
};

const LEN: usize = 5000;

fn source() -> Vec<u16> {
    (0..LEN).map(|at| (at * 7) as u16).collect()
}

/// The memory's pages, as this process has them mapped.
fn pages(value: &Sealed<[u16]>) -> *mut libc::c_void {
    value.as_ptr().map_addr(|address| address / page_size() * page_size()).cast_mut().cast()
}

/// What none of these calls does.
#[track_caller]
fn fails<R>(what: &str, tried: Result<R, Errno>) {
    let Err(error) = tried else { panic!("{what}: it was done") };
    assert!(matches!(error, Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP), "{what}: {error}");
}

/// Tries to write through a descriptor.
fn through(fd: impl AsFd, size: u64) {
    let fd = fd.as_fd();
    for access in
        [ProtFlags::WRITE, ProtFlags::READ | ProtFlags::WRITE, ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC]
    {
        for flags in [MapFlags::SHARED, MapFlags::SHARED_VALIDATE] {
            // SAFETY: a new mapping, at an address that the kernel chooses.
            fails("mmap", unsafe { mmap(null_mut(), 4096, access, flags, fd, 0) });
        }
    }
    // What may be mapped for reading may not become writable.
    // SAFETY: as above.
    if let Ok(base) = unsafe { mmap(null_mut(), 4096, ProtFlags::READ, MapFlags::SHARED, fd, 0) } {
        // SAFETY: mapped above, and nothing refers into it.
        fails("mprotect", unsafe { mprotect(base, 4096, MprotectFlags::READ | MprotectFlags::WRITE) });
        // SAFETY: as above.
        unsafe { munmap(base, 4096) }.unwrap();
    }
    // A descriptor that is not writable says that it is none.
    let unless_unwritable = |tried: Result<(), Errno>| match tried {
        Err(Errno::BADF | Errno::INVAL) => Err(Errno::PERM),
        tried => tried,
    };
    for size in [0, size - 4096, size - 1, size + 1, size + 4096, 1 << 40] {
        fails("ftruncate", unless_unwritable(ftruncate(fd, size)));
    }
    for at in [0, 128, size - 1, size, size + 4096] {
        fails("pwrite", unless_unwritable(pwrite(fd, b"written", at).map(drop)));
    }
    fails("write", unless_unwritable(write(fd, b"written").map(drop)));
    for flags in [
        FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
        FallocateFlags::ZERO_RANGE,
        FallocateFlags::COLLAPSE_RANGE,
        FallocateFlags::INSERT_RANGE,
    ] {
        fails("fallocate", unless_unwritable(fallocate(fd, flags, 0, 4096)));
    }
    fails("fallocate", unless_unwritable(fallocate(fd, FallocateFlags::empty(), size, 4096)));
    fails("F_ADD_SEALS", fcntl_add_seals(fd, SealFlags::FUTURE_WRITE));
    assert!(fcntl_get_seals(fd).unwrap().contains(ALL));
}

/// Tries everything.
fn attack(value: &Sealed<[u16]>) {
    let file = File::from(value.as_fd().try_clone_to_owned().unwrap());
    let size = file.metadata().unwrap().size();
    through(value, size);
    let path = format!("/proc/self/fd/{}", value.as_fd().as_raw_fd());
    let again = || {
        for flags in [OFlags::RDWR, OFlags::WRONLY, OFlags::RDONLY, OFlags::WRONLY | OFlags::APPEND] {
            match open(&path, flags | OFlags::CLOEXEC, Mode::empty()) {
                Ok(fd) => through(fd, size),
                Err(error) => assert!(error == Errno::ACCESS && flags != OFlags::RDONLY, "{flags:?}: {error}"),
            }
        }
        fails("open", open(&path, OFlags::WRONLY | OFlags::TRUNC | OFlags::CLOEXEC, Mode::empty()));
        assert!(fs::write(&path, b"written").is_err());
    };
    again();
    // Its owner may change who may open it, which is of no use.
    if fchmod(value, Mode::from_raw_mode(0o666)).is_ok() {
        again();
        fchmod(value, Mode::from_raw_mode(0o444)).unwrap();
    }
    let (pages, len) = (pages(value), size as usize);
    for access in [MprotectFlags::WRITE, MprotectFlags::READ | MprotectFlags::WRITE] {
        // SAFETY: the pages of the value, of which nobody takes the right to read, because the call fails.
        fails("mprotect", unsafe { mprotect(pages, len, access) });
    }
    // SAFETY: as above: they are not removed, because the call fails.
    assert!(unsafe { madvise(pages, len, Advice::LinuxRemove) }.is_err());
    // The way of debuggers, which may write where a program may not.
    let own = File::options().write(true).open("/proc/self/mem").unwrap();
    assert!(own.write_all_at(b"written", value.as_ptr().addr() as u64).is_err());
    assert!(*value == source());
}

fn receiver(role: &str) {
    if role == "another user" {
        become_nobody();
    }
    let stream = UnixStream::connect(std::env::var(PATH).unwrap()).unwrap();
    let value = Sealed::<[u16]>::receive_over(&stream).unwrap();
    assert!(value == source());
    attack(&value);
    // What it sends on is the same.
    value.send_over(&stream).unwrap();
}

const PATH: &str = "COMMONAGE_TEST_SOCKET";

fn each_way_fails_for(test: &str, receivers: &[&str]) {
    if let Some(role) = role() {
        return receiver(&role);
    }
    let value = Sealed::<[u16]>::copy_from(&source()).unwrap();
    attack(&value);
    for receiver in receivers {
        let directory = Directory::new();
        let path = format!("{}/socket", directory.0);
        let listener = UnixListener::bind(&path).unwrap();
        open_to_all(&directory.0);
        open_to_all(&path);
        let receiver = child(test, receiver).env(PATH, &path).spawn();
        let (stream, _) = listener.accept().unwrap();
        value.send_over(&stream).unwrap();
        let back = Sealed::<[u16]>::receive_over(&stream);
        receiver.success();
        assert!(back.unwrap() == source() && value == source());
    }
}

fn open_to_all(path: impl AsRef<Path>) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
}

#[test]
fn nobody_writes_a_value_its_maker_and_its_receiver_as_little_as_root() {
    each_way_fails_for(
        "sealed::attacks::nobody_writes_a_value_its_maker_and_its_receiver_as_little_as_root",
        &["receiver"],
    );
}

#[test]
fn another_user_is_given_a_value_and_can_not_write_it() {
    const TEST: &str = "sealed::attacks::another_user_is_given_a_value_and_can_not_write_it";
    if role().is_none() && !has_other_users() {
        println!("{TEST}: skipped, only root can be another user");
        return;
    }
    each_way_fails_for(TEST, &["another user"]);
}

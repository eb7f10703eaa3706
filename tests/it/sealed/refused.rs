//! Descriptors that are no sealed value's. Each is refused for a reason that says what it is, and closed.

use std::{io::pipe, os::unix::net::UnixStream, ptr::null_mut};

use rustix::{
    event::{EventfdFlags, eventfd},
    fs::{FallocateFlags, Mode, OFlags, fallocate, ftruncate, open},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

use super::*;
use crate::support::Directory;

/// A value's memory, whole and sealed but for what `change` does.
fn image() -> Vec<u8> {
    image_of(&Sealed::<[u32]>::from_fn(10_000, |at| at as u32).unwrap())
}

#[track_caller]
fn refused(fd: impl Into<OwnedFd>) -> DescriptorFault {
    let fd = fd.into();
    let (number, before) = (fd.as_raw_fd(), open_here());
    let fault = fault(Sealed::<[u32]>::try_from(fd));
    assert_eq!(open_here(), before - 1, "descriptor {number} has been closed, and nothing else is open");
    fault
}

fn not_memory(found: &str) -> DescriptorFault {
    DescriptorFault::NotMemory { found: found.to_owned() }
}

#[test]
fn what_is_no_memory_is_refused_by_its_name() {
    const TEST: &str = "sealed::refused::what_is_no_memory_is_refused_by_its_name";
    alone(TEST, || {
        let directory = Directory::new();
        let of = |path: &str, flags| open(path, flags | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let read = OFlags::RDONLY;
        assert_eq!(refused(of("/", read)), not_memory("a directory"));
        assert_eq!(refused(of("/proc/self/exe", read)), not_memory("a file"));
        assert_eq!(refused(of("/proc/self/status", read)), not_memory("a file"));
        assert_eq!(refused(of("/dev/zero", OFlags::RDWR)), not_memory("a terminal or another character device"));
        assert_eq!(refused(of("/dev/null", read)), not_memory("a terminal or another character device"));
        let (reading, writing) = pipe().unwrap();
        assert_eq!(refused(reading), not_memory("a pipe"));
        assert_eq!(refused(writing), not_memory("a pipe"));
        let (socket, _other) = UnixStream::pair().unwrap();
        assert_eq!(refused(socket), not_memory("a socket"));
        assert_eq!(refused(eventfd(0, EventfdFlags::CLOEXEC).unwrap()), not_memory("something that has no kind"));
        // The bytes of a value in files that have a name, on disk and in memory.
        let path = format!("{}/image", directory.0);
        fs::write(&path, image()).unwrap();
        let kept_on = refused(File::open(&path).unwrap());
        assert!([not_memory("a file"), not_memory("a file that has a name")].contains(&kept_on), "{kept_on:?}");
        let in_memory = Directory::within(std::path::Path::new("/dev/shm"));
        let path = format!("{}/image", in_memory.0);
        fs::write(&path, image()).unwrap();
        assert_eq!(refused(File::open(&path).unwrap()), not_memory("a file that has a name"));
        // Even where the name is gone.
        let file = File::open(&path).unwrap();
        fs::remove_file(path).unwrap();
        let missing = DescriptorFault::Unsealed { missing: "write, shrink".into(), found: "seal".into() };
        assert_eq!(refused(file), missing);
    });
}

#[test]
fn a_descriptor_that_can_not_be_read_is_refused() {
    const TEST: &str = "sealed::refused::a_descriptor_that_can_not_be_read_is_refused";
    alone(TEST, || {
        let value = memfd(&image(), ALL);
        let path = format!("/proc/self/fd/{}", value.as_raw_fd());
        let place = open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
        assert_eq!(refused(place), not_memory("a path (O_PATH)"));
        let write = open(&path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        assert_eq!(refused(write), not_memory("a descriptor for writing only"));
        let read = open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        assert_eq!(Sealed::<[u32]>::try_from(read).unwrap()[9_999], 9_999);
    });
}

#[test]
fn a_memfd_that_lacks_a_seal_is_refused() {
    const TEST: &str = "sealed::refused::a_memfd_that_lacks_a_seal_is_refused";
    alone(TEST, || {
        let unsealed =
            |missing: &str, found: &str| DescriptorFault::Unsealed { missing: missing.into(), found: found.into() };
        let (write, shrink) = (SealFlags::WRITE, SealFlags::SHRINK);
        let image = image();
        assert_eq!(refused(memfd(&image, SealFlags::empty())), unsealed("write, shrink", "none"));
        assert_eq!(refused(memfd(&image, ALL - write)), unsealed("write", "shrink, grow, seal"));
        assert_eq!(refused(memfd(&image, ALL - shrink)), unsealed("shrink", "write, grow, seal"));
        assert_eq!(refused(memfd_create("no seals", MemfdFlags::CLOEXEC).unwrap()), unsealed("write, shrink", "seal"));
        assert_eq!(Sealed::<[u32]>::try_from(memfd(&image, write | shrink)).unwrap().len(), 10_000);

        // Sealed against what is to come, and written through a mapping that was there before.
        let fd = memfd(&image, SealFlags::empty());
        let mapping = Mapping::of(&fd, image.len());
        fcntl_add_seals(&fd, SealFlags::FUTURE_WRITE | shrink | SealFlags::GROW | SealFlags::SEAL).unwrap();
        assert_eq!(refused(fd), unsealed("write", "future write, shrink, grow, seal"));
        drop(mapping);
    });
}

/// Writable.
struct Mapping(*mut libc::c_void, usize);

impl Mapping {
    fn of(fd: &OwnedFd, len: usize) -> Self {
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let base = unsafe { mmap(null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, fd, 0) };
        Mapping(base.unwrap(), len)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `of`, and nothing refers into it.
        unsafe { munmap(self.0, self.1) }.unwrap();
    }
}

#[test]
fn what_its_sender_has_not_sealed_is_sealed_by_its_receiver_unless_it_is_mapped_writable() {
    const TEST: &str =
        "sealed::refused::what_its_sender_has_not_sealed_is_sealed_by_its_receiver_unless_it_is_mapped_writable";
    alone(TEST, || {
        let image = image();
        let fd = memfd(&image, SealFlags::empty());
        let sent = fd.try_clone().unwrap();
        let value = Sealed::<[u32]>::seal(sent).unwrap();
        assert_eq!((value[77], fcntl_get_seals(&fd).unwrap() & ALL), (77, ALL));
        // What is sealed already is taken, too, though it can have no more seals.
        let enough = SealFlags::WRITE | SealFlags::SHRINK;
        for seals in [ALL, enough, enough | SealFlags::SEAL] {
            assert_eq!(Sealed::<[u32]>::seal(memfd(&image, seals)).unwrap(), value);
        }

        let fd = memfd(&image, SealFlags::empty());
        let mapping = Mapping::of(&fd, image.len());
        let before = open_here();
        assert_eq!(fault(Sealed::<[u32]>::seal(fd.try_clone().unwrap())), DescriptorFault::Writable);
        assert_eq!(open_here(), before);
        drop(mapping);
        assert_eq!(Sealed::<[u32]>::seal(fd).unwrap(), value);

        // What can't be sealed.
        let barred = memfd(&image, SealFlags::SEAL);
        let unsealed = DescriptorFault::Unsealed { missing: "write, shrink".into(), found: "seal".into() };
        assert_eq!(fault(Sealed::<[u32]>::seal(barred)), unsealed);
        let fd = memfd(&image, SealFlags::empty());
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let read_only = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let unsealed = DescriptorFault::Unsealed { missing: "write, shrink".into(), found: "none".into() };
        assert_eq!(fault(Sealed::<[u32]>::seal(read_only)), unsealed);
        let (pipe, _writing) = pipe().unwrap();
        assert_eq!(fault(Sealed::<[u32]>::seal(pipe.into())), not_memory("a pipe"));
        assert_eq!(
            fault(Sealed::<[u32]>::seal(memfd(b"", SealFlags::empty()))),
            DescriptorFault::TooShort { size: 0, needed: 48 }
        );
    });
}

#[test]
fn a_file_that_is_shorter_than_it_says_is_refused_at_every_length() {
    const TEST: &str = "sealed::refused::a_file_that_is_shorter_than_it_says_is_refused_at_every_length";
    alone(TEST, || {
        let image = image();
        for len in [0, 1, 47, 48, 127, 128, 129, 4095, 4096, 4097, 40_127] {
            let expected = if len < 48 { 48 } else { 40_128 };
            let fault = refused(memfd(&image[..len], ALL));
            assert_eq!(fault, DescriptorFault::TooShort { size: len as u64, needed: expected });
        }
        assert_eq!(Sealed::<[u32]>::try_from(memfd(&image[..40_128], ALL)).unwrap()[9_999], 9_999);
        let more = [&image[..], &[0xff; 100_000]].concat();
        assert_eq!(Sealed::<[u32]>::try_from(memfd(&more, ALL)).unwrap()[9_999], 9_999);
    });
}

#[test]
fn a_file_with_a_hole_is_refused_also_if_it_has_as_much_memory_elsewhere() {
    const TEST: &str = "sealed::refused::a_file_with_a_hole_is_refused_also_if_it_has_as_much_memory_elsewhere";
    alone(TEST, || {
        let size = 10 * 4096;
        let image = image();
        assert_eq!(image.len(), size);
        let sparse = |backed| DescriptorFault::Sparse { size: size as u64, backed };
        let with_a_hole = || {
            let fd = memfd(&image, SealFlags::empty());
            fallocate(&fd, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 3 * 4096, 2 * 4096).unwrap();
            fd
        };
        let fd = with_a_hole();
        fcntl_add_seals(&fd, ALL).unwrap();
        assert_eq!(refused(fd), sparse(8 * 4096));
        // Memory behind its end.
        let fd = with_a_hole();
        fallocate(&fd, FallocateFlags::KEEP_SIZE, size as u64, 2 * 4096).unwrap();
        fcntl_add_seals(&fd, ALL).unwrap();
        assert_eq!(refused(fd), sparse(3 * 4096));
        // Nothing but a header.
        let fd = memfd(&image[..128], SealFlags::empty());
        ftruncate(&fd, size as u64).unwrap();
        fcntl_add_seals(&fd, ALL).unwrap();
        assert_eq!(refused(fd), sparse(4096));
        // A hole behind the value is nobody's.
        let fd = memfd(&image, SealFlags::empty());
        ftruncate(&fd, 100 * size as u64).unwrap();
        fcntl_add_seals(&fd, ALL).unwrap();
        assert_eq!(Sealed::<[u32]>::try_from(fd).unwrap()[9_999], 9_999);
    });
}

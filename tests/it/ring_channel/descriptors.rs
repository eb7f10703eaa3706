//! Descriptors that are not the ends of a channel: each an error that says what is wrong, and none of them is kept.

use std::{
    fs::File,
    io::Write,
    net::{TcpListener, TcpStream},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::FileExt,
        unix::net::{UnixDatagram, UnixStream},
    },
};

use commonage::{
    DescriptorFault, Error, HugePages, RingFault,
    ring::{self, Fds, Options, Receiver, Sender},
};
use rustix::{
    event::{EventfdFlags, eventfd},
    fs::{
        CWD, FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags, fallocate, fcntl_add_seals, ftruncate, memfd_create,
        open, openat,
    },
    io::{FdFlags, fcntl_getfd, fcntl_setfd},
    pipe::pipe,
};

use super::{alone, descriptors};

const SIZE: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);

/// A memfd with these bytes and seals, of which so many bytes are backed.
fn memory(len: u64, backed: u64, seals: SealFlags) -> OwnedFd {
    let fd = memfd_create("commonage-test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&fd, len).unwrap();
    File::from(fd.try_clone().unwrap()).write_all_at(&vec![0; backed as usize], 0).unwrap();
    fcntl_add_seals(&fd, seals).unwrap();
    fd
}

fn fds() -> Fds {
    let (sender, receiver) = ring::channel::<u64>(1000).unwrap();
    drop(receiver);
    sender.into_fds().unwrap()
}

/// What is wrong with an end of this memory, whichever of the two it is taken for.
#[track_caller]
fn fault(of: impl Fn() -> Fds) -> DescriptorFault {
    let before = descriptors();
    let sender = Sender::<u64>::from_fds(of()).unwrap_err();
    let receiver = Receiver::<u64>::from_fds(of()).unwrap_err();
    assert_eq!(descriptors(), before, "none is kept");
    match (sender, receiver) {
        (Error::Descriptor(fault), Error::Descriptor(same)) if fault == same => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_memory_is_no_ring() {
    alone("ring_channel::descriptors::what_is_no_memory_is_no_ring", || {
        let executable = std::env::current_exe().unwrap();
        let path = |flags| openat(CWD, "/proc/self/exe", flags, Mode::empty()).unwrap();
        let kinds: [(&str, &dyn Fn() -> OwnedFd); 8] = [
            ("a directory", &|| File::open("/").unwrap().into()),
            ("a pipe", &|| pipe().unwrap().0),
            ("a socket", &|| UnixStream::pair().unwrap().0.into()),
            ("character device", &|| File::open("/dev/null").unwrap().into()),
            ("a file", &|| File::open(&executable).unwrap().into()),
            ("O_PATH", &|| path(OFlags::PATH)),
            ("no kind", &|| eventfd(0, EventfdFlags::CLOEXEC).unwrap()),
            ("no kind", &|| rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC).unwrap()),
        ];
        for (kind, make) in kinds {
            match fault(|| Fds { memory: make(), ..fds() }) {
                DescriptorFault::NotMemory { found } => assert!(found.contains(kind), "{kind}: {found}"),
                other => panic!("{kind}: {other}"),
            }
        }
        // A file of the file system that memfds lie in, too: it has seals, but not these.
        let named = || open("/dev/shm", OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, Mode::RWXU).unwrap();
        match fault(|| Fds { memory: named(), ..fds() }) {
            DescriptorFault::Unsealed { missing, .. } => assert!(missing.contains("grow"), "{missing}"),
            other => panic!("{other}"),
        }
    });
}

#[test]
fn memory_that_is_not_as_a_rings_has_to_be_is_no_ring() {
    alone("ring_channel::descriptors::memory_that_is_not_as_a_rings_has_to_be_is_no_ring", || {
        let of = |len, backed, seals| fault(|| Fds { memory: memory(len, backed, seals), ..fds() });
        for (seals, lacks) in [
            (SealFlags::empty(), "grow"),
            (SealFlags::GROW, "shrink"),
            (SealFlags::SHRINK | SealFlags::SEAL, "grow"),
            (SealFlags::WRITE, "shrink"),
        ] {
            match of(8192, 8192, seals) {
                DescriptorFault::Unsealed { missing, .. } => assert!(missing.contains(lacks), "{seals:?}: {missing}"),
                other => panic!("{seals:?}: {other}"),
            }
        }
        assert_eq!(of(8192, 8192, SIZE | SealFlags::WRITE), DescriptorFault::WriteSealed);
        assert_eq!(of(8192, 8192, SIZE | SealFlags::FUTURE_WRITE), DescriptorFault::WriteSealed);
        assert_eq!(of(0, 0, SIZE), DescriptorFault::TooShort { size: 0, needed: 520 });
        assert_eq!(of(519, 519, SIZE), DescriptorFault::TooShort { size: 519, needed: 520 });
        assert_eq!(of(8192, 0, SIZE), DescriptorFault::Sparse { size: 8192, backed: 0 });
        assert_eq!(of(1 << 50, 4096, SIZE), DescriptorFault::Sparse { size: 1 << 50, backed: 4096 });
        // Memory behind the end, and a hole before it.
        let beside = || {
            let fd = memfd_create("commonage-test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
            ftruncate(&fd, 8192).unwrap();
            fallocate(&fd, FallocateFlags::KEEP_SIZE, 8192, 8192).unwrap();
            fcntl_add_seals(&fd, SIZE).unwrap();
            Fds { memory: fd, ..fds() }
        };
        assert_eq!(fault(beside), DescriptorFault::Sparse { size: 8192, backed: 0 });
        // The seals and the size are all that counts: it need not have been made by this crate.
        let made = || Fds { memory: memory(8192, 8192, SIZE), ..fds() };
        assert_eq!(Sender::<u64>::from_fds(made()).unwrap().capacity(), 512);
        // A description that can't be written to.
        let read_only = || {
            let memory = memory(8192, 8192, SIZE);
            let number = std::os::fd::AsRawFd::as_raw_fd(&memory);
            openat(CWD, format!("/proc/self/fd/{number}"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap()
        };
        let refused = Sender::<u64>::from_fds(Fds { memory: read_only(), ..fds() }).unwrap_err();
        assert!(matches!(refused, Error::Os { operation: "mmap", .. }), "{refused}");
    });
}

#[test]
fn what_is_no_stream_socket_is_no_end_of_a_channel() {
    alone("ring_channel::descriptors::what_is_no_stream_socket_is_no_end_of_a_channel", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let kinds: [(&str, &dyn Fn() -> OwnedFd); 5] = [
            ("a directory", &|| File::open("/").unwrap().into()),
            ("a pipe", &|| pipe().unwrap().0),
            ("a file", &|| memory(8192, 8192, SIZE)),
            ("family 1 and type 2", &|| UnixDatagram::pair().unwrap().0.into()),
            ("family 2 and type 1", &|| TcpStream::connect(listener.local_addr().unwrap()).unwrap().into()),
        ];
        for (kind, make) in kinds {
            match fault(|| Fds { socket: make(), ..fds() }) {
                DescriptorFault::NotASocket { found } => assert!(found.contains(kind), "{kind}: {found}"),
                other => panic!("{kind}: {other}"),
            }
        }
    });
}

#[test]
fn a_socket_that_nobody_is_at_the_other_end_of_is_a_channel_that_has_ended() {
    let socket =
        || rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM, None).unwrap();
    let mut sender = Sender::<u64>::from_fds(Fds { socket: socket(), ..fds() }).unwrap();
    assert!(sender.is_closed());
    assert_eq!(sender.push(1), Err(ring::RingError::Closed));
    let mut receiver = Receiver::<u64>::from_fds(Fds { socket: socket(), ..fds() }).unwrap();
    assert_eq!(receiver.pop(), Err(ring::RingError::Closed));
}

#[test]
fn both_sides_agree_on_what_the_elements_are() {
    let (sender, _receiver) = ring::channel::<u64>(1000).unwrap();
    let refused = Sender::<i64>::from_fds(sender.into_fds().unwrap()).unwrap_err();
    assert!(matches!(refused, Error::Ring(RingFault::Kind { .. })), "{refused}");
}

#[test]
fn an_end_is_not_received_as_the_other_nor_is_anything_else() {
    alone("ring_channel::descriptors::an_end_is_not_received_as_the_other_nor_is_anything_else", || {
        let (here, there) = UnixStream::pair().unwrap();
        let (sender, mut receiver) = ring::channel::<u64>(1000).unwrap();
        let before = descriptors();
        sender.send_over(&here).unwrap();
        let refused = Receiver::<u64>::receive_over(&there).unwrap_err();
        assert!(matches!(refused, Error::Descriptor(DescriptorFault::Message { .. })), "{refused}");
        assert_eq!(descriptors(), before - 2, "what came is closed");
        assert_eq!(receiver.pop(), Err(ring::RingError::Closed));
        std::io::Write::write_all(&mut &here, b"sixteen bytes ok").unwrap();
        let refused = Receiver::<u64>::receive_over(&there).unwrap_err();
        assert!(matches!(refused, Error::Descriptor(DescriptorFault::Message { .. })), "{refused}");
        drop(here);
        let refused = Sender::<u64>::receive_over(&there).unwrap_err();
        assert!(matches!(refused, Error::Descriptor(DescriptorFault::Closed)), "{refused}");
    });
}

#[test]
fn the_descriptors_of_a_channel_are_not_inherited_and_are_no_standard_ones() {
    alone("ring_channel::descriptors::the_descriptors_of_a_channel_are_not_inherited_and_are_no_standard_ones", || {
        // SAFETY: this process's standard input, which nothing here reads.
        unsafe { rustix::io::close(0) };
        let (sender, receiver) = ring::channel::<u64>(1000).unwrap();
        let check = |fd: std::os::fd::BorrowedFd<'_>| {
            assert!(fd.as_raw_fd() > 2);
            assert_eq!(fcntl_getfd(fd).unwrap(), FdFlags::CLOEXEC);
        };
        for fd in [sender.as_fd(), receiver.as_fd(), sender.fds().unwrap().memory, receiver.fds().unwrap().memory] {
            check(fd);
        }
        let fds = sender.into_fds().unwrap();
        // As standard input, whatever it came as.
        let socket = rustix::io::dup(&fds.socket).unwrap();
        assert_eq!(socket.as_raw_fd(), 0);
        let sender = Sender::<u64>::from_fds(Fds { socket, ..fds }).unwrap();
        check(sender.as_fd());
    });
}

#[test]
fn huge_pages_are_taken_only_if_they_are_asked_for() {
    let options = Options::new().huge_pages(HugePages::Default);
    let (sender, _receiver) = match options.channel::<u64>(1000) {
        Ok(channel) => channel,
        // There are none here: an error, and no signal.
        Err(Error::NoSpace { .. } | Error::Os { operation: "memfd_create", .. }) => return,
        Err(error) => panic!("{error}"),
    };
    let refused = Sender::<u64>::from_fds(sender.into_fds().unwrap()).unwrap_err();
    assert!(matches!(refused, Error::Descriptor(DescriptorFault::HugePages)), "{refused}");
}

#[test]
fn a_ring_that_can_not_be_had_is_an_error() {
    alone("ring_channel::descriptors::a_ring_that_can_not_be_had_is_an_error", || {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = |what, to| setrlimit(what, Rlimit { current: Some(to), ..getrlimit(what) }).unwrap();
        assert!(matches!(ring::channel::<u64>(usize::MAX).unwrap_err(), Error::TooLarge { .. }));
        assert!(matches!(ring::channel::<u64>(1 << 50).unwrap_err(), Error::NoSpace { .. }));
        let refused = Options::new().name("no\0name").channel::<u64>(1).unwrap_err();
        assert!(matches!(refused, Error::Os { operation: "memfd_create", .. }), "{refused}");
        let (sender, _receiver) = Options::new().name("a name").lock_in_memory(true).channel::<u64>(1).unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        assert!(maps.contains("/memfd:a name"), "{maps}");
        drop(sender);
        limit(Resource::Fsize, 1 << 16);
        let refused = ring::channel::<u64>(1 << 16).unwrap_err();
        assert!(matches!(refused, Error::NoSpace { available: 65536, .. }), "{refused}");
        ring::channel::<u64>(1000).unwrap();
        limit(Resource::Nofile, descriptors() as u64);
        let refused = ring::channel::<u64>(1000).unwrap_err();
        assert!(matches!(refused, Error::Os { .. }), "{refused}");
    });
}

#[test]
fn a_descriptor_of_the_sending_process_that_comes_unasked_is_closed() {
    alone("ring_channel::descriptors::a_descriptor_of_the_sending_process_that_comes_unasked_is_closed", || {
        let (here, there) = UnixStream::pair().unwrap();
        for option in [libc::SO_PASSCRED, libc::SO_PASSPIDFD] {
            let (on, len) = (1i32, size_of::<i32>() as libc::socklen_t);
            // SAFETY: a number of this size is there to be read. Before Linux 6.5 the second is not known.
            let _ =
                unsafe { libc::setsockopt(there.as_raw_fd(), libc::SOL_SOCKET, option, (&raw const on).cast(), len) };
        }
        let before = descriptors();
        for _ in 0..3 {
            let (_sender, receiver) = ring::channel::<u64>(4).unwrap();
            receiver.send_over(&here).unwrap();
            drop(Receiver::<u64>::receive_over(&there).unwrap());
            // Without an end, too.
            (&here).write_all(b"something else..").unwrap();
            Receiver::<u64>::receive_over(&there).unwrap_err();
        }
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn an_end_that_was_inherited_by_this_program_is_not_inherited_by_the_next() {
    let (sender, _receiver) = ring::channel::<u64>(4).unwrap();
    let fds = sender.into_fds().unwrap();
    for fd in [&fds.memory, &fds.socket] {
        fcntl_setfd(fd, FdFlags::empty()).unwrap();
    }
    let fds = Sender::<u64>::from_fds(fds).unwrap().into_fds().unwrap();
    for fd in [&fds.memory, &fds.socket] {
        assert_eq!(fcntl_getfd(fd), Ok(FdFlags::CLOEXEC));
    }
}

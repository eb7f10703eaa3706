//! Peers that are strange, hostile, dead, or short of something.

use std::{
    io::{BufReader, ErrorKind, Write},
    os::unix::net::{UnixListener, UnixStream},
    time::Duration,
};

use rustix::{
    fs::ftruncate,
    io::pwrite,
    mm::{MapFlags, ProtFlags, mmap},
};

use super::*;
use crate::support::{Directory, Running, WATCHDOG, said};

const PATH: &str = "COMMONAGE_TEST_SOCKET";

/// A child in `role`, and a stream to it.
fn peer(test: &str, role: &str) -> (Running, UnixStream, Directory) {
    let directory = Directory::new();
    let path = format!("{}/socket", directory.0);
    let listener = UnixListener::bind(&path).unwrap();
    let child = child(test, role).env(PATH, &path).spawn();
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(WATCHDOG)).unwrap();
    (child, stream, directory)
}

/// The stream to the parent.
fn parent() -> UnixStream {
    UnixStream::connect(std::env::var(PATH).unwrap()).unwrap()
}

#[test]
fn a_value_outlives_its_sender_that_is_killed() {
    const TEST: &str = "sealed::peers::a_value_outlives_its_sender_that_is_killed";
    if role().is_some() {
        let sent = Sealed::<[u64]>::from_fn(100_000, |at| at as u64).unwrap();
        sent.send_over(&parent()).unwrap();
        loop {
            std::thread::park();
        }
    }
    let (sender, stream, _directory) = peer(TEST, "sender");
    let value = Sealed::<[u64]>::receive_over(&stream).unwrap();
    sender.kill();
    assert_eq!(value.iter().sum::<u64>(), 100_000 * 99_999 / 2);
    assert_eq!(fault(Sealed::<[u64]>::receive_over(&stream)), DescriptorFault::Closed);
}

/// It made the memory itself, to have it as it likes.
#[test]
fn a_sender_that_keeps_trying_to_write_changes_nothing() {
    const TEST: &str = "sealed::peers::a_sender_that_keeps_trying_to_write_changes_nothing";
    if role().is_some() {
        let fd = memfd(&image_of(&Sealed::<str>::new(&"§".repeat(50_000)).unwrap()), ALL);
        let value = Sealed::<str>::try_from(fd.try_clone().unwrap()).unwrap();
        value.send_over(&parent()).unwrap();
        println!("\nbegins to try");
        loop {
            let bad = [0xff; 4096];
            for at in 0..20 {
                assert!(pwrite(&fd, &bad, at * 4096).is_err());
                assert!(ftruncate(&fd, at * 4096).is_err());
            }
            // SAFETY: a new mapping, at an address that the kernel chooses.
            assert!(unsafe { mmap(std::ptr::null_mut(), 4096, ProtFlags::WRITE, MapFlags::SHARED, &fd, 0) }.is_err());
        }
    }
    let (mut sender, stream, _directory) = peer(TEST, "sender");
    let value = Sealed::<str>::receive_over(&stream).unwrap();
    let mut out = BufReader::new(sender.child().stdout.take().unwrap());
    assert_eq!(said(&mut out, "begins to"), "try");
    for _ in 0..300 {
        assert!(value.chars().count() == 50_000 && value.chars().all(|letter| letter == '§'));
    }
    let ended = sender.child().try_wait().unwrap();
    assert!(ended.is_none(), "it has got through: {ended:?}");
    sender.kill();
}

#[test]
fn what_is_no_frame_is_an_error_that_says_what_came() {
    const TEST: &str = "sealed::peers::what_is_no_frame_is_an_error_that_says_what_came";
    alone(TEST, || {
        let before = open_here();
        let (mut here, there) = UnixStream::pair().unwrap();
        here.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let refused = Sealed::<str>::receive_over(&there).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "descriptor: a sealed value expected, something else, which begins with 0x20544547, came"
        );
        drop((here, there));
        let (here, there) = UnixStream::pair().unwrap();
        here.shutdown(std::net::Shutdown::Both).unwrap();
        assert_eq!(fault(Sealed::<str>::receive_over(&there)), DescriptorFault::Closed);
        drop((here, there));
        let (_here, there) = UnixStream::pair().unwrap();
        there.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let Err(Error::Os { source, .. }) = Sealed::<str>::receive_over(&there) else { panic!("nothing was sent") };
        assert_eq!(source.kind(), ErrorKind::WouldBlock);
        drop((_here, there));
        assert_eq!(open_here(), before);
    });
}

#[test]
fn a_stream_goes_on_with_other_bytes_before_and_behind_a_value() {
    let (mut here, mut there) = UnixStream::pair().unwrap();
    let value = Sealed::<[u8]>::copy_from(&[1, 2]).unwrap();
    for _ in 0..3 {
        here.write_all(b"before").unwrap();
        value.send_over(&here).unwrap();
        value.send_over(&here).unwrap();
    }
    for _ in 0..3 {
        let mut before = [0; 6];
        std::io::Read::read_exact(&mut there, &mut before).unwrap();
        assert_eq!(&before, b"before");
        assert_eq!(Sealed::<[u8]>::receive_over(&there).unwrap(), value);
        assert_eq!(Sealed::<[u8]>::receive_over(&there).unwrap(), value);
    }
}

#[test]
fn a_receiver_that_is_gone_is_an_error_and_no_signal() {
    const TEST: &str = "sealed::peers::a_receiver_that_is_gone_is_an_error_and_no_signal";
    alone(TEST, || {
        // As programs that are not Rust's begin.
        // SAFETY: nothing handles the signal, or is told of it.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let (here, there) = UnixStream::pair().unwrap();
        drop(there);
        let Err(Error::Os { operation, source }) = Sealed::copy_from("x").unwrap().send_over(&here) else {
            panic!("nobody is there");
        };
        assert_eq!((operation, source.kind()), ("sendmsg", ErrorKind::BrokenPipe));
    });
}

#[test]
fn without_a_number_for_it_a_descriptor_is_an_error_and_the_next_one_comes() {
    const TEST: &str = "sealed::peers::without_a_number_for_it_a_descriptor_is_an_error_and_the_next_one_comes";
    alone(TEST, || {
        let (here, there) = UnixStream::pair().unwrap();
        let value = Sealed::copy_from("x").unwrap();
        (0..2).for_each(|_| value.send_over(&here).unwrap());
        // What is open before a directory is listed is there, and the listing.
        let highest = value.as_fd().as_raw_fd().max(there.as_raw_fd()) as libc::rlim_t + 1;
        let before = open_here();
        let limit = |rlim_cur| {
            let limit = libc::rlimit { rlim_cur, rlim_max: 1000 };
            // SAFETY: a limit of this process's own, read by the call.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
        };
        let mut plugs = Vec::new();
        limit(highest);
        while let Ok(plug) = File::open("/dev/null") {
            plugs.push(plug);
        }
        let refused = Sealed::<str>::receive_over(&there);
        assert!(Sealed::copy_from("y").is_err());
        limit(1000);
        let Err(Error::Os { operation: "recvmsg", source }) = refused else { panic!("{refused:?}") };
        assert_eq!(source.raw_os_error(), Some(libc::EMFILE));
        drop(plugs);
        assert_eq!(open_here(), before);
        assert_eq!(*Sealed::<str>::receive_over(&there).unwrap(), *"x");
    });
}

#[test]
fn no_value_is_taken_for_standard_input() {
    const TEST: &str = "sealed::peers::no_value_is_taken_for_standard_input";
    alone(TEST, || {
        let (here, there) = UnixStream::pair().unwrap();
        // SAFETY: nothing in this process reads from it.
        unsafe { libc::close(0) };
        let value = Sealed::copy_from("x").unwrap();
        value.send_over(&here).unwrap();
        let received = Sealed::<str>::receive_over(&there).unwrap();
        assert!(value.as_fd().as_raw_fd() > 2 && received.as_fd().as_raw_fd() > 2);
    });
}

#[test]
fn more_than_there_is_is_no_space_and_not_a_signal() {
    const TEST: &str = "sealed::peers::more_than_there_is_is_no_space_and_not_a_signal";
    alone(TEST, || {
        let before = open_here();
        let refused = Sealed::<[u64]>::new(&(1, 1 << 45));
        assert!(matches!(refused, Err(Error::NoSpace { requested, .. }) if requested > 1 << 48), "{refused:?}");
        let refused = Sealed::<[u64]>::build(usize::MAX, |_| panic!("it can't be had"));
        assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
        // The system ends, by a signal, a process that makes a file larger than it may.
        let limit = libc::rlimit { rlim_cur: 1 << 20, rlim_max: 1 << 20 };
        // SAFETY: a limit of this process's own, read by the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
        for refused in [Sealed::<[u8]>::new(&(1, 1 << 20)), Sealed::<[u8]>::copy_from(&vec![1; 1 << 20])] {
            assert!(matches!(refused, Err(Error::NoSpace { available: 0x10_0000, .. })), "{refused:?}");
        }
        assert_eq!(Sealed::<[u8]>::new(&(1, 1 << 19)).unwrap().len(), 1 << 19);
        assert_eq!(open_here(), before);
    });
}

#[test]
fn who_panics_while_building_leaves_nothing() {
    const TEST: &str = "sealed::peers::who_panics_while_building_leaves_nothing";
    alone(TEST, || {
        let mapped = || fs::read_to_string("/proc/self/maps").unwrap().matches("/memfd:of the panic").count();
        let before = open_here();
        let built = std::panic::catch_unwind(|| {
            let options = Sealed::<[u8]>::options().name("of the panic");
            options.build(100_000, |_| {
                assert_eq!(mapped(), 1);
                panic!("in the middle");
            })
        });
        assert!(built.is_err());
        assert_eq!((open_here(), mapped()), (before, 0));
    });
}

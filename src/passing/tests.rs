//! Frames as they should be, and as an enemy sends them.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::Shutdown,
    os::fd::AsRawFd,
    thread,
    time::Duration,
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    fs::fstat,
    io::{FdFlags, fcntl_getfd},
    net::{AddressFamily, SocketFlags, socketpair},
};

use super::*;

const WHAT: What = What::SealedValue;

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

/// Sends bytes with descriptors, whatever they are.
fn send_raw(stream: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
    let mut room = [MaybeUninit::uninit(); cmsg_space!(ScmRights(253))];
    let mut beside = SendAncillaryBuffer::new(&mut room);
    assert!(fds.is_empty() || beside.push(SendAncillaryMessage::ScmRights(fds)));
    let sent = sendmsg(stream, &[IoSlice::new(bytes)], &mut beside, SendFlags::NOSIGNAL);
    assert_eq!(sent.unwrap(), bytes.len());
}

fn found(error: Error) -> String {
    match error {
        Error::Descriptor(DescriptorFault::Message { expected: "a sealed value", found }) => found,
        error => panic!("{error:?}"),
    }
}

/// Something that is open once, and no more when all that were sent are closed: the reading end of a pipe. The end
/// that this returns then says so.
fn sent_away() -> (File, OwnedFd) {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    (File::from(write), read)
}

/// Another test's child may have inherited it, and soon ends.
#[track_caller]
fn assert_closed(other: File) {
    let mut waited = [PollFd::new(&other, PollFlags::empty())];
    let timeout = Timespec { tv_sec: 60, tv_nsec: 0 };
    assert_eq!(retry_on_intr(|| poll(&mut waited, Some(&timeout))), Ok(1), "it is still open");
    assert_eq!(waited[0].revents(), PollFlags::ERR);
}

#[test]
fn descriptors_come_as_they_were_sent_and_no_byte_behind_them_is_read() {
    let (mut a, mut b) = pair();
    let files = [File::open("/dev/null").unwrap(), File::open("/dev/zero").unwrap()];
    send(&a, WHAT, &[files[0].as_fd(), files[1].as_fd()]).unwrap();
    a.write_all(b"behind").unwrap();
    let received: [OwnedFd; 2] = receive(&b, WHAT).unwrap();
    for (sent, received) in files.iter().zip(&received) {
        assert_eq!(fstat(sent).unwrap().st_rdev, fstat(received).unwrap().st_rdev);
        assert!(fcntl_getfd(received).unwrap().contains(FdFlags::CLOEXEC));
        assert!(received.as_raw_fd() > 2);
    }
    let mut behind = [0; 6];
    b.read_exact(&mut behind).unwrap();
    assert_eq!(&behind, b"behind");

    send(&b, WHAT, &[]).unwrap();
    let []: [OwnedFd; 0] = receive(&a, WHAT).unwrap();
}

#[test]
fn a_frame_that_comes_byte_by_byte_is_one() {
    let (a, b) = pair();
    let file = File::open("/dev/zero").unwrap();
    let sender = thread::spawn(move || {
        let frame = frame(WHAT, 1);
        send_raw(&a, &frame[..1], &[file.as_fd()]);
        for byte in &frame[1..] {
            thread::yield_now();
            send_raw(&a, &[*byte], &[]);
        }
        a
    });
    let [zero] = receive(&b, WHAT).unwrap();
    let mut byte = [1];
    File::from(zero).read_exact(&mut byte).unwrap();
    assert_eq!(byte, [0]);
    sender.join().unwrap();
}

#[test]
fn a_stream_that_ends_is_closed_wherever_it_ends() {
    for sent in 0..FRAME {
        let (a, b) = pair();
        let (other, fd) = sent_away();
        if sent > 0 {
            send_raw(&a, &frame(WHAT, 1)[..sent], &[fd.as_fd()]);
        }
        drop((a, fd));
        let error = receive::<1>(&b, WHAT).unwrap_err();
        assert!(matches!(error, Error::Descriptor(DescriptorFault::Closed)), "{sent}: {error:?}");
        assert_closed(other);
    }
    // It ends with a reset where something is left unread.
    let (a, b) = pair();
    send_raw(&b, b"unread", &[]);
    drop(a);
    assert!(matches!(receive::<1>(&b, WHAT), Err(Error::Descriptor(DescriptorFault::Closed))));
}

#[test]
fn a_frame_of_another_kind_is_refused_and_what_came_with_it_is_closed() {
    let good = frame(WHAT, 1);
    for (at, expected) in [
        (0, "something else, which begins with 0x676e6d9c,"),
        (4, "a frame of version 254"),
        (8, "a frame of kind 254"),
        (12, "a frame of 254 descriptors"),
        (15, "a frame of 4278190081 descriptors"),
    ] {
        let (a, b) = pair();
        let (other, fd) = sent_away();
        let mut bad = good;
        bad[at] ^= 0xff;
        send_raw(&a, &bad, &[fd.as_fd()]);
        drop(fd);
        assert_eq!(found(receive::<1>(&b, WHAT).unwrap_err()), expected);
        assert_closed(other);
    }
}

#[test]
fn fewer_or_more_descriptors_than_announced_are_refused_and_closed() {
    // Up to as many as the system lets anybody send at once.
    for number in [0, 2, 4, 5, 8, 12, 13, 14, 60, 253] {
        let (a, b) = pair();
        let (other, fd) = sent_away();
        send_raw(&a, &frame(WHAT, 1), &vec![fd.as_fd(); number]);
        drop(fd);
        let expected = if number == 0 { "a frame with 0 of 1 descriptors" } else { "more than 1 descriptors" };
        assert_eq!(found(receive::<1>(&b, WHAT).unwrap_err()), expected, "{number}");
        drop((a, b));
        assert_closed(other);
    }
}

#[test]
fn descriptors_that_come_with_every_byte_are_refused_at_the_first_too_many() {
    let (a, b) = pair();
    let (other, fd) = sent_away();
    for byte in frame(WHAT, 1) {
        send_raw(&a, &[byte], &[fd.as_fd(); 200]);
    }
    drop(fd);
    assert_eq!(found(receive::<1>(&b, WHAT).unwrap_err()), "more than 1 descriptors");
    drop((a, b));
    assert_closed(other);
}

#[test]
fn who_is_told_who_sent_it_receives_it_all_the_same() {
    let (a, b) = pair();
    rustix::net::sockopt::set_socket_passcred(&b, true).unwrap();
    let files = [(); MOST].map(|()| eventfd(0, EventfdFlags::CLOEXEC).unwrap());
    send(&a, WHAT, &files.each_ref().map(AsFd::as_fd)).unwrap();
    let received: [OwnedFd; MOST] = receive(&b, WHAT).unwrap();
    assert_eq!(received.len(), MOST);
}

#[test]
fn the_time_limit_of_a_stream_holds() {
    let (a, b) = pair();
    b.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    for sent in [0, 7] {
        send_raw(&a, &frame(WHAT, 0)[..sent], &[]);
        match receive::<0>(&b, WHAT).unwrap_err() {
            Error::Os { operation: "recvmsg", source } => {
                assert_eq!(source.kind(), std::io::ErrorKind::WouldBlock);
            }
            error => panic!("{error:?}"),
        }
    }
}

#[test]
fn a_peer_that_is_gone_is_an_error_of_the_sender() {
    let (a, b) = pair();
    b.shutdown(Shutdown::Both).unwrap();
    let gone = |error| matches!(error, Error::Os { operation: "sendmsg", source } if source.kind() == std::io::ErrorKind::BrokenPipe);
    assert!(gone(send(&a, WHAT, &[]).unwrap_err()));
    let (a, _b) = pair();
    a.shutdown(Shutdown::Write).unwrap();
    assert!(gone(send(&a, WHAT, &[]).unwrap_err()));
}

#[test]
fn what_is_no_stream_socket_is_refused() {
    let messages =
        |kind| UnixStream::from(socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap().0);
    let path = rustix::fs::open("/", rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    let others = [
        (messages(SocketType::DGRAM), "a socket of messages"),
        (messages(SocketType::SEQPACKET), "a socket of messages"),
        (UnixStream::from(OwnedFd::from(File::open("/").unwrap())), "a directory"),
        (UnixStream::from(OwnedFd::from(File::open("/dev/null").unwrap())), "a terminal or another character device"),
        (UnixStream::from(OwnedFd::from(fs::File::open("/proc/self/exe").unwrap())), "a file"),
        (UnixStream::from(path), "a path (O_PATH)"),
    ];
    for (other, what) in others {
        for error in [send(&other, WHAT, &[]).unwrap_err(), receive::<0>(&other, WHAT).unwrap_err()] {
            match error {
                Error::Descriptor(DescriptorFault::NotASocket { found }) => assert_eq!(found, what),
                error => panic!("{what}: {error:?}"),
            }
        }
    }
}

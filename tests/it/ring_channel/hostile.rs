//! Peers that do what they should not: whatever they write, send or set, this side gets an error or elements of no meaning.

use std::{
    mem::MaybeUninit,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use commonage::ring::{self, Fds, Receiver, RingError, Sender};
use rustix::{
    fs::{FallocateFlags, OFlags, fallocate, fcntl_setfl},
    io::{Errno, pwrite},
    net::{
        SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, send, sendmsg, shutdown,
        sockopt::{Timeout, set_socket_timeout},
    },
};

use super::{CONSUMER_WAITS, PRODUCER_WAITS, alone, descriptors};

const TAIL: u64 = 0;
const HEAD: u64 = 128;
const KIND: u64 = 8;
const CLOSED: u64 = 16;
const SLOTS: u64 = 512;
const SOON: Duration = Duration::from_millis(20);

/// A receiver, and what a hostile sender has of the channel.
fn receiver() -> (Receiver<u64>, Fds) {
    let (sender, receiver) = ring::channel(1024).unwrap();
    (receiver, sender.into_fds().unwrap())
}

fn sender() -> (Sender<u64>, Fds) {
    let (sender, receiver) = ring::channel(1024).unwrap();
    (sender, receiver.into_fds().unwrap())
}

fn write(memory: &OwnedFd, at: u64, value: u64) {
    assert_eq!(pwrite(memory, &value.to_ne_bytes(), at).unwrap(), 8);
}

#[track_caller]
fn is_corrupt(mut receiver: Receiver<u64>) {
    let is = |error: RingError| assert!(matches!(error, RingError::Corrupt { .. }), "{error}");
    is(receiver.slots().unwrap_err());
    is(receiver.try_pop().unwrap_err());
    is(receiver.pop().unwrap_err());
    is(receiver.pop_timeout(SOON).unwrap_err());
    is(receiver.try_pop_slice(&mut [0]).unwrap_err());
    is(receiver.pop_slice(&mut [0]).unwrap_err().error);
    is(receiver.read_chunk(1).unwrap_err());
    is(receiver.wait_slots(1, None).unwrap_err());
    is(receiver.prepare_wait().unwrap_err());
}

#[track_caller]
fn can_not_push(mut sender: Sender<u64>) {
    let is = |error: RingError| assert!(matches!(error, RingError::Corrupt { .. }), "{error}");
    is(sender.slots().unwrap_err());
    is(sender.wait_slots(1024, None).unwrap_err());
    is(sender.prepare_wait().unwrap_err());
    is(sender.try_push(1).unwrap_err());
    is(sender.push(1).unwrap_err());
    is(sender.push_timeout(1, SOON).unwrap_err());
    is(sender.try_push_slice(&[1]).unwrap_err());
    is(sender.push_slice(&[1]).unwrap_err().error);
    is(sender.write_chunk(1).unwrap_err());
}

#[test]
fn an_index_that_can_not_be_is_an_error_of_every_call() {
    alone("ring_channel::hostile::an_index_that_can_not_be_is_an_error_of_every_call", || {
        for index in [1025, 1 << 32, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX - 1024, u64::MAX] {
            let (receiver, hostile) = receiver();
            write(&hostile.memory, TAIL, index);
            is_corrupt(receiver);
            let (sender, hostile) = sender();
            write(&hostile.memory, HEAD, index);
            can_not_push(sender);
        }
        // A consumer that says to have popped what was not pushed.
        let (mut sender, hostile) = sender();
        sender.push_slice(&[1, 2, 3]).unwrap();
        write(&hostile.memory, HEAD, 4);
        can_not_push(sender);
    });
}

#[test]
fn an_index_that_goes_backwards_is_an_error_for_good() {
    alone("ring_channel::hostile::an_index_that_goes_backwards_is_an_error_for_good", || {
        let (mut receiver, hostile) = receiver();
        write(&hostile.memory, TAIL, 5);
        assert_eq!(receiver.pop_slice(&mut [0; 5]), Ok(()));
        write(&hostile.memory, TAIL, 4);
        assert!(matches!(receiver.try_pop(), Err(RingError::Corrupt { found: 4, least: 5, .. })));
        write(&hostile.memory, TAIL, 6);
        is_corrupt(receiver);

        let (mut sender, hostile) = sender();
        sender.push_slice(&[0; 100]).unwrap();
        write(&hostile.memory, HEAD, 50);
        assert_eq!(sender.slots(), Ok(1024 - 50));
        write(&hostile.memory, HEAD, 49);
        assert!(matches!(sender.slots(), Err(RingError::Corrupt { .. })));
        write(&hostile.memory, HEAD, 100);
        can_not_push(sender);
    });
}

#[test]
fn what_else_stands_in_the_memory_is_not_believed() {
    alone("ring_channel::hostile::what_else_stands_in_the_memory_is_not_believed", || {
        // That it has ended, when it goes on; and what it waits for, and what it takes the ring for.
        let (mut receiver, hostile) = receiver();
        write(&hostile.memory, TAIL, 2);
        write(&hostile.memory, CLOSED, 1);
        assert_eq!((receiver.pop(), receiver.pop()), (Ok(0), Ok(0)));
        assert_eq!(receiver.pop(), Err(RingError::Closed));
        let (mut sender, hostile) = sender();
        write(&hostile.memory, HEAD + CLOSED, 77);
        assert_eq!(sender.wait_slots(1, None), Err(RingError::Closed));

        let (mut receiver, hostile) = self::receiver();
        for (number, word) in [1, 2, 3, u64::MAX, u64::MAX - 1, 1 << 63, 1025].into_iter().enumerate() {
            write(&hostile.memory, PRODUCER_WAITS, word);
            write(&hostile.memory, CONSUMER_WAITS, word);
            write(&hostile.memory, KIND, word);
            write(&hostile.memory, HEAD + KIND, word);
            write(&hostile.memory, HEAD, word);
            write(&hostile.memory, TAIL, number as u64 + 1);
            assert_eq!(receiver.pop(), Ok(0));
        }
    });
}

#[test]
fn a_flood_of_bytes_neither_wakes_nor_holds_up_a_wait() {
    alone("ring_channel::hostile::a_flood_of_bytes_neither_wakes_nor_holds_up_a_wait", || {
        let (mut receiver, hostile) = receiver();
        let stop = AtomicBool::new(false);
        thread::scope(|threads| {
            threads.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _ = send(&hostile.socket, &[7; 4096], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
                }
            });
            for _ in 0..5 {
                assert_eq!(receiver.pop_timeout(SOON), Err(RingError::TimedOut));
                assert_eq!(receiver.wait_slots(3, Some(SOON)), Err(RingError::TimedOut));
                assert_eq!(receiver.prepare_wait(), Ok(true));
                receiver.finish_wait();
            }
            write(&hostile.memory, TAIL, 1);
            assert_eq!(receiver.pop(), Ok(0));
            stop.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn a_peer_that_does_not_read_what_it_is_rung_by_is_not_waited_for() {
    alone("ring_channel::hostile::a_peer_that_does_not_read_what_it_is_rung_by_is_not_waited_for", || {
        let (mut sender, hostile) = sender();
        for _ in 0..10 {
            // Its share of the flags of what both have: nothing waits, or does not, because of them.
            fcntl_setfl(sender.as_fd(), OFlags::empty()).unwrap();
            for round in 0..2000 {
                write(&hostile.memory, CONSUMER_WAITS, 1);
                sender.push(round).unwrap();
                write(&hostile.memory, HEAD, super::word(&hostile.memory, TAIL));
            }
            fcntl_setfl(sender.as_fd(), OFlags::NONBLOCK).unwrap();
        }
    });
}

#[test]
fn what_a_peer_sets_on_the_socket_changes_no_wait() {
    alone("ring_channel::hostile::what_a_peer_sets_on_the_socket_changes_no_wait", || {
        let (receiver, hostile) = receiver();
        // Who has made the channel may have kept a copy of this end, too.
        let mut receiver = Receiver::<u64>::from_fds(receiver.into_fds().unwrap()).unwrap();
        for flags in [OFlags::NONBLOCK, OFlags::empty()] {
            fcntl_setfl(receiver.as_fd(), flags).unwrap();
            set_socket_timeout(receiver.as_fd(), Timeout::Recv, Some(Duration::from_micros(1))).unwrap();
            assert_eq!(receiver.pop_timeout(SOON), Err(RingError::TimedOut));
            assert_eq!(receiver.prepare_wait(), Ok(true));
            receiver.finish_wait();
            send(&hostile.socket, &[1], SendFlags::empty()).unwrap();
            assert_eq!(receiver.pop_timeout(SOON), Err(RingError::TimedOut));
        }
    });
}

#[test]
fn a_socket_that_is_shut_down_is_the_end() {
    alone("ring_channel::hostile::a_socket_that_is_shut_down_is_the_end", || {
        for how in [Shutdown::Write, Shutdown::Both] {
            let (mut receiver, hostile) = receiver();
            write(&hostile.memory, TAIL, 1);
            shutdown(&hostile.socket, how).unwrap();
            assert!(receiver.is_closed());
            assert_eq!((receiver.pop(), receiver.pop()), (Ok(0), Err(RingError::Closed)));
            let (mut sender, hostile) = sender();
            while sender.try_push(1).is_ok() {}
            shutdown(&hostile.socket, how).unwrap();
            assert_eq!(sender.push(1), Err(RingError::Closed));
        }
        // Deaf, but there: what it is sent is lost, and nothing else.
        let (mut sender, hostile) = sender();
        shutdown(&hostile.socket, Shutdown::Read).unwrap();
        write(&hostile.memory, CONSUMER_WAITS, 1);
        sender.push(1).unwrap();
    });
}

#[test]
fn holes_that_a_peer_punches_are_no_signal() {
    alone("ring_channel::hostile::holes_that_a_peer_punches_are_no_signal", || {
        let punch = |hostile: &Fds, from: u64| {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            fallocate(&hostile.memory, flags, from, 1 << 20).unwrap();
        };
        let (mut receiver, hostile) = receiver();
        write(&hostile.memory, TAIL, 1000);
        assert_eq!(receiver.pop_slice(&mut [0; 500]), Ok(()));
        punch(&hostile, 4096);
        let mut rest = [1; 500];
        receiver.pop_slice(&mut rest).unwrap();
        punch(&hostile, 0);
        is_corrupt(receiver);
        let (mut sender, hostile) = sender();
        sender.push_slice(&[1; 500]).unwrap();
        punch(&hostile, 0);
        sender.push_slice(&[1; 524]).unwrap();
        assert_eq!(sender.try_push(1), Err(RingError::Full));
    });
}

#[test]
fn descriptors_that_come_over_the_socket_are_closed() {
    alone("ring_channel::hostile::descriptors_that_come_over_the_socket_are_closed", || {
        let (mut receiver, hostile) = receiver();
        let before = descriptors();
        for _ in 0..300 {
            let fds = [hostile.memory.as_fd(); 10];
            let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(10))];
            let mut beside = SendAncillaryBuffer::new(&mut room);
            assert!(beside.push(SendAncillaryMessage::ScmRights(&fds)));
            let bytes = [std::io::IoSlice::new(&[1])];
            let _ = sendmsg(&hostile.socket, &bytes, &mut beside, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
            assert_eq!(receiver.pop_timeout(Duration::from_micros(10)), Err(RingError::TimedOut));
            assert_eq!(descriptors(), before);
        }
    });
}

/// Closing it could take as long as the peer wants.
#[test]
fn a_descriptor_is_not_taken_over_the_socket_where_the_system_can_refuse_it() {
    const SO_PASSRIGHTS: libc::c_int = 83; // since Linux 6.16
    let sends = |socket: &OwnedFd| {
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = SendAncillaryBuffer::new(&mut room);
        let sent = [socket.as_fd()];
        assert!(beside.push(SendAncillaryMessage::ScmRights(&sent)));
        sendmsg(socket, &[std::io::IoSlice::new(&[1])], &mut beside, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
    };
    let (_made, hostile) = receiver();
    let mut takes: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: there is room for a number of this size.
    let known = unsafe {
        let number = hostile.socket.as_raw_fd();
        libc::getsockopt(number, libc::SOL_SOCKET, SO_PASSRIGHTS, (&raw mut takes).cast(), &raw mut len)
    };
    if known == -1 {
        return;
    }
    assert_eq!(sends(&hostile.socket), Err(Errno::PERM), "to who has made the channel");
    let (peer, socket) = UnixStream::pair().unwrap();
    let _received = Receiver::<u64>::from_fds(Fds { memory: hostile.memory, socket: socket.into() }).unwrap();
    assert_eq!(sends(&peer.into()), Err(Errno::PERM), "to who has received it");
}

#[test]
fn elements_that_are_rewritten_while_they_are_read_are_some_elements() {
    alone("ring_channel::hostile::elements_that_are_rewritten_while_they_are_read_are_some_elements", || {
        let (mut receiver, hostile) = receiver();
        let (stop, bytes) = (AtomicBool::new(false), [[0x55u8; 8192], [0xaa; 8192]]);
        thread::scope(|threads| {
            threads.spawn(|| {
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    pwrite(&hostile.memory, &bytes[turn % 2], SLOTS).unwrap();
                    // Waiting or not, as it likes.
                    write(&hostile.memory, PRODUCER_WAITS, turn as u64);
                }
            });
            let mut into = [0; 1024];
            for round in 1..2000 {
                write(&hostile.memory, TAIL, 1024 * round);
                let chunk = receiver.read_chunk(1024).unwrap();
                chunk.copy_to_slice(&mut into);
                let again: u64 = chunk.iter().fold(0, u64::wrapping_add);
                std::hint::black_box((again, &into));
                chunk.commit(24);
                receiver.pop_slice(&mut into[..1000]).unwrap();
            }
            stop.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn a_peer_that_writes_anything_anywhere_costs_neither_time_nor_sense() {
    alone("ring_channel::hostile::a_peer_that_writes_anything_anywhere_costs_neither_time_nor_sense", || {
        for seed in 0..300_u64 {
            let mut state = super::element(seed);
            let mut random = move || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state >> 33
            };
            let (mut receiver, of_sender) = receiver();
            let (mut sender, of_receiver) = sender();
            for _ in 0..100 {
                for hostile in [&of_sender, &of_receiver] {
                    let value = [random() % 2000, random() << 31 | random(), u64::MAX, 0][random() as usize % 4];
                    write(&hostile.memory, random() % 64 * 8, value);
                }
                let timeout = Duration::from_micros(random() % 100);
                let len = random() as usize % 100;
                let _ = match random() % 4 {
                    0 => receiver.pop_timeout(timeout).map(drop),
                    1 => receiver.pop_slice_timeout(&mut vec![0; len], timeout).map_err(RingError::from),
                    2 => receiver.wait_slots(len, Some(timeout)).map(drop),
                    _ => receiver.read_chunk(len).map(|chunk| chunk.commit_all()),
                };
                let _ = match random() % 4 {
                    0 => sender.push_timeout(1, timeout),
                    1 => sender.push_slice_timeout(&vec![0; len], timeout).map_err(RingError::from),
                    2 => sender.wait_slots(len, Some(timeout)).map(drop),
                    _ => sender.write_chunk(len).map(|chunk| chunk.commit_all()),
                };
            }
        }
    });
}

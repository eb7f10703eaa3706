//! A process that is killed while the other waits for it: whoever waits is told, and has had everything by then.

use std::{os::unix::net::UnixStream, thread, time::Duration};

use commonage::ring::{self, Receiver, RingError, Sender, Unfinished};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{
    CONSUMER_WAITS, PRODUCER_WAITS, Peer, alone, between, hear, memory_of_receiver, memory_of_sender, rest, say, waits,
    while_asleep,
};
use crate::{
    forked::{End, Forked},
    support::{WATCHDOG, kill},
};

const PUSHED: [u64; 3] = [4, 5, 6];

/// The sender's process pushes [`PUSHED`], and is killed while `waits` is asleep here. What that returns is all that there
/// is, and why there is no more.
fn of_the_sender(test: &str, waits: impl FnOnce(&mut Receiver<u64>) -> (Vec<u64>, RingError) + Send) {
    between(
        test,
        |peer| {
            let (sender, mut receiver) = ring::channel(64).unwrap();
            sender.send_over(&peer.stream).unwrap();
            hear(&peer.stream);
            let memory = memory_of_receiver(&receiver);
            let end = while_asleep(&memory, CONSUMER_WAITS, || waits(&mut receiver), || peer.running.kill());
            assert_eq!(end, (PUSHED.to_vec(), RingError::Closed));
            assert_eq!(receiver.try_pop(), Err(RingError::Closed));
            assert_eq!(receiver.wait_slots(1, None), Err(RingError::Closed));
            assert!(receiver.is_closed());
        },
        |stream| {
            let mut sender = Sender::<u64>::receive_over(&stream).unwrap();
            sender.push_slice(&PUSHED).unwrap();
            say(&stream);
            thread::sleep(WATCHDOG);
        },
    );
}

/// As above: the receiver's process is killed, and the channel is full.
fn of_the_receiver(test: &str, waits: impl FnOnce(&mut Sender<u64>) -> RingError + Send) {
    between(
        test,
        |peer| {
            let (mut sender, receiver) = ring::channel(64).unwrap();
            receiver.send_over(&peer.stream).unwrap();
            hear(&peer.stream);
            while sender.try_push(1).is_ok() {}
            let memory = memory_of_sender(&sender);
            let end = while_asleep(&memory, PRODUCER_WAITS, || waits(&mut sender), || peer.running.kill());
            assert_eq!(end, RingError::Closed);
            assert_eq!(sender.try_push(1), Err(RingError::Closed));
            assert!(sender.is_closed());
        },
        |stream| {
            let _receiver = Receiver::<u64>::receive_over(&stream).unwrap();
            say(&stream);
            thread::sleep(WATCHDOG);
        },
    );
}

#[test]
fn pop_notices_that_the_sender_was_killed() {
    of_the_sender("ring_channel::deaths::pop_notices_that_the_sender_was_killed", rest);
}

#[test]
fn pop_slice_notices_that_the_sender_was_killed() {
    of_the_sender("ring_channel::deaths::pop_slice_notices_that_the_sender_was_killed", |receiver| {
        let mut into = [0; 10];
        let Unfinished { done, error } = receiver.pop_slice(&mut into).unwrap_err();
        (into[..done].to_vec(), error)
    });
}

#[test]
fn wait_slots_notices_that_the_sender_was_killed() {
    of_the_sender("ring_channel::deaths::wait_slots_notices_that_the_sender_was_killed", |receiver| {
        let error = receiver.wait_slots(10, None).unwrap_err();
        let chunk = receiver.read_chunk(3).unwrap();
        let left = chunk.iter().collect();
        chunk.commit_all();
        (left, error)
    });
}

#[test]
fn poll_notices_that_the_sender_was_killed() {
    of_the_sender("ring_channel::deaths::poll_notices_that_the_sender_was_killed", |receiver| {
        let mut popped = Vec::new();
        loop {
            match waits::pop_by_poll(receiver) {
                Ok(value) => popped.push(value),
                Err(error) => return (popped, error),
            }
        }
    });
}

#[test]
fn mio_notices_that_the_sender_was_killed() {
    of_the_sender("ring_channel::deaths::mio_notices_that_the_sender_was_killed", |receiver| {
        let mut popped = Vec::new();
        let error = waits::pop_by_mio(receiver, |value| popped.push(value));
        (popped, error)
    });
}

#[test]
fn tokio_notices_that_the_sender_was_killed() {
    of_the_sender("ring_channel::deaths::tokio_notices_that_the_sender_was_killed", |receiver| {
        let mut popped = Vec::new();
        let error = waits::pop_by_tokio(receiver, |value| popped.push(value));
        (popped, error)
    });
}

#[test]
fn push_notices_that_the_receiver_was_killed() {
    of_the_receiver("ring_channel::deaths::push_notices_that_the_receiver_was_killed", |sender| {
        sender.push(7).unwrap_err()
    });
}

#[test]
fn push_slice_notices_that_the_receiver_was_killed() {
    of_the_receiver("ring_channel::deaths::push_slice_notices_that_the_receiver_was_killed", |sender| {
        let unfinished = sender.push_slice(&[7; 1000]).unwrap_err();
        assert_eq!(unfinished.done, 0);
        unfinished.error
    });
}

#[test]
fn wait_slots_notices_that_the_receiver_was_killed() {
    of_the_receiver("ring_channel::deaths::wait_slots_notices_that_the_receiver_was_killed", |sender| {
        sender.wait_slots(10, None).unwrap_err()
    });
}

#[test]
fn poll_notices_that_the_receiver_was_killed() {
    of_the_receiver("ring_channel::deaths::poll_notices_that_the_receiver_was_killed", |sender| {
        waits::push_by_poll(sender, 7).unwrap_err()
    });
}

#[test]
fn a_receiver_that_is_dropped_ends_a_wait_at_once() {
    let (mut sender, receiver) = ring::channel::<u64>(64).unwrap();
    while sender.try_push(1).is_ok() {}
    let memory = memory_of_sender(&sender);
    let end = while_asleep(&memory, PRODUCER_WAITS, || sender.push(1), || drop(receiver));
    assert_eq!(end, Err(RingError::Closed));
}

#[test]
fn a_sender_that_is_dropped_ends_a_wait_at_once() {
    let (sender, mut receiver) = ring::channel::<u64>(64).unwrap();
    let memory = memory_of_receiver(&receiver);
    // A copy of its socket that somebody keeps hides nothing.
    let copy = std::os::fd::AsFd::as_fd(&sender).try_clone_to_owned().unwrap();
    let end = while_asleep(&memory, CONSUMER_WAITS, || receiver.pop(), || drop(sender));
    assert_eq!(end, Err(RingError::Closed));
    drop(copy);
}

#[test]
fn a_forked_child_that_lives_on_does_not_hide_the_death() {
    between(
        "ring_channel::deaths::a_forked_child_that_lives_on_does_not_hide_the_death",
        |Peer { running, stream, .. }| {
            let (sender, mut receiver) = ring::channel::<u64>(64).unwrap();
            sender.send_over(&stream).unwrap();
            let mut pid = [0; 4];
            std::io::Read::read_exact(&mut &stream, &mut pid).unwrap();
            let memory = memory_of_receiver(&receiver);
            let end = while_asleep(&memory, CONSUMER_WAITS, || rest(&mut receiver), || running.kill());
            // It was not the end of the child, too, that was seen: that lives, until it is killed.
            let child = u32::from_ne_bytes(pid);
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat"));
            kill(child);
            assert!(stat.is_ok_and(|stat| !stat.contains(") Z ")), "the child has ended");
            assert_eq!(end, (PUSHED.to_vec(), RingError::Closed));
        },
        |stream: UnixStream| {
            let mut sender = Sender::<u64>::receive_over(&stream).unwrap();
            sender.push_slice(&PUSHED).unwrap();
            let child = Forked::new(End::UnderscoreExit, || thread::sleep(WATCHDOG));
            std::io::Write::write_all(&mut &stream, &child.0.to_ne_bytes()).unwrap();
            thread::sleep(WATCHDOG);
        },
    );
}

/// `poll` is denied to it then, of whatever number the descriptors are.
#[test]
fn a_process_that_may_have_no_more_descriptors_notices_the_end_as_well() {
    alone("ring_channel::deaths::a_process_that_may_have_no_more_descriptors_notices_the_end_as_well", || {
        let [(sender, mut waits), (other, asks)] = [(); 2].map(|()| ring::channel::<u64>(4).unwrap());
        setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..getrlimit(Resource::Nofile) }).unwrap();
        assert_eq!(waits.pop_timeout(Duration::from_millis(1)), Err(RingError::TimedOut));
        assert!(!asks.is_closed());
        // As if they were killed: nothing in memory says so.
        drop((sender.into_fds().unwrap(), other.into_fds().unwrap()));
        assert_eq!(waits.pop_timeout(WATCHDOG), Err(RingError::Closed));
        assert!(asks.is_closed());
    });
}

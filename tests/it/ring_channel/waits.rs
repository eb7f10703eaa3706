//! Waits by other means: `poll`, mio, tokio.

use std::{
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::UnixStream,
    },
    thread,
};

use commonage::ring::{self, Receiver, RingError, Sender};
use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use rustix::event::{PollFd, PollFlags, poll};
use tokio::io::{Interest as Readiness, unix::AsyncFd};

use super::{alone, between, element};
use crate::containers::filters::deny;

/// Pops one element; `poll` says when there is one.
pub(super) fn pop_by_poll(receiver: &mut Receiver<u64>) -> Result<u64, RingError> {
    loop {
        match receiver.try_pop() {
            Err(RingError::Empty) => {}
            done => return done,
        }
        if receiver.prepare_wait()? {
            poll(&mut [PollFd::new(&*receiver, PollFlags::IN)], None).unwrap();
            receiver.finish_wait();
        }
    }
}

/// Pushes one element; `poll` says when there is room.
pub(super) fn push_by_poll(sender: &mut Sender<u64>, value: u64) -> Result<(), RingError> {
    loop {
        match sender.try_push(value) {
            Err(RingError::Full) => {}
            done => return done,
        }
        if sender.prepare_wait()? {
            poll(&mut [PollFd::new(&*sender, PollFlags::IN)], None).unwrap();
            sender.finish_wait();
        }
    }
}

/// Pops until an error; mio, which tells of changes only, says when there is something.
pub(super) fn pop_by_mio(receiver: &mut Receiver<u64>, mut each: impl FnMut(u64)) -> RingError {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(4);
    let number = receiver.as_fd().as_raw_fd();
    poll.registry().register(&mut SourceFd(&number), Token(0), Interest::READABLE).unwrap();
    loop {
        match receiver.try_pop() {
            Ok(value) => each(value),
            Err(RingError::Empty) => match receiver.prepare_wait() {
                Ok(true) => {
                    poll.poll(&mut events, None).unwrap();
                    receiver.finish_wait();
                }
                Ok(false) => {}
                Err(error) => return error,
            },
            Err(error) => return error,
        }
    }
}

/// Pops until an error; tokio says when there is something.
pub(super) fn pop_by_tokio(receiver: &mut Receiver<u64>, mut each: impl FnMut(u64)) -> RingError {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let socket = receiver.as_fd().try_clone_to_owned().unwrap();
        // SAFETY: the descriptor is this value's own, and stays what it is.
        let watched = unsafe { AsyncFd::register_with_interest(socket, Readiness::READABLE) }.unwrap();
        loop {
            match receiver.try_pop() {
                Ok(value) => each(value),
                Err(RingError::Empty) => match receiver.prepare_wait() {
                    Ok(true) => {
                        let mut ready = watched.readable().await.unwrap();
                        receiver.finish_wait();
                        ready.clear_ready();
                    }
                    Ok(false) => {}
                    Err(error) => return error,
                },
                Err(error) => return error,
            }
        }
    })
}

const ROUNDS: u64 = 3000;

/// Each element is answered before the next comes, so that both sides sleep: whoever is not woken hangs.
fn play(test: &str, pop_all: impl FnOnce(&mut Receiver<u64>, &mut dyn FnMut(u64)) -> RingError) {
    between(
        test,
        |peer| {
            let (mut there, receiver) = ring::channel(8).unwrap();
            let (sender, mut back) = ring::channel(8).unwrap();
            receiver.send_over(&peer.stream).unwrap();
            sender.send_over(&peer.stream).unwrap();
            let mut round = 0;
            there.push(element(round)).unwrap();
            let end = pop_all(&mut back, &mut |value| {
                assert_eq!(value, !element(round));
                round += 1;
                // The other ends when it has had all, and so does this.
                push_by_poll(&mut there, if round < ROUNDS { element(round) } else { 0 }).unwrap();
            });
            assert_eq!((end, round), (RingError::Closed, ROUNDS));
            drop((there, back));
            peer.running.success();
        },
        |stream: UnixStream| {
            let mut receiver = Receiver::receive_over(&stream).unwrap();
            let mut sender = Sender::receive_over(&stream).unwrap();
            loop {
                match pop_by_poll(&mut receiver) {
                    Ok(0) => return,
                    value => push_by_poll(&mut sender, !value.unwrap()).unwrap(),
                }
            }
        },
    );
}

#[test]
fn poll_tells_of_each_element() {
    play("ring_channel::waits::poll_tells_of_each_element", |receiver, each| {
        loop {
            match pop_by_poll(receiver) {
                Ok(value) => each(value),
                Err(error) => return error,
            }
        }
    });
}

#[test]
fn mio_tells_of_each_element() {
    play("ring_channel::waits::mio_tells_of_each_element", |receiver, each| pop_by_mio(receiver, each));
}

#[test]
fn tokio_tells_of_each_element() {
    play("ring_channel::waits::tokio_tells_of_each_element", |receiver, each| pop_by_tokio(receiver, each));
}

/// Who can't have others keep their order keeps its own, and sleeps for moments only.
#[test]
fn no_waking_is_lost_where_there_is_no_membarrier() {
    const ANSWERS: u64 = 100;
    alone("ring_channel::waits::no_waking_is_lost_where_there_is_no_membarrier", || {
        for (here, there) in [(true, true), (true, false), (false, true)] {
            let without = |denied: bool| {
                if denied {
                    deny(libc::SYS_membarrier, libc::EPERM).unwrap();
                }
            };
            // A filter is for a thread, and each takes its ends in its own.
            let (sender, receiver) = ring::channel::<u64>(1).unwrap();
            let (answers, answered) = ring::channel::<u64>(1).unwrap();
            let ends = (receiver.into_fds().unwrap(), answers.into_fds().unwrap());
            let answering = thread::spawn(move || {
                without(there);
                let mut receiver = Receiver::<u64>::from_fds(ends.0).unwrap();
                let mut sender = Sender::<u64>::from_fds(ends.1).unwrap();
                receiver.set_spins(0);
                while let Ok(value) = receiver.pop() {
                    sender.push(!value).unwrap();
                }
            });
            let ends = (sender.into_fds().unwrap(), answered.into_fds().unwrap());
            let asking = thread::spawn(move || {
                without(here);
                let mut sender = Sender::<u64>::from_fds(ends.0).unwrap();
                let mut receiver = Receiver::<u64>::from_fds(ends.1).unwrap();
                receiver.set_spins(0);
                for round in 0..ANSWERS {
                    sender.push(element(round)).unwrap();
                    let answer = if round % 2 == 0 { receiver.pop() } else { pop_by_poll(&mut receiver) };
                    assert_eq!(answer, Ok(!element(round)));
                }
            });
            asking.join().unwrap();
            answering.join().unwrap();
        }
    });
}

#[test]
fn a_wait_is_not_prepared_for_what_is_there() {
    let (mut sender, mut receiver) = ring::channel::<u64>(4).unwrap();
    assert_eq!(sender.prepare_wait(), Ok(false));
    assert_eq!(receiver.prepare_wait(), Ok(true));
    let readable = |receiver: &Receiver<u64>| {
        let mut looked_at = [PollFd::new(receiver, PollFlags::IN)];
        poll(&mut looked_at, Some(&Default::default())).unwrap() > 0
    };
    assert!(!readable(&receiver));
    let mut chunk = sender.write_chunk(1).unwrap();
    chunk.set(0, 1);
    chunk.commit_quietly(1);
    assert!(!readable(&receiver), "it was quiet");
    sender.wake();
    assert!(readable(&receiver));
    receiver.finish_wait();
    assert!(!readable(&receiver));
    assert_eq!(receiver.prepare_wait(), Ok(false));
    sender.push(2).unwrap();
    assert!(!readable(&receiver), "it does not wait");
    assert_eq!((receiver.pop(), receiver.pop()), (Ok(1), Ok(2)));

    while sender.try_push(0).is_ok() {}
    assert_eq!(sender.prepare_wait(), Ok(true));
    drop(receiver);
    assert_eq!(sender.prepare_wait(), Err(RingError::Closed));
    sender.finish_wait();
    assert_eq!(sender.try_push(0), Err(RingError::Closed));
}

//! The ends of a channel in a forked child: none of them is the child's.

use std::{
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use commonage::{
    Error,
    ring::{self, RingError, Unfinished},
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    net::sockopt::socket_type,
};

use super::alone;
use crate::forked::{ENDS, Forked};

const INHERITED: RingError = RingError::Inherited;
const UNFINISHED: Unfinished = Unfinished { done: 0, error: INHERITED };

#[test]
fn nothing_can_be_done_with_an_inherited_end_and_dropping_it_changes_nothing() {
    alone("ring_channel::forks::nothing_can_be_done_with_an_inherited_end_and_dropping_it_changes_nothing", || {
        for end in ENDS {
            let (mut sender, mut receiver) = ring::channel::<u64>(64).unwrap();
            let (other_sender, other_receiver) = ring::channel::<u64>(64).unwrap();
            let mut ends = Some((other_sender, other_receiver));
            sender.push(1).unwrap();
            let child = Forked::new(end, || {
                assert_eq!(sender.slots(), Err(INHERITED));
                assert_eq!(sender.try_push(2), Err(INHERITED));
                assert_eq!(sender.push(2), Err(INHERITED));
                assert_eq!(sender.try_push_slice(&[2]), Err(INHERITED));
                assert_eq!(sender.push_slice(&[2]), Err(UNFINISHED));
                assert_eq!(sender.write_chunk(1).err(), Some(INHERITED));
                assert_eq!(sender.wait_slots(1, None), Err(INHERITED));
                assert_eq!(sender.prepare_wait(), Err(INHERITED));
                assert_eq!(sender.fds().err(), Some(INHERITED));
                sender.wake();
                sender.finish_wait();
                assert_eq!(receiver.slots(), Err(INHERITED));
                assert_eq!(receiver.try_pop(), Err(INHERITED));
                assert_eq!(receiver.pop(), Err(INHERITED));
                assert_eq!(receiver.try_pop_slice(&mut [0]), Err(INHERITED));
                assert_eq!(receiver.pop_slice(&mut [0]), Err(UNFINISHED));
                assert_eq!(receiver.read_chunk(1).err(), Some(INHERITED));
                assert_eq!(receiver.wait_slots(1, None), Err(INHERITED));
                assert_eq!(receiver.prepare_wait(), Err(INHERITED));
                receiver.finish_wait();
                // What is watched in vain would be waited for endlessly.
                for end in [sender.as_fd(), receiver.as_fd()] {
                    assert_eq!(poll(&mut [PollFd::new(&end, PollFlags::IN)], None), Ok(1));
                }
                let (sender, receiver) = ends.take().unwrap();
                assert!(matches!(sender.into_fds(), Err(Error::Inherited { .. })));
                assert!(matches!(receiver.into_fds(), Err(Error::Inherited { .. })));
            });
            child.success();
            assert_eq!((receiver.pop(), receiver.try_pop()), (Ok(1), Err(RingError::Empty)));
            let (other_sender, other_receiver) = ends.as_mut().unwrap();
            for (sender, receiver) in [(&mut sender, &mut receiver), (other_sender, other_receiver)] {
                assert!(!sender.is_closed() && !receiver.is_closed());
                sender.push(3).unwrap();
                assert_eq!(receiver.pop(), Ok(3));
            }
        }
    });
}

#[test]
fn what_is_dropped_in_a_child_stays_its_parents() {
    alone("ring_channel::forks::what_is_dropped_in_a_child_stays_its_parents", || {
        for end in ENDS {
            let mut ends = Some(ring::channel::<u64>(64).unwrap());
            Forked::new(end, || drop(ends.take())).success();
            let (sender, receiver) = ends.as_mut().unwrap();
            sender.push(1).unwrap();
            assert_eq!(receiver.pop(), Ok(1));
            assert!(!sender.is_closed() && !receiver.is_closed());
        }
    });
}

#[test]
fn a_chunk_that_is_committed_in_a_child_hands_over_nothing() {
    alone("ring_channel::forks::a_chunk_that_is_committed_in_a_child_hands_over_nothing", || {
        let (mut sender, mut receiver) = ring::channel::<u64>(64).unwrap();
        let mut chunk = Some(sender.write_chunk(1).unwrap());
        Forked::new(crate::forked::End::UnderscoreExit, || chunk.take().unwrap().commit_all()).success();
        assert!(chunk.is_some(), "it is the parent's still");
        assert_eq!(receiver.try_pop(), Err(RingError::Empty));
    });
}

#[test]
fn a_child_makes_channels_of_its_own() {
    alone("ring_channel::forks::a_child_makes_channels_of_its_own", || {
        let _before = ring::channel::<u64>(64).unwrap();
        let child = Forked::new(crate::forked::End::Exit, || {
            let (mut sender, mut receiver) = ring::channel::<u64>(64).unwrap();
            sender.push(1).unwrap();
            assert_eq!(receiver.pop(), Ok(1));
            drop(sender);
            assert_eq!(receiver.pop(), Err(RingError::Closed));
        });
        child.success();
    });
}

/// A child that has kept one hides the death of whoever has it.
#[test]
fn a_child_that_is_forked_while_a_channel_is_made_keeps_none_of_its_ends() {
    alone("ring_channel::forks::a_child_that_is_forked_while_a_channel_is_made_keeps_none_of_its_ends", || {
        let stop = AtomicBool::new(false);
        thread::scope(|threads| {
            threads.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    drop(ring::channel::<u64>(4).unwrap());
                }
            });
            let keeps_none = |_| {
                // SAFETY: the child asks the system what it has, and ends.
                let pid = unsafe { libc::fork() };
                if pid == 0 {
                    let is_a_socket = |number| {
                        // SAFETY: nothing but that is done with it; where there is none, the call says so.
                        let fd = unsafe { BorrowedFd::borrow_raw(number) };
                        socket_type(fd).is_ok()
                    };
                    let kept = (3..64).any(is_a_socket);
                    // SAFETY: ends the process, and nothing else.
                    unsafe { libc::_exit(i32::from(kept)) };
                }
                let mut status = -1;
                // SAFETY: the status is this function's own.
                unsafe { libc::waitpid(pid, &mut status, 0) };
                status == 0
            };
            let none_is_kept = (0..3000).all(keeps_none);
            stop.store(true, Ordering::Relaxed);
            assert!(none_is_kept);
        });
    });
}

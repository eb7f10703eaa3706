//! Waits that end by themselves, and processes that are stopped.

use std::{fs, thread, time::Duration};

use commonage::ring::{self, RingError, Sender, Unfinished};

use super::{CONSUMER_WAITS, PRODUCER_WAITS, between, element, hear, memory_of_receiver, memory_of_sender, say, word};
use crate::{
    scene::until,
    support::{resume, suspend},
};

const SOON: Duration = Duration::from_millis(5);

#[test]
fn a_wait_for_what_does_not_come_ends_with_its_time() {
    let (mut sender, mut receiver) = ring::channel::<u64>(4).unwrap();
    let capacity = sender.capacity();
    let mut into = [0; 3];
    assert_eq!(receiver.pop_timeout(SOON), Err(RingError::TimedOut));
    assert_eq!(receiver.pop_timeout(Duration::ZERO), Err(RingError::TimedOut));
    assert_eq!(receiver.wait_slots(1, Some(SOON)), Err(RingError::TimedOut));
    assert_eq!(receiver.wait_slots(0, None), Ok(0));
    sender.push_slice(&[1, 2]).unwrap();
    assert_eq!(receiver.wait_slots(1, Some(SOON)), Ok(2));
    let unfinished = Unfinished { done: 2, error: RingError::TimedOut };
    assert_eq!(receiver.pop_slice_timeout(&mut into, SOON), Err(unfinished));
    assert_eq!(into, [1, 2, 0]);

    let full: Vec<u64> = (0..capacity as u64 + 1).collect();
    let unfinished = Unfinished { done: capacity, error: RingError::TimedOut };
    assert_eq!(sender.push_slice_timeout(&full, SOON), Err(unfinished));
    assert_eq!(sender.push_timeout(0, SOON), Err(RingError::TimedOut));
    assert_eq!(sender.wait_slots(1, Some(SOON)), Err(RingError::TimedOut));
    assert_eq!(sender.wait_slots(capacity + 1, None), Err(RingError::TooMany { capacity }));
    assert_eq!(receiver.wait_slots(capacity + 1, None), Err(RingError::TooMany { capacity }));
    // What no clock counts to is no error.
    assert_eq!(receiver.wait_slots(1, Some(Duration::MAX)), Ok(capacity));
    assert_eq!(receiver.pop_timeout(Duration::MAX), Ok(0));
    assert_eq!(sender.push_timeout(7, Duration::MAX), Ok(()));
}

#[test]
fn who_never_sleeps_looks_at_the_clock_and_notices_the_end() {
    let (sender, mut receiver) = ring::channel::<u64>(4).unwrap();
    receiver.set_spins(u32::MAX);
    assert_eq!(receiver.pop_timeout(SOON), Err(RingError::TimedOut));
    // As if it was killed: nothing in memory says so.
    drop(sender.into_fds().unwrap());
    assert_eq!(receiver.pop(), Err(RingError::Closed));
}

#[test]
fn who_is_given_one_element_each_time_that_it_waits_does_not_wait_longer_for_that() {
    let (mut sender, mut receiver) = ring::channel::<u64>(4).unwrap();
    let giver = thread::spawn(move || {
        // One at a time, and the next as soon as it is taken.
        let capacity = sender.capacity();
        while sender.wait_slots(capacity, None).is_ok() && sender.push(1).is_ok() {}
    });
    receiver.set_spins(u32::MAX);
    let mut into = vec![0; 1 << 24];
    let unfinished = receiver.pop_slice_timeout(&mut into, SOON).unwrap_err();
    assert_eq!(unfinished.error, RingError::TimedOut);
    drop(receiver);
    giver.join().unwrap();
}

#[test]
fn a_process_that_is_stopped_is_waited_for_and_goes_on() {
    const ALL: u64 = 2000;
    between(
        "ring_channel::times::a_process_that_is_stopped_is_waited_for_and_goes_on",
        |peer| {
            let (sender, mut receiver) = ring::channel::<u64>(16).unwrap();
            sender.send_over(&peer.stream).unwrap();
            hear(&peer.stream);
            let mut place = 0;
            for _ in 0..3 {
                suspend(peer.pid);
                let stat = format!("/proc/{}/stat", peer.pid);
                let is_stopped = || fs::read_to_string(&stat).unwrap().contains(") T ").then_some(());
                // Until then it can push no more than there is room for.
                until("it is stopped", is_stopped);
                // What it has pushed is there, and then nothing comes; it has not ended.
                let end = loop {
                    match receiver.pop_timeout(Duration::from_millis(100)) {
                        Ok(value) => assert_eq!(value, element(place)),
                        Err(error) => break error,
                    }
                    place += 1;
                };
                assert_eq!(end, RingError::TimedOut);
                assert!(!receiver.is_closed());
                resume(peer.pid);
                for _ in 0..100 {
                    assert_eq!(receiver.pop(), Ok(element(place)));
                    place += 1;
                }
            }
            while place < ALL {
                assert_eq!(receiver.pop(), Ok(element(place)));
                place += 1;
            }
            assert_eq!(receiver.pop(), Err(RingError::Closed));
            peer.running.success();
        },
        |stream| {
            let mut sender = Sender::<u64>::receive_over(&stream).unwrap();
            say(&stream);
            (0..ALL).for_each(|place| sender.push(element(place)).unwrap());
        },
    );
}

#[test]
fn who_waits_for_a_part_of_a_slice_is_woken_by_one_element_or_slot() {
    between(
        "ring_channel::times::who_waits_for_a_part_of_a_slice_is_woken_by_one_element_or_slot",
        |peer| {
            let (sender, mut receiver) = ring::channel::<u64>(16).unwrap();
            let capacity = receiver.capacity();
            sender.send_over(&peer.stream).unwrap();
            let memory = memory_of_receiver(&receiver);
            until("the sender sleeps", || (word(&memory, PRODUCER_WAITS) != 0).then_some(()));
            assert_eq!(receiver.pop(), Ok(element(0)));
            // Now there is room for one, and this side sleeps until the ring is full again.
            assert_eq!(receiver.wait_slots(capacity, None), Ok(capacity));
            let mut rest = vec![0; 2 * capacity - 1];
            receiver.pop_slice(&mut rest).unwrap();
            assert!((1..).zip(rest).all(|(place, value)| value == element(place)));

            // The other way round: this side sleeps for a part of the ring, that one until it is empty.
            let mut half = vec![0; capacity / 2];
            say(&peer.stream);
            receiver.pop_slice(&mut half).unwrap();
            peer.running.success();
        },
        |stream| {
            let mut sender = Sender::<u64>::receive_over(&stream).unwrap();
            let capacity = sender.capacity();
            let values: Vec<u64> = (0..2 * capacity as u64).map(element).collect();
            sender.push_slice(&values).unwrap();
            hear(&stream);
            let memory = memory_of_sender(&sender);
            until("the receiver sleeps", || (word(&memory, CONSUMER_WAITS) != 0).then_some(()));
            sender.push(0).unwrap();
            assert_eq!(sender.wait_slots(capacity, None), Ok(capacity));
            sender.push_slice(&values[1..capacity / 2]).unwrap();
        },
    );
}

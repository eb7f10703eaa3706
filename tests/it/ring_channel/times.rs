//! Waits that end by themselves, and processes that are stopped.

use std::time::Duration;

use commonage::ring::{self, RingError, Sender, Unfinished};

use super::{between, element, hear, say};
use crate::support::{resume, suspend};

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

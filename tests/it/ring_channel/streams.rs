//! Elements from one process to another: all of them, in order, each as it was.

use std::os::unix::net::UnixStream;

use commonage::ring::{self, Options, Receiver, RingError, Sender};

use super::{between, element, say};

const ALL: u64 = 200_000;

/// By all means in turn, from the first to the last.
fn push_all(sender: &mut Sender<u64>) {
    let mut place = 0;
    let mut turn = 0;
    while place < ALL {
        turn += 1;
        let len = (turn * 7919 % (3 * sender.capacity() as u64)).min(ALL - place);
        let values: Vec<u64> = (place..place + len).map(element).collect();
        place += match turn % 6 {
            0 => {
                sender.push(element(place)).unwrap();
                1
            }
            1 => {
                sender.push_slice(&values).unwrap();
                len
            }
            2 => match sender.try_push_slice(&values) {
                Ok(pushed) => pushed as u64,
                Err(RingError::Full) => 0,
                Err(error) => panic!("{error}"),
            },
            3 => {
                let len = len.min(sender.capacity() as u64 / 2) as usize;
                sender.wait_slots(len, None).unwrap();
                let mut chunk = sender.write_chunk(len).unwrap();
                chunk.copy_from_slice(&values[..len]);
                chunk.commit_all();
                len as u64
            }
            4 => {
                let len = len.min(sender.capacity() as u64 / 3) as usize;
                sender.wait_slots(len, None).unwrap();
                let mut chunk = sender.write_chunk(len).unwrap();
                values[..len].iter().enumerate().for_each(|(at, value)| chunk.set(at, *value));
                chunk.commit_quietly(len / 2);
                sender.wake();
                len as u64 / 2
            }
            _ => u64::from(sender.try_push(element(place)).is_ok()),
        };
    }
}

fn pop_all(receiver: &mut Receiver<u64>) {
    let mut place = 0;
    let mut turn = 0;
    let mut check = |values: &[u64]| {
        for value in values {
            assert_eq!(*value, element(place), "at {place}");
            place += 1;
        }
        place
    };
    let mut done = 0;
    while done < ALL {
        turn += 1;
        let len = (turn * 6151 % (2 * receiver.capacity() as u64)).min(ALL - done) as usize;
        let mut values = vec![0; len];
        done = match turn % 5 {
            0 => check(&[receiver.pop().unwrap()]),
            1 => {
                receiver.pop_slice(&mut values).unwrap();
                check(&values)
            }
            2 => {
                let popped = receiver.try_pop_slice(&mut values).unwrap_or(0);
                check(&values[..popped])
            }
            3 => {
                let len = len.min(receiver.capacity() / 2);
                receiver.wait_slots(len, None).unwrap();
                let chunk = receiver.read_chunk(len).unwrap();
                let values: Vec<u64> = chunk.iter().collect();
                chunk.commit_all();
                check(&values)
            }
            _ => {
                let len = len.min(receiver.capacity() / 3);
                receiver.wait_slots(len, None).unwrap();
                let chunk = receiver.read_chunk(len).unwrap();
                chunk.copy_to_slice(&mut values[..len]);
                chunk.commit_quietly(len / 2);
                receiver.wake();
                check(&values[..len / 2])
            }
        };
    }
    assert_eq!(receiver.pop(), Err(RingError::Closed));
}

#[test]
fn all_elements_arrive_from_a_process_that_was_sent_the_sender() {
    between(
        "ring_channel::streams::all_elements_arrive_from_a_process_that_was_sent_the_sender",
        |peer| {
            let (sender, mut receiver) = ring::channel(100).unwrap();
            sender.send_over(&peer.stream).unwrap();
            pop_all(&mut receiver);
            peer.running.success();
        },
        |stream| push_all(&mut Sender::receive_over(&stream).unwrap()),
    );
}

#[test]
fn all_elements_arrive_at_a_process_that_was_sent_the_receiver() {
    between(
        "ring_channel::streams::all_elements_arrive_at_a_process_that_was_sent_the_receiver",
        |peer| {
            let (mut sender, receiver) = ring::channel(1000).unwrap();
            receiver.send_over(&peer.stream).unwrap();
            push_all(&mut sender);
            drop(sender);
            peer.running.success();
        },
        |stream| pop_all(&mut Receiver::receive_over(&stream).unwrap()),
    );
}

/// With the least capacity, and no looking before sleeping: each element is waited for.
#[test]
fn no_waking_is_lost_however_often_both_sides_sleep() {
    const ROUNDS: u64 = 20_000;
    between(
        "ring_channel::streams::no_waking_is_lost_however_often_both_sides_sleep",
        |peer| {
            let (mut there, receiver) = Options::new().channel(1).unwrap();
            let (sender, mut back) = Options::new().channel(1).unwrap();
            receiver.send_over(&peer.stream).unwrap();
            sender.send_over(&peer.stream).unwrap();
            there.set_spins(0);
            back.set_spins(0);
            for round in 0..ROUNDS {
                there.push(element(round)).unwrap();
                assert_eq!(back.pop(), Ok(!element(round)));
            }
            drop(there);
            peer.running.success();
        },
        |stream| {
            let mut receiver = Receiver::<u64>::receive_over(&stream).unwrap();
            let mut sender = Sender::<u64>::receive_over(&stream).unwrap();
            receiver.set_spins(0);
            sender.set_spins(0);
            while let Ok(value) = receiver.pop() {
                sender.push(!value).unwrap();
            }
        },
    );
}

#[test]
fn an_end_goes_on_where_it_was_when_it_has_been_sent_on() {
    between(
        "ring_channel::streams::an_end_goes_on_where_it_was_when_it_has_been_sent_on",
        |peer| {
            let (mut sender, mut receiver) = ring::channel(64).unwrap();
            sender.push_slice(&[1, 2, 3]).unwrap();
            assert_eq!(receiver.pop(), Ok(1));
            let fds = sender.into_fds().unwrap();
            let mut sender = Sender::<u64>::from_fds(fds).unwrap();
            sender.push(4).unwrap();
            sender.send_over(&peer.stream).unwrap();
            assert_eq!(super::rest(&mut receiver), (vec![2, 3, 4, 5], RingError::Closed));
            peer.running.success();
        },
        |stream: UnixStream| Sender::<u64>::receive_over(&stream).unwrap().push(5).unwrap(),
    );
}

#[test]
fn what_was_pushed_before_the_end_is_popped_after_it() {
    between(
        "ring_channel::streams::what_was_pushed_before_the_end_is_popped_after_it",
        |peer| {
            let (sender, mut receiver) = ring::channel(64).unwrap();
            sender.send_over(&peer.stream).unwrap();
            super::hear(&peer.stream);
            assert!(receiver.is_closed());
            assert_eq!(receiver.wait_slots(4, None), Err(RingError::Closed));
            assert_eq!(super::rest(&mut receiver), (vec![7, 8, 9], RingError::Closed));
            peer.running.success();
        },
        |stream| {
            let mut sender = Sender::<u64>::receive_over(&stream).unwrap();
            sender.push_slice(&[7, 8, 9]).unwrap();
            drop(sender);
            say(&stream);
        },
    );
}

#[test]
fn a_capacity_is_rounded_up_to_a_power_of_two_and_to_what_its_pages_hold() {
    for (asked, least) in [(0, 1), (1, 1), (3, 4), (1000, 1024), (1024, 1024), (70_000, 131_072)] {
        let (sender, receiver) = ring::channel::<u32>(asked).unwrap();
        assert_eq!(sender.capacity(), receiver.capacity());
        assert!(sender.capacity().is_power_of_two() && sender.capacity() >= least);
    }
    let (mut sender, mut receiver) = ring::channel::<u8>(1).unwrap();
    assert_eq!(sender.capacity(), 2048, "what is left of a page");
    assert_eq!(sender.slots(), Ok(2048));
    for number in 0..2048 {
        sender.try_push(number as u8).unwrap();
    }
    assert_eq!(sender.try_push(0), Err(RingError::Full));
    assert_eq!(receiver.slots(), Ok(2048));
    for number in 0..2048 {
        assert_eq!(receiver.try_pop(), Ok(number as u8));
    }
    assert_eq!(receiver.try_pop(), Err(RingError::Empty));
}

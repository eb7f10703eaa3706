//! Elements arrive once, in order, and no slot is accessed by both sides at the same time.

use std::sync::Arc;

use ::loom::thread;

use super::{
    super::{
        RingError,
        indices::{Indices, Popping, Pushing},
    },
    words::Ring,
};
use crate::sync::loom::check;

/// A consumer, and a producer in another thread.
fn pair(capacity: usize, produce: impl FnOnce(&Ring, &mut Indices) + 'static) -> (Arc<Ring>, thread::JoinHandle<()>) {
    let ring = Arc::new(Ring::new(capacity));
    let theirs = Arc::clone(&ring);
    (ring, thread::spawn(move || produce(&theirs, &mut theirs.producer())))
}

/// Pushes, however long it takes.
fn push(ring: &Ring, indices: &mut Indices, value: u64) {
    while let Err(error) = ring.try_push(indices, value) {
        assert_eq!(error, RingError::Full);
        thread::yield_now();
    }
}

/// Pops, however long it takes, until the end.
fn pop(ring: &Ring, indices: &mut Indices) -> Option<u64> {
    loop {
        match ring.try_pop(indices) {
            Ok(value) => return Some(value),
            Err(RingError::Closed) => return None,
            Err(error) => assert_eq!(error, RingError::Empty),
        }
        thread::yield_now();
    }
}

fn all_arrive(capacity: usize, count: u64, preemptions: usize) {
    check(&format!("{count} through {capacity}"), preemptions, move || {
        let (ring, producer) = pair(capacity, move |ring, indices| (1..=count).for_each(|n| push(ring, indices, n)));
        let mut indices = ring.consumer();
        for n in 1..=count {
            assert_eq!(pop(&ring, &mut indices), Some(n));
        }
        producer.join().unwrap();
        assert_eq!(ring.try_pop(&mut indices), Err(RingError::Empty));
    });
}

#[test]
fn all_that_is_pushed_arrives_through_one_slot() {
    all_arrive(1, 3, 2);
}

#[test]
fn all_that_is_pushed_arrives_through_two_slots() {
    all_arrive(2, 4, 2);
}

#[test]
fn all_that_was_pushed_before_the_end_is_had_before_the_end_is_told() {
    check("an end after two", 3, || {
        let (ring, producer) = pair(2, |ring, indices| {
            push(ring, indices, 1);
            push(ring, indices, 2);
            Indices::close(&ring.producer);
        });
        let mut indices = ring.consumer();
        assert_eq!([(); 3].map(|()| pop(&ring, &mut indices)), [Some(1), Some(2), None]);
        producer.join().unwrap();
    });
}

#[test]
fn what_is_asked_for_at_once_is_had_if_it_came_before_the_end() {
    check("a chunk, and an end", 3, || {
        let (ring, producer) = pair(2, |ring, indices| {
            push(ring, indices, 1);
            push(ring, indices, 2);
            Indices::close(&ring.producer);
        });
        let mut indices = ring.consumer();
        while let Err(error) = indices.has::<Popping, _>(2, 2, &ring.producer) {
            assert_eq!(error, RingError::Empty, "it came before the end");
            thread::yield_now();
        }
        assert_eq!([0, 1].map(|at| ring.read(indices.own().wrapping_add(at))), [1, 2]);
        producer.join().unwrap();
        let more = indices.has::<Popping, _>(1, 2, &ring.producer);
        assert_eq!(more, Ok(()), "nothing has been given back");
    });
}

#[test]
fn what_is_too_little_at_the_end_is_never_waited_for() {
    check("half a chunk, and an end", 3, || {
        let (ring, producer) = pair(2, |ring, indices| {
            push(ring, indices, 1);
            Indices::close(&ring.producer);
        });
        let mut indices = ring.consumer();
        let error = loop {
            match indices.has::<Popping, _>(2, 2, &ring.producer) {
                Err(RingError::Empty) => thread::yield_now(),
                other => break other,
            }
        };
        assert_eq!(error, Err(RingError::Closed));
        assert_eq!([(); 2].map(|()| pop(&ring, &mut indices)), [Some(1), None], "what there is can be had");
        producer.join().unwrap();
    });
}

#[test]
fn a_consumer_that_ends_is_told_to_a_producer_that_finds_the_ring_full() {
    check("an end of the other", 3, || {
        let (ring, producer) = pair(1, |ring, indices| {
            let mut pushed = 0;
            let error = loop {
                match ring.try_push(indices, pushed) {
                    Ok(()) => pushed += 1,
                    Err(RingError::Full) => thread::yield_now(),
                    Err(error) => break error,
                }
            };
            assert_eq!(error, RingError::Closed);
            assert!((1..=2).contains(&pushed), "{pushed} pushed");
            assert_eq!(indices.look::<Pushing, _>(&ring.consumer), Err(RingError::Closed));
        });
        let mut indices = ring.consumer();
        let _ = ring.try_pop(&mut indices);
        Indices::close(&ring.consumer);
        producer.join().unwrap();
    });
}

//! Two sides attach at the same time, and one after another.

use std::sync::Arc;

use ::loom::thread;

use super::{
    super::{
        RingError, RingFault,
        indices::{Indices, Popping, Pushing},
    },
    words::{KIND, Ring},
};
use crate::sync::loom::check;

#[test]
fn of_two_that_take_a_ring_for_different_ones_at_least_one_is_told() {
    check("two kinds", 4, || {
        let ring = Arc::new(Ring::new(1));
        let theirs = Arc::clone(&ring);
        let other = thread::spawn(move || theirs.attach::<Pushing>(KIND + 1).err());
        let told = [ring.attach::<Popping>(KIND).err(), other.join().unwrap()];
        assert!(told.iter().flatten().all(|fault| matches!(fault, RingFault::Kind { .. })), "{told:?}");
        assert!(told.iter().flatten().count() >= 1, "nobody is told");
    });
}

#[test]
fn two_that_attach_at_the_same_time_find_each_other() {
    check("one kind", 4, || {
        let ring = Arc::new(Ring::new(1));
        let theirs = Arc::clone(&ring);
        let other = thread::spawn(move || {
            let mut indices = theirs.producer();
            theirs.try_push(&mut indices, 1).unwrap();
        });
        let mut indices = ring.consumer();
        let early = ring.try_pop(&mut indices);
        other.join().unwrap();
        assert_eq!(early.or_else(|_| ring.try_pop(&mut indices)), Ok(1));
    });
}

#[test]
fn who_attaches_after_another_goes_on_where_that_was() {
    check("two producers, one after the other", 2, || {
        let ring = Arc::new(Ring::new(2));
        let theirs = Arc::clone(&ring);
        let other = thread::spawn(move || {
            for n in [1, 2] {
                // The slots that a predecessor has written are read, or free, before another is written.
                while theirs.try_push(&mut theirs.producer(), n).is_err() {
                    thread::yield_now();
                }
                Indices::close(&theirs.producer);
            }
        });
        let (mut popped, mut indices) = (Vec::new(), ring.consumer());
        while popped.len() < 2 {
            match ring.try_pop(&mut indices) {
                Ok(value) => popped.push(value),
                Err(error) => {
                    assert!(matches!(error, RingError::Empty | RingError::Closed), "{error:?}");
                    thread::yield_now();
                }
            }
            // Another consumer, which knows what the memory says.
            indices = ring.consumer();
        }
        assert_eq!(popped, [1, 2]);
        other.join().unwrap();
    });
}

//! `Event`, by threads.

use std::{
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use bytemuck::Zeroable;

use crate::{Shareable, sync::Event};

#[test]
fn it_stays_set_until_it_is_reset_or_taken() {
    let event = Event::new();
    assert!(!event.is_set() && !event.wait_timeout(Duration::ZERO) && !event.take_timeout(Duration::ZERO));
    assert!(!event.wait_timeout(Duration::from_millis(40)));
    event.set();
    event.set();
    event.wait();
    assert!(event.is_set() && event.wait_timeout(Duration::ZERO) && event.wait_timeout(Duration::MAX));
    event.take();
    assert!(!event.is_set() && !event.take_timeout(Duration::ZERO));
    event.set();
    assert!(event.take_timeout(Duration::MAX));
    event.set();
    event.reset();
    event.reset();
    assert!(!event.is_set());
}

#[test]
fn all_who_wait_wake() {
    let event = Event::default();
    let (begun, waits) = mpsc::channel();
    thread::scope(|threads| {
        for timeout in [None, Some(Duration::MAX), Some(Duration::from_secs(60))] {
            let (event, begun) = (&event, begun.clone());
            threads.spawn(move || {
                begun.send(()).unwrap();
                match timeout {
                    None => event.wait(),
                    Some(timeout) => assert!(event.wait_timeout(timeout)),
                }
            });
        }
        (0..3).for_each(|_| waits.recv().unwrap());
        event.set();
    });
    assert!(event.is_set());
}

#[test]
fn each_set_is_taken_once() {
    const SETS: u32 = 3_000;
    let (event, taken) = (Event::new(), AtomicU32::new(0));
    thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                for _ in 0..SETS / 3 {
                    event.take();
                    taken.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for sets in 1..=SETS {
            event.set();
            while taken.load(Ordering::Relaxed) < sets {
                thread::yield_now();
            }
        }
    });
    assert!(!event.is_set());
}

#[test]
fn zeroed_memory_is_not_set() {
    let event: Event = Zeroable::zeroed();
    assert_eq!(format!("{event:?}"), "Event { set: false }");
    const { assert!(!Event::LOCKS && size_of::<Event>() == 4) };
}

//! A ring in a link, between processes: one streams to the other, is killed, and is followed by another.

use std::{
    env,
    io::BufReader,
    ptr::NonNull,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

use commonage::{
    Link,
    link::ReadWrite,
    ring::{Consumer, Producer, RingError},
};

use super::{
    memory::{Element, Frame, SLOTS},
    streams::{pop_all, push_all},
};
use crate::{
    named::{LINK, Name},
    scene::{until, value},
    support::{ChildCommand, child, role, said},
};

/// Bytes beside the ring that nobody writes to.
const GUARD: usize = 4096;
pub(super) const RING: usize = SLOTS + 1024 * 16;
type Bytes = [AtomicU8; 2 * GUARD + RING];

const FIRST: &str = "COMMONAGE_TEST_FIRST";
const COUNT: u64 = 1_000_000;

/// Memory that several processes have mapped, with a ring in the middle.
pub(super) struct Place {
    link: Link<Bytes, ReadWrite>,
}

impl Place {
    pub(super) fn make(name: &Name) -> Self {
        // SAFETY: nobody uses the name for anything else.
        Place { link: unsafe { Link::named(&name.0).raw() }.create().unwrap() }
    }

    /// The one that the parent has made.
    pub(super) fn given() -> Self {
        // SAFETY: the parent has made it so.
        Place { link: unsafe { Link::named(&value(LINK)).raw() }.open_existing().unwrap() }
    }

    pub(super) fn words(&self) -> &[AtomicU8] {
        &self.link[GUARD..][..RING]
    }

    fn ring(&self) -> NonNull<[u8]> {
        let all = NonNull::from(&*self.link).cast::<u8>();
        // SAFETY: the guard is there.
        NonNull::slice_from_raw_parts(unsafe { all.add(GUARD) }, RING)
    }

    pub(super) fn producer<T: Element>(&self) -> Result<Producer<'_, T>, commonage::Error> {
        // SAFETY: it is mapped for as long as this, and each test has one side in each process.
        unsafe { Producer::attach(self.ring()) }
    }

    pub(super) fn consumer<T: Element>(&self) -> Result<Consumer<'_, T>, commonage::Error> {
        // SAFETY: as above.
        unsafe { Consumer::attach(self.ring()) }
    }

    pub(super) fn assert_guarded(&self) {
        let beside = self.link[..GUARD].iter().chain(&self.link[GUARD + RING..]);
        assert!(beside.into_iter().all(|byte| byte.load(Relaxed) == 0), "something was written beside the ring");
    }
}

pub(super) fn of(name: &Name, test: &str, role: &str) -> ChildCommand {
    child(test, role).env(LINK, &name.0)
}

fn first() -> u64 {
    env::var(FIRST).map_or(0, |first| first.parse().unwrap())
}

#[test]
fn a_million_elements_arrive_in_another_process() {
    const TEST: &str = "ring::peers::a_million_elements_arrive_in_another_process";
    match role().as_deref() {
        Some("pushes") => push_all(&mut Place::given().producer::<u64>().unwrap(), 0..COUNT),
        Some("pops") => assert_eq!(pop_all(&mut Place::given().consumer::<u64>().unwrap(), 0), COUNT),
        _ => {
            let name = Name::new();
            let place = Place::make(&name);
            let producer = of(&name, TEST, "pushes").spawn();
            assert_eq!(pop_all(&mut place.consumer::<u64>().unwrap(), 0), COUNT);
            producer.success();
            place.assert_guarded();

            let name = Name::new();
            let place = Place::make(&name);
            let consumer = of(&name, TEST, "pops").spawn();
            push_all(&mut place.producer::<u64>().unwrap(), 0..COUNT);
            consumer.success();
            place.assert_guarded();
        }
    }
}

#[test]
fn a_producer_that_is_killed_is_followed_by_another_and_nothing_is_torn() {
    const TEST: &str = "ring::peers::a_producer_that_is_killed_is_followed_by_another_and_nothing_is_torn";
    match role().as_deref() {
        Some("pushes") => push_all(&mut Place::given().producer::<Frame>().unwrap(), first()..u64::MAX),
        Some("ends") => push_all(&mut Place::given().producer::<Frame>().unwrap(), first()..first() + 1000),
        _ => {
            let name = Name::new();
            let place = Place::make(&name);
            let mut consumer = place.consumer::<Frame>().unwrap();
            let mut next = 0;
            for round in 0..10_u64 {
                let producer = of(&name, TEST, "pushes").env(FIRST, &next.to_string()).spawn();
                let enough = next + 500 + round * 777;
                let mut pop = |next: &mut u64| match consumer.try_pop() {
                    Ok(value) => {
                        assert_eq!(value, Frame::of(*next));
                        *next += 1;
                        Some(())
                    }
                    Err(error) => {
                        assert_eq!(error, RingError::Empty, "it has not said that it ends");
                        None
                    }
                };
                while next < enough {
                    until("the next", || pop(&mut next));
                }
                producer.kill();
                // What it has pushed is there, also after it.
                while pop(&mut next).is_some() {}
                assert!(!consumer.is_closed());
            }
            let producer = of(&name, TEST, "ends").env(FIRST, &next.to_string()).spawn();
            assert_eq!(pop_all(&mut consumer, next), next + 1000);
            producer.success();
            place.assert_guarded();
        }
    }
}

#[test]
fn a_consumer_that_is_killed_is_followed_by_another_that_goes_on_where_it_was() {
    const TEST: &str = "ring::peers::a_consumer_that_is_killed_is_followed_by_another_that_goes_on_where_it_was";
    match role().as_deref() {
        Some("pops") => {
            let place = Place::given();
            let mut consumer = place.consumer::<u64>().unwrap();
            println!("pops: it has attached");
            let first = until("the first", || consumer.try_pop().ok());
            assert!(first >= self::first(), "popped before");
            println!("first: {first}");
            pop_all(&mut consumer, first + 1);
        }
        _ => {
            let name = Name::new();
            let place = Place::make(&name);
            let mut producer = place.producer::<u64>().unwrap();
            let (mut next, mut last) = (0, 0);
            for round in 0..10_u64 {
                let mut consumer = of(&name, TEST, "pops").env(FIRST, &last.to_string()).spawn();
                let mut from = BufReader::new(consumer.child().stdout.take().expect("it is piped"));
                said(&mut from, "pops: ");
                push_all(&mut producer, next..next + 3000 + round * 333);
                next += 3000 + round * 333;
                last = said(&mut from, "first: ").parse().unwrap();
                consumer.kill();
                assert!(!producer.is_closed());
            }
            // The last one has all that is left.
            let consumer = of(&name, TEST, "pops").env(FIRST, &last.to_string()).spawn();
            push_all(&mut producer, next..next + 3000);
            until("all are popped", || (producer.slots() == Ok(producer.capacity())).then_some(()));
            drop(producer);
            consumer.success();
            place.assert_guarded();
        }
    }
}

#[test]
fn a_ring_in_a_link_is_told_from_another_kind_by_another_process() {
    const TEST: &str = "ring::peers::a_ring_in_a_link_is_told_from_another_kind_by_another_process";
    match role().as_deref() {
        Some("attaches") => {
            let place = Place::given();
            assert!(matches!(place.consumer::<Frame>(), Err(commonage::Error::Ring(_))));
            drop(place.consumer::<u64>().unwrap());
        }
        _ => {
            let name = Name::new();
            let place = Place::make(&name);
            let producer = place.producer::<u64>().unwrap();
            of(&name, TEST, "attaches").run_to_success();
            assert!(producer.is_closed(), "it came, and went");
        }
    }
}

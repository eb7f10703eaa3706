//! Nobody sleeps through what it waits for: the checker would find a deadlock.
//!
//! The sleeper's barrier is a `membarrier`, which the checker does not know. What it does is modelled in two ways.
//!
//! - *A fence on both sides.* The kernel runs a fence on each processor of the other side, some time between the sleeper's
//!   announcement and its look. Where that falls in what the other side does, it falls either before the other side looks at
//!   the word, which then finds the announcement, or after it, and then the index was published before the fence, and the
//!   sleeper's look finds it. That one of them finds the other is all that two fences promise, one between store and load on
//!   either side. So most models have these.
//! - *A fence where the barrier falls.* The other side, which has no fence of its own, stops at one of its steps, runs the
//!   fence when it is asked for, and goes on: once for each of its steps. Whoever is not running has run one when it stopped.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use ::loom::{
    sync::{Condvar, Mutex},
    thread,
};

use super::{
    super::{
        RingError,
        handshake::{Fences, reaches},
        indices::{Indices, Popping, Pushing, Side},
        layout::End,
        sleep::sleep,
    },
    bell::Bell,
    words::Ring,
};
use crate::sync::{
    atoms::Atom,
    loom::{check, words::Cell},
};

/// How a side sleeps and is woken.
struct Bed {
    waits: Cell<u64>,
    bell: Bell,
    announced: AtomicU32,
    /// So many of its sleeps end for no reason.
    restless: AtomicU32,
}

impl Bed {
    fn new() -> Self {
        let (announced, restless) = (AtomicU32::new(0), AtomicU32::new(0));
        Bed { waits: Cell::new(0, None), bell: Bell::new(), announced, restless }
    }

    /// Sleeps until `wanted` slots are this side's.
    fn wait<S: Side>(&self, indices: &mut Indices, other: &End<Cell<u64>>, wanted: usize) -> Result<(), RingError> {
        let barrier = || Cell::<u64>::fence(Ordering::SeqCst);
        self.wait_behind::<S>(indices, other, wanted, barrier)
    }

    fn wait_behind<S: Side>(
        &self,
        indices: &mut Indices,
        other: &End<Cell<u64>>,
        wanted: usize,
        barrier: impl Fn(),
    ) -> Result<(), RingError> {
        let until = indices.awaited::<S>(wanted);
        let barrier = || {
            self.announced.fetch_add(1, Ordering::Relaxed);
            barrier();
        };
        let look = || match indices.look::<S, _>(other) {
            Ok(slots) if slots < wanted => None,
            other => Some(other.map(drop)),
        };
        let doze = || match self.restless.load(Ordering::Relaxed) {
            0 => self.bell.doze(Err(RingError::Closed)),
            times => {
                self.restless.store(times - 1, Ordering::Relaxed);
                ControlFlow::Continue(())
            }
        };
        let found = sleep(&self.waits, until, barrier, look, doze);
        assert_eq!(self.waits.load(Ordering::Relaxed), 0, "who is awake says so");
        found
    }

    /// The other side has published `index`.
    fn after(&self, index: u64, fences: Fences) {
        if reaches(&self.waits, index, fences) {
            self.bell.ring();
        }
    }

    fn assert_rung_once_for_each_sleep(&self) {
        let (rung, announced) = (self.bell.in_all(), self.announced.load(Ordering::Relaxed));
        assert!(rung <= announced, "{rung} times rung for {announced} sleeps");
    }
}

struct Scene {
    ring: Ring,
    producer: Bed,
    consumer: Bed,
}

impl Scene {
    fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Scene { ring: Ring::new(capacity), producer: Bed::new(), consumer: Bed::new() })
    }

    fn push(&self, indices: &mut Indices, value: u64) -> Result<(), RingError> {
        match self.ring.try_push(indices, value) {
            Err(RingError::Full) => {
                self.producer.wait::<Pushing>(indices, &self.ring.consumer, 1)?;
                self.ring.try_push(indices, value)?;
            }
            other => other?,
        }
        self.consumer.after(indices.own(), Fences::Always);
        Ok(())
    }

    fn pop(&self, indices: &mut Indices) -> Result<u64, RingError> {
        let value = match self.ring.try_pop(indices) {
            Err(RingError::Empty) => {
                self.consumer.wait::<Popping>(indices, &self.ring.producer, 1)?;
                self.ring.try_pop(indices)?
            }
            other => other?,
        };
        self.producer.after(indices.own(), Fences::Always);
        Ok(value)
    }

    fn assert_rung_once_for_each_sleep(&self) {
        self.producer.assert_rung_once_for_each_sleep();
        self.consumer.assert_rung_once_for_each_sleep();
    }
}

fn spawn(scene: &Arc<Scene>, run: impl FnOnce(&Scene) + 'static) -> thread::JoinHandle<()> {
    let scene = Arc::clone(scene);
    thread::spawn(move || run(&scene))
}

fn both_sleep(name: &str, capacity: usize, count: u64, restless: u32, preemptions: usize) {
    check(name, preemptions, move || {
        let scene = Scene::new(capacity);
        for bed in [&scene.producer, &scene.consumer] {
            bed.restless.store(restless, Ordering::Relaxed);
        }
        let producer = spawn(&scene, move |scene| {
            let mut indices = scene.ring.producer();
            (0..count).for_each(|n| scene.push(&mut indices, n).unwrap());
        });
        let mut indices = scene.ring.consumer();
        (0..count).for_each(|n| assert_eq!(scene.pop(&mut indices), Ok(n)));
        producer.join().unwrap();
        scene.assert_rung_once_for_each_sleep();
    });
}

#[test]
fn neither_side_sleeps_through_what_it_waits_for() {
    both_sleep("two through one, both sleep", 1, 2, 0, 2);
    both_sleep("three through one, both sleep", 1, 3, 0, 2);
    // It waits for the last index of all, which is announced as one before it.
    both_sleep("one through two", 2, 1, 0, 3);
}

#[test]
fn who_wakes_for_no_reason_sleeps_again() {
    both_sleep("two through one, both sleep badly", 1, 2, 1, 2);
}

#[test]
fn who_waits_for_several_is_woken_once_for_the_last() {
    check("two at once", 3, || {
        let scene = Scene::new(2);
        let producer = spawn(&scene, |scene| {
            let mut indices = scene.ring.producer();
            scene.push(&mut indices, 1).unwrap();
            assert_eq!(scene.consumer.bell.in_all(), 0, "woken for less than it waits for");
            scene.push(&mut indices, 2).unwrap();
        });
        let mut indices = scene.ring.consumer();
        scene.consumer.wait::<Popping>(&mut indices, &scene.ring.producer, 2).unwrap();
        assert_eq!([scene.pop(&mut indices), scene.pop(&mut indices)], [Ok(1), Ok(2)]);
        producer.join().unwrap();
        scene.assert_rung_once_for_each_sleep();
    });
}

#[test]
fn who_is_slow_to_wake_is_woken_once() {
    check("two after another", 3, || {
        let scene = Scene::new(2);
        let producer = spawn(&scene, |scene| {
            let mut indices = scene.ring.producer();
            (1..=2).for_each(|n| scene.push(&mut indices, n).unwrap());
        });
        let mut indices = scene.ring.consumer();
        scene.consumer.wait::<Popping>(&mut indices, &scene.ring.producer, 1).unwrap();
        producer.join().unwrap();
        scene.assert_rung_once_for_each_sleep();
    });
}

#[test]
fn who_waits_for_one_that_is_killed_is_told() {
    check("a producer is killed", 3, || {
        let scene = Scene::new(2);
        let producer = spawn(&scene, |scene| {
            let mut indices = scene.ring.producer();
            scene.ring.try_push(&mut indices, 1).unwrap();
            // Killed before it has looked whether anybody sleeps.
            scene.consumer.bell.hang_up();
        });
        let mut indices = scene.ring.consumer();
        assert_eq!([scene.pop(&mut indices), scene.pop(&mut indices)], [Ok(1), Err(RingError::Closed)]);
        producer.join().unwrap();
    });
}

#[test]
fn who_waits_for_one_that_ends_is_told() {
    check("a consumer ends", 3, || {
        let scene = Scene::new(1);
        let producer = spawn(&scene, |scene| {
            let mut indices = scene.ring.producer();
            scene.push(&mut indices, 1).unwrap();
            let more: Vec<_> = (2..=3).map(|n| scene.push(&mut indices, n)).collect();
            assert!(more == [Ok(()), Err(RingError::Closed)] || more == [Err(RingError::Closed); 2], "{more:?}");
        });
        let mut indices = scene.ring.consumer();
        let _ = scene.ring.try_pop(&mut indices);
        Indices::close(&scene.ring.consumer);
        scene.producer.bell.hang_up();
        producer.join().unwrap();
    });
}

/// A fence that one thread asks another for: a `membarrier`, where it falls.
struct Request {
    state: Mutex<[bool; 2]>,
    changed: Condvar,
}

impl Request {
    fn new() -> Self {
        Request { state: Mutex::new([false; 2]), changed: Condvar::new() }
    }

    fn set(&self, which: usize) {
        self.state.lock().unwrap()[which] = true;
        self.changed.notify_one();
    }

    fn wait(&self, which: usize) {
        let mut state = self.state.lock().unwrap();
        while !state[which] {
            state = self.changed.wait(state).unwrap();
        }
    }

    fn ask(&self) {
        self.set(0);
        self.wait(1);
    }

    fn obey(&self) {
        self.wait(0);
        Cell::<u64>::fence(Ordering::SeqCst);
        self.set(1);
    }
}

#[test]
fn a_side_without_fences_wakes_the_other_wherever_its_barrier_falls() {
    // Before it publishes, before it looks whether anybody sleeps, and after that.
    for step in 0..3 {
        check(&format!("a barrier at step {step}"), 4, move || {
            let (scene, request) = (Scene::new(1), Arc::new(Request::new()));
            let asked = Arc::clone(&request);
            let producer = spawn(&scene, move |scene| {
                let mut indices = scene.ring.producer();
                let at = |here| {
                    if here == step {
                        asked.obey()
                    }
                };
                at(0);
                scene.ring.try_push(&mut indices, 1).unwrap();
                at(1);
                let wakes = reaches(&scene.consumer.waits, indices.own(), Fences::Asleep);
                at(2);
                if wakes {
                    scene.consumer.bell.ring();
                }
            });
            let mut indices = scene.ring.consumer();
            let asks = || request.ask();
            scene.consumer.wait_behind::<Popping>(&mut indices, &scene.ring.producer, 1, asks).unwrap();
            assert_eq!(scene.ring.try_pop(&mut indices), Ok(1));
            producer.join().unwrap();
            scene.assert_rung_once_for_each_sleep();
        });
    }
}

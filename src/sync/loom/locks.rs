//! Locks: one has it, all get it, and a death is told once.

use std::sync::Arc;

use ::loom::thread;

use super::{
    check,
    words::{Cell, Guarded, Mortal},
};
use crate::sync::raw_lock::{Found, RawLock};

/// The one of whom others ask whether it is dead.
const MORTAL: u64 = 7;

struct Scene {
    lock: RawLock<Cell<u64>>,
    value: Guarded,
    mortal: Arc<Mortal>,
}

impl Scene {
    /// Nobody dies, and who sleeps is woken by others alone.
    fn of_immortals() -> Arc<Self> {
        let lock = RawLock::over(Cell::new(0, None));
        Arc::new(Scene { lock, value: Guarded::new(), mortal: Arc::new(Mortal::new(MORTAL)) })
    }

    fn new() -> Arc<Self> {
        let mortal = Arc::new(Mortal::new(MORTAL));
        let lock = RawLock::over(Cell::new(0, Some(&mortal)));
        Arc::new(Scene { lock, value: Guarded::new(), mortal })
    }

    /// Locks as a process does, changes the value, and lets go.
    fn turn(&self, id: u64, left: Found) -> Found {
        let found = self.lock(id);
        self.value.write();
        self.lock.give(id, left);
        found
    }

    fn lock(&self, id: u64) -> Found {
        if self.lock.take(id) { Found::Clean } else { self.lock.acquire(id, &mut &*self.mortal).unwrap() }
    }
}

fn spawn<R: 'static>(scene: &Arc<Scene>, run: impl FnOnce(&Scene) -> R + 'static) -> thread::JoinHandle<R> {
    let scene = Arc::clone(scene);
    thread::spawn(move || run(&scene))
}

#[test]
fn one_at_a_time_has_it_and_nobody_sleeps_for_ever() {
    check("two turns each", 3, || {
        let scene = Scene::of_immortals();
        let other = spawn(&scene, |scene| {
            scene.turn(1, Found::Clean);
            scene.turn(1, Found::Clean);
        });
        scene.turn(2, Found::Clean);
        scene.turn(2, Found::Clean);
        other.join().unwrap();
        assert!(scene.lock.take(3));
    });
}

#[test]
fn of_two_that_sleep_each_is_woken() {
    check("three turns", 3, || {
        let scene = Scene::of_immortals();
        let others = [1, 2].map(|id| spawn(&scene, move |scene| scene.turn(id, Found::Clean)));
        assert_eq!(scene.turn(3, Found::Clean), Found::Clean);
        for other in others {
            assert_eq!(other.join().unwrap(), Found::Clean);
        }
    });
}

#[test]
fn threads_of_one_process_wait_for_each_other() {
    check("one process", 3, || {
        let scene = Scene::of_immortals();
        let other = spawn(&scene, |scene| scene.turn(MORTAL, Found::Clean));
        scene.turn(MORTAL, Found::Clean);
        assert_eq!(other.join().unwrap(), Found::Clean);
    });
}

#[test]
fn a_death_is_told_to_one_of_those_who_wait() {
    check("death of a holder", 3, || {
        let scene = Scene::new();
        // It may come before the others, between them, or last.
        let holder = spawn(&scene, |scene| {
            scene.lock(MORTAL);
            scene.value.write();
            scene.lock.word().outlives(&scene.mortal);
        });
        let other = spawn(&scene, |scene| scene.turn(1, Found::Clean));
        let first = scene.turn(2, Found::Clean);
        holder.join().unwrap();
        let told = [first, other.join().unwrap(), scene.turn(2, Found::Clean)];
        assert_eq!(told.iter().filter(|found| **found == Found::Died).count(), 1);
        assert!(scene.lock.take(3));
    });
}

#[test]
fn who_has_to_leave_tells_the_next_and_no_other() {
    check("left half-done", 2, || {
        let scene = Scene::of_immortals();
        assert!(scene.lock.take(3));
        let others = [1, 2].map(|id| spawn(&scene, move |scene| scene.turn(id, Found::Clean)));
        scene.value.write();
        scene.lock.give(3, Found::Died);
        let told = others.map(|other| other.join().unwrap());
        assert_eq!(told.iter().filter(|found| **found == Found::Died).count(), 1);
    });
}

#[test]
fn what_is_anothers_is_not_let_go_of() {
    let lock = RawLock::<std::sync::atomic::AtomicU64>::new();
    assert!(lock.take(1));
    lock.give(2, Found::Clean);
    lock.give(0, Found::Clean);
    assert!(!lock.take(3));
    lock.give(1, Found::Clean);
    lock.give(1, Found::Died);
    assert!(lock.take(3));
}

//! Events: nobody sleeps through one, and one has it.

use std::sync::Arc;

use ::loom::thread;

use super::{
    check,
    words::{Cell, Guarded},
};
use crate::sync::{event::State, patience::Patience};

struct Scene {
    event: State<Cell<u32>>,
    value: Guarded,
}

fn scene() -> Arc<Scene> {
    Arc::new(Scene { event: State::over(Cell::new(0, None)), value: Guarded::new() })
}

fn spawn(scene: &Arc<Scene>, run: impl FnOnce(&Scene) + 'static) -> thread::JoinHandle<()> {
    let scene = Arc::clone(scene);
    thread::spawn(move || run(&scene))
}

#[test]
fn all_who_wait_wake_and_see_what_came_before() {
    check("two wait", 3, || {
        let scene = scene();
        let waits = |scene: &Scene| {
            assert!(scene.event.wait(Patience::Endless));
            scene.value.read();
        };
        let others = [spawn(&scene, waits), spawn(&scene, waits)];
        scene.value.write();
        scene.event.set();
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn each_set_has_one_taker() {
    check("two take", 2, || {
        let scene = scene();
        let takes = |scene: &Scene| {
            assert!(scene.event.wait_and_take(Patience::Endless));
            scene.value.read();
        };
        let others = [spawn(&scene, takes), spawn(&scene, takes)];
        scene.value.write();
        scene.event.set();
        // Until one of them has it; the other sleeps, or will.
        while scene.event.is_set() {
            thread::yield_now();
        }
        scene.event.set();
        for other in others {
            other.join().unwrap();
        }
        assert!(!scene.event.take(), "nothing is left of two that were taken");
    });
}

#[test]
fn of_two_who_take_one_set_one_has_it() {
    check("two try", 3, || {
        let scene = scene();
        let theirs = Arc::clone(&scene);
        let other = thread::spawn(move || theirs.event.take());
        scene.event.set();
        let taken = [scene.event.take(), other.join().unwrap(), scene.event.take()];
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 1);
    });
}

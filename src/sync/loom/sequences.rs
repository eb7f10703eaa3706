//! Values that are read without a lock: never torn, whoever dies.

use std::sync::{Arc, atomic::Ordering};

use ::loom::thread;

use super::{
    check,
    words::{Cell, Mortal},
};
use crate::sync::{
    atoms::Atom,
    raw_lock::{Found, RawLock},
    seqlock::{publish, try_read},
};

const MORTAL: u64 = 7;
/// A value is two words, which are the same.
const WORDS: usize = 2;

/// A `SeqLock`, in small.
struct Scene {
    writers: RawLock<Cell<u64>>,
    sequence: Cell<u64>,
    slots: [[Cell<u64>; WORDS]; 2],
    mortal: Arc<Mortal>,
}

impl Scene {
    fn new() -> Arc<Self> {
        let mortal = Arc::new(Mortal::new(MORTAL));
        let cell = || Cell::new(0, None);
        Arc::new(Scene {
            writers: RawLock::over(Cell::new(0, Some(&mortal))),
            sequence: cell(),
            slots: [[cell(), cell()], [cell(), cell()]],
            mortal,
        })
    }

    fn lock(&self, id: u64) {
        if !self.writers.take(id) {
            self.writers.acquire(id, &mut &*self.mortal).unwrap();
        }
    }

    fn store(&self, value: u64) {
        publish(&self.sequence, |slot| self.slots[slot].iter().for_each(|word| word.store(value, Ordering::Relaxed)));
    }

    fn write(&self, id: u64, value: u64) {
        self.lock(id);
        self.store(value);
        self.writers.give(id, Found::Clean);
    }

    /// A writer that dies after so many steps with the lock.
    fn dies_writing(&self, value: u64, steps: usize) {
        self.lock(MORTAL);
        if steps > WORDS {
            self.store(value);
        } else {
            // As `publish` does it, up to the word that it does not store any more.
            let next = self.sequence.load(Ordering::Acquire) + 1;
            Cell::<u64>::fence(Ordering::Release);
            for word in &self.slots[(next & 1) as usize][..steps] {
                word.store(value, Ordering::Relaxed);
            }
        }
        self.writers.word().outlives(&self.mortal);
    }

    fn read(&self) -> Option<u64> {
        let copy = |slot: usize| self.slots[slot].each_ref().map(|word| word.load(Ordering::Relaxed));
        let [first, second] = try_read(&self.sequence, copy)?;
        assert_eq!(first, second, "a value is not torn");
        Some(first)
    }
}

fn spawn(scene: &Arc<Scene>, run: impl FnOnce(&Scene) + 'static) -> thread::JoinHandle<()> {
    let scene = Arc::clone(scene);
    thread::spawn(move || run(&scene))
}

#[test]
fn a_read_beside_a_writer_is_of_one_value_and_values_come_in_order() {
    check("one writer", 3, || {
        let scene = Scene::new();
        let writer = spawn(&scene, |scene| {
            scene.write(1, 1);
            scene.write(1, 2);
        });
        let read = [scene.read(), scene.read()];
        assert!(!matches!(read, [Some(first), Some(second)] if second < first));
        writer.join().unwrap();
        assert_eq!(scene.read(), Some(2));
    });
}

#[test]
fn a_read_beside_two_writers_is_of_one_value() {
    check("two writers", 3, || {
        let scene = Scene::new();
        let writers = [1, 2].map(|id| spawn(&scene, move |scene| scene.write(id, id)));
        scene.read();
        for writer in writers {
            writer.join().unwrap();
        }
        assert!(matches!(scene.read(), Some(1 | 2)));
    });
}

#[test]
fn a_writer_that_dies_at_any_step_leaves_a_value_to_read_and_to_replace() {
    for steps in 0..=WORDS + 1 {
        check(&format!("death after {steps} steps"), 3, move || {
            let scene = Scene::new();
            // The value that is read first is the one that is overwritten while its writer dies.
            scene.write(1, 1);
            let mortal = spawn(&scene, move |scene| scene.dies_writing(2, steps));
            let other = spawn(&scene, |scene| scene.write(1, 3));
            scene.read();
            mortal.join().unwrap();
            other.join().unwrap();
            let last = scene.read();
            assert!(matches!(last, Some(2 | 3)), "a death hides nothing that was written: {last:?}");
        });
    }
}

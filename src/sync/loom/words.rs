//! Words of the checker, and a kernel that threads sleep in.

use std::{
    fmt::Debug,
    marker::PhantomData,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ::loom::{
    cell::UnsafeCell,
    sync::{
        Condvar, Mutex,
        atomic::{AtomicU64, fence},
    },
};

use crate::sync::{
    atoms::{Atom, Futex, WakeAll, WakeOne},
    raw_lock::{ID, Watch},
};

/// Where threads sleep until they are woken: who is not is found by the checker, as a deadlock.
struct Kernel {
    queue: Mutex<()>,
    woken: Condvar,
}

impl Kernel {
    fn new() -> Self {
        Kernel { queue: Mutex::new(()), woken: Condvar::new() }
    }

    fn sleep_if(&self, still: impl FnOnce() -> bool) {
        let queue = self.queue.lock().unwrap();
        // The kernel looks at the word while nobody can look for sleepers.
        if still() {
            drop(self.woken.wait(queue));
        }
    }

    fn wake(&self, wake: impl FnOnce(&Condvar)) {
        let _queue = self.queue.lock().unwrap();
        wake(&self.woken);
    }
}

/// A shared word of the model.
pub(crate) struct Cell<V> {
    word: AtomicU64,
    /// Swapped before each access. The checker takes two loads for independent, and then forgets the first of them: a swap
    /// after a load by the same thread is never tried before another thread's load. Swaps of this it does not forget. They
    /// are `Relaxed`, so they order nothing else.
    turn: AtomicU64,
    kernel: Kernel,
    /// Who sleeps in slices while this one holds the lock goes on, in the end, when it has died; else it would only sleep
    /// again.
    mortal: Option<Arc<Mortal>>,
    value: PhantomData<V>,
}

impl<V: Number> Cell<V> {
    pub(crate) fn new(value: V, mortal: Option<&Arc<Mortal>>) -> Self {
        Cell {
            word: AtomicU64::new(value.into()),
            turn: AtomicU64::new(0),
            kernel: Kernel::new(),
            mortal: mortal.cloned(),
            value: PhantomData,
        }
    }

    /// A process dies, and waiters that sleep on this word find out when their slices end.
    pub(crate) fn outlives(&self, mortal: &Mortal) {
        // Release: the kernel lets go of what tells of a process after its last step.
        mortal.dead.store(1, Ordering::Release);
        self.kernel.wake(Condvar::notify_all);
    }

    fn before(&self) {
        self.turn.swap(0, Ordering::Relaxed);
    }
}

pub(crate) trait Number: Copy + Eq + Into<u64> + TryFrom<u64, Error: Debug> {}
impl Number for u32 {}
impl Number for u64 {}

impl<V: Number> Atom for Cell<V> {
    type Value = V;

    fn load(&self, order: Ordering) -> V {
        self.before();
        V::try_from(self.word.load(order)).unwrap()
    }

    fn store(&self, value: V, order: Ordering) {
        self.before();
        self.word.store(value.into(), order);
    }

    fn swap(&self, value: V, order: Ordering) -> V {
        self.before();
        V::try_from(self.word.swap(value.into(), order)).unwrap()
    }

    fn compare_exchange(&self, from: V, to: V, success: Ordering, failure: Ordering) -> Result<V, V> {
        self.before();
        let result = self.word.compare_exchange(from.into(), to.into(), success, failure);
        result.map(|was| V::try_from(was).unwrap()).map_err(|is| V::try_from(is).unwrap())
    }

    fn fence(order: Ordering) {
        fence(order);
    }
}

impl<V: Number> Futex for Cell<V> {
    const SPINS: u32 = 0;

    fn wait(&self, expected: V, _at_most: Duration) {
        let held_by_dead =
            |mortal: &Arc<Mortal>| expected.into() >> ID == mortal.id && mortal.dead.load(Ordering::Relaxed) == 1;
        let slice_goes_on = || !self.mortal.as_ref().is_some_and(held_by_dead);
        self.kernel.sleep_if(|| self.word.load(Ordering::Relaxed) == expected.into() && slice_goes_on());
    }
}

impl<V: Number> WakeOne for Cell<V> {
    fn wake_one(&self) {
        self.kernel.wake(Condvar::notify_one);
    }
}

impl<V: Number> WakeAll for Cell<V> {
    fn wake_all(&self) {
        self.kernel.wake(Condvar::notify_all);
    }
}

/// What a lock guards: not atomic, so the checker sees a race between two accesses of which one writes.
pub(crate) struct Guarded(UnsafeCell<()>);

// SAFETY: nothing is read or written through the cell; the checker is only told that something would be.
unsafe impl Sync for Guarded {}
// SAFETY: as above.
unsafe impl Send for Guarded {}

impl Guarded {
    pub(crate) fn new() -> Self {
        Guarded(UnsafeCell::new(()))
    }

    pub(crate) fn read(&self) {
        self.0.with(|_| ());
    }

    pub(crate) fn write(&self) {
        self.0.with_mut(|_| ());
    }
}

/// A process that can die.
pub(crate) struct Mortal {
    id: u64,
    dead: AtomicU64,
}

impl Mortal {
    pub(crate) fn new(id: u64) -> Self {
        Mortal { id, dead: AtomicU64::new(0) }
    }
}

/// Who waits asks for the one that may have died, each time.
impl Watch for &Mortal {
    fn is_dead(&mut self, holder: u64) -> bool {
        holder == self.id && self.dead.load(Ordering::Acquire) == 1
    }

    fn waits(&self) -> bool {
        true
    }

    fn slice(&mut self) -> Option<Duration> {
        Some(Duration::MAX)
    }
}

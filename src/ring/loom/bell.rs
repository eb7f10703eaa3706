//! What one side wakes the other with, as a socket does: what has been rung stays until it is taken, and an end is told.

use std::ops::ControlFlow;

use ::loom::sync::{Condvar, Mutex};

pub(super) struct Bell {
    state: Mutex<State>,
    rung: Condvar,
}

#[derive(Default)]
struct State {
    /// How often it has been rung since it was last taken, and in all.
    rung: u32,
    in_all: u32,
    /// The other side's process has ended.
    hung_up: bool,
}

impl Bell {
    pub(super) fn new() -> Self {
        Bell { state: Mutex::new(State::default()), rung: Condvar::new() }
    }

    pub(super) fn ring(&self) {
        let mut state = self.state.lock().unwrap();
        state.rung += 1;
        state.in_all += 1;
        self.rung.notify_one();
    }

    /// Whoever would ring it has ended.
    pub(super) fn hang_up(&self) {
        self.state.lock().unwrap().hung_up = true;
        self.rung.notify_one();
    }

    /// Sleeps until it has been rung, which it takes, or nobody will.
    pub(super) fn doze<R>(&self, gone: R) -> ControlFlow<R> {
        let mut state = self.state.lock().unwrap();
        while state.rung == 0 && !state.hung_up {
            state = self.rung.wait(state).unwrap();
        }
        state.rung = 0;
        if state.hung_up { ControlFlow::Break(gone) } else { ControlFlow::Continue(()) }
    }

    pub(super) fn in_all(&self) -> u32 {
        self.state.lock().unwrap().in_all
    }
}

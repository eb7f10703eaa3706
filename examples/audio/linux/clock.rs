//! What happens every 10 ms.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a frame is.
pub(crate) const FRAME: Duration = Duration::from_millis(10);

/// Ticks every [`FRAME`], and does not drift: a tick that comes late moves none of the others.
pub(crate) struct Clock {
    next: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Clock { next: Instant::now() }
    }

    pub(crate) fn tick(&mut self) {
        self.next += FRAME;
        thread::sleep(self.next.saturating_duration_since(Instant::now()));
    }
}

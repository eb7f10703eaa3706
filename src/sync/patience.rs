//! How long somebody goes on waiting.

use std::{
    hint, thread,
    time::{Duration, Instant},
};

/// How long one sleep takes, at most. Who is to wake others can die between what it changed and waking them, and who
/// holds a lock can die at any time: nobody is told of that, so those who wait look again by themselves.
pub(crate) const SLICE: Duration = Duration::from_millis(25);

/// How long somebody waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// Not at all.
    Without,
    Until(Instant),
    Endless,
}

impl Patience {
    /// Waits so long; what the clock can't count to is endless.
    pub(crate) fn of(duration: Duration) -> Self {
        if duration.is_zero() {
            return Patience::Without;
        }
        Instant::now().checked_add(duration).map_or(Patience::Endless, Patience::Until)
    }

    /// How long a sleep may be that somebody ends; none if there is no time left.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "elsewhere nobody is told of a death"))]
    pub(crate) fn left(self) -> Option<Duration> {
        match self {
            Patience::Without => None,
            Patience::Until(end) => Some(end.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero()),
            Patience::Endless => Some(Duration::MAX),
        }
    }

    /// How long the next sleep may be; none if there is no time left.
    pub(crate) fn slice(self) -> Option<Duration> {
        match self {
            Patience::Without => None,
            Patience::Until(end) => {
                let left = end.saturating_duration_since(Instant::now());
                (!left.is_zero()).then(|| left.min(SLICE))
            }
            Patience::Endless => Some(SLICE),
        }
    }
}

/// Passes the time before the next look at a word that may change soon. Whoever is to change it may be waiting for this very
/// core, and is let onto it now and then; where nobody waits for it, that costs a system call.
pub(crate) fn pause(turn: u32) {
    const LOOKS: u32 = 16;
    if turn % LOOKS == LOOKS - 1 { thread::yield_now() } else { hint::spin_loop() }
}

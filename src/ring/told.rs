//! Who is told of what a side has published.

use super::wake::Wake;

/// The other side, if it may be asleep; nobody, in a ring that nobody sleeps for.
#[derive(Clone, Copy)]
pub(super) struct Told<'a>(Option<&'a Wake>);

impl<'a> Told<'a> {
    pub(super) const fn nobody() -> Self {
        Told(None)
    }

    /// The other side of a channel.
    #[cfg(target_os = "linux")]
    pub(super) const fn by(wake: &'a Wake) -> Self {
        Told(Some(wake))
    }

    /// May this process publish anything? Not a forked child, in its parent's channel.
    #[inline(always)]
    pub(super) fn may_publish(self) -> bool {
        self.0.is_none_or(Wake::is_ours)
    }

    /// This side's index is now `index`.
    #[inline(always)]
    pub(super) fn of(self, index: u64) {
        if let Some(wake) = self.0 {
            wake.after(index);
        }
    }
}

//! The lock under [`Mutex`](super::Mutex) and [`SeqLock`](super::SeqLock): one word that names its holder.

use std::{
    hint,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use bytemuck::Zeroable;

use super::{
    atoms::WakeOne,
    patience::{Patience, SLICE},
    presence,
};

/// Somebody sleeps, or has slept, until the lock is let go of.
const WAITERS: u64 = 1;
/// Nobody holds the lock, and who held it last has not left what it guards as it should be.
const DIED: u64 = 2;
/// How far up the holder's id is.
pub(super) const ID: u32 = 2;

/// A lock in one word, `id of the holder:62 | died:1 | waiters:1`.
#[repr(transparent)]
pub(super) struct RawLock<W = AtomicU64> {
    /// | is | means | becomes | by |
    /// |---|---|---|---|
    /// | `0` | nobody has it | `id` | `lock` (Acquire) |
    /// | `died` | nobody has it, and the next is told | `id` | `lock` (Acquire), which says so |
    /// | `id` | that process has it | `0`, `died` | `unlock` (Release) |
    /// | | | `id, waiters` | who is about to sleep |
    /// | | it is dead | another's `id` | one of those who know that (Acquire), which says so |
    /// | `id, waiters` | it has it, and others sleep | `0`, `died` | `unlock` (Release), which wakes one |
    /// | | it is dead | another's `id, waiters` | as above |
    ///
    /// Who has slept takes it with `waiters` set: there may be more who sleep than the one that was woken. `died` and
    /// `waiters` are never set together. Each Acquire finds the Release of whoever let go of the lock; what a dead
    /// holder has stored is seen because the kernel, which was asked for its death, ended it before it said so.
    word: W,
}

// SAFETY: a word of zeros is a lock that nobody has.
unsafe impl Zeroable for RawLock {}

/// How the lock was found by whoever has it now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// Let go of.
    Clean,
    /// In the hands of a process that has died, or marked by one that had to leave.
    Died,
}

/// What a waiting process asks.
pub(super) trait Watch {
    /// Is it known that the process with this id is dead?
    fn is_dead(&mut self, holder: u64) -> bool;
    /// Is it worth while to look at the lock more than once?
    fn waits(&self) -> bool;
    /// How long the next sleep may be; none if there is no time left.
    fn slice(&mut self) -> Option<Duration>;
}

impl RawLock {
    pub(super) const fn new() -> Self {
        RawLock { word: AtomicU64::new(0) }
    }

    /// Takes the lock as soon as nobody living has it.
    ///
    /// # Panics
    ///
    /// In a forked child that could not make itself known where the lock lies: see [`presence`].
    #[inline]
    pub(super) fn lock(&self) -> Found {
        if self.take(presence::own_id()) {
            return Found::Clean;
        }
        loop {
            if let Some(found) = self.lock_contended(Patience::Endless) {
                return found;
            }
        }
    }

    /// Takes the lock if nobody living has it before the patience ends.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    #[inline]
    pub(super) fn lock_within(&self, patience: impl FnOnce() -> Patience) -> Option<Found> {
        if self.take(presence::own_id()) {
            return Some(Found::Clean);
        }
        self.lock_contended(patience())
    }

    /// Lets go of the lock, if this process has it: what a forked child inherits locked stays its parent's.
    #[inline]
    pub(super) fn unlock(&self, left: Found) {
        let own = presence::own_id();
        if own != 0 {
            self.give(own, left);
        } else {
            self.unlock_slowly(left);
        }
    }

    #[cfg(test)]
    pub(super) fn has_waiters(&self) -> bool {
        self.word.load(Ordering::Relaxed) & WAITERS != 0
    }

    #[cold]
    fn unlock_slowly(&self, left: Found) {
        self.give(presence::existing_id(), left);
    }

    #[cold]
    fn lock_contended(&self, patience: Patience) -> Option<Found> {
        let at = self.word.as_ptr() as usize;
        let own = match presence::own_id() {
            0 => presence::id_for(at),
            own => own,
        };
        self.acquire(own, &mut Holders { at, patience, asked: None })
    }
}

impl<W: WakeOne<Value = u64>> RawLock<W> {
    #[cfg(test)]
    pub(super) const fn over(word: W) -> Self {
        RawLock { word }
    }

    #[cfg(test)]
    pub(super) const fn word(&self) -> &W {
        &self.word
    }

    /// Takes the lock if it is let go of and clean. Zero is no process's id, and takes nothing.
    #[inline(always)]
    pub(super) fn take(&self, own: u64) -> bool {
        // Acquire: with the release of whoever let go of it.
        own != 0 && self.word.compare_exchange(0, own << ID, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes the lock, whatever it is like; none if the watch ends first.
    pub(super) fn acquire(&self, own: u64, watch: &mut impl Watch) -> Option<Found> {
        // What this one leaves set for others.
        let mut waiters = 0;
        let mut word = if watch.waits() { self.spin() } else { self.word.load(Ordering::Relaxed) };
        loop {
            let holder = word >> ID;
            if holder == 0 || holder != own && watch.is_dead(holder) {
                let found = if holder == 0 && word & DIED == 0 { Found::Clean } else { Found::Died };
                // From the very word that was looked at: of those who find the same holder dead, one is the first.
                // Acquire: with the release of whoever let go of it.
                let mine = own << ID | waiters | word & WAITERS;
                match self.word.compare_exchange(word, mine, Ordering::Acquire, Ordering::Relaxed) {
                    Ok(_) => return Some(found),
                    Err(other) => word = other,
                }
                continue;
            }
            let slice = watch.slice()?;
            if word & WAITERS == 0 {
                match self.word.compare_exchange(word, word | WAITERS, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => word |= WAITERS,
                    Err(other) => {
                        word = other;
                        continue;
                    }
                }
            }
            self.word.wait(word, slice);
            waiters = WAITERS;
            word = self.spin();
        }
    }

    /// Looks at a word for a moment: until it is let go of, or somebody sleeps already.
    fn spin(&self) -> u64 {
        let mut word = self.word.load(Ordering::Relaxed);
        for _ in 0..W::SPINS {
            if word >> ID == 0 || word & WAITERS != 0 {
                break;
            }
            hint::spin_loop();
            word = self.word.load(Ordering::Relaxed);
        }
        word
    }

    /// Lets go of the lock if it is `own`'s; of another's, or nobody's, never. Zero is no process's id.
    #[inline(always)]
    pub(super) fn give(&self, own: u64, left: Found) {
        let free = match left {
            Found::Clean => 0,
            Found::Died => DIED,
        };
        // Release: with the acquire of whoever takes it next.
        if self.word.compare_exchange(own << ID, free, Ordering::Release, Ordering::Relaxed).is_err() {
            self.give_contended(own, free);
        }
    }

    #[cold]
    fn give_contended(&self, own: u64, free: u64) {
        let mut word = self.word.load(Ordering::Relaxed);
        while own != 0 && word >> ID == own {
            match self.word.compare_exchange(word, free, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => {
                    if word & WAITERS != 0 {
                        self.word.wake_one();
                    }
                    return;
                }
                Err(other) => word = other,
            }
        }
    }
}

/// Asks the system for the holders of a lock: each once before the first sleep, and then once in a slice.
struct Holders {
    /// Where the lock is.
    at: usize,
    patience: Patience,
    /// Who was found alive last, and when.
    asked: Option<(u64, Instant)>,
}

impl Watch for Holders {
    fn is_dead(&mut self, holder: u64) -> bool {
        if self.asked.is_some_and(|(before, when)| before == holder && when.elapsed() < SLICE) {
            return false;
        }
        let dead = presence::is_dead(self.at, holder);
        self.asked = Some((holder, Instant::now()));
        dead
    }

    fn waits(&self) -> bool {
        !matches!(self.patience, Patience::Without)
    }

    fn slice(&mut self) -> Option<Duration> {
        self.patience.slice()
    }
}

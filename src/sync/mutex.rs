//! A lock around a value, for several processes.

use std::{
    cell::UnsafeCell,
    error, fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    panic::{RefUnwindSafe, UnwindSafe},
    thread,
    time::Duration,
};

use bytemuck::Zeroable;

use super::{
    patience::Patience,
    raw_lock::{Found, RawLock},
};
use crate::{
    fingerprint::fingerprint_with,
    shareable::{Shareable, Synchronized},
};

/// A value that one thread of one process at a time can look at and change, in memory that several processes share.
///
/// Whoever finds that the holder died with the lock has the lock and is told: what the value is then, half-changed or
/// whole, only the program can know. See [`OwnerDied`].
///
/// ```
/// use commonage::sync::Mutex;
///
/// static JOBS: Mutex<u32> = Mutex::new(0);
/// *JOBS.lock().unwrap() += 1;
/// match JOBS.lock() {
///     Ok(jobs) => assert_eq!(*jobs, 1),
///     Err(died) => {
///         let mut jobs = died.into_guard();
///         *jobs = 0; // begins anew
///     }
/// }
/// ```
///
/// It is not reentrant: a thread that locks it twice waits for itself. Zeroed memory is an unlocked mutex around a
/// zeroed value. A death is noticed where the mutex lies in a link that is open for writing, in this process and in the
/// one that died; elsewhere it counts as held for ever: see the [module](super).
#[repr(C)]
pub struct Mutex<T> {
    raw: RawLock,
    value: UnsafeCell<T>,
}

/// The right to a [`Mutex`]'s value. Dropping it lets go of the lock.
///
/// When it is dropped by a panic, the next who locks the mutex is told, as of a death. A forked child's copy has no
/// effect: the lock stays its parent's.
#[must_use = "the lock is let go of when this is dropped"]
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// The thread was panicking when it took the lock.
    panicking: bool,
    /// It was told that the holder had died, and has not said that the value is as it should be.
    told: bool,
    /// Locks are let go of by the thread that took them, as those of std.
    unsendable: PhantomData<*const ()>,
}

/// The lock was had, but whoever held it last did not let go of it: it died, or it panicked. The value may be
/// half-changed.
///
/// Whoever takes the guard [out](Self::into_guard) vouches for the value: the next who locks the mutex finds it in
/// order. When this is dropped as it is, by `unwrap` too, the next is told again.
pub struct OwnerDied<G> {
    guard: G,
}

/// Why a lock was not simply had.
pub enum TryLockError<G> {
    /// It was had, but whoever held it last did not let go of it.
    OwnerDied(OwnerDied<G>),
    /// It was not had: another has it, and did not let go of it in time.
    Held,
}

// SAFETY: the value goes where the mutex goes.
unsafe impl<T: Send> Send for Mutex<T> {}
// SAFETY: one thread at a time has the value, and it may be another's turn each time.
unsafe impl<T: Send> Sync for Mutex<T> {}
// SAFETY: through it others have a `&T`, and no more.
unsafe impl<T: Sync> Sync for MutexGuard<'_, T> {}
// SAFETY: zeros are a lock that nobody has, and a value.
unsafe impl<T: Zeroable> Zeroable for Mutex<T> {}

// Whoever looks at it after a panic is told of it.
impl<T> UnwindSafe for Mutex<T> {}
impl<T> RefUnwindSafe for Mutex<T> {}

// SAFETY: `repr(C)`, a word and a shareable value; the version stands for what the word means. It has locks, and says
// so.
unsafe impl<T: Shareable> Shareable for Mutex<T> {
    const FINGERPRINT: u64 =
        fingerprint_with(b"fixed   ", "Mutex, version 1", size_of::<Self>(), align_of::<Self>(), T::FINGERPRINT);
    const LOCKS: bool = true;
}

// SAFETY: the value is reached by whoever has the lock, in whatever process: one thread at a time.
unsafe impl<T: Shareable + Send> Synchronized for Mutex<T> {}

impl<T> Mutex<T> {
    /// An unlocked mutex around a value.
    pub const fn new(value: T) -> Self {
        Mutex { raw: RawLock::new(), value: UnsafeCell::new(value) }
    }

    /// Waits until it has the lock.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`], with the guard: the lock was had.
    ///
    /// # Panics
    ///
    /// In a forked child that could not make itself known to others: see the [module](super#fork).
    #[inline]
    pub fn lock(&self) -> Result<MutexGuard<'_, T>, OwnerDied<MutexGuard<'_, T>>> {
        self.found(self.raw.lock())
    }

    /// Takes the lock, if nobody living has it. It asks for the death of whoever has it, and waits for nothing.
    ///
    /// # Errors
    ///
    /// [`TryLockError::OwnerDied`], with the guard: the lock was had. [`TryLockError::Held`].
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    #[inline]
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError<MutexGuard<'_, T>>> {
        self.lock_within(|| Patience::Without)
    }

    /// Waits until it has the lock, but not much longer than that.
    ///
    /// # Errors
    ///
    /// [`TryLockError::OwnerDied`], with the guard: the lock was had. [`TryLockError::Held`], after the timeout.
    ///
    /// # Panics
    ///
    /// As [`lock`](Self::lock).
    #[inline]
    pub fn lock_timeout(&self, timeout: Duration) -> Result<MutexGuard<'_, T>, TryLockError<MutexGuard<'_, T>>> {
        self.lock_within(|| Patience::of(timeout))
    }

    /// The value, which nobody else can have now. It says nothing of a holder that died.
    #[inline]
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// The value alone. It says nothing of a holder that died.
    #[inline]
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }

    #[inline]
    fn lock_within(
        &self,
        patience: impl FnOnce() -> Patience,
    ) -> Result<MutexGuard<'_, T>, TryLockError<MutexGuard<'_, T>>> {
        match self.raw.lock_within(patience) {
            Some(found) => self.found(found).map_err(TryLockError::OwnerDied),
            None => Err(TryLockError::Held),
        }
    }

    #[cfg(test)]
    pub(super) fn has_waiters(&self) -> bool {
        self.raw.has_waiters()
    }

    /// What the caller is given, who has the lock.
    #[inline]
    fn found(&self, found: Found) -> Result<MutexGuard<'_, T>, OwnerDied<MutexGuard<'_, T>>> {
        let told = found == Found::Died;
        let guard = MutexGuard { mutex: self, panicking: thread::panicking(), told, unsendable: PhantomData };
        if told { Err(OwnerDied { guard }) } else { Ok(guard) }
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Mutex::new(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    /// Waits for nothing: of a mutex that another has it says so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Mutex");
        match self.try_lock() {
            Ok(guard) => debug.field("value", &*guard),
            Err(TryLockError::OwnerDied(died)) => {
                debug.field("value", &**died.guard()).field("owner", &format_args!("<died>"))
            }
            Err(TryLockError::Held) => debug.field("value", &format_args!("<locked>")),
        };
        debug.finish()
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: whoever has the guard has the lock.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: whoever has the guard has the lock, and this borrows the guard alone.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let half_done = self.told || !self.panicking && thread::panicking();
        self.mutex.raw.unlock(if half_done { Found::Died } else { Found::Clean });
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<G> OwnerDied<G> {
    /// The guard, to look at the value.
    pub fn guard(&self) -> &G {
        &self.guard
    }

    /// The guard, to change the value; but who doesn't take it [out](Self::into_guard) does not vouch for it.
    pub fn guard_mut(&mut self) -> &mut G {
        &mut self.guard
    }
}

impl<'a, T> OwnerDied<MutexGuard<'a, T>> {
    /// The guard. Whoever takes it sees to it that the value is as it should be when the guard is dropped: nobody else
    /// is told.
    pub fn into_guard(mut self) -> MutexGuard<'a, T> {
        self.guard.told = false;
        self.guard
    }
}

impl<G> fmt::Debug for OwnerDied<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnerDied").finish_non_exhaustive()
    }
}

impl<G> fmt::Display for OwnerDied<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whoever held the lock last died or panicked with it: the value may be half-changed")
    }
}

impl<G> error::Error for OwnerDied<G> {}

impl<G> From<OwnerDied<G>> for TryLockError<G> {
    fn from(died: OwnerDied<G>) -> Self {
        TryLockError::OwnerDied(died)
    }
}

impl<G> fmt::Debug for TryLockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryLockError::OwnerDied(died) => f.debug_tuple("OwnerDied").field(died).finish(),
            TryLockError::Held => f.write_str("Held"),
        }
    }
}

impl<G> fmt::Display for TryLockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryLockError::OwnerDied(died) => died.fmt(f),
            TryLockError::Held => f.write_str("another has the lock"),
        }
    }
}

impl<G> error::Error for TryLockError<G> {}

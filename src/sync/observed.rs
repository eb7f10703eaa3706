//! What a read-only link shows of the types of this room: only what is done by loads.

use std::time::Duration;

use bytemuck::{CheckedBitPattern, NoUninit};

use super::{Event, SeqLock, Unread};
use crate::Observed;

impl<T: NoUninit + CheckedBitPattern> Observed<SeqLock<T>> {
    /// As [`SeqLock::read`].
    ///
    /// ```
    /// use commonage::{Link, link::ReadWrite, sync::SeqLock};
    /// let made: Link<SeqLock<[f32; 2]>, ReadWrite> = Link::create("seen-of-the-docs")?;
    /// let seen: Link<SeqLock<[f32; 2]>> = Link::open("seen-of-the-docs")?;
    /// made.write([0.5, 1.5]);
    /// assert_eq!((seen.version(), seen.read()?), (1, [0.5, 1.5]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`SeqLock::read`].
    #[inline]
    pub fn read(&self) -> Result<T, Unread> {
        self.lock().read()
    }

    /// As [`SeqLock::read_within`].
    ///
    /// # Errors
    ///
    /// As [`SeqLock::read`].
    #[inline]
    pub fn read_within(&self, timeout: Duration) -> Result<T, Unread> {
        self.lock().read_within(timeout)
    }

    /// As [`SeqLock::version`].
    #[inline]
    pub fn version(&self) -> u64 {
        self.lock().version()
    }

    #[inline(always)]
    fn lock(&self) -> &SeqLock<T> {
        // SAFETY: what is observed is mapped and aligned, of words that only atomic accesses change; and nothing is
        // done here but what loads do, which a read-only mapping allows.
        unsafe { &*self.as_ptr() }
    }
}

impl Observed<Event> {
    /// As [`Event::is_set`].
    #[inline]
    pub fn is_set(&self) -> bool {
        // SAFETY: what is observed is mapped and aligned, of a word that only atomic accesses change; this one only
        // loads.
        unsafe { &*self.as_ptr() }.is_set()
    }
}

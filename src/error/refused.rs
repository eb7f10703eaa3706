//! The way back for what could not be changed.

use std::fmt;

use super::Error;

/// What could not be made of a handle: the handle as it was, and why. Of several handles, a pair or a `Vec` of all of them.
///
/// ```
/// use commonage::{Shared, SharedSlice};
/// let a: SharedSlice<u8> = Shared::copy_from(&[1u8, 2][..])?;
/// let b = a.clone();
/// let refused = a.try_into_mut().unwrap_err();
/// println!("{}", refused.reason);
/// let a = refused.handle;
/// assert_eq!(*a, *b);
/// # Ok::<(), commonage::Error>(())
/// ```
pub struct Refused<H> {
    /// The handle, as it was before.
    pub handle: H,
    /// Why it could not be changed.
    pub reason: Error,
}

impl<H> fmt::Debug for Refused<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<H> fmt::Display for Refused<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused, and the handle given back: {}", self.reason)
    }
}

impl<H> std::error::Error for Refused<H> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.reason)
    }
}

impl<H> From<Refused<H>> for Error {
    /// For `?` in functions that do not want the handle back: it is dropped.
    fn from(refused: Refused<H>) -> Self {
        refused.reason
    }
}

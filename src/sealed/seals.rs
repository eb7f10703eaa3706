//! Which changes are made impossible.

use rustix::fs::SealFlags;

/// The seals of a [`Sealed`](super::Sealed): against writing and against being cut short always, because all that a receiver
/// relies on is that; against growing and against more seals unless they are left out.
///
/// ```
/// use commonage::{Sealed, sealed::Seals};
/// let value = Sealed::<str>::options().seals(Seals::ALL.without_grow()).copy_from("may be appended to")?;
/// # let _ = value;
/// # Ok::<(), commonage::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Seals {
    grow: bool,
    seal: bool,
}

impl Seals {
    /// All of them: nothing of the memory can be changed any more.
    pub const ALL: Seals = Seals { grow: true, seal: true };

    /// Not the one against growing. What is appended is seen by nobody who has the value.
    #[must_use]
    pub const fn without_grow(self) -> Self {
        Seals { grow: false, ..self }
    }

    /// Not the one against more seals.
    #[must_use]
    pub const fn without_seal(self) -> Self {
        Seals { seal: false, ..self }
    }

    pub(super) fn flags(self) -> SealFlags {
        let mut flags = SealFlags::WRITE | SealFlags::SHRINK;
        flags.set(SealFlags::GROW, self.grow);
        flags.set(SealFlags::SEAL, self.seal);
        flags
    }
}

/// [`Seals::ALL`].
impl Default for Seals {
    fn default() -> Self {
        Seals::ALL
    }
}

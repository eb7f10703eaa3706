//! Memory that holds a value and nothing else.

use bytemuck::{CheckedBitPattern, NoUninit};

use super::Options;
use crate::raw::Raw;
#[cfg(doc)]
use crate::{DescriptorFault, Error, Sealed};

/// What both kinds of values that can be raw have to say of it.
macro_rules! raw {
    ($(#[$doc:meta])* [$($generics:tt)*] $of:ty, $element:expr) => {
        impl<$($generics)*> Options<$of> {
            $(#[$doc])*
            #[must_use]
            pub fn raw(mut self) -> Self {
                self.raw = Some(Raw::of_elements($element));
                self
            }
        }
    };
}

raw! {
    /// Memory that holds the elements, from offset 0 to its end, and nothing else: for programs that don't use this crate, in
    /// whatever language. How many there are follows from the length of the memory, and what they are is told by no one: who
    /// makes it and who takes it have to agree on that, byte order included.
    ///
    /// All functions that make a value make such memory then, and [`open`](Self::open), [`seal`](Self::seal) and
    /// [`receive_over`](Self::receive_over) take it: with all checks, but for those of what memory says of itself. If its
    /// length is not that of whole elements, that is [`DescriptorFault::NotWholeElements`]; so is any of elements that
    /// have no size.
    ///
    /// Without the seal against growing it may be longer for who takes it later. Memory of [huge
    /// pages](Self::huge_pages) always consists of whole ones, at least one: another length is [`Error::Os`].
    ///
    /// ```
    /// use commonage::Sealed;
    /// use std::{fs::File, io::Read, os::fd::OwnedFd};
    ///
    /// let options = Sealed::<[u16]>::options().raw();
    /// let fd = OwnedFd::try_from(options.copy_from(&[0x0101, 0x0202])?)?;
    /// let mut bytes = Vec::new();
    /// File::from(fd.try_clone()?).read_to_end(&mut bytes)?; // what another program sees
    /// assert_eq!(bytes, [1, 1, 2, 2]);
    /// assert_eq!(options.open(fd)?, [0x0101, 0x0202]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    [E: NoUninit + CheckedBitPattern] [E], size_of::<E>()
}

raw! {
    /// Memory that holds the text, from offset 0 to its end, and nothing else: for programs that don't use this crate, in
    /// whatever language.
    ///
    /// All functions that make a value make such memory then, and [`open`](Self::open), [`seal`](Self::seal) and
    /// [`receive_over`](Self::receive_over) take it: with all checks, but for those of what memory says of itself.
    ///
    /// Without the seal against growing it may be longer for who takes it later. Memory of [huge
    /// pages](Self::huge_pages) always consists of whole ones, at least one: another length is [`Error::Os`].
    ///
    /// ```
    /// use commonage::Sealed;
    /// use std::{fs::File, io::Read, os::fd::OwnedFd};
    ///
    /// let fd = OwnedFd::try_from(Sealed::<str>::options().raw().copy_from("for anybody")?)?;
    /// let mut text = String::new();
    /// File::from(fd).read_to_string(&mut text)?; // what another program sees
    /// assert_eq!(text, "for anybody");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    [] str, 1
}

//! How a sealed value is made, and what is taken for one.

use std::{
    fmt,
    marker::PhantomData,
    os::{fd::OwnedFd, unix::net::UnixStream},
};

use super::{Sealed, Seals, making};
#[cfg(doc)]
use crate::DescriptorFault;
use crate::{Error, HugePages, Shared, SharedMut, ShmemBacked, ShmemChecked, raw::Raw};

/// How a [`Sealed`] value is made: what [`Sealed::options`] returns. It has the functions that [`Sealed`] has itself.
///
/// ```
/// use commonage::{Sealed, sealed::Seals};
///
/// let table = Sealed::<[u32]>::options().name("squares").seals(Seals::ALL.without_grow()).from_fn(100, |n| (n * n) as u32)?;
/// assert_eq!(table[9], 81);
/// # Ok::<(), commonage::Error>(())
/// ```
pub struct Options<T: ShmemBacked + ?Sized> {
    pub(super) name: String,
    pub(super) huge_pages: Option<HugePages>,
    pub(super) seals: Seals,
    /// Nothing is in the memory but the value.
    pub(super) raw: Option<Raw<T::MetaData>>,
    of: PhantomData<fn() -> Box<T>>,
}

impl<T: ShmemChecked + ?Sized> Options<T> {
    pub(super) fn usual() -> Self {
        Options { name: "commonage-sealed".to_owned(), huge_pages: None, seals: Seals::ALL, raw: None, of: PhantomData }
    }

    /// A name for the memory, by which `/proc` shows it (`/memfd:name`): of at most 249 bytes, none of them zero. Nobody can
    /// find the memory by it.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Memory of huge pages; and what is received may be such. All that a value needs is rounded up to whole ones.
    #[must_use]
    pub fn huge_pages(mut self, size: HugePages) -> Self {
        self.huge_pages = Some(size);
        self
    }

    /// Which seals it has.
    #[must_use]
    pub fn seals(mut self, seals: Seals) -> Self {
        self.seals = seals;
        self
    }

    /// [`Sealed::copy_from`] with these options.
    ///
    /// # Errors
    ///
    /// As [`Sealed::new`].
    pub fn copy_from(&self, src: &T) -> Result<Sealed<T>, Error> {
        making::copy(self, src)
    }

    /// [`Sealed::new`] with these options.
    ///
    /// # Errors
    ///
    /// As [`Sealed::new`].
    #[allow(clippy::new_ret_no_self, reason = "as the type that it makes has it")]
    pub fn new(&self, arg: &T::NewArg) -> Result<Sealed<T>, Error> {
        making::make(self, T::required_memory_arg(arg), |data| T::new(data, arg))
    }

    /// [`Sealed::copy_shared`] with these options.
    ///
    /// # Errors
    ///
    /// As [`Sealed::new`].
    pub fn copy_shared(&self, shared: &Shared<T>) -> Result<Sealed<T>, Error> {
        let (bytes, metadata) = shared.raw();
        making::copy_bytes(self, bytes, metadata)
    }

    /// [`Sealed::copy_shared_mut`] with these options.
    ///
    /// # Errors
    ///
    /// As [`Sealed::new`].
    ///
    /// # Panics
    ///
    /// If the handle has been [serialized](SharedMut#serialization).
    #[track_caller]
    pub fn copy_shared_mut(&self, shared: &SharedMut<T>) -> Result<Sealed<T>, Error> {
        let (bytes, metadata) = shared.raw();
        making::copy_bytes(self, bytes, metadata)
    }

    /// The value in a descriptor that came from anybody: [`Sealed`]'s `TryFrom`, but huge pages are taken if they were asked
    /// for here.
    ///
    /// # Errors
    ///
    /// As [`Sealed::receive_over`]. The descriptor is closed then.
    pub fn open(&self, fd: OwnedFd) -> Result<Sealed<T>, Error> {
        making::open(self, fd)
    }

    /// [`Sealed::seal`] with these options.
    ///
    /// # Errors
    ///
    /// As [`Sealed::seal`].
    pub fn seal(&self, fd: OwnedFd) -> Result<Sealed<T>, Error> {
        making::seal(self, fd)
    }

    /// [`Sealed::receive_over`] with these options.
    ///
    /// # Errors
    ///
    /// As [`Sealed::receive_over`].
    pub fn receive_over(&self, stream: &UnixStream) -> Result<Sealed<T>, Error> {
        self.open(making::receive(stream)?)
    }
}

impl<T: ShmemBacked + ?Sized> Clone for Options<T> {
    fn clone(&self) -> Self {
        let Options { huge_pages, seals, raw, .. } = *self;
        Options { name: self.name.clone(), huge_pages, seals, raw, of: PhantomData }
    }
}

impl<T: ShmemBacked + ?Sized> fmt::Debug for Options<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("name", &self.name)
            .field("huge_pages", &self.huge_pages)
            .field("seals", &self.seals)
            .field("raw", &self.raw.is_some())
            .finish()
    }
}

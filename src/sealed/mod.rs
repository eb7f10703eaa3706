//! Values that nobody can write any more, for processes that don't trust each other.
//!
//! On Linux only: what is sealed is a memfd, and what travels is its descriptor. Elsewhere there is no memory that its maker
//! gives out and can't change any more.

// The bytes of a value become its view here: they are sealed, and have been checked.
#![allow(unsafe_code)]

use std::{
    any::type_name,
    fmt,
    marker::PhantomData,
    ops::Range,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::Arc,
};

#[cfg(feature = "ndarray")]
mod arrays;
mod building;
mod header;
mod making;
mod options;
mod raw;
mod seals;
mod slices;

pub use self::{options::Options, seals::Seals};
#[cfg(doc)]
use crate::DescriptorFault;
use crate::{Error, Kind, Shared, SharedMut, ShmemChecked, ShmemView, shared, sys::ReadOnlyMapping};

/// An immutable value that anybody may have made and anybody may be given: nobody can write it, or take it away.
///
/// It is written once, into memory that is then sealed: against writing, against being cut short, against growing, and against
/// other seals. The kernel sees to that, for its maker, for root, and for whoever gets it. So a receiver checks it
/// once, and then a `&[T]` is a `&[T]`: the sender can't change it, and can't make the receiver trap.
///
/// What travels is a descriptor, through [`send_over`](Self::send_over) and [`receive_over`](Self::receive_over), or by any
/// other way that descriptors have: D-Bus, inheritance, `pidfd_getfd`. The memory says of itself what is in it, so that the
/// descriptor is all that a receiver needs. It is not a pool's, and costs some system calls: for processes that trust each other
/// there is [`Shared`].
///
/// ```
/// use commonage::Sealed;
/// use std::os::unix::net::UnixStream;
///
/// let (here, there) = UnixStream::pair()?;
/// let primes = Sealed::<[u64]>::copy_from(&[2, 3, 5, 7, 11])?;
/// primes.send_over(&here)?;
/// let received = Sealed::<[u64]>::receive_over(&there)?; // in another process
/// assert_eq!(received, [2, 3, 5, 7, 11]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is checked on receipt
///
/// In this order: that the descriptor is memory and can be read; its seals; that it is not of huge pages, unless those were
/// asked for; what it says of itself: which format it has, that it is a `T`, by the [fingerprint], and where its parts are, all
/// of them within its size; that each page of it has memory, so that looking at it takes none from the receiver; its metadata;
/// and its content by [`check`](crate::ShmemBacked::check) (UTF-8, `bool`, `char`, enums: numbers are not looked at). Looking
/// for pages without memory takes some 10 ms for 1 GiB; all else takes the same time for any size, unless the content is
/// looked at.
///
/// A descriptor that is refused is closed.
///
/// Where the other side does not use this crate, there is memory that says nothing of itself, for slices and strings: see
/// [`Options::raw`].
///
/// # Threads, forks and the end
///
/// Handles are `Send` and `Sync` if `T` and its metadata are. A forked child uses what it inherits as its own. The memory goes
/// with the last handle, descriptor and mapping in any process, however they end, and has no name that could be left.
///
/// [fingerprint]: crate::ShmemBacked::fingerprint
pub struct Sealed<T: ShmemChecked + ?Sized> {
    inner: Arc<Inner<T::MetaData>>,
    /// Like an `Arc`, it gives out `&T`s (as views), in any thread that has a clone.
    of: PhantomData<Arc<T>>,
}

struct Inner<M> {
    fd: OwnedFd,
    mapping: ReadOnlyMapping,
    /// Where in the mapping the value is. INVARIANT: `T`'s check has accepted it, with the metadata.
    data: Range<usize>,
    metadata: M,
}

impl<T: ShmemChecked + ?Sized> Sealed<T> {
    /// Options for a value: a name, other pages, fewer seals.
    pub fn options() -> Options<T> {
        Options::usual()
    }

    /// A new value, made in place from `arg`: of a slice from `(initial value, length)`, of a string from a `str`, of an
    /// array from `(initial value, shape)`.
    ///
    /// ```
    /// use commonage::Sealed;
    /// let ones = Sealed::<[f64]>::new(&(1.0, 1_000_000))?;
    /// assert_eq!(ones.iter().sum::<f64>(), 1e6);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`], [`Error::TooLarge`], [`Error::Alignment`] (of more than a page), [`Error::Metadata`] if postcard can't
    /// write the type's metadata or read them back, or they are more than 1 MiB, [`Error::Os`]; and
    /// [`DescriptorFault::Writable`], if another process of this user has looked into this one, found the memory and mapped it.
    pub fn new(arg: &T::NewArg) -> Result<Self, Error> {
        Self::options().new(arg)
    }

    /// A copy of `src`.
    ///
    /// ```
    /// use commonage::{Sealed, Value};
    /// let answer = Sealed::copy_from(&Value(42u64))?;
    /// assert_eq!(*answer.as_view(), 42);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn copy_from(src: &T) -> Result<Self, Error> {
        Self::options().copy_from(src)
    }

    /// A copy of a value that a pool has.
    ///
    /// ```
    /// use commonage::{Sealed, SharedStr};
    /// let shared = SharedStr::copy_from("within the family")?;
    /// let sealed = Sealed::copy_shared(&shared)?;
    /// assert_eq!(&*sealed, "within the family");
    /// assert_eq!(sealed.to_shared()?, shared);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); and [`Error::Content`], if another process has written what it must not.
    pub fn copy_shared(shared: &Shared<T>) -> Result<Self, Error> {
        Self::options().copy_shared(shared)
    }

    /// A copy of a writable value that a pool has, as it is now.
    ///
    /// ```
    /// use commonage::{Sealed, SharedSliceMut};
    /// let mut draft = SharedSliceMut::new(&(0u8, 3))?;
    /// draft[1] = 7;
    /// let fair = Sealed::copy_shared_mut(&draft)?;
    /// draft[1] = 8;
    /// assert_eq!(fair, [0, 7, 0]);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// If the handle has been [serialized](SharedMut#serialization).
    #[track_caller]
    pub fn copy_shared_mut(shared: &SharedMut<T>) -> Result<Self, Error> {
        Self::options().copy_shared_mut(shared)
    }

    /// A copy of the value in this process's pool.
    ///
    /// # Errors
    ///
    /// As [`Shared::new`].
    pub fn to_shared(&self) -> Result<Shared<T>, Error> {
        let (bytes, metadata) = (self.bytes(), &self.inner.metadata);
        let (part, metadata) = shared::copy_of_bytes::<T>(Kind::Shared, bytes, metadata)?;
        Ok(Shared::from_parts(part, metadata))
    }

    /// Takes a descriptor that its sender has not sealed yet, seals it, and then checks it as ever.
    ///
    /// ```
    /// use commonage::{DescriptorFault, Error, Sealed};
    /// # let fd = std::os::fd::OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    /// match Sealed::<str>::seal(fd) {
    ///     Ok(text) => println!("{text}"),
    ///     Err(Error::Descriptor(DescriptorFault::Writable)) => println!("its sender still has it mapped writable"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DescriptorFault::Writable`], and as [`receive_over`](Self::receive_over). The descriptor is closed then.
    pub fn seal(fd: OwnedFd) -> Result<Self, Error> {
        Self::options().seal(fd)
    }

    /// A view of the value: for slices `&[E]`, for strings `&str`, for arrays an `ArrayView`.
    #[inline]
    pub fn as_view<'a>(&'a self) -> <T as ShmemView<'a>>::View
    where
        T: ShmemView<'a>,
    {
        // SAFETY: `T`'s check has accepted these (`data`), which is all that a `ShmemChecked` needs; nobody can write them.
        unsafe { T::view_unchecked(self.bytes(), &self.inner.metadata) }
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.inner.mapping.bytes()[self.inner.data.clone()]
    }

    /// Sends the value over a Unix socket. It stays here, too: whoever needs it no more drops it.
    ///
    /// One frame is sent, of 16 bytes and a descriptor. What else is written to the stream may stand before and behind it.
    ///
    /// # Errors
    ///
    /// [`Error::Os`] (a peer that is gone is [`BrokenPipe`](std::io::ErrorKind::BrokenPipe), without a signal), and
    /// [`DescriptorFault::NotASocket`].
    pub fn send_over(&self, stream: &UnixStream) -> Result<(), Error> {
        making::send(stream, self)
    }

    /// Receives a value that anybody sends over a Unix socket. The stream's
    /// [time limit](UnixStream::set_read_timeout) holds for each part in which the frame comes, of which there can be 16.
    ///
    /// # Errors
    ///
    /// - [`DescriptorFault::Closed`], if the stream has ended; [`DescriptorFault::Message`], if what came is something
    ///   else, or the number of descriptors is not as announced; [`DescriptorFault::NotASocket`]; [`Error::Os`], also if the
    ///   time has passed. The stream may be in the middle of something then.
    /// - [`DescriptorFault::NotMemory`], [`DescriptorFault::Unsealed`], [`DescriptorFault::HugePages`],
    ///   [`DescriptorFault::TooShort`], [`DescriptorFault::NotASealedValue`], [`DescriptorFault::Version`],
    ///   [`Error::WrongType`], [`DescriptorFault::Sparse`], [`Error::Metadata`], [`Error::Content`] for what the checks find.
    /// - [`Error::NoSpace`], [`Error::TooLarge`], [`Error::Alignment`], [`Error::Os`] for what can't be mapped here.
    pub fn receive_over(stream: &UnixStream) -> Result<Self, Error> {
        Self::options().receive_over(stream)
    }

    /// The descriptor: the one that the value has, if this is its only handle here, or another of the same memory.
    ///
    /// # Errors
    ///
    /// [`Error::Os`], if this process can have no more descriptors.
    pub fn into_fd(self) -> Result<OwnedFd, Error> {
        match Arc::try_unwrap(self.inner) {
            Ok(inner) => Ok(inner.fd),
            Err(inner) => inner.fd.try_clone().map_err(|error| Error::os("F_DUPFD_CLOEXEC", error)),
        }
    }

    /// Whether the two are handles on the same memory, by the same receipt.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

/// The value in a descriptor that came from anybody.
///
/// # Errors
///
/// As [`Sealed::receive_over`]. The descriptor is closed then.
impl<T: ShmemChecked + ?Sized> TryFrom<OwnedFd> for Sealed<T> {
    type Error = Error;

    fn try_from(fd: OwnedFd) -> Result<Self, Error> {
        Self::options().open(fd)
    }
}

/// [`Sealed::into_fd`].
impl<T: ShmemChecked + ?Sized> TryFrom<Sealed<T>> for OwnedFd {
    type Error = Error;

    fn try_from(value: Sealed<T>) -> Result<Self, Error> {
        value.into_fd()
    }
}

/// The descriptor, to be sent by any way that there is.
impl<T: ShmemChecked + ?Sized> AsFd for Sealed<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.fd.as_fd()
    }
}

/// Another handle on the same memory: no system call, no copy.
impl<T: ShmemChecked + ?Sized> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Sealed { inner: Arc::clone(&self.inner), of: PhantomData }
    }
}

/// The type and where the value is, not what: that needs no bound on `T`.
impl<T: ShmemChecked + ?Sized> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed")
            .field("type", &format_args!("{}", type_name::<T>()))
            .field("descriptor", &self.inner.fd.as_raw_fd())
            .field("bytes", &self.inner.data.len())
            .finish()
    }
}

//! The immutable wrapper, for values of any type; what only slices, strings and arrays have is in the rooms beside.

// A value's bytes become its view here; who may write them is what the two wrappers are about.
#![allow(unsafe_code)]

use std::{any::type_name, fmt, marker::PhantomData, mem, ops::Deref, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};

use crate::{
    Counts, Error, Kind, Refused, SharedMut, ShmemBacked, ShmemView, Ticket,
    part::{Issued, Part},
    pool::{self, Start},
    wire::{self, Draft},
};

#[cfg(feature = "ndarray")]
mod arrays;
mod building;
mod file;
mod location;
mod slices;

#[cfg(feature = "ndarray")]
pub(crate) use building::made_by_index;
pub(crate) use building::{made_by, made_of};
pub use location::{Location, LocationKind};
pub(crate) use slices::looks_like;

/// A slice in shared memory.
pub type SharedSlice<T> = Shared<[T]>;

/// A string in shared memory.
pub type SharedStr = Shared<str>;

/// An immutable value in shared memory, held by any number of handles in any number of processes.
///
/// The value is written once, in place, by [`copy_from`](Self::copy_from) or [`new`](Self::new). A clone is one more handle
/// on the same memory, and so is what another process deserializes; the memory goes when the last handle goes.
///
/// ```
/// use commonage::Shared;
/// # use ipc_channel::ipc;
///
/// let primes: Shared<[u64]> = Shared::copy_from(&[2, 3, 5, 7, 11][..])?;
/// let (tx, rx) = ipc::channel().unwrap();
/// tx.send(primes.clone()).unwrap(); // a few dozen bytes
/// let received: Shared<[u64]> = rx.recv().unwrap(); // no copy
/// assert_eq!(primes, received);
/// # Ok::<(), commonage::Error>(())
/// ```
///
/// # Serialization
///
/// Each [`serialize`](Serialize::serialize) issues a ticket, which keeps the value alive until it is claimed: by
/// [`deserialize`](Deserialize::deserialize), in whatever process that happens. A second claim of the same bytes gives one
/// more handle as long as there is any, so nobody takes anything from anybody; bytes that are never claimed keep the value
/// alive as long as the process that issued the ticket lives. Whoever wants to take a ticket back uses
/// [`ticket`](Self::ticket). A serializer that fails on the token leaves no ticket behind; of one that fails on what
/// comes after it, the handle does not hear.
///
/// What is emitted is one opaque token: bytes in binary formats, text in human-readable ones. It can't be part of what
/// serde buffers: `#[serde(flatten)]` and `#[serde(untagged)]` are not supported, because they look at the
/// same bytes several times and in other forms.
///
/// Passes that only measure (`bincode`'s `SizeWriter` and `SizeChecker`, `postcard`'s `Size`) get a placeholder of the
/// right length and issue no ticket. Other serializers that serialize a value twice, to learn its size, leave one ticket
/// too many: give those a [`Ticket`], which is the same however often it is serialized.
///
/// # Files
///
/// A value can be in a [`file`](crate::file) instead, which this process has mapped: then [`path`](Self::path) says in which,
/// and all of this holds as well, but that there are no tickets. A token names the file, and whoever claims it maps the same
/// one, as often as it likes, also when the sender is gone; it is refused if the file has been written since, replaced or
/// removed. Nothing is in flight, so a token keeps nothing alive and can't be taken back, and [`counts`](Self::counts) knows of
/// this process alone.
///
/// # Threads
///
/// Handles are `Send` and `Sync` if `T` and its metadata are.
pub struct Shared<T>
where
    T: ShmemBacked + ?Sized,
{
    /// INVARIANT: not exclusive: nobody writes its bytes while this handle is there (of a file, by the word of who opened it).
    /// Bytes and metadata were made by `T`, or have passed its check.
    part: Part,
    metadata: Metadata<T::MetaData>,
    /// Like an `Arc`, it gives out `&T`s (as views), in any thread that has a clone.
    of: PhantomData<Arc<T>>,
}

/// Metadata that are cheap to clone: behind an `Arc` if their type says so.
enum Metadata<M> {
    Plain(M),
    Counted(Arc<M>),
}

impl<M: Clone> Metadata<M> {
    fn new(metadata: M, shared: bool) -> Self {
        if shared { Metadata::Counted(Arc::new(metadata)) } else { Metadata::Plain(metadata) }
    }

    fn into_inner(self) -> M {
        match self {
            Metadata::Plain(metadata) => metadata,
            Metadata::Counted(metadata) => Arc::unwrap_or_clone(metadata),
        }
    }
}

impl<M: Clone> Clone for Metadata<M> {
    #[inline]
    fn clone(&self) -> Self {
        match self {
            Metadata::Plain(metadata) => Metadata::Plain(metadata.clone()),
            Metadata::Counted(metadata) => Metadata::Counted(Arc::clone(metadata)),
        }
    }
}

impl<M> Deref for Metadata<M> {
    type Target = M;

    #[inline]
    fn deref(&self) -> &M {
        match self {
            Metadata::Plain(metadata) => metadata,
            Metadata::Counted(metadata) => metadata,
        }
    }
}

/// A new value: a block of `len` bytes for the first handle on it, written by `fill`.
#[inline]
pub(crate) fn make<T: ShmemBacked + ?Sized>(
    kind: Kind,
    len: usize,
    zeroed: bool,
    fill: impl FnOnce(&mut [u8]) -> T::MetaData,
) -> Result<(Part, T::MetaData), Error> {
    let mut part = Part::Block(pool::allocate(len, T::ALIGNMENT, zeroed, T::fingerprint(), kind)?);
    // SAFETY: the block is new and this part, which is borrowed, is the only handle on it in any process, so that nobody
    // reads or writes its bytes, whatever its kind; what a process allocates is writable in it.
    let data = unsafe { part.bytes_mut() };
    let metadata = fill(data);
    Ok((part, metadata))
}

/// A new value: a copy of `src`.
#[inline]
pub(crate) fn copy<T: ShmemBacked + ?Sized>(kind: Kind, src: &T) -> Result<(Part, T::MetaData), Error> {
    let len = T::required_memory_src(src);
    match copy_plain::<T>(kind, len, || T::plain_bytes(src)) {
        Some(copied) => copied,
        None => make::<T>(kind, len, T::NEEDS_ZEROED, |data| T::new_from_src(data, src)),
    }
}

/// A new value of `len` bytes that is large enough for the system to write, if `plain` has bytes and metadata.
#[inline]
pub(crate) fn copy_plain<'a, T: ShmemBacked + ?Sized>(
    kind: Kind,
    len: usize,
    plain: impl FnOnce() -> Option<(&'a [u8], T::MetaData)>,
) -> Option<Result<(Part, T::MetaData), Error>> {
    if len < pool::PAGE {
        return None;
    }
    let (bytes, metadata) = plain().filter(|(bytes, _)| bytes.len() == len)?;
    let copied = pool::allocate_copy(bytes, T::ALIGNMENT, T::fingerprint(), kind);
    Some(copied.map(|part| (Part::Block(part), metadata)))
}

/// A new value that has these bytes, and metadata that belong to them.
#[cfg(target_os = "linux")]
pub(crate) fn copy_of_bytes<T: ShmemBacked + ?Sized>(
    kind: Kind,
    bytes: &[u8],
    metadata: &T::MetaData,
) -> Result<(Part, T::MetaData), Error> {
    let copied = copy_plain::<T>(kind, bytes.len(), || Some((bytes, metadata.clone())));
    copied.unwrap_or_else(|| {
        make::<T>(kind, bytes.len(), false, |data| {
            data.copy_from_slice(bytes);
            metadata.clone()
        })
    })
}

impl<T> Shared<T>
where
    T: ShmemBacked + ?Sized,
{
    /// A new value, made in place from `arg`: of a slice from `(initial value, length)`, of a string from a `str`, of an
    /// array from `(initial value, shape)`.
    ///
    /// ```
    /// use commonage::SharedSlice;
    /// let ones = SharedSlice::new(&(1.0, 1_000_000))?;
    /// assert_eq!(ones.iter().sum::<f64>(), 1e6);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`] when memory runs out, [`Error::TooLarge`] if there can't be that much,
    /// [`Error::Alignment`] if the type asks for more than a page, [`Error::Os`] if the system refuses a segment.
    pub fn new(arg: &T::NewArg) -> Result<Self, Error> {
        let len = T::required_memory_arg(arg);
        let (part, metadata) = make::<T>(Kind::Shared, len, T::NEEDS_ZEROED, |data| T::new(data, arg))?;
        Ok(Self::from_parts(part, metadata))
    }

    /// A copy of `src` in shared memory.
    ///
    /// ```
    /// use commonage::SharedStr;
    /// let greeting = SharedStr::copy_from("good morning")?;
    /// assert_eq!(&*greeting, "good morning");
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn copy_from(src: &T) -> Result<Self, Error> {
        let (part, metadata) = copy(Kind::Shared, src)?;
        Ok(Self::from_parts(part, metadata))
    }

    /// [`copy_from`](Self::copy_from), by the name that it has in sharify.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn new_from_inner(src: &T) -> Result<Self, Error> {
        Self::copy_from(src)
    }

    /// The handle of `part`, which is not exclusive, with metadata that `T` has made for it or has checked.
    pub(crate) fn from_parts(part: Part, metadata: T::MetaData) -> Self {
        let shared = T::shares_metadata(&metadata);
        Shared { part, metadata: Metadata::new(metadata, shared), of: PhantomData }
    }

    /// The bytes of the value, and its metadata.
    pub(crate) fn raw(&self) -> (&[u8], &T::MetaData) {
        // SAFETY: a `Shared`'s block is not exclusive while this handle is there (`part`), so nobody writes it.
        (unsafe { self.part.bytes() }, &self.metadata)
    }

    /// A view of the value: for slices `&[E]`, for strings `&str`, for arrays an `ArrayView`.
    #[inline]
    pub fn as_view<'a>(&'a self) -> <T as ShmemView<'a>>::View
    where
        T: ShmemView<'a>,
    {
        // SAFETY: a `Shared`'s block is not exclusive while this handle is there (`part`), so nobody writes it.
        let data = unsafe { self.part.bytes() };
        // SAFETY: made by `T`, or checked by it at the claim (`part`), and since then not written.
        unsafe { T::view_unchecked(data, &self.metadata) }
    }

    /// How many share the value's block at this moment: handles in this process, processes, and tickets on their way.
    /// Others may change that at any time. Of a value in a file nobody knows who else has it: one process, and nothing on its
    /// way.
    ///
    /// ```
    /// use commonage::SharedStr;
    /// let a = SharedStr::copy_from("a")?;
    /// let b = a.clone();
    /// let counts = a.counts();
    /// assert_eq!((counts.handles, counts.holders, counts.in_flight), (2, 1, 0));
    /// let token = b.into_token()?;
    /// let counts = a.counts();
    /// assert_eq!((counts.handles, counts.holders, counts.in_flight), (1, 1, 1));
    /// # let _ = SharedStr::from_token(&token)?;
    /// # Ok::<(), commonage::Error>(())
    /// ```
    pub fn counts(&self) -> Counts {
        self.part.counts()
    }

    /// Whether the two are handles on the same range of the same memory.
    ///
    /// ```
    /// use commonage::SharedStr;
    /// let a = SharedStr::copy_from("same")?;
    /// let b = SharedStr::copy_from("same")?;
    /// assert!(a == b && !a.ptr_eq(&b) && a.ptr_eq(&a.clone()));
    /// # Ok::<(), commonage::Error>(())
    /// ```
    pub fn ptr_eq(&self, other: &Self) -> bool {
        self.part.same_range(&other.part)
    }

    /// Makes the value writable, if this is the only handle on it anywhere and no ticket for it is on its way. Nothing is
    /// copied. Tokens of the value that were sent before it changed hands can't be claimed again. What dead processes have
    /// held does not count where this process may sweep: in its own pool, and where the owner is dead.
    ///
    /// ```
    /// use commonage::SharedSlice;
    /// let shared: SharedSlice<u8> = SharedSlice::copy_from(&[1, 2, 3])?;
    /// let mut exclusive = shared.try_into_mut()?;
    /// exclusive[0] = 9;
    /// let shared = exclusive.freeze()?;
    /// assert_eq!(*shared, [9, 2, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Refused`], with the handle as it was, and as the reason [`Error::NotAlone`] if there are other handles or tickets, or
    /// [`Error::Os`] if the memory is another process's and can't be made writable here. Of a value in a file, there
    /// must be no other handle in this process, [`FileFault::Locked`](crate::FileFault::Locked) says that other processes read
    /// it, and [`FileFault::ReadOnly`](crate::FileFault::ReadOnly) that this one has opened it for reading.
    pub fn try_into_mut(self) -> Result<SharedMut<T>, Refused<Self>> {
        match self.part.thaw() {
            Ok(()) => Ok(SharedMut::from_parts(self.part, self.metadata.into_inner())),
            Err(reason) => Err(Refused { handle: self, reason }),
        }
    }

    /// Turns the handle into a ticket and hands that to a serializer: what [`serialize`](Serialize::serialize) and a drop
    /// do, in one step.
    ///
    /// # Errors
    ///
    /// Those of the serializer, and an [`Error`] in the serializer's words if no ticket can be issued. Then the handle is
    /// dropped and there is no ticket.
    pub fn into_serialized<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
        into_serialized::<T, S>(self.part, Kind::Shared, &self.metadata, serializer)
    }

    /// Turns the handle into the text of a ticket, to be passed by argv, environment, or a pipe. It is at most a few
    /// hundred letters (ASCII letters, digits, `-` and `_`) unless the type's metadata are large.
    ///
    /// ```
    /// use commonage::SharedStr;
    /// let token = SharedStr::copy_from("by any channel that takes text")?.into_token()?;
    /// let received = SharedStr::from_token(&token)?;
    /// assert_eq!(&*received, "by any channel that takes text");
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::TicketsFull`], [`Error::CountLimit`], [`Error::NoSpace`] (for tickets), [`Error::Exiting`], or
    /// [`Error::Metadata`] if postcard can't write the type's metadata; [`Error::Inherited`] in a forked child. Of a value in a
    /// file only the last two. The handle is dropped then.
    pub fn into_token(self) -> Result<String, Error> {
        into_token::<T>(self.part, Kind::Shared, &self.metadata)
    }

    /// Claims the value that a token is for, as [`deserialize`](Deserialize::deserialize) does. White space around the
    /// token is ignored.
    ///
    /// # Errors
    ///
    /// [`Error::NotAToken`], [`Error::Altered`], [`Error::WrongType`] and [`Error::WrongKind`] (it can still be claimed
    /// as what it is), [`Error::Gone`] and [`Error::Unreachable`] if there is no way to its segment,
    /// [`Error::NotTheSegment`], [`Error::Abi`] and [`Error::Corrupt`] if that is not as it should be,
    /// [`Error::Expired`] if the token has been claimed before and the value is no longer there, [`Error::Metadata`]
    /// and [`Error::Content`] if what is there is no `T`, [`Error::CountLimit`] and [`Error::ParticipantsFull`], [`Error::Os`].
    ///
    /// If the token leads to a file, what is wrong is in an [`Error::File`]: [`FileFault::Absent`] and
    /// [`FileFault::Changed`] if the file is gone, replaced, or has had a writer since, [`FileFault::Locked`] if it has
    /// one now, [`FileFault::Unfinished`] if that was killed, [`FileFault::Altered`], [`FileFault::Owner`] and
    /// [`FileFault::NotAFile`] if it is none that this process should map, and those of [opening](crate::file::open) it.
    ///
    /// [`FileFault::Absent`]: crate::FileFault::Absent
    /// [`FileFault::Changed`]: crate::FileFault::Changed
    /// [`FileFault::Locked`]: crate::FileFault::Locked
    /// [`FileFault::Unfinished`]: crate::FileFault::Unfinished
    /// [`FileFault::Altered`]: crate::FileFault::Altered
    /// [`FileFault::Owner`]: crate::FileFault::Owner
    /// [`FileFault::NotAFile`]: crate::FileFault::NotAFile
    pub fn from_token(token: &str) -> Result<Self, Error> {
        wire::from_text(token, Self::claim)
    }

    /// A ticket for the value, made explicitly: it serializes any number of times as the same ticket, can be taken back, and
    /// is taken back if it is dropped without having been sent.
    ///
    /// ```
    /// use commonage::SharedStr;
    /// let a = SharedStr::copy_from("a")?;
    /// let ticket = a.ticket()?;
    /// assert_eq!(a.counts().in_flight, 1);
    /// drop(ticket);
    /// assert_eq!(a.counts().in_flight, 0);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`into_token`](Self::into_token).
    pub fn ticket(&self) -> Result<Ticket<T>, Error> {
        let mut draft = Draft::of::<T>(&self.part, Kind::Shared, &self.metadata)?;
        let issued = self.part.issue(Kind::Shared, Start::Armed)?;
        Ok(Ticket::original(draft.seal(issued).clone()))
    }

    /// The value that the bytes of a token are for.
    pub(crate) fn claim(token: &[u8]) -> Result<Self, Error> {
        let (part, metadata) = wire::claim::<T>(token, Kind::Shared)?;
        Ok(Self::from_parts(part, metadata))
    }
}

/// Turns a part into an armed ticket and hands its token to `serializer`.
pub(crate) fn into_serialized<T: ShmemBacked + ?Sized, S: Serializer>(
    part: Part,
    kind: Kind,
    metadata: &T::MetaData,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut draft = Draft::of::<T>(&part, kind, metadata).map_err(ser::Error::custom)?;
    if wire::only_measures::<S>() {
        return draft.placeholder().emit(serializer);
    }
    let departing = part.into_issued(kind).map_err(|(_, error)| ser::Error::custom(error))?;
    let sent = draft.seal(departing.issued()).emit(serializer)?;
    departing.left();
    Ok(sent)
}

/// Turns a part into an armed ticket and that into text.
pub(crate) fn into_token<T: ShmemBacked + ?Sized>(
    part: Part,
    kind: Kind,
    metadata: &T::MetaData,
) -> Result<String, Error> {
    let mut draft = Draft::of::<T>(&part, kind, metadata)?;
    let departing = part.into_issued(kind).map_err(|(_, error)| error)?;
    let text = draft.seal(departing.issued()).text();
    departing.left();
    Ok(text)
}

/// A ticket of a part that is still here. Dropped, because the serializer fails or panics, it is taken back.
struct Unsent<'a> {
    part: &'a Part,
    issued: Issued,
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        self.part.revoke(self.issued);
    }
}

/// Issues a ticket and emits its token; the handle stays. See [the type](Shared#serialization).
impl<T> Serialize for Shared<T>
where
    T: ShmemBacked + ?Sized,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut draft = Draft::of::<T>(&self.part, Kind::Shared, &self.metadata).map_err(ser::Error::custom)?;
        if wire::only_measures::<S>() {
            return draft.placeholder().emit(serializer);
        }
        let issued = self.part.issue(Kind::Shared, Start::Armed).map_err(ser::Error::custom)?;
        let unsent = Unsent { part: &self.part, issued };
        let sent = draft.seal(issued).emit(serializer)?;
        mem::forget(unsent);
        Ok(sent)
    }
}

/// Claims the ticket of a token. [`Ticket::claim`] gives the errors of [`from_token`](Shared::from_token) as they are;
/// here they become errors of the format.
impl<'de, T> Deserialize<'de> for Shared<T>
where
    T: ShmemBacked + ?Sized,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        wire::receive(deserializer, Self::claim)
    }
}

/// Another handle on the same memory: no system call, no copy.
impl<T> Clone for Shared<T>
where
    T: ShmemBacked + ?Sized,
{
    #[inline]
    fn clone(&self) -> Self {
        // In this order the count's barrier does not wait for a copy that is still on its way.
        let metadata = self.metadata.clone();
        Shared { part: self.part.clone(), metadata, of: PhantomData }
    }
}

/// Copies `src` into shared memory.
///
/// # Panics
///
/// When memory runs out, or as [`Shared::copy_from`], which returns an error instead, says.
impl<'a, T> From<&'a T> for Shared<T>
where
    T: ShmemBacked + ?Sized,
{
    #[track_caller]
    fn from(src: &'a T) -> Self {
        or_panic::<T, _>(Self::copy_from(src))
    }
}

/// What the conversions that can't return an error do with one.
#[track_caller]
pub(crate) fn or_panic<T: ?Sized, H>(made: Result<H, Error>) -> H {
    match made {
        Ok(handle) => handle,
        Err(error) => panic!("a `{}` can't be copied into shared memory: {error}", type_name::<T>()),
    }
}

/// [`SharedMut::freeze`].
impl<T> TryFrom<SharedMut<T>> for Shared<T>
where
    T: ShmemBacked + ?Sized,
{
    type Error = Refused<SharedMut<T>>;

    fn try_from(exclusive: SharedMut<T>) -> Result<Self, Self::Error> {
        exclusive.freeze()
    }
}

/// The type and where the value is, not what: that needs no bound on `T`.
impl<T> fmt::Debug for Shared<T>
where
    T: ShmemBacked + ?Sized,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::<T>(f, "Shared", &self.part)
    }
}

/// What both wrappers show of themselves.
pub(crate) fn debug<T: ?Sized>(f: &mut fmt::Formatter<'_>, wrapper: &str, part: &Part) -> fmt::Result {
    let mut shown = f.debug_struct(wrapper);
    shown.field("type", &format_args!("{}", type_name::<T>()));
    match (part, part.path()) {
        (Part::Block(part), _) => shown.field("segment", &format_args!("{}", part.segment())),
        (_, Some(path)) => shown.field("file", &path),
        (_, None) => shown.field("file", &"none"),
    };
    shown.field("offset", &part.offset()).field("bytes", &part.len()).finish()
}

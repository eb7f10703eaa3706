//! The writable wrapper, for values of any type; what only slices, strings and arrays have is in the rooms beside.

// A value's bytes become its view here; who may write them is what the two wrappers are about.
#![allow(unsafe_code)]

use std::{fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};

use crate::{
    Counts, Error, Kind, Refused, Shared, ShmemBacked, ShmemView, ShmemViewMut, Ticket,
    part::Part,
    shared::{copy, debug, into_serialized, into_token, make, or_panic},
    wire::{self, Draft},
};

#[cfg(feature = "ndarray")]
mod arrays;
mod exclusive;
mod file;
mod parts;
mod resize;
#[cfg(feature = "ndarray")]
mod rows;
mod slices;
mod uninit;

use exclusive::Exclusive;
pub use uninit::SharedUninit;

/// A writable slice in shared memory.
pub type SharedSliceMut<T> = SharedMut<[T]>;

/// A writable string in shared memory.
pub type SharedStrMut = SharedMut<str>;

/// A writable value in shared memory: its bytes have this handle and no other, in any process.
///
/// ```
/// use commonage::SharedMut;
/// # use ipc_channel::ipc;
///
/// let mut squares: SharedMut<[u64]> = SharedMut::new(&(0, 1000))?;
/// squares.iter_mut().zip(0..).for_each(|(square, n)| *square = n * n);
///
/// let (tx, rx) = ipc::channel().unwrap();
/// tx.send(squares).unwrap(); // a few dozen bytes
/// let mut received: SharedMut<[u64]> = rx.recv().unwrap(); // no copy
/// assert_eq!(received[999], 998_001);
/// received[0] = 1;
/// # Ok::<(), commonage::Error>(())
/// ```
///
/// # Serialization
///
/// Serialization hands the value on. [`serialize`](Serialize::serialize) can't consume the handle, so it marks it: what
/// looks at the value afterwards panics and says why; `Debug` and [`counts`](Self::counts) do not look. Views made before
/// may still be in use, so the receiver waits until the marked handle is dropped, for as long as
/// [`Config::claim_deadline`](crate::Config::claim_deadline) says, and then gets [`Error::StillHeld`] and may try again.
/// Serializing again emits the same ticket.
///
/// Deserializing claims at once: when a later part of the same message can't be read, what was claimed before it is dropped.
/// Messages with several exclusive values better carry [`Ticket`]s, which are claimed when all of them are there.
///
/// A handle that has been serialized stays marked, also if the serializer fails; a handle dropped without a successful
/// serialization takes its ticket, and the value, with it. Whoever wants the value back from a channel that refuses it
/// sends [`into_ticket`](Self::into_ticket).
///
/// What is emitted is one opaque token, as for [`Shared`](Shared#serialization), and with the same limits: no
/// `#[serde(flatten)]`, no `#[serde(untagged)]`. Passes that only measure get a placeholder and mark nothing.
///
/// # Parts
///
/// Slices, and arrays in C order by their rows, can be cut into parts (`split_off`, `split_into`): disjoint ranges of one
/// block, each a handle like any other, so that several processes write one value at the same time. `unsplit` and
/// `unsplit_all` put parts together again, in any order, without a copy.
///
/// ```
/// use commonage::SharedSliceMut;
/// # use ipc_channel::ipc;
///
/// let parts = SharedSliceMut::<u64>::zeroed(1000)?.split_into(4);
/// let (to_worker, jobs) = ipc::channel().unwrap();
/// let (to_parent, results) = ipc::channel().unwrap();
/// (0..).zip(parts).for_each(|(number, part)| to_worker.send((number, part)).unwrap());
/// # for _ in 0..4 {
///
/// // In any process, in any order:
/// let (number, mut part): (u64, SharedSliceMut<u64>) = jobs.recv().unwrap();
/// part.fill(number);
/// to_parent.send(part).unwrap();
/// # }
///
/// let parts: Vec<SharedSliceMut<u64>> = (0..4).map(|_| results.recv().unwrap()).collect();
/// let whole = SharedSliceMut::unsplit_all(parts)?.freeze()?;
/// assert_eq!((whole[249], whole[250], whole[999]), (0, 1, 3));
/// # Ok::<(), commonage::Error>(())
/// ```
///
/// A part that is dropped, or goes with a process that dies, takes nothing with it but its range: the others stay as they
/// are, the block lives as long as any of them, and [`Error::Missing`] says what is not there. Nobody gets that range again.
/// All of the block is what it was made for: a value that came from a [slice](Shared::slice) of a `Shared` is a part of it.
/// A part that is on its way while the owner of its memory exits, or while a sender exits that still has the handle which it
/// has serialized, arrives as a copy, and so as a block of its own.
///
/// # Files
///
/// A value can be in a [`file`](crate::file) instead, which this process has locked and mapped: then [`path`](Self::path)
/// says in which. What is written is in the file, and on the disk when [`flush`](Self::flush) returns. While the handle is
/// there, no other process has the file; once it is dropped or [frozen](Self::freeze), others can open it.
///
/// It is handed on as any other value, if it is the whole of a file that has this crate's header: the receiver maps the
/// same file and locks it, as soon as the sender has dropped its handle. Between the two the file is nobody's: whoever
/// opens it to write takes it away from the receiver, who then gets
/// [`FileFault::AlreadyClaimed`](crate::FileFault::AlreadyClaimed), and so does a second claim. Readers are told that it
/// has not been finished, until it has been claimed and dropped. Parts are for the threads of one process: they can't be
/// sent ([`FileFault::NotSent`](crate::FileFault::NotSent)), and nor can what was opened [for this process
/// alone](crate::file::open_private).
///
/// # Threads
///
/// Handles are `Send` and `Sync` if `T` and its metadata are.
pub struct SharedMut<T>
where
    T: ShmemBacked + ?Sized,
{
    hold: Exclusive,
    /// Made by `T` for the part's bytes, or checked by it, or answered for by a caller of `metadata_mut`.
    metadata: T::MetaData,
    /// Like a `Box`, it gives out `&T`s and `&mut T`s (as views), never both.
    of: PhantomData<Box<T>>,
}

impl<T> SharedMut<T>
where
    T: ShmemBacked + ?Sized,
{
    /// A new value, made in place from `arg`: of a slice from `(initial value, length)`, of a string from a `str`, of an
    /// array from `(initial value, shape)`.
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`] when memory runs out, [`Error::TooLarge`] if there can't be that much,
    /// [`Error::Alignment`] if the type asks for more than a page, [`Error::Os`] if the system refuses a segment.
    pub fn new(arg: &T::NewArg) -> Result<Self, Error> {
        let len = T::required_memory_arg(arg);
        let (part, metadata) = make::<T>(Kind::SharedMut, len, T::NEEDS_ZEROED, |data| T::new(data, arg))?;
        Ok(Self::from_parts(part, metadata))
    }

    /// A copy of `src` in shared memory.
    ///
    /// ```
    /// use commonage::SharedStrMut;
    /// let mut text = SharedStrMut::copy_from("shout")?;
    /// text.make_ascii_uppercase();
    /// assert_eq!(&*text, "SHOUT");
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn copy_from(src: &T) -> Result<Self, Error> {
        let (part, metadata) = copy(Kind::SharedMut, src)?;
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

    /// The handle of `part`, which is exclusive, with metadata that `T` has made for it or has checked.
    pub(crate) fn from_parts(part: Part, metadata: T::MetaData) -> Self {
        SharedMut { hold: Exclusive::new(part), metadata, of: PhantomData }
    }

    /// The bytes of the value, and its metadata.
    ///
    /// Panics if the handle has been serialized.
    #[track_caller]
    pub(crate) fn raw(&self) -> (&[u8], &T::MetaData) {
        (self.hold.bytes(), &self.metadata)
    }

    /// A view of the value: for slices `&[E]`, for strings `&str`, for arrays an `ArrayView`.
    ///
    /// # Panics
    ///
    /// If the handle has been [serialized](Self#serialization).
    #[inline]
    #[track_caller]
    pub fn as_view<'a>(&'a self) -> <T as ShmemView<'a>>::View
    where
        T: ShmemView<'a>,
    {
        // SAFETY: made by `T`, or checked by it at the claim, and since then written only through its views, or by a
        // caller of `metadata_mut`, who answers for it.
        unsafe { T::view_unchecked(self.hold.bytes(), &self.metadata) }
    }

    /// A view of the value to write through: for slices `&mut [E]`, for strings `&mut str`, for arrays an `ArrayViewMut`.
    ///
    /// # Panics
    ///
    /// If the handle has been [serialized](Self#serialization).
    #[inline]
    #[track_caller]
    pub fn as_view_mut<'a>(&'a mut self) -> <T as ShmemViewMut<'a>>::View
    where
        T: ShmemViewMut<'a>,
    {
        // SAFETY: as in `as_view`.
        unsafe { T::view_mut_unchecked(self.hold.bytes_mut(), &mut self.metadata) }
    }

    /// The metadata from which views are made, to change them: what a view of the same memory has become, say by
    /// permuting its axes, can be kept so.
    ///
    /// ```
    /// use commonage::{SharedArrayMut, SharedMut, backed::ArrayLayout};
    /// use ndarray::Ix2;
    ///
    /// let mut array: SharedArrayMut<u8, Ix2> = SharedMut::new(&(0, Ix2(2, 3)))?;
    /// let mut view = array.as_view_mut();
    /// view.swap_axes(0, 1);
    /// let turned = ArrayLayout::of(&view);
    /// // SAFETY: from a view of this array.
    /// unsafe { *array.metadata_mut() = turned };
    /// assert_eq!(array.as_view().shape(), [3, 2]);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Safety
    ///
    /// When the borrow ends the metadata must be such that `T` makes sound views of this memory with them: as if `T`'s
    /// `new` had made them for it, or its `check` accepted them.
    ///
    /// # Panics
    ///
    /// If the handle has been [serialized](Self#serialization).
    #[track_caller]
    pub unsafe fn metadata_mut(&mut self) -> &mut T::MetaData {
        self.hold.assert_live();
        &mut self.metadata
    }

    /// How many share the value's block at this moment: handles in this process, processes, and tickets on their way. A
    /// handle that has been serialized and is still there counts as both. Of a value in a file it says the handles, or
    /// [parts](Self#parts), in this process.
    pub fn counts(&self) -> Counts {
        self.hold.part().counts()
    }

    /// Makes the value immutable, so that it can be held by many, if this is the only handle on its block anywhere, so that
    /// there are no other [parts](Self#parts) of it, and no ticket for it is on its way. Nothing is copied. What dead
    /// processes have held does not count where this process may sweep: in its own pool, and where the owner is dead.
    ///
    /// ```
    /// use commonage::{SharedMut, SharedSlice};
    /// let mut squares = SharedMut::<[u32]>::zeroed(10)?;
    /// squares.iter_mut().zip(0..).for_each(|(square, n)| *square = n * n);
    /// let squares: SharedSlice<u32> = squares.freeze()?;
    /// assert_eq!(squares.clone()[9], 81);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Refused`], with the handle as it was, and as the reason [`Error::Serialized`] if it has been serialized, or
    /// [`Error::NotAlone`].
    pub fn freeze(self) -> Result<Shared<T>, Refused<Self>> {
        let frozen = if self.hold.is_live() { self.hold.part().freeze() } else { Err(Error::Serialized) };
        match frozen {
            Ok(()) => {
                let (part, metadata) = self.into_parts();
                Ok(Shared::from_parts(part, metadata))
            }
            Err(reason) => Err(Refused { handle: self, reason }),
        }
    }

    /// Turns the handle into a ticket that can be claimed at once, and hands that to a serializer.
    ///
    /// # Errors
    ///
    /// Those of the serializer, and an [`Error`] in the serializer's words if no ticket can be issued. The value is
    /// dropped then; [`into_ticket`](Self::into_ticket) gives it back.
    ///
    /// # Panics
    ///
    /// If the handle has been [serialized](Self#serialization).
    #[track_caller]
    pub fn into_serialized<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
        self.hold.assert_live();
        let (part, metadata) = self.into_parts();
        into_serialized::<T, S>(part, Kind::SharedMut, &metadata, serializer)
    }

    /// Turns the handle into the text of a ticket, to be passed by argv, environment, or a pipe. It is at most a few
    /// hundred letters (ASCII letters, digits, `-` and `_`) unless the type's metadata are large.
    ///
    /// ```
    /// use commonage::{Error, SharedStrMut};
    /// let token = SharedStrMut::copy_from("once")?.into_token()?;
    /// let received = SharedStrMut::from_token(&token)?;
    /// assert!(matches!(SharedStrMut::from_token(&token), Err(Error::AlreadyClaimed { .. })));
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Serialized`], [`Error::TicketsFull`], [`Error::CountLimit`], [`Error::NoSpace`] (for tickets),
    /// [`Error::Exiting`], [`Error::Inherited`] in a forked child, or [`Error::Metadata`] if postcard can't write the type's
    /// metadata; [`FileFault::NotSent`](crate::FileFault::NotSent) of a [file](Self#files). The handle is dropped then;
    /// [`into_ticket`](Self::into_ticket) gives it back.
    pub fn into_token(self) -> Result<String, Error> {
        if !self.hold.is_live() {
            return Err(Error::Serialized);
        }
        let (part, metadata) = self.into_parts();
        into_token::<T>(part, Kind::SharedMut, &metadata)
    }

    /// Claims the value that a token is for, as [`deserialize`](Deserialize::deserialize) does. White space around the
    /// token is ignored.
    ///
    /// # Errors
    ///
    /// Those of [`Shared::from_token`], but instead of [`Error::Expired`] it is [`Error::AlreadyClaimed`], and
    /// [`Error::StillHeld`] if the sender has not dropped its handle in time. Of a file it is
    /// [`FileFault::AlreadyClaimed`](crate::FileFault::AlreadyClaimed) and
    /// [`FileFault::StillHeld`](crate::FileFault::StillHeld), the latter also while others read it.
    pub fn from_token(token: &str) -> Result<Self, Error> {
        wire::from_text(token, Self::claim)
    }

    /// Turns the handle into a ticket that can be claimed at once, made explicitly: it serializes any number of times as the
    /// same ticket, gives the value back by [`claim_mut`](Ticket::claim_mut), and drops the value if it is itself dropped
    /// without having been sent.
    ///
    /// ```
    /// use commonage::SharedMut;
    /// # fn send_to_a_closed_channel(_: &impl serde::Serialize) -> Result<(), ()> { Err(()) }
    ///
    /// let ticket = SharedMut::<[u8]>::zeroed(100)?.into_ticket()?;
    /// if send_to_a_closed_channel(&ticket).is_err() {
    ///     let back = ticket.claim_mut()?;
    ///     assert_eq!(back.len(), 100);
    /// }
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Refused`], with the handle as it was, and as the reason what [`into_token`](Self::into_token) says.
    pub fn into_ticket(self) -> Result<Ticket<T>, Refused<Self>> {
        if !self.hold.is_live() {
            return Err(Refused { handle: self, reason: Error::Serialized });
        }
        let mut draft = match Draft::of::<T>(self.hold.part(), Kind::SharedMut, &self.metadata) {
            Ok(draft) => draft,
            Err(reason) => return Err(Refused { handle: self, reason }),
        };
        let (part, metadata) = self.into_parts();
        match part.into_issued(Kind::SharedMut) {
            Ok(departing) => {
                let token = draft.seal(departing.issued()).clone();
                departing.left();
                Ok(Ticket::original(token))
            }
            Err((part, reason)) => Err(Refused { handle: Self::from_parts(part, metadata), reason }),
        }
    }

    /// The value that the bytes of a token are for.
    pub(crate) fn claim(token: &[u8]) -> Result<Self, Error> {
        let (part, metadata) = wire::claim::<T>(token, Kind::SharedMut)?;
        Ok(Self::from_parts(part, metadata))
    }

    /// Takes the handle apart. It must be live: its ticket is forgotten.
    fn into_parts(self) -> (Part, T::MetaData) {
        let SharedMut { hold, metadata, .. } = self;
        (hold.into_part(), metadata)
    }
}

/// Marks the handle as serialized and emits its ticket. See [the type](SharedMut#serialization).
impl<T> Serialize for SharedMut<T>
where
    T: ShmemBacked + ?Sized,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let part = self.hold.part();
        let mut draft = Draft::of::<T>(part, Kind::SharedMut, &self.metadata).map_err(ser::Error::custom)?;
        if wire::only_measures::<S>() {
            return draft.placeholder().emit(serializer);
        }
        let issued = self.hold.issue().map_err(ser::Error::custom)?;
        let sent = draft.seal(issued).emit(serializer)?;
        self.hold.emitted();
        Ok(sent)
    }
}

/// Claims the ticket of a token. [`Ticket::claim_mut`] gives the errors of [`from_token`](SharedMut::from_token) as they
/// are; here they become errors of the format.
impl<'de, T> Deserialize<'de> for SharedMut<T>
where
    T: ShmemBacked + ?Sized,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        wire::receive(deserializer, Self::claim)
    }
}

/// [`Shared::try_into_mut`].
impl<T> TryFrom<Shared<T>> for SharedMut<T>
where
    T: ShmemBacked + ?Sized,
{
    type Error = Refused<Shared<T>>;

    fn try_from(shared: Shared<T>) -> Result<Self, Self::Error> {
        shared.try_into_mut()
    }
}

/// Copies `src` into shared memory.
///
/// # Panics
///
/// When memory runs out, or as [`SharedMut::copy_from`], which returns an error instead, says.
impl<'a, T> From<&'a T> for SharedMut<T>
where
    T: ShmemBacked + ?Sized,
{
    #[track_caller]
    fn from(src: &'a T) -> Self {
        or_panic::<T, _>(Self::copy_from(src))
    }
}

/// The type and where the value is, not what: that needs no bound on `T`, and does not panic after a serialization.
impl<T> fmt::Debug for SharedMut<T>
where
    T: ShmemBacked + ?Sized,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::<T>(f, if self.hold.is_live() { "SharedMut" } else { "SharedMut (serialized)" }, self.hold.part())
    }
}

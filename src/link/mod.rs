//! Values with a fixed name: [`Link`].
//!
//! A link is a value of a [`Shareable`] type in memory that has a name, or in a file. Whoever knows the name opens it:
//! no channel is needed between the processes, and they need not be each other's children.
//!
//! ```
//! use commonage::{Link, link::ReadWrite};
//! use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
//!
//! // One process creates it,
//! let frames: Link<AtomicU64, ReadWrite> = Link::create("frames-of-the-docs")?;
//! frames.fetch_add(1, Relaxed);
//!
//! // others open it, to look at it only,
//! let seen: Link<AtomicU64> = Link::open("frames-of-the-docs")?;
//! assert_eq!(seen.load(), 1);
//!
//! // or to change it too.
//! let also: Link<AtomicU64, ReadWrite> = Link::open_existing("frames-of-the-docs")?;
//! also.fetch_add(1, Relaxed);
//! assert_eq!(seen.load(), 2);
//! # Ok::<(), commonage::Error>(())
//! ```
//!
//! # What can be done with it
//!
//! | | `Link<T, ReadOnly>` | `Link<T, ReadWrite>` |
//! |---|---|---|
//! | made by | [`open`](Link::open) | [`create`](Link::create), [`create_with`](Link::create_with), [`open_or_create`](Link::open_or_create), [`open_existing`](Link::open_existing) |
//! | atomics, the types of [`sync`](crate::sync), structs of them | derefs to [`Observed<T>`](crate::Observed): loads, and reads of a `SeqLock` | derefs to `T` |
//! | plain data | unsafe [`get`](Link::get) | unsafe [`get`](Link::get) and [`get_mut`](Link::get_mut) |
//! | its memory is mapped | read-only: a store traps | to be read and written |
//! | a [`Mutex`](crate::sync::Mutex) in it | can't be locked | can |
//!
//! # Who removes it
//!
//! The link that has created the value owns it, and one that [`own`](Link::own) was called with. When an owner is
//! dropped, it runs `T`'s `Drop` and takes the name away; who has the value open keeps it, and nobody opens it any
//! more. (If another makes a link of the same name in the moment between the look whose name it is and its removal,
//! that one loses its name.) [`leak`](Link::leak) makes that nobody's task: then the name stays, until another process
//! owns it, or [`remove`](Link::remove)s it. A killed owner drops nothing, so a name outlives it: open the link and own
//! it, or remove it. On Windows the system takes a name away with the last process that has it open, owner or not. On
//! macOS such memory has no number, and the owner of a [raw](LinkBuilder::raw) link takes its name from whatever has that
//! by then. A forked child owns nothing.
//!
//! # Names
//!
//! Up to 30 bytes of letters, digits, `-`, `_` and `.` are a name everywhere. Linux has room for 255 bytes, macOS for
//! 30; a name that the platform can't hold is a [`LinkFault::Name`]. Names are those of POSIX shared memory on Unix
//! (`/dev/shm/NAME` on Linux, a leading slash more or less) and of file mappings on Windows (`Local\` or `Global\` may
//! stand in front), so that other programs find them: see [`LinkBuilder::raw`].
//!
//! # Who is trusted
//!
//! Whoever may write to a link, by its [`mode`](LinkBuilder::mode) (at first the user alone), is trusted to follow the
//! rules of its type, and not to cut it short while it is in use. What an opener finds is checked: that it is a link,
//! its version, type, size and length, and that the value has been made ready. Who has made it is not: another user who
//! came first with a name that anybody can take (`/dev/shm` and `/tmp` let them), and lets others write, has made the
//! link that is opened there. Between users who don't trust each other, links lie at paths in a directory that one of
//! them owns.

// Memory gets its type here: what is checked before stands at each place.
#![allow(unsafe_code)]

mod access;
mod builder;
mod header;

use std::{
    fmt,
    marker::PhantomData,
    mem::needs_drop,
    ops::Deref,
    path::Path,
    ptr::{self, NonNull},
    time::Duration,
};

use self::builder::header_of;
pub use self::{
    access::{ReadOnly, ReadWrite},
    builder::LinkBuilder,
};
use crate::{
    Error, LinkFault, Observed, Refused, Shareable, Synchronized,
    sync::presence::Presence,
    sys::{self, Address, Identity, Mapping},
};

/// How long a look at something that may change in other processes is put off, at most.
const MOMENT: Duration = Duration::from_millis(5);

/// A value with a name, or in a file, as this process has it mapped. See the [module documentation](self).
///
/// It is unmapped on drop. The owner's drop also runs `T`'s `Drop` and removes the name.
pub struct Link<T, Access = ReadOnly> {
    /// Within the mapping, aligned, and as long as it is; of a `T` that its maker had made ready.
    value: NonNull<T>,
    /// Mapped from the value on.
    bytes: usize,
    /// The process whose link owns the value, by its `lineage`; zero if this link does not.
    owner: u32,
    address: Address,
    /// Told to others while this process can hold locks in the value. Goes before the mapping.
    presence: Option<Presence>,
    /// Keeps `value` mapped; taken only by drop.
    object: Option<Object>,
    access: PhantomData<Access>,
}

/// What a link lies in.
struct Object {
    mapping: Mapping,
    /// There is a header in front of the value.
    headed: bool,
    identity: Identity,
}

// SAFETY: a link is a reference to a `T` that others refer to as well, and a place that only drop removes.
unsafe impl<T: Send + Sync, Access> Send for Link<T, Access> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync, Access> Sync for Link<T, Access> {}

impl<T: Shareable> Link<T, ReadWrite> {
    /// Makes a value of zeroes. This link owns it.
    ///
    /// # Errors
    ///
    /// [`Error::Link`] with [`LinkFault::Exists`], [`LinkFault::NoDirectory`], [`LinkFault::Denied`],
    /// [`LinkFault::Name`], [`LinkFault::Failed`]; [`Error::NoSpace`], [`Error::TooLarge`], [`Error::Alignment`].
    pub fn create(name: &str) -> Result<Self, Error> {
        Self::named(name).create()
    }

    /// Makes a value. This link owns it.
    ///
    /// ```
    /// use commonage::{Link, link::ReadWrite, sync::Mutex};
    /// let total: Link<_, ReadWrite> = Link::create_with("total-of-the-docs", Mutex::new(7_u64))?;
    /// assert_eq!(*total.lock().unwrap(), 7);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create), with the value in it. `?` makes an [`Error`] of it.
    pub fn create_with(name: &str, value: T) -> Result<Self, Refused<T>> {
        Self::named(name).create_with(value)
    }

    /// Opens what has the name, or makes a value of zeroes and owns it: see [`is_owner`](Link::is_owner). If
    /// several processes do it at the same time, one makes the value and the others open it.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open_existing`](Self::open_existing), but for `Exists` and `Absent`.
    pub fn open_or_create(name: &str) -> Result<Self, Error> {
        Self::named(name).open_or_create()
    }

    /// Opens what has the name, to read and write it.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Link::open).
    pub fn open_existing(name: &str) -> Result<Self, Error> {
        Self::named(name).open_existing()
    }

    /// The value, to be changed.
    ///
    /// # Safety
    ///
    /// What is there is a valid `T`, and nobody else, in any process or through any other link, reads or writes it
    /// while the reference lives, and no owner is dropped.
    pub unsafe fn get_mut(&mut self) -> &mut T {
        // SAFETY: mapped, aligned and ready, by the field; the rest is the caller's promise.
        unsafe { self.value.as_mut() }
    }

    /// Where the value is, to be written by the rules of its users.
    pub fn as_mut_ptr(&self) -> *mut T {
        self.value.as_ptr()
    }

    /// Makes this link the value's owner: its drop runs `T`'s `Drop` and removes the name.
    ///
    /// If another link owns the value too, the first of them that is dropped does both: let the other be
    /// [`leak`](Self::leak)ed before.
    ///
    /// ```
    /// use commonage::{Link, LinkFault, Error, link::ReadWrite};
    /// let maker: Link<u32, ReadWrite> = Link::create("estate-of-the-docs")?;
    /// let maker = Link::leak(maker); // its drop leaves the name
    ///
    /// let heir: Link<u32, ReadWrite> = Link::open_existing("estate-of-the-docs")?; // in this process or another
    /// drop(Link::own(heir)); // takes the name away, on Windows when the last link is dropped
    /// drop(maker);
    /// assert!(matches!(Link::<u32>::open("estate-of-the-docs"), Err(Error::Link { fault: LinkFault::Absent, .. })));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use = "an owner that is dropped takes the value with it"]
    pub fn own(mut link: Self) -> Self {
        link.owner = sys::lineage();
        link
    }

    /// Makes this link no owner: its drop leaves the value and the name as they are. On Windows they go with the last
    /// link, nevertheless.
    pub fn leak(mut link: Self) -> Self {
        link.owner = 0;
        link
    }
}

impl<T: Shareable> Link<T, ReadOnly> {
    /// Opens what has the name, to read it.
    ///
    /// # Errors
    ///
    /// [`Error::Link`] with [`LinkFault::Absent`], [`LinkFault::Denied`], [`LinkFault::Name`], [`LinkFault::NotAFile`],
    /// [`LinkFault::TooShort`], [`LinkFault::NoHeader`], [`LinkFault::Abi`], [`LinkFault::Size`], [`LinkFault::Type`],
    /// [`LinkFault::Abandoned`], [`LinkFault::NotReady`], [`LinkFault::Over`], [`LinkFault::Failed`];
    /// [`Error::Alignment`], [`Error::NoSpace`].
    pub fn open(name: &str) -> Result<Self, Error> {
        Self::named(name).open()
    }
}

impl<T: Shareable, Access> Link<T, Access> {
    /// A link by name, with options.
    pub fn named(name: &str) -> LinkBuilder<T, Access> {
        LinkBuilder::new(name, Address::name(name))
    }

    /// A link in a file, with options. It is created and opened like one with a name; what it holds outlives a restart
    /// of the machine as far as the system has written it.
    ///
    /// ```
    /// use commonage::{Link, link::ReadWrite, sync::SeqLock};
    /// # let directory = std::env::temp_dir().join(format!("commonage-docs-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// let path = directory.join("position");
    /// let position: Link<SeqLock<[f64; 3]>, ReadWrite> = Link::at_path(&path).create()?;
    /// position.write([1.0, 2.0, 3.0]);
    ///
    /// let seen: Link<SeqLock<[f64; 3]>> = Link::at_path(&path).open()?;
    /// assert_eq!(seen.read()?, [1.0, 2.0, 3.0]);
    /// # drop((position, seen));
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn at_path(path: impl AsRef<Path>) -> LinkBuilder<T, Access> {
        let path = path.as_ref();
        LinkBuilder::new(&path.to_string_lossy(), Address::path(path))
    }

    /// The value.
    ///
    /// # Safety
    ///
    /// What is there is a valid `T`, and whatever others, in any process or through any other link, change of it while
    /// the reference lives is changed through atomics or locks; no owner is dropped meanwhile. A write through the
    /// reference to a read-only link traps.
    pub unsafe fn get(&self) -> &T {
        // SAFETY: mapped, aligned and ready, by the field; the rest is the caller's promise.
        unsafe { self.value.as_ref() }
    }

    /// Where the value is.
    pub fn as_ptr(&self) -> *const T {
        self.value.as_ptr()
    }

    /// Bytes that are mapped from the value on: its size, or what [`LinkBuilder::bytes`] has asked for.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether this link owns the value: its drop removes the name.
    pub fn is_owner(&self) -> bool {
        self.owns()
    }
}

impl<T, Access> Link<T, Access> {
    /// A forked child has inherited the link, but not the ownership.
    fn owns(&self) -> bool {
        self.owner != 0 && self.owner == sys::lineage()
    }
}

impl Link<()> {
    /// Takes a name away, whatever the type of the value. Who has it open keeps it; `T`'s `Drop` is not run. Not on
    /// Windows, where a name goes with the last link. (A file is removed as any file is.)
    ///
    /// ```
    /// use commonage::{Link, link::ReadWrite};
    /// let left: Link<u32, ReadWrite> = Link::create("left-of-the-docs")?;
    /// drop(Link::leak(left));
    /// # #[cfg(unix)]
    /// Link::remove("left-of-the-docs")?;
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Link`] with [`LinkFault::Absent`], [`LinkFault::Denied`], [`LinkFault::Name`], [`LinkFault::NotAFile`],
    /// [`LinkFault::Failed`].
    pub fn remove(name: &str) -> Result<(), Error> {
        let address = Address::name(name).map_err(|why| fault(name, LinkFault::Name(why)))?;
        sys::remove_place(&address).map_err(|error| refusal(name, error))
    }
}

/// Why a type with a `Drop` is not reached by deref: the owner runs it on a `&mut T`, whoever else looks at the value.
const NO_DROP: &str = "a type with a `Drop` of its own is reached by the unsafe `get` and `get_mut` of a link: \
                       the owner's drop changes the value while others may use it";

impl<T: Synchronized> Deref for Link<T, ReadWrite> {
    type Target = T;

    fn deref(&self) -> &T {
        const { assert!(!needs_drop::<T>(), "{}", NO_DROP) };
        // SAFETY: mapped, aligned and ready, by the field; a `Synchronized` type may be used while others use it, and
        // no `Drop` is run on it.
        unsafe { self.value.as_ref() }
    }
}

impl<T: Shareable> Deref for Link<T, ReadOnly> {
    type Target = Observed<T>;

    fn deref(&self) -> &Observed<T> {
        const { assert!(!needs_drop::<T>(), "{}", NO_DROP) };
        // SAFETY: mapped, aligned and ready, by the field, for as long as the link is there.
        unsafe { Observed::from_ptr(self.value.as_ptr()) }
    }
}

impl<T, Access> Drop for Link<T, Access> {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else { return };
        let owns = self.owns();
        // The first owner of several runs the value's `Drop`.
        let ends = owns && needs_drop::<T>() && (!object.headed || header_of(&object.mapping).end());
        // Dropped from the last to the first, also when the value's `Drop` panics.
        let _leaving = Leaving { object: Some(object), address: &self.address, owns };
        let _presence = self.presence.take();
        if ends {
            // SAFETY: mapped, aligned and ready, by the field, and writable, because only such a link is an owner.
            // Nobody has a reference by deref, and who has one by `get` or `get_mut` has promised that no owner is
            // dropped. No other owner gets here: of a value without a header there is none, by the promise of `raw`.
            unsafe { ptr::drop_in_place(self.value.as_ptr()) };
        }
    }
}

/// What is left of a link that is being dropped.
struct Leaving<'a> {
    object: Option<Object>,
    address: &'a Address,
    /// It takes the name away.
    owns: bool,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if let Some(Object { mapping, headed, identity }) = self.object.take()
            && self.owns
            && (self.address.has_identities() || !headed || header_of(&mapping).is_at(self.address))
        {
            identity.remove(self.address, mapping);
        }
    }
}

impl<T, Access> fmt::Debug for Link<T, Access> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("at", &format_args!("{}", self.address))
            .field("type", &format_args!("{}", std::any::type_name::<T>()))
            .field("bytes", &self.bytes)
            .field("owner", &self.owns())
            .finish_non_exhaustive()
    }
}

fn fault(link: &str, fault: LinkFault) -> Error {
    Error::Link { link: link.to_owned(), fault }
}

fn refusal(link: &str, error: sys::PlaceError) -> Error {
    use sys::PlaceError;
    let why = match error {
        PlaceError::Exists => LinkFault::Exists,
        PlaceError::Absent => LinkFault::Absent,
        PlaceError::NoDirectory => LinkFault::NoDirectory,
        PlaceError::Denied(error) => LinkFault::Denied(error),
        PlaceError::NotAFile(found) => LinkFault::NotAFile(found),
        PlaceError::NoSpace { requested, available } => return Error::NoSpace { requested, available },
        PlaceError::Failed(operation, source) => LinkFault::Failed { operation, source },
    };
    fault(link, why)
}

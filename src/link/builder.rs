//! How a link is made or opened: the rarer options.

// Memory gets its type here: what is checked before stands at each place.
#![allow(unsafe_code)]

use std::{
    any::type_name,
    marker::PhantomData,
    mem,
    ptr::NonNull,
    thread,
    time::{Duration, Instant},
};

use super::{
    Link, MOMENT, Object, ReadOnly, ReadWrite, fault,
    header::{Found, HEADER, Header},
    refusal,
};
use crate::{
    Error, LinkFault, Refused, Shareable,
    sync::presence::Presence,
    sys::{self, Address, Draft, Mapping, Place},
};

/// How often a name that comes and goes is looked at before [`LinkBuilder::open_or_create`] says what it found last.
const TURNS: usize = 100;

/// Options of a [`Link`], from [`Link::named`] or [`Link::at_path`].
///
/// ```
/// use commonage::{Link, link::ReadWrite};
/// use std::{sync::atomic::AtomicU64, time::Duration};
/// let link: Link<AtomicU64, ReadWrite> = Link::named("options-of-the-docs")
///     .mode(0o660) // the user and the group
///     .ready_timeout(Duration::from_secs(5))
///     .open_or_create()?;
/// # Ok::<(), commonage::Error>(())
/// ```
pub struct LinkBuilder<T, Access> {
    /// As the user wrote it.
    link: String,
    address: Result<Address, &'static str>,
    /// Where the value begins, if there is no header.
    raw: Option<u64>,
    bytes: u64,
    mode: u32,
    ready_timeout: Duration,
    _type: PhantomData<fn() -> (T, Access)>,
}

/// Where a value is in its object.
struct Room {
    /// Of the value, from the start of the object on.
    start: usize,
    /// Bytes that the object must have.
    end: u64,
}

impl<T: Shareable, Access> LinkBuilder<T, Access> {
    pub(super) fn new(link: &str, address: Result<Address, &'static str>) -> Self {
        LinkBuilder {
            link: link.to_owned(),
            address,
            raw: None,
            bytes: 0,
            mode: 0o600,
            ready_timeout: Duration::from_secs(1),
            _type: PhantomData,
        }
    }

    /// No header: the value begins with the object's first byte, as other languages expect it. Nothing is
    /// checked when it is opened but that there are enough bytes, and nothing tells whether the value is ready.
    ///
    /// ```
    /// use commonage::{Link, link::ReadWrite, shareable};
    /// use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
    ///
    /// shareable! {
    ///     /// `struct counters { _Atomic uint32_t seen, lost; _Atomic uint64_t bytes; };`
    ///     pub struct Counters {
    ///         pub seen: AtomicU32,
    ///         pub lost: AtomicU32,
    ///         pub bytes: AtomicU64,
    ///     }
    /// }
    ///
    /// // SAFETY: any bytes are `Counters`, and who else opens the name changes them by atomic accesses.
    /// let counters: Link<Counters, ReadWrite> = unsafe { Link::named("raw-of-the-docs").raw() }.open_or_create()?;
    /// counters.seen.fetch_add(1, Relaxed);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Safety
    ///
    /// Where an existing value is opened: what lies there is a valid `T`, made ready before, and whoever else writes to
    /// it keeps it one, by the rules of `T`. Any bytes are a valid number, atomic number, or
    /// [`SeqLock`](crate::sync::SeqLock), or array or struct of these; not any are a `bool`, a `char`, or a
    /// [`Mutex`](crate::sync::Mutex) of one.
    ///
    /// If `T` has a `Drop`, one link owns the value: nothing keeps another owner from running it again.
    #[must_use]
    pub unsafe fn raw(mut self) -> Self {
        self.raw = Some(0);
        self
    }

    /// As [`raw`](Self::raw), but the value begins so many bytes after the object's first; a multiple of `T`'s
    /// alignment.
    ///
    /// # Safety
    ///
    /// As for [`raw`](Self::raw).
    #[must_use]
    pub unsafe fn raw_at(mut self, offset: u64) -> Self {
        self.raw = Some(offset);
        self
    }

    /// Bytes from the value on, `T`'s own among them: with more than a `T` has, there is room behind it. When a link is
    /// opened, at least so many must be there. See [`Link::bytes`].
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// The permission bits of a new link, exactly, whatever the process's umask; 0600 unless said otherwise. They have
    /// no meaning on Windows.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// How long an opener waits for a value that is being made: one second unless said otherwise. Where the system can
    /// bring a whole value into view at once (files, and names on Linux) there is nothing to wait for.
    #[must_use]
    pub fn ready_timeout(mut self, timeout: Duration) -> Self {
        self.ready_timeout = timeout;
        self
    }

    fn address(&self) -> Result<&Address, Error> {
        self.address.as_ref().map_err(|why| fault(&self.link, LinkFault::Name(why)))
    }

    /// Where the value is to be.
    fn room(&self) -> Result<Room, Error> {
        let align = align_of::<T>();
        // Less is no page on any platform, and the system aligns a mapping to a page.
        if align > sys::page_size() {
            return Err(Error::Alignment { requested: align, limit: sys::page_size() });
        }
        let start = self.raw.unwrap_or(HEADER.max(align) as u64);
        if !start.is_multiple_of(align as u64) {
            let (type_name, alignment) = (type_name::<T>(), align as u64);
            return Err(fault(&self.link, LinkFault::Misaligned { type_name, offset: start, alignment }));
        }
        let end = start.saturating_add(self.bytes.max(size_of::<T>() as u64));
        if end > isize::MAX as u64 {
            return Err(too_large(end));
        }
        // No object is empty: none could be mapped.
        Ok(Room { start: start as usize, end: end.max(1) })
    }

    /// What was checked, or made, becomes a link: `T` lies within the mapping at the room's start, and `bytes` do.
    fn link(
        &self,
        address: Address,
        (place, mapping): (Place, Mapping),
        presence: Option<Presence>,
        start: usize,
        bytes: u64,
    ) -> Link<T, Access> {
        // SAFETY: within the mapping, by the caller.
        let value = unsafe { mapping.base().add(start) }.cast::<T>();
        let object = Some(Object { mapping, headed: self.raw.is_none(), identity: place.into_identity() });
        Link { value, bytes: bytes as usize, owner: 0, address, presence, object, access: PhantomData }
    }

    /// Opens what is there, when it is ready.
    fn open_as(&self, writable: bool) -> Result<Link<T, Access>, Error> {
        let address = self.address()?;
        let room = self.room()?;
        let unready = address.appears_unready();
        let mut patience = Patience::new(self.ready_timeout);
        let place = loop {
            let place = Place::open(address, writable).map_err(|error| refusal(&self.link, error))?;
            // An object that is seen from the beginning has no bytes at first.
            if place.size() > 0 || !unready {
                break place;
            }
            patience.wait(0).map_err(|why| fault(&self.link, why))?;
            thread::sleep(MOMENT);
        };
        let (least, len) = match self.raw {
            Some(_) => (room.end, room.end),
            None => (HEADER as u64, place.size()),
        };
        if place.size() < least {
            return Err(fault(&self.link, LinkFault::TooShort { expected: room.end, found: place.size() }));
        }
        let len = usize::try_from(len).map_err(|_| too_large(len))?;
        if self.raw.is_none() && !place.is_backed() {
            // It may be another program's, and large: mapped as a whole it would take memory for each hole.
            let beginning = place.map(HEADER, writable).map_err(|error| refusal(&self.link, error))?;
            header_of(&beginning).look::<T>(unready).map_err(|why| fault(&self.link, why))?;
        }
        let mapping = place.map(len, writable).map_err(|error| refusal(&self.link, error))?;
        let bytes = match self.raw {
            Some(_) => room.end - room.start as u64,
            None => Self::ready(&mapping, &room, unready, patience).map_err(|why| fault(&self.link, why))?,
        };
        let presence = if writable { self.presence(&place, &mapping)? } else { None };
        Ok(self.link(address.clone(), (place, mapping), presence, room.start, bytes))
    }

    /// Tells others that this process lives, if it can hold locks in the value.
    fn presence(&self, place: &Place, mapping: &Mapping) -> Result<Option<Presence>, Error> {
        let start = mapping.base().as_ptr() as usize;
        let presence = T::LOCKS.then(|| Presence::announce(place, start..start + mapping.len())).transpose();
        presence.map_err(|why| fault(&self.link, why))
    }

    /// Waits until the value is ready, and says how many bytes it has: as many are mapped, and enough for a `T`.
    /// `unready` if what is there can be seen before its header is written.
    fn ready(mapping: &Mapping, room: &Room, unready: bool, mut patience: Patience) -> Result<u64, LinkFault> {
        let header = header_of(mapping);
        let bytes = loop {
            match header.look::<T>(unready)? {
                Found::Ready { bytes } => break bytes,
                Found::Making { process } => patience.wait(process)?,
            }
            header.wait();
        };
        let (start, found) = (room.start as u64, mapping.len() as u64);
        // The header's own number is checked like any other: against what is there, and against what is needed.
        let end = start.saturating_add(bytes);
        if end > found {
            return Err(LinkFault::TooShort { expected: end, found });
        }
        if end < room.end {
            return Err(LinkFault::TooShort { expected: room.end, found: end });
        }
        Ok(bytes)
    }
}

impl<T: Shareable> LinkBuilder<T, ReadOnly> {
    /// As [`Link::open`], with these options.
    ///
    /// # Errors
    ///
    /// Those of [`Link::open`]; [`LinkFault::Misaligned`], [`Error::TooLarge`].
    pub fn open(&self) -> Result<Link<T, ReadOnly>, Error> {
        self.open_as(false)
    }
}

impl<T: Shareable> LinkBuilder<T, ReadWrite> {
    /// As [`Link::create`], with these options.
    ///
    /// # Errors
    ///
    /// Those of [`Link::create`]; [`LinkFault::Misaligned`].
    pub fn create(&self) -> Result<Link<T, ReadWrite>, Error> {
        self.make(None)
    }

    /// As [`Link::create_with`], with these options.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create), with the value in it.
    pub fn create_with(&self, value: T) -> Result<Link<T, ReadWrite>, Refused<T>> {
        match self.make(Some(&value)) {
            Ok(link) => {
                mem::forget(value); // the link has it
                Ok(link)
            }
            Err(reason) => Err(Refused { handle: value, reason }),
        }
    }

    /// As [`Link::open_or_create`], with these options.
    ///
    /// # Errors
    ///
    /// Those of [`Link::open_or_create`]; [`LinkFault::Misaligned`]. A symbolic link at the path that leads nowhere
    /// exists and is [`LinkFault::Absent`].
    pub fn open_or_create(&self) -> Result<Link<T, ReadWrite>, Error> {
        for _ in 1..TURNS {
            match self.open_existing() {
                Err(Error::Link { fault: LinkFault::Absent, .. }) => {}
                // Its owner is about to remove it.
                Err(Error::Link { fault: LinkFault::Over, .. }) => thread::sleep(MOMENT),
                opened => return opened,
            }
            match self.create() {
                Err(Error::Link { fault: LinkFault::Exists, .. }) => {}
                created => return created,
            }
        }
        self.open_existing()
    }

    /// As [`Link::open_existing`], with these options.
    ///
    /// # Errors
    ///
    /// Those of [`Link::open_existing`]; [`LinkFault::Misaligned`], [`Error::TooLarge`].
    pub fn open_existing(&self) -> Result<Link<T, ReadWrite>, Error> {
        self.open_as(true)
    }

    /// Makes a value of the same bytes as this one, which the caller forgets; or of zeroes.
    fn make(&self, value: Option<&T>) -> Result<Link<T, ReadWrite>, Error> {
        let (address, room) = (self.address()?, self.room()?);
        let draft = Draft::new(address, room.end, self.mode).map_err(|error| refusal(&self.link, error))?;
        let presence = self.presence(draft.place(), draft.mapping())?;
        let bytes = room.end - room.start as u64;
        let header = self.raw.is_none().then(|| header_of(draft.mapping()));
        if let Some(header) = header {
            header.announce::<T>(bytes);
        }
        if let Some(value) = value {
            // SAFETY: the draft has `room.end` bytes.
            let place = unsafe { draft.mapping().base().add(room.start) }.cast::<T>();
            // SAFETY: between start and end is room for a `T`, aligned; and until it is ready nobody else touches it.
            unsafe { place.copy_from_nonoverlapping(NonNull::from(value), 1) };
        }
        if let Some(header) = header {
            header.ready();
        }
        let found = match draft.publish() {
            Ok(found) => found,
            Err((mapping, error)) => {
                drop(presence); // before what it is for
                drop(mapping);
                return Err(refusal(&self.link, error));
            }
        };
        let mut link = self.link(address.clone(), found, presence, room.start, bytes);
        link.owner = sys::lineage();
        Ok(link)
    }
}

fn too_large(requested: u64) -> Error {
    Error::TooLarge { requested: usize::try_from(requested).unwrap_or(usize::MAX), limit: isize::MAX as usize }
}

/// The header of a link, which is mapped.
pub(super) fn header_of(mapping: &Mapping) -> &Header {
    assert!(mapping.len() >= HEADER, "a mapping of a link has room for its header");
    // SAFETY: it is long enough, mapped, page-aligned, and made of atomics.
    unsafe { mapping.base().cast::<Header>().as_ref() }
}

/// Waits for a value that is being made.
struct Patience {
    timeout: Duration,
    since: Option<Instant>,
    /// Its maker is dead: if the value is not ready at the next look, it never will be.
    in_vain: bool,
}

impl Patience {
    fn new(timeout: Duration) -> Self {
        Patience { timeout, since: None, in_vain: false }
    }

    /// Whether to look again. `process` makes the value, if it is known.
    fn wait(&mut self, process: u32) -> Result<(), LinkFault> {
        if self.in_vain {
            return Err(LinkFault::Abandoned { process });
        }
        self.in_vain = process != 0 && !sys::process_lives(process);
        let waited = self.since.get_or_insert_with(Instant::now).elapsed();
        if waited < self.timeout || self.in_vain { Ok(()) } else { Err(LinkFault::NotReady { process, waited }) }
    }
}

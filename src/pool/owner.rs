//! The owner's side: the segments that this process allocates from, and what is vacant in them. All of it is private to
//! the process; of the control area only the live count, the returned stack and the watermarks are touched here.
#![allow(unsafe_code)] // Recycled bytes are zeroed before anybody else has them.

use std::{
    collections::HashSet,
    ops::Range,
    sync::{Arc, Mutex, atomic::Ordering},
};

use crate::{
    Backing, Config, Error, Kind, SegmentId,
    pool::{
        arena::{Arena, Run, pages_for},
        attachment::{Attachment, lock},
        block::{self, Part},
        budget::Budget,
        checkpoint::{Step, reached},
        exit,
        hold::Held,
        layout::{BLOCK_ALIGN, Layout, PAGE, State},
        magazine::{self, CLASSES, RUN, Spare, class_for},
        peers,
        records::{self, Owned, Place, headers_backed, raise_headers_backed},
        recovery,
        stats::Stats,
        steps::{self, Area},
        word::{TicketState, TicketWord, Word},
    },
    segment::{GRANULE, Segment},
    sys::{self, PerProcess},
};

/// Data of the first segment, in bytes; each next one has double.
const FIRST_DATA: usize = 16 << 20;
/// Data of the largest segment that is not for one block alone.
const LARGEST_DATA: usize = 1 << 30;
/// The longest value: more bytes than any machine has today.
const LONGEST: usize = 1 << 42;
/// The most pages that a slab has: the first of a class has one, each next one double.
const SLAB: u32 = 8;
/// Memory is reserved ahead, the more the more there is already, up to a multiple of at most this many pages.
const CHUNK: usize = 64;
/// Block headers are backed this many at a time.
const HEADERS: u32 = 1024;
/// Free resident bytes that are always kept warm.
const RETAIN: u64 = 256 << 20;

/// See [`Pool::settle`].
pub(crate) fn settle(at: &Arc<Attachment>, block: u32, counted: Word) {
    if at.owned.is_some() {
        lock(POOL.get()).settle(at, block, counted);
    }
}

/// Takes what peers have given back.
pub(crate) fn drain_returned() {
    if let Some(pool) = POOL.existing() {
        lock(pool).drain();
    }
}

/// See [`stats`](crate::stats).
pub(crate) fn stats() -> Stats {
    POOL.existing().map_or_else(Stats::default, |pool| lock(pool).stats())
}

/// One of this process's segments.
struct Own {
    at: Arc<Attachment>,
    arena: Arena,
    slabs: Vec<Slab>,
}

/// A run of pages cut into blocks of one class; `blocks[0]` is the run's number.
struct Slab {
    run: u32,
    blocks: Vec<u32>,
}

impl Own {
    fn bytes(&self, pages: Range<usize>) -> Range<usize> {
        let start = self.at.segment.control_len();
        start + pages.start * PAGE..start + pages.end * PAGE
    }

    /// Gives the memory of free pages back; where the backing can't, they stay warm.
    fn punch(&mut self, pages: Range<usize>) {
        // The machine's pages can be larger than the pool's.
        let unit = (sys::page_size() / PAGE).max(1);
        for range in self.arena.backed_in(pages) {
            let range = range.start.next_multiple_of(unit)..range.end / unit * unit;
            if range.is_empty() {
                continue;
            }
            if self.at.segment.punch(self.bytes(range.clone())) {
                self.arena.set_punched(range);
            }
        }
    }

    /// Touches a run, and what the control area has for it.
    fn prefault(&self, run: &Run) {
        let (at, layout) = (&self.at, &self.at.control.layout);
        at.segment.prefault(self.bytes(run.range()));
        at.segment.prefault(layout.row_bytes(at.slot));
        at.segment.prefault(layout.block_bytes(0, headers_backed(at)));
    }

    fn punch_holes(&mut self) {
        for hole in self.arena.holes() {
            self.punch(hole);
        }
    }
}

/// The pool: everything that is behind the allocator's mutex.
struct Pool {
    /// By `Owned::index`; retired ones leave a gap that the next one fills.
    segments: Vec<Option<Own>>,
    /// Vacant blocks below a page that no thread has cached.
    spares: [Vec<Spare>; CLASSES.len()],
    /// By class: how many pages its next slab has.
    slab_pages: [u32; CLASSES.len()],
    budget: Budget,
    /// Bytes of the largest recent run; it fades with every run that is freed.
    largest: u64,
    /// Bytes that are kept because they have been asked for in advance.
    prefaulted: u64,
}

impl Default for Pool {
    fn default() -> Self {
        Pool {
            segments: Vec::new(),
            spares: [const { Vec::new() }; CLASSES.len()],
            slab_pages: [1; CLASSES.len()],
            budget: Budget::new(),
            largest: 0,
            prefaulted: 0,
        }
    }
}

static POOL: PerProcess<Mutex<Pool>> = PerProcess::new();

/// The pool is not large enough.
enum Short {
    /// A segment more would do, if what the dead have in the others does not.
    Segment,
    /// It can't be had.
    Failed(Error),
}

impl Short {
    fn into_error(self) -> Error {
        match self {
            Short::Failed(error) => error,
            Short::Segment => unreachable!("a pool that may grow grows, or says why not"),
        }
    }
}

impl From<Error> for Short {
    fn from(error: Error) -> Self {
        Short::Failed(error)
    }
}

/// A block of at least `len` bytes, for the first handle of a new value; the part covers exactly `len`. The bytes are
/// arbitrary, or zero if `zeroed`.
///
/// # Errors
///
/// `TooLarge`, `Alignment`, `NoSpace`, `Os`.
pub(crate) fn allocate(len: usize, align: usize, zeroed: bool, fingerprint: u64, kind: Kind) -> Result<Part, Error> {
    let (mut part, fresh) = allocate_any(len, align, fingerprint, kind)?;
    if zeroed && !fresh {
        // SAFETY: the block was allocated just now: this part is its only handle, whatever its kind, and the owner's
        // data area is writable.
        unsafe { part.bytes_mut() }.fill(0);
    }
    Ok(part)
}

/// [`allocate`], of a copy of `bytes`. What nobody has used before is written by the system: it clears no page that is
/// written as a whole, and nothing is faulted in.
pub(crate) fn allocate_copy(bytes: &[u8], align: usize, fingerprint: u64, kind: Kind) -> Result<Part, Error> {
    let (mut part, fresh) = allocate_any(bytes.len(), align, fingerprint, kind)?;
    if !(fresh && part.write(bytes)) {
        // SAFETY: as in `allocate`.
        unsafe { part.bytes_mut() }.copy_from_slice(bytes);
    }
    Ok(part)
}

/// A block for the first handle of a new value; true if its bytes are zero, and have not been used before.
#[inline]
fn allocate_any(len: usize, align: usize, fingerprint: u64, kind: Kind) -> Result<(Part, bool), Error> {
    if len > LONGEST {
        return Err(Error::TooLarge { requested: len, limit: LONGEST });
    }
    if !align.is_power_of_two() || align > PAGE {
        return Err(Error::Alignment { requested: align, limit: PAGE });
    }
    let bytes = if align > BLOCK_ALIGN { len.max(PAGE) } else { len };
    let vacant = match class_for(bytes) {
        Some(class) => {
            insist(|grow| magazine::pop(class, |more, spares| lock(POOL.get()).refill(class, more, spares, grow)))?
        }
        None => {
            let pages = pages_for(bytes) as u32;
            match magazine::pop_run(pages) {
                Some(run) => run,
                None => insist(|grow| lock(POOL.get()).block_of_pages(pages, grow))?,
            }
        }
    };
    let fresh = vacant.place.fresh;
    Ok((block::allocate(vacant, len, fingerprint, kind)?, fresh))
}

/// Asks for a block, and looks for what the dead have before the pool grows, and before it gives up.
fn insist(ask: impl Fn(bool) -> Result<Spare, Short>) -> Result<Spare, Error> {
    let asked = match ask(false) {
        Err(Short::Segment) => {
            recovery::sweep_own();
            ask(true)
        }
        asked => asked,
    };
    match asked {
        Ok(spare) => Ok(spare),
        Err(Short::Failed(Error::NoSpace { .. })) => {
            magazine::flush();
            recovery::make_room();
            ask(true).map_err(Short::into_error)
        }
        Err(short) => Err(short.into_error()),
    }
}

/// Takes what a thread does not want to cache.
pub(crate) fn keep(spares: &mut Vec<Spare>) {
    if !spares.is_empty() {
        let mut pool = lock(POOL.get());
        spares.drain(..).for_each(|spare| pool.take_in(spare));
    }
}

/// Gives all memory of this process's pool that no value uses back to the system.
///
/// Freed memory is otherwise kept warm, up to a limit, because using it again is many times faster than having the
/// system fault and zero new pages. Blocks that other threads have cached (a few dozen small ones each) stay.
///
/// ```
/// use commonage::{Shared, SharedSlice, trim};
/// let value: SharedSlice<u8> = Shared::new(&(1, 100 << 20))?;
/// drop(value);
/// trim();
/// # Ok::<(), commonage::Error>(())
/// ```
pub fn trim() {
    magazine::flush();
    lock(POOL.get()).trim();
}

/// Has memory for values of `bytes` bytes in all ready in this process's pool: reserved, and touched, so that making them
/// waits neither for a system call nor for a page fault. It is kept ready until [`trim`] is called, whatever
/// [`Config::retain`] says.
///
/// Call it before the first frame, with the size of all values that exist at one time. A single value of more than 512 MiB
/// finds no memory ready.
///
/// ```
/// commonage::prefault(1 << 20)?;
/// assert!(commonage::stats().warm >= 1 << 20);
/// # Ok::<(), commonage::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::NoSpace`] when memory runs out, [`Error::Os`] if the system refuses a segment.
pub fn prefault(bytes: usize) -> Result<(), Error> {
    let prefaulted = lock(POOL.get()).prefault(bytes);
    match prefaulted {
        Err(Short::Failed(Error::NoSpace { .. })) => {
            magazine::flush();
            recovery::make_room();
            lock(POOL.get()).prefault(bytes).map_err(Short::into_error)
        }
        done => done.map_err(Short::into_error),
    }
}

/// Lets go of every segment, whatever stands in it: the pool begins anew.
#[cfg(fuzzing)]
pub(crate) fn forget() {
    magazine::flush();
    let forgotten = std::mem::take(&mut *lock(POOL.get()));
    for own in forgotten.segments.iter().flatten() {
        peers::remove(own.at.id());
    }
}

impl Pool {
    /// One block of `class`, and up to `more` for the caller's cache.
    fn refill(&mut self, class: u8, more: usize, cache: &mut Vec<Spare>, grow: bool) -> Result<Spare, Short> {
        let at = usize::from(class);
        if self.spares[at].is_empty() {
            self.drain();
        }
        if self.spares[at].is_empty() {
            self.cut_slab(class, grow)?;
        }
        let spares = &mut self.spares[at];
        cache.extend(spares.drain(spares.len().saturating_sub(more + 1)..));
        match cache.pop() {
            Some(spare) => Ok(spare),
            None => unreachable!("a slab has at least one block"),
        }
    }

    /// A slab of vacant blocks of `class`.
    fn cut_slab(&mut self, class: u8, grow: bool) -> Result<(), Short> {
        let size = CLASSES[usize::from(class)];
        let pages = self.slab_pages[usize::from(class)];
        let (index, run, fresh) = self.run(pages, grow)?;
        self.slab_pages[usize::from(class)] = (2 * pages).min(SLAB);
        let Some(own) = &mut self.segments[index] else { unreachable!("run came from it") };
        let mut blocks = vec![run.number];
        let wanted = pages as usize * PAGE / size;
        while blocks.len() < wanted {
            let Some(number) = own.arena.number() else { break };
            if let Err(error) = back_header(&mut self.budget, &own.at, number) {
                own.arena.free_number(number);
                if blocks.len() > 1 {
                    break;
                }
                own.arena.free(run.number);
                return Err(error.into());
            }
            blocks.push(number);
        }
        let Some(owned) = &own.at.owned else { unreachable!("it is this process's") };
        // The last one out is the first of the slab.
        for (i, block) in blocks.iter().copied().enumerate().rev() {
            let offset = run.page as usize * PAGE + i * size;
            owned.assign(block, offset, class);
            let place = Place { class, pages: 0, fresh };
            self.spares[usize::from(class)].push(Held::vacant(Arc::clone(&own.at), block, offset, place));
        }
        own.slabs.push(Slab { run: run.number, blocks });
        Ok(())
    }

    /// A block of whole pages.
    fn block_of_pages(&mut self, pages: u32, grow: bool) -> Result<Spare, Short> {
        self.drain();
        self.largest = self.largest.max(u64::from(pages) * PAGE as u64);
        let (index, run, fresh) = self.run(pages, grow)?;
        let Some(own) = &self.segments[index] else { unreachable!("run came from it") };
        let Some(owned) = &own.at.owned else { unreachable!("it is this process's") };
        let offset = run.page as usize * PAGE;
        owned.assign(run.number, offset, RUN);
        Ok(Held::vacant(Arc::clone(&own.at), run.number, offset, Place { class: RUN, pages, fresh }))
    }

    /// A run of pages with memory under it; true if all of it is zero. If memory runs out, what is kept warm is given
    /// up first.
    fn run(&mut self, pages: u32, grow: bool) -> Result<(usize, Run, bool), Short> {
        match self.try_run(pages, grow) {
            Err(Short::Failed(Error::NoSpace { .. })) => {
                self.trim();
                self.try_run(pages, grow)
            }
            result => result,
        }
    }

    fn try_run(&mut self, pages: u32, grow: bool) -> Result<(usize, Run, bool), Short> {
        let found = self.segments.iter_mut().enumerate().find_map(|(index, own)| {
            let run = own.as_mut()?.arena.allocate(pages)?;
            Some((index, run))
        });
        let (index, run) = match found {
            Some(found) => found,
            None if !grow && !self.segments.is_empty() => return Err(Short::Segment),
            None => {
                let index = self.grow(pages)?;
                let run = self.segments[index].as_mut().and_then(|own| own.arena.allocate(pages));
                let Some(run) = run else {
                    return Err(Error::TooLarge { requested: pages as usize * PAGE, limit: LARGEST_DATA }.into());
                };
                (index, run)
            }
        };
        let room = self.room();
        let Some(own) = &mut self.segments[index] else { unreachable!("found above") };
        if let Err(error) = back(&mut self.budget, own, &run, room) {
            own.arena.free(run.number);
            return Err(error.into());
        }
        let fresh = own.arena.make_dirty(&run);
        Ok((index, run, fresh))
    }

    /// A new segment in which a run of `pages` fits: its index.
    fn grow(&mut self, pages: u32) -> Result<usize, Error> {
        let needed = Arena::rounded(pages) as usize * PAGE;
        self.budget.take(u64::from(pages) * PAGE as u64, None)?;
        let mut data = if needed > LARGEST_DATA / 2 {
            needed.next_multiple_of(GRANULE)
        } else {
            let doubled = FIRST_DATA << self.segments.iter().flatten().count().min(6);
            doubled.max(needed.next_power_of_two())
        };
        let _open = exit::gate()?;
        let index = self.segments.iter().position(Option::is_none).unwrap_or(self.segments.len());
        // Address space, or a limit on file sizes, can be short for a doubled segment and do for a smaller one.
        let at = loop {
            match create(index, data) {
                Err(Error::NoSpace { .. }) if data / 2 >= needed.max(GRANULE) && needed <= LARGEST_DATA / 2 => {
                    data /= 2
                }
                made => break Arc::new(made?),
            }
        };
        reached(Step::CreateJoined);
        peers::insert(&at);
        let arena = Arena::new((data / PAGE) as u32, at.control.layout.blocks);
        let own = Own { at, arena, slabs: Vec::new() };
        if index == self.segments.len() {
            self.segments.push(Some(own))
        } else {
            self.segments[index] = Some(own)
        }
        Ok(index)
    }

    /// Gives back a run; what is too much to be kept warm goes back to the system.
    fn free_run(&mut self, index: usize, number: u32) {
        let Some(own) = self.segments.get_mut(index).and_then(Option::as_mut) else { return };
        let Some(run) = own.arena.free(number) else { return };
        self.largest -= self.largest / 64;
        self.largest = self.largest.max(run.pages as u64 * PAGE as u64);
        let excess = self.warm().saturating_sub(self.retain());
        let Some(own) = self.segments[index].as_mut().filter(|_| excess > 0) else { return };
        if own.arena.is_empty() && index > 0 && own.arena.warm() as u64 * PAGE as u64 <= excess {
            return self.retire(index);
        }
        // No more than is too much: what is left of the run stays warm.
        let pages = usize::try_from(excess.div_ceil(PAGE as u64)).unwrap_or(usize::MAX);
        let range = run.range();
        own.punch(range.end.saturating_sub(pages).max(range.start)..range.end);
    }

    /// Bytes that have memory.
    fn reserved(&self) -> u64 {
        self.segments.iter().flatten().map(|own| own.arena.backed() as u64 * PAGE as u64).sum()
    }

    /// Bytes that the configuration leaves.
    fn room(&self) -> u64 {
        match Config::current().limit {
            u64::MAX => u64::MAX,
            limit => limit.saturating_sub(self.reserved()),
        }
    }

    /// Free bytes that have memory.
    fn warm(&self) -> u64 {
        self.segments.iter().flatten().map(|own| own.arena.warm() as u64 * PAGE as u64).sum()
    }

    /// How many of them are kept.
    fn retain(&self) -> u64 {
        let usual = || RETAIN.max(2 * self.largest).min(self.budget.available() / 4);
        Config::current().retain.unwrap_or_else(usual).max(self.prefaulted)
    }

    /// See [`prefault`].
    fn prefault(&mut self, bytes: usize) -> Result<(), Short> {
        self.drain();
        let mut runs = Vec::new();
        let mut left = pages_for(bytes);
        let mut result = Ok(());
        while left > 0 && result.is_ok() {
            // All of them at once: what is touched twice is missing elsewhere.
            let pages = left.min(LARGEST_DATA / 2 / PAGE);
            result = self.run(pages as u32, true).map(|(index, run, _)| runs.push((index, run)));
            left -= pages;
        }
        for (index, run) in runs {
            let Some(own) = &mut self.segments[index] else { continue };
            if result.is_ok() {
                own.prefault(&run);
            }
            own.arena.free(run.number);
        }
        if result.is_ok() {
            self.prefaulted = self.prefaulted.max(bytes as u64);
        }
        result
    }

    /// A segment in which nothing is allocated goes: from this process now, from its peers when they look.
    fn retire(&mut self, index: usize) {
        let Some(mut own) = self.segments[index].take() else { return };
        own.punch_holes();
        reached(Step::RetirePunched);
        own.at.control.set_state(State::Retired);
        reached(Step::RetireMarked);
        own.at.remove_name();
        reached(Step::RetireNameless);
        peers::remove(own.at.id());
    }

    /// Takes the stack of returned blocks with one swap, and every block on it that this process has allocated, that is
    /// at 0/0 and that is not held here. One that is not was pushed by no honest process, and it stops there.
    fn drain(&mut self) {
        for index in 0..self.segments.len() {
            let Some(own) = &self.segments[index] else { continue };
            let at = Arc::clone(&own.at);
            let mut next = steps::take_returned(&*at);
            for _ in 0..at.control.layout.blocks {
                let Some(block) = next.checked_sub(1).and_then(|block| u32::try_from(block).ok()) else { break };
                if block >= headers_backed(&at) {
                    break;
                }
                let header = at.control.block(block);
                next = header.next.load(Ordering::Relaxed);
                let (held, bit) = at.control.hold_bit(at.slot, block);
                let released = {
                    let _stripe = at.stripe(block);
                    let vacant =
                        Word(header.word.load(Ordering::SeqCst)).is_zero() && held.load(Ordering::SeqCst) & bit == 0;
                    vacant.then(|| records::release(&at, block)).flatten()
                };
                let Some(released) = released else { break };
                self.take_in(released.vacant(&at));
            }
        }
    }

    /// A vacant block, back where it came from.
    fn take_in(&mut self, spare: Spare) {
        match self.spares.get_mut(usize::from(spare.place.class)) {
            Some(spares) => spares.push(spare),
            None => self.free_run(index_of(&spare), spare.block),
        }
    }

    /// A recount has found the block at 0/0, and has left the word as `counted`: it is free, unless it is on the returned
    /// stack or somebody has it by now.
    fn settle(&mut self, at: &Arc<Attachment>, block: u32, counted: Word) {
        self.drain();
        let released = {
            let _stripe = at.stripe(block);
            records::release_counted(at, block, counted)
        };
        if let Some(released) = released {
            self.take_in(released.vacant(at));
        }
    }

    fn stats(&mut self) -> Stats {
        self.drain();
        let mut stats = Stats { reserved: self.reserved(), ..Stats::default() };
        for own in self.segments.iter().flatten() {
            let (at, arena) = (&own.at, &own.arena);
            stats.segments += 1;
            for block in 0..headers_backed(at) {
                let Some((class, allocated)) = records::class_of(at, block) else { continue };
                let bytes = match class {
                    RUN => arena.run(block).map_or(0, |run| u64::from(run.pages) * PAGE as u64),
                    class => CLASSES.get(usize::from(class)).map_or(0, |size| *size as u64),
                };
                if allocated {
                    stats.blocks += 1;
                    stats.live += bytes;
                } else if class == RUN {
                    // A thread keeps it.
                    stats.warm += bytes;
                }
            }
            let in_flight = |ticket: &u32| {
                let state = TicketWord(at.ticket(*ticket).load(Ordering::Acquire)).state();
                matches!(state, Some(TicketState::Held | TicketState::Armed))
            };
            stats.tickets += (0..at.control.tickets_backed()).filter(in_flight).count();
            stats.participants += (0..at.participants()).filter(|slot| at.is_occupied(*slot)).count();
        }
        let cut: u64 = self.spares.iter().zip(CLASSES).map(|(spares, size)| spares.len() as u64 * size as u64).sum();
        stats.warm += self.warm() + cut;
        stats
    }

    /// Gives back all that no value uses.
    fn trim(&mut self) {
        self.prefaulted = 0;
        self.slab_pages = [1; CLASSES.len()];
        self.drain();
        self.free_slabs();
        for index in 0..self.segments.len() {
            let Some(own) = self.segments[index].as_mut() else { continue };
            if own.arena.is_empty() && index > 0 { self.retire(index) } else { own.punch_holes() }
        }
    }

    /// Gives back the pages of slabs of which every block is a spare.
    fn free_slabs(&mut self) {
        let place = |spare: &Spare| (index_of(spare), spare.block);
        let mut spare: HashSet<(usize, u32)> = self.spares.iter().flatten().map(place).collect();
        for (index, own) in self.segments.iter_mut().enumerate() {
            let Some(own) = own else { continue };
            let Own { arena, slabs, .. } = own;
            slabs.retain(|slab| {
                let whole = slab.blocks.iter().all(|block| spare.contains(&(index, *block)));
                if whole {
                    for block in &slab.blocks {
                        spare.remove(&(index, *block));
                    }
                    slab.blocks[1..].iter().for_each(|block| arena.free_number(*block));
                    arena.free(slab.run);
                }
                !whole
            });
        }
        for spares in &mut self.spares {
            spares.retain(|entry| spare.contains(&place(entry)));
        }
    }
}

/// Which of this process's segments a vacant block is in.
fn index_of(spare: &Spare) -> usize {
    spare.at.owned.as_ref().map_or(usize::MAX, |owned| owned.index)
}

/// A new segment of this process, of which it is the first participant.
pub(super) fn create(index: usize, data: usize) -> Result<Attachment, Error> {
    let default = if sys::anonymous_works() { Backing::Anonymous } else { Backing::Named };
    let backing = Config::current().backing.unwrap_or(default);
    recovery::start(backing);
    let id = SegmentId(sys::random_u64()?);
    let layout = Layout::for_data(data);
    let mut secret = [0; 16];
    secret[..8].copy_from_slice(&sys::random_u64()?.to_le_bytes());
    secret[8..].copy_from_slice(&sys::random_u64()?.to_le_bytes());
    let segment = Segment::create(backing, id, layout.control(), data)?;
    reached(Step::CreateMade);
    segment.reserve(layout.always()).inspect_err(|_| segment.remove_name())?;
    Attachment::join(segment, layout, secret, Some(Owned::new(index, layout.blocks)))
}

/// Puts memory under a run and its block header.
fn back(budget: &mut Budget, own: &mut Own, run: &Run, room: u64) -> Result<(), Error> {
    back_header(budget, &own.at, run.number)?;
    let bytes = |ranges: &[Range<usize>]| ranges.iter().map(|range| (range.len() * PAGE) as u64).sum::<u64>();
    let chunk = (own.arena.backed() / 4).next_power_of_two().min(CHUNK);
    let mut ranges = own.arena.unbacked(run, chunk);
    if bytes(&ranges) > room {
        ranges = own.arena.unbacked(run, 1);
    }
    let requested = bytes(&ranges);
    if requested == 0 {
        return Ok(());
    }
    if requested > room {
        return Err(Error::NoSpace { requested, available: room });
    }
    // All of it is asked for at once: what was reserved before a refusal would be taken from others for nothing.
    budget.take(requested, Some(&own.at.segment))?;
    let reserved = ranges.iter().try_for_each(|range| own.at.segment.reserve(own.bytes(range.clone())));
    // A call that failed may have reserved a part: then all of it is punched again.
    ranges.iter().for_each(|range| own.arena.set_backed(range.clone()));
    reserved.inspect_err(|_| ranges.into_iter().for_each(|range| own.punch(range)))
}

/// Puts memory under the header of `block`, and of some that follow.
fn back_header(budget: &mut Budget, at: &Attachment, block: u32) -> Result<(), Error> {
    let backed = headers_backed(at);
    if block < backed {
        return Ok(());
    }
    let to = ((block / HEADERS + 1) * HEADERS).min(at.control.layout.blocks);
    let bytes = at.control.layout.block_bytes(backed, to);
    budget.take(bytes.len() as u64, Some(&at.segment))?;
    at.segment.reserve(bytes)?;
    raise_headers_backed(at, to);
    Ok(())
}

//! The owner's side: the segments that this process allocates from, and what is vacant in them. All of it is private to
//! the process; of the control area only the returned stack and the watermarks are touched here.
#![allow(unsafe_code)] // Recycled bytes are zeroed before anybody else has them.

use std::sync::{Arc, Mutex, atomic::Ordering};

use crate::{
    Config, Error, Kind,
    pool::{
        arena::{Arena, Run, pages_for},
        attachment::{Attachment, lock},
        block::{self, Part},
        budget::Budget,
        checkpoint::{Step, reached},
        exit,
        hold::Held,
        layout::{BLOCK_ALIGN, PAGE, State},
        magazine::{self, CLASSES, RUN, Spare, class_for},
        own::{Own, Slab, back, back_header, create},
        peers,
        records::{self, Place, headers_backed},
        recovery, steps,
        word::Word,
    },
    segment::GRANULE,
    sys::{self, PerProcess},
};

/// Data of the first segment, in bytes; each next one has double.
const FIRST_DATA: usize = 16 << 20;
/// Data of the largest segment that is not for one block alone.
pub(super) const LARGEST_DATA: usize = 1 << 30;
/// The longest value: more bytes than any machine has today.
const LONGEST: usize = 1 << 42;
/// The most pages that a slab has: the first of a class has one, each next one double.
const SLAB: u32 = 8;

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

/// The pool: everything that is behind the allocator's mutex.
pub(super) struct Pool {
    /// By `Owned::index`; retired ones leave a gap that the next one fills.
    pub(super) segments: Vec<Option<Own>>,
    /// Vacant blocks below a page that no thread has cached.
    pub(super) spares: [Vec<Spare>; CLASSES.len()],
    /// By class: how many pages its next slab has.
    pub(super) slab_pages: [u32; CLASSES.len()],
    pub(super) budget: Budget,
    /// Bytes of the largest recent run; it fades with every run that is freed.
    pub(super) largest: u64,
    /// Bytes that are kept because they have been asked for in advance.
    pub(super) prefaulted: u64,
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

pub(super) static POOL: PerProcess<Mutex<Pool>> = PerProcess::new();

/// The pool is not large enough.
pub(super) enum Short {
    /// A segment more would do, if what the dead have in the others does not.
    Segment,
    /// It can't be had.
    Failed(Error),
}

impl Short {
    pub(super) fn into_error(self) -> Error {
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
        Some(class) => match magazine::pop(class) {
            Some(block) => block,
            None => new_block(class)?,
        },
        None => match magazine::pop_run(pages_for(bytes) as u32) {
            Some(run) => run,
            None => new_run(pages_for(bytes) as u32)?,
        },
    };
    let fresh = vacant.place.fresh;
    Ok((block::allocate(vacant, len, fingerprint, kind)?, fresh))
}

#[cold]
fn new_block(class: u8) -> Result<Spare, Error> {
    insist(|grow| magazine::refill(class, |more, spares| lock(POOL.get()).refill(class, more, spares, grow)))
}

#[cold]
fn new_run(pages: u32) -> Result<Spare, Error> {
    insist(|grow| lock(POOL.get()).block_of_pages(pages, grow))
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

/// Lets go of every segment, whatever stands in it: the pool begins anew.
#[cfg(fuzzing)]
pub(crate) fn forget() {
    magazine::flush();
    let forgotten = std::mem::take(&mut *lock(POOL.get()));
    for own in forgotten.segments.iter().flatten() {
        own.at.forget_kept();
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
    pub(super) fn run(&mut self, pages: u32, grow: bool) -> Result<(usize, Run, bool), Short> {
        match self.try_run(pages, grow) {
            Err(Short::Failed(Error::NoSpace { .. })) => {
                self.trim();
                match self.try_run(pages, grow) {
                    Err(Short::Failed(Error::NoSpace { requested, available })) => {
                        let warm = self.warm_run(pages).map(|(index, run)| (index, run, false));
                        warm.ok_or(Short::Failed(Error::NoSpace { requested, available }))
                    }
                    result => result,
                }
            }
            result => result,
        }
    }

    /// Where memory can't be given up: a run of pages that have memory already, wherever there is one.
    fn warm_run(&mut self, pages: u32) -> Option<(usize, Run)> {
        if sys::PUNCHES {
            return None;
        }
        self.segments.iter_mut().enumerate().find_map(|(index, own)| {
            let own = own.as_mut()?;
            if own.arena.warm() < pages as usize {
                return None;
            }
            let mut passed = Vec::new();
            let found = loop {
                match own.arena.allocate(pages) {
                    Some(run) if own.arena.unbacked(&run, 1).is_empty() => break Some(run),
                    Some(run) => passed.push(run.number),
                    None => break None,
                }
            };
            for number in passed {
                own.arena.free(number);
            }
            let run = found?;
            if back_header(&mut self.budget, &own.at, run.number).is_err() {
                own.arena.free(run.number);
                return None;
            }
            own.arena.make_dirty(&run);
            Some((index, run))
        })
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

    /// Bytes that have memory.
    pub(super) fn reserved(&self) -> u64 {
        self.segments.iter().flatten().map(|own| own.arena.backed() as u64 * PAGE as u64).sum()
    }

    /// Bytes that the configuration leaves.
    fn room(&self) -> u64 {
        match Config::current().limit {
            u64::MAX => u64::MAX,
            limit => limit.saturating_sub(self.reserved()),
        }
    }

    /// A segment in which nothing is allocated goes: from this process now, from its peers when they look.
    pub(super) fn retire(&mut self, index: usize) {
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
    pub(super) fn drain(&mut self) {
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
}

/// Which of this process's segments a vacant block is in.
pub(super) fn index_of(spare: &Spare) -> usize {
    spare.at.owned.as_ref().map_or(usize::MAX, |owned| owned.index)
}

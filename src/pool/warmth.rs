//! What stays warm: how much free memory is kept, what is made ready in advance, and what goes back to the system.

use std::{collections::HashSet, ops::Range};

use crate::{
    Config, Error,
    pool::{
        arena::pages_for,
        attachment::lock,
        layout::PAGE,
        magazine::{self, CLASSES, Spare},
        own::Own,
        owner::{LARGEST_DATA, POOL, Pool, Short, index_of},
        recovery,
    },
};

/// At most this part of what is kept is given back at one time beyond what has to be.
const SLACK: u64 = 32;
/// Free resident bytes that are always kept warm.
const RETAIN: u64 = 256 << 20;

/// Gives all memory of this process's pool that no value uses back to the system.
///
/// Freed memory is otherwise kept warm, up to a limit, because using it again is many times faster than having the
/// system fault and zero new pages. Blocks that other threads keep for themselves (at most 1 MiB and a few hundred small ones
/// each) stay.
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

impl Pool {
    /// Gives back a run; what is too much to be kept warm goes back to the system.
    pub(super) fn free_run(&mut self, index: usize, number: u32) {
        let Some(own) = self.segments.get_mut(index).and_then(Option::as_mut) else { return };
        let Some(run) = own.arena.free(number) else { return };
        self.largest -= self.largest / 64;
        self.largest = self.largest.max(run.pages as u64 * PAGE as u64);
        self.give_up_excess(index, run.range());
    }

    /// If more is warm than is kept: gives back a little more than what is too much, so that this need not be looked for at
    /// each value that is freed. First what is idle elsewhere, from the end, last what has just been freed: the pages `freed`
    /// of segment `index`, which are the next to be used.
    fn give_up_excess(&mut self, index: usize, freed: Range<usize>) {
        let (warm, retain) = (self.warm(), self.retain());
        if warm <= retain {
            return;
        }
        let left = (retain - retain / SLACK).max(self.prefaulted);
        let mut pages = ((warm - left) / PAGE as u64) as usize;
        let elsewhere = warm > (freed.len() * PAGE) as u64;
        for at in (0..self.segments.len()).rev().filter(|_| elsewhere) {
            let Some(own) = &mut self.segments[at] else { continue };
            if own.arena.is_empty() && at > 0 && own.arena.warm() <= pages {
                pages -= own.arena.warm();
                self.retire(at);
                continue;
            }
            let spared = if at == index { freed.clone() } else { 0..0 };
            pages -= own.punch_idle(pages, &spared);
            if pages == 0 {
                return;
            }
        }
        if let Some(own) = &mut self.segments[index] {
            own.punch(freed.end.saturating_sub(pages).max(freed.start)..freed.end);
        }
    }

    /// Free bytes that have memory.
    pub(super) fn warm(&self) -> u64 {
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
            if result.is_err() {
                // What was reserved before the refusal would be taken from others for nothing.
                own.punch(run.range());
            }
        }
        if result.is_ok() {
            self.prefaulted = self.prefaulted.max(bytes as u64);
        }
        result
    }

    /// Gives back all that no value uses.
    pub(super) fn trim(&mut self) {
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

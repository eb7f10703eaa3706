//! Per-thread caches of vacant blocks, so that making and dropping a value takes no lock that other threads want.

use std::{array, cell::RefCell, mem};

use crate::{
    Config,
    pool::{hold::Held, layout::PAGE, owner, recovery},
    sys,
};

/// The sizes, in bytes, of blocks below a page.
pub(crate) const CLASSES: [usize; 9] = [128, 256, 384, 512, 768, 1024, 1536, 2048, 3072];

/// In place of a class: a run of pages.
pub(crate) const RUN: u8 = u8::MAX;

/// How many blocks of a class a thread keeps; half of them come and go together.
const CAPACITY: usize = 32;

/// The longest run that a thread keeps, in pages: copying more takes longer than the pool's lock.
const LONGEST_RUN: u32 = 64;
/// How many runs a thread keeps,
const RUNS: usize = 8;
/// and how many pages in them.
const RUN_PAGES: u64 = 256;
/// All of a thread's runs are at most this part of what the configuration allows the pool.
const RUN_SHARE: u64 = 64;

/// Every so many blocks, a thread asks whether it is time to look for the dead: asking costs a little.
const LOOKS: u32 = 32;

/// A vacant block.
pub(crate) type Spare = Box<Held>;

/// The smallest class that has `bytes` bytes; none from three quarters of a page up.
#[inline]
pub(crate) fn class_for(bytes: usize) -> Option<u8> {
    const BY_LINES: [u8; PAGE / 128 + 1] = {
        let mut table = [RUN; PAGE / 128 + 1];
        let mut lines = 0;
        while lines < table.len() {
            let mut class = CLASSES.len();
            while class > 0 {
                class -= 1;
                if CLASSES[class] >= lines * 128 {
                    table[lines] = class as u8;
                }
            }
            lines += 1;
        }
        table
    };
    BY_LINES.get(bytes.div_ceil(128)).copied().filter(|class| *class != RUN)
}

struct Magazine {
    /// The process whose blocks these are: a forked child begins anew.
    lineage: u32,
    /// How many blocks have been asked for.
    pops: u32,
    kept: Kept,
}

/// What a thread keeps.
struct Kept {
    blocks: [Vec<Spare>; CLASSES.len()],
    /// Runs of any number of pages, the latest last.
    runs: Vec<Spare>,
    /// Pages in them.
    pages: u32,
}

impl Kept {
    fn new() -> Self {
        Kept { blocks: array::from_fn(|_| Vec::new()), runs: Vec::new(), pages: 0 }
    }

    /// The latest run that has exactly so many pages.
    fn run_of(&mut self, pages: u32) -> Option<Spare> {
        let at = self.runs.iter().rposition(|run| run.place.pages == pages)?;
        self.pages -= pages;
        Some(self.runs.remove(at))
    }

    fn keep_run(&mut self, run: Spare) {
        self.pages += run.place.pages;
        self.runs.push(run);
        let share = Config::current().limit / RUN_SHARE / PAGE as u64;
        while u64::from(self.pages) > share.min(RUN_PAGES) || self.runs.len() > RUNS {
            let oldest = self.runs.remove(0);
            self.pages -= oldest.place.pages;
            owner::keep(&mut vec![oldest]);
        }
    }

    fn give_up(&mut self) {
        self.blocks.iter_mut().for_each(owner::keep);
        self.pages = 0;
        owner::keep(&mut self.runs);
    }
}

impl Magazine {
    fn new() -> Self {
        Magazine { lineage: sys::lineage(), pops: 0, kept: Kept::new() }
    }

    /// What this process's thread keeps. What a child has inherited is leaked: it is the parent's.
    #[inline]
    fn kept(&mut self) -> &mut Kept {
        if self.lineage != sys::lineage() {
            mem::forget(mem::replace(&mut self.kept, Kept::new()));
            self.lineage = sys::lineage();
        }
        &mut self.kept
    }

    /// One more block has been asked for; true if it is time to look for the dead.
    #[inline]
    fn count(&mut self) -> bool {
        self.pops = self.pops.wrapping_add(1);
        self.pops.is_multiple_of(LOOKS)
    }
}

impl Drop for Magazine {
    fn drop(&mut self) {
        if sys::threads_have_ended() {
            return; // the locks may never be let go of
        }
        self.kept().give_up();
    }
}

thread_local! {
    static MAGAZINE: RefCell<Magazine> = RefCell::new(Magazine::new());
}

/// A block of `class`, if this thread keeps one.
#[inline]
pub(crate) fn pop(class: u8) -> Option<Spare> {
    take(|kept| kept.blocks[usize::from(class)].pop())
}

/// A run of exactly `pages` pages, if this thread keeps one.
#[inline]
pub(crate) fn pop_run(pages: u32) -> Option<Spare> {
    take(|kept| if pages > LONGEST_RUN { None } else { kept.run_of(pages) })
}

#[inline]
fn take(from: impl FnOnce(&mut Kept) -> Option<Spare>) -> Option<Spare> {
    let taken = MAGAZINE.try_with(|magazine| {
        let mut magazine = magazine.borrow_mut();
        let looks = magazine.count();
        (from(magazine.kept()), looks)
    });
    // Of a thread that is ending the cache has gone.
    let (spare, looks) = taken.unwrap_or((None, false));
    if looks {
        recovery::look();
    }
    spare
}

/// A block of `class`, of which this thread keeps none. `refill` gets the number of blocks that it would like to keep, and
/// has at least one if it succeeds.
#[cold]
pub(crate) fn refill<E>(class: u8, refill: impl Fn(usize, &mut Vec<Spare>) -> Result<Spare, E>) -> Result<Spare, E> {
    let refilled = MAGAZINE.try_with(|magazine| {
        let mut magazine = magazine.borrow_mut();
        refill(CAPACITY / 2, &mut magazine.kept().blocks[usize::from(class)])
    });
    // The thread is ending: straight from the pool.
    refilled.unwrap_or_else(|_| refill(0, &mut Vec::new()))
}

/// Keeps a vacant block for the next request of this thread.
#[inline]
pub(crate) fn push(spare: Spare) {
    let (class, pages) = (spare.place.class, spare.place.pages);
    let mut spare = Some(spare);
    if class != RUN || (1..=LONGEST_RUN).contains(&pages) {
        let _ = MAGAZINE.try_with(|magazine| {
            let mut magazine = magazine.borrow_mut();
            let (kept, Some(spare)) = (magazine.kept(), spare.take()) else { return };
            let Some(spares) = kept.blocks.get_mut(usize::from(class)) else { return kept.keep_run(spare) };
            spares.push(spare);
            if spares.len() > CAPACITY {
                owner::keep(&mut spares.drain(..CAPACITY / 2).collect());
            }
        });
    }
    if let Some(spare) = spare {
        owner::keep(&mut vec![spare]);
    }
}

/// Gives back all that this thread keeps.
pub(crate) fn flush() {
    let _ = MAGAZINE.try_with(|magazine| magazine.borrow_mut().kept().give_up());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_the_smallest_that_is_large_enough() {
        assert_eq!(class_for(0), Some(0));
        for bytes in 0..2 * PAGE {
            let expected = CLASSES.iter().position(|size| *size >= bytes).map(|class| class as u8);
            assert_eq!(class_for(bytes), expected, "{bytes} bytes");
        }
    }
}

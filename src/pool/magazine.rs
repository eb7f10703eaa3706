//! Per-thread caches of vacant blocks below a page, so that making and dropping a small value takes no lock that other
//! threads want.

use std::{array, cell::RefCell, mem, sync::Arc};

use crate::{
    pool::{attachment::Attachment, layout::PAGE, owner, records::Vacant, recovery},
    sys,
};

/// The sizes, in bytes, of blocks below a page.
pub(crate) const CLASSES: [usize; 9] = [128, 256, 384, 512, 768, 1024, 1536, 2048, 3072];

/// In place of a class: a run of pages.
pub(crate) const RUN: u8 = u8::MAX;

/// How many blocks of a class a thread keeps; half of them come and go together.
const CAPACITY: usize = 32;

/// Every so many blocks, a thread asks whether it is time to look for the dead: asking costs a little.
const LOOKS: u32 = 32;

/// A vacant block and its segment.
pub(crate) type Spare = (Arc<Attachment>, Vacant);

/// The smallest class that has `bytes` bytes; none from three quarters of a page up.
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
    pid: u32,
    /// How many blocks have been asked for.
    pops: u32,
    spares: [Vec<Spare>; CLASSES.len()],
}

impl Magazine {
    fn new() -> Self {
        Magazine { pid: sys::process_id(), pops: 0, spares: array::from_fn(|_| Vec::new()) }
    }

    /// The spares of this process. What a child has inherited is leaked: it is the parent's.
    #[inline]
    fn spares(&mut self) -> &mut [Vec<Spare>; CLASSES.len()] {
        if self.pid != sys::process_id() {
            let inherited = mem::replace(&mut self.spares, array::from_fn(|_| Vec::new()));
            mem::forget(inherited);
            self.pid = sys::process_id();
        }
        &mut self.spares
    }
}

impl Drop for Magazine {
    fn drop(&mut self) {
        self.spares().iter_mut().for_each(owner::keep);
    }
}

thread_local! {
    static MAGAZINE: RefCell<Magazine> = RefCell::new(Magazine::new());
}

/// A block of `class`, from this thread's cache if there is one. `refill` gets the number of blocks that the cache would
/// like, and has at least one if it succeeds.
pub(crate) fn pop<E>(class: u8, refill: impl Fn(usize, &mut Vec<Spare>) -> Result<Spare, E>) -> Result<Spare, E> {
    let cached = MAGAZINE.try_with(|magazine| {
        let mut magazine = magazine.borrow_mut();
        magazine.pops = magazine.pops.wrapping_add(1);
        let looks = magazine.pops.is_multiple_of(LOOKS);
        let spares = &mut magazine.spares()[usize::from(class)];
        let spare = match spares.pop() {
            Some(spare) => Ok(spare),
            None => refill(CAPACITY / 2, spares),
        };
        (spare, looks)
    });
    // The thread is ending and its cache has gone: straight from the pool.
    let (spare, looks) = cached.unwrap_or_else(|_| (refill(0, &mut Vec::new()), false));
    if looks {
        recovery::look();
    }
    spare
}

/// Keeps a vacant block for the next request of this thread.
pub(crate) fn push(class: u8, spare: Spare) {
    let mut spare = Some(spare);
    let _ = MAGAZINE.try_with(|magazine| {
        let mut magazine = magazine.borrow_mut();
        let spares = &mut magazine.spares()[usize::from(class)];
        spares.extend(spare.take());
        if spares.len() > CAPACITY {
            owner::keep(&mut spares.drain(..CAPACITY / 2).collect());
        }
    });
    if let Some(spare) = spare {
        owner::keep(&mut vec![spare]);
    }
}

/// Gives back all that this thread has cached.
pub(crate) fn flush() {
    let _ = MAGAZINE.try_with(|magazine| magazine.borrow_mut().spares().iter_mut().for_each(owner::keep));
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

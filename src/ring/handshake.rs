//! How one side sleeps until the other has come far enough, and is not woken for less.
//!
//! Each side has a word that says what it waits for:
//!
//! | is | means | becomes | by |
//! |---|---|---|---|
//! | `0` | awake | `n + 1` | its side, which is about to sleep until the other's index has reached `n` |
//! | `n + 1` | it sleeps, or is about to | `0` | its side, when it has woken, or has found what it waits for |
//! | | | `0` | the other side, which has come that far and wakes it |
//! | `ALWAYS` | it has ended | | |
//!
//! Nobody sleeps through it, because of two orders that hold at the same time:
//!
//! - who publishes an index stores it, and *then* loads the word;
//! - who sleeps stores the word, and *then* loads the index.
//!
//! One of them finds what the other has stored, if each keeps its order: a fence (SeqCst) between store and load on either
//! side, which costs whoever publishes more than all the rest. So only who sleeps pays for it: it has the kernel run a fence
//! on every processor that runs a thread of the other side (`membarrier`), and who publishes keeps the compiler, and nobody
//! else, from changing the order. [`Fences`] says which of it is to be had.

use std::sync::atomic::{self, Ordering};

use crate::sync::atoms::Atom;

/// What the word of a side says that has ended: every index has come far enough.
pub(super) const ALWAYS: u64 = u64::MAX;

/// How who publishes keeps its order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fences {
    /// Whoever sleeps has a fence run on this process's processors, if it can.
    Asleep,
    /// This process runs one each time: it could not ask for those of others.
    Always,
}

/// Says that this side is about to sleep until the other's index has reached `index`. A fence comes after it, on both sides,
/// and then a look at the index.
pub(super) fn announce<W: Atom<Value = u64>>(word: &W, index: u64) {
    let waits = match index.wrapping_add(1) {
        // These mean something else. An index a little before it will do: who is woken too early looks, and sleeps again.
        0 | ALWAYS => ALWAYS - 1,
        waits => waits,
    };
    word.store(waits, Ordering::Relaxed);
}

/// Says that this side is awake.
pub(super) fn retract<W: Atom<Value = u64>>(word: &W) {
    word.store(0, Ordering::Relaxed);
}

/// Says that this side has ended, and is not to be waited for.
pub(super) fn end<W: Atom<Value = u64>>(word: &W) {
    word.store(ALWAYS, Ordering::Relaxed);
}

/// Whether the other side is to be woken, now that this one has published `index`. True once for each time that it sleeps, and
/// each time when it has ended.
#[inline(always)]
pub(super) fn reaches<W: Atom<Value = u64>>(word: &W, index: u64, fences: Fences) -> bool {
    match fences {
        Fences::Asleep => atomic::compiler_fence(Ordering::SeqCst),
        Fences::Always => W::fence(Ordering::SeqCst),
    }
    // Relaxed: what the other side finds when it is awake, it finds by the index.
    let waits = word.load(Ordering::Relaxed);
    waits != 0 && wakes(word, waits, index)
}

#[cold]
fn wakes<W: Atom<Value = u64>>(word: &W, waits: u64, index: u64) -> bool {
    // How far behind: what lies in the second half of the circle has not been reached.
    let behind = index.wrapping_sub(waits - 1);
    waits == ALWAYS || behind < 1 << 63 && word.compare_exchange(waits, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

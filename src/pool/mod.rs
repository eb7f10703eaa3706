//! Blocks: who allocates, who holds, who gives back.
//!
//! # The protocol
//!
//! A block's fate hangs on three things in the control area ([`layout`] draws them): its **word** (how many processes
//! hold it, how many tickets of it are in flight), one **hold bit** in the row of each participant that holds it, and
//! the **tickets** themselves. The word is what decides; bits and tickets are what it can be derived from when a process
//! has died in the middle. Every change of ownership is one range-checked compare-and-swap on the word, and exactly one
//! change takes both counts to zero: whoever makes it gives the block back.
//!
//! | event | in_flight | holders | order, under the block's stripe lock of this process and its intent | called in |
//! |---|---|---|---|---|
//! | allocate | | = 1 | serial, header, word, bit; then *allocated* in the private record | [`block`] |
//! | another handle here, or not the last one | | | a count of this process's; the word is not touched | [`hold`] |
//! | give: the last handle here drops | | −1 | bit → word → at 0/0 the block goes back | [`hold`] |
//! | change of kind | | | {0, 1} only: word; then, if exclusive now, the serial | [`block`] |
//! | issue | +1 | | reserve a ticket → fill it → word → publish | [`tickets`] |
//! | issue of the last handle here | +1 | −1 | reserve → fill → bit → word in one step → publish | [`tickets`] |
//! | arm: drop of a serialized `SharedMut` | | −1 | bit → word → held to armed | [`tickets`] |
//! | take: claim | −1 | +1 if none held here | ticket → word → bit; the ticket is free when the value has been checked | [`claims`] |
//! | join: claim of a `Shared` whose ticket is gone | | +1 if none held here | serial, word, serial, bit; else undone | [`claims`] |
//! | revoke, reclaim | −1 | | ticket → word | [`tickets`] |
//! | move into a will, at a clean exit | −1 | | ticket to *moved* → the file into view → word | [`exit`] |
//! | give for a dead participant | | −1 | bit → word → at 0/0 the block goes back | [`recovery`] |
//! | recount of a block that a dead participant was changing | = | = | under neither: word → intents → count → intents → word | [`recovery`] |
//!
//! The steps themselves are in [`steps`], written for any words, so that a model checker can take them; between any two of
//! them a process can die, and [`checkpoint`] has a number for each such place.
//!
//! **Stripe locks and intents.** A process has, for each segment, 64 stripe locks, and in its row of the control area 64
//! intents. The lock keeps this process's threads apart; the intent, stored before the first step of a change and
//! cleared after the last, tells whoever counts a dead process's holds which blocks it may have left half-done. What a
//! process knows of a block privately (how many [`Hold`](hold::Hold)s) goes from 0 to 1 and from 1 to 0 under the stripe
//! lock only: an `Arc` alone can't decide it, because its count reaches zero before the lock is taken.
//!
//! **Parts.** The block of a `SharedMut` can be cut into parts, each with a range of its own, and each a handle that is
//! shared out, issued and claimed by itself ([`parts`]). The control area knows nothing of ranges: the word counts the
//! processes that have any part, and the tickets of any part. That no two parts have a byte in common is because a range is
//! handed on and never copied; that a part is all that is left of its block shows in the word, as for whole values.
//!
//! **Giving back.** A peer pushes the block on the owner's stack of returned blocks; the owner takes the stack with one
//! swap when it next looks for memory. The owner itself turns the *allocated* bit of its private record, under the
//! intent, and has the block at once. Whoever turns that bit has the block, so it is freed once, whatever stands in the
//! control area; and a block that is not allocated, not at 0/0 or held here is not accepted from the stack. In a segment
//! whose owner is dead nobody allocates any more: a block that comes to 0/0 stays so, and its memory goes back to the system.
//!
//! **Death.** Who lives is known by the kernel's locks; what the dead held is given by one sweeper at a time, the owner
//! while it lives ([`recovery`]); named segments that nobody has any more are removed by anyone ([`orphans`]). Who exits
//! cleanly leaves its undelivered messages in wills ([`exit`], [`wills`]).
//!
//! **Fork.** A child inherits mappings, and nothing else: tables, pool and mutexes are this process's own
//! ([`PerProcess`](crate::sys::PerProcess)), and what an inherited handle leads to is refused or left alone before any lock
//! is taken ([`attachment`]).
//!
//! **What is trusted.** Peers follow the protocol, but what they can write is checked before it is used as an index, an
//! offset or a length, and then the checked copy is used. No memory is touched before it is backed: the watermarks in
//! the header say how far the tables are.
//!
//! **Orderings.** Changes of words and tickets are `SeqCst`: they take their places in the one order that the protocol
//! was checked in. Hold bits need no swap, because one process at a time changes a word of them, under the stripe lock. They
//! and the stores that begin or end a sequence (setting and clearing an intent, publishing a ticket, freeing a slot)
//! are `Release`, and their partner is the `Acquire` load of whoever acts on them. [`loom`](https://docs.rs/loom) models
//! in the tests say which weaker ones would not hold.

mod arena;
mod attachment;
mod block;
mod budget;
pub(crate) mod checkpoint;
mod claims;
mod exit;
mod hold;
mod layout;
#[cfg(test)]
mod loom;
mod magazine;
mod orphans;
mod own;
mod owner;
mod parts;
mod peers;
mod records;
mod recovery;
mod stats;
mod steps;
mod stripe;
mod tickets;
mod warmth;
mod wills;
mod word;

pub(crate) use block::Part;
#[cfg(target_os = "linux")]
pub(crate) use budget::leave_to_have;
pub(crate) use claims::Source;
pub(crate) use layout::PAGE;
pub(crate) use owner::{allocate, allocate_copy};
pub use recovery::{Swept, reclaim, sweep};
pub use stats::{Stats, stats};
pub(crate) use tickets::{Issued, Start};
pub use warmth::{prefault, trim};
pub(crate) use wills::{Will, may_be_willed};
#[cfg(fuzzing)]
pub(crate) use {
    attachment::Attachment,
    owner::forget,
    peers::{find as mapped, insert as map, remove as unmap},
};

use checkpoint::{Step, reached};

/// The key of a segment's MACs.
pub(crate) type Secret = [u8; 16];

//! Sweeping: giving back what the dead held.
//!
//! While the owner of a segment lives only the owner sweeps it, one thread at a time. When it is dead one participant at a
//! time does, which has the segment's sweep lock: it marks the segment as orphaned, and from then on whoever gives back a
//! block punches it; and it punches all that no live block covers.
//!
//! A dead participant is swept in this order: its reserved tickets are free and its held ones armed; each block that its
//! intents name is recounted ([`steps::recount`]) and the intent cleared; each hold bit that is still set is given for it;
//! and only then its slot is free, by its mark. So a sweeper that dies half-way leaves what the next one finds. The slot of
//! an owner is never free again: whether somebody lives in it decides who sweeps.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, TryLockError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    Backing, Config,
    pool::{
        attachment::{Attachment, SWEPT, lock},
        block::{Extent, give_back},
        checkpoint::{Step, reached},
        exit,
        layout::{PAGE, STRIPES, State},
        magazine::CLASSES,
        orphans, owner, peers,
        steps::{self, Area, Intent, Recount, swap_ticket},
        tickets::{self, wake_claims},
        word::{TicketState, TicketWord, Word},
    },
    segment::{WillName, wills},
    sys::{self, PerProcess},
};

/// What a [`sweep`] or a [`reclaim`] has given back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct Swept {
    /// Dead participants whose holds have been given, summed over the segments that they were in.
    pub participants: usize,
    /// Dead participants that have to wait for the next sweep, because a living process was changing the same blocks, or
    /// because it is another process's turn.
    pub later: usize,
    /// Tickets that nobody had claimed in time, taken back.
    pub tickets: usize,
    /// Named segments that nobody had any more, removed.
    pub segments: usize,
    /// Wills that nobody had claimed in time, removed.
    pub wills: usize,
}

/// One thread of a process at a time.
static SWEEPING: PerProcess<Mutex<()>> = PerProcess::new();

/// The first use of named memory.
static STARTED: PerProcess<AtomicBool> = PerProcess::new();

/// When a call into the crate next looks for the dead, in the machine's boot time.
static NEXT_LOOK: AtomicU64 = AtomicU64::new(0);
/// How long it is from one look to the next, in nanoseconds, at least.
const PERIOD: u64 = 1_000_000_000;
/// Looking takes at most this part of the time.
const SHARE: u64 = 200;
/// How often a sweep that was asked for comes back to a block that a living process is changing,
const RETURNS: u32 = 1000;
/// and for how long, in each segment: others run meanwhile, on a busy machine as long as they like.
const PATIENCE: Duration = Duration::from_millis(100);

/// Gives back what processes that have died have held: in the segments of this process's pool, and, where the owner is
/// dead too, in the others that this process has mapped. Removes named segments that nobody has any more, and messages that
/// the dead have left and that are older than [`Config::lost_after`].
///
/// The pool does the same by itself: once a second at a call that sends, receives or allocates, before it grows, before it
/// gives up with [`Error::NoSpace`](crate::Error::NoSpace), and, for the segment in question, before it refuses a change of
/// kind with [`Error::NotAlone`](crate::Error::NotAlone).
///
/// ```
/// let swept = commonage::sweep();
/// assert_eq!(swept.later, 0);
/// ```
pub fn sweep() -> Swept {
    Config::current();
    let _one_at_a_time = lock(SWEEPING.get());
    let mut swept = sweep_mapped(RETURNS);
    sweep_files(Config::current().lost_after, &mut swept);
    swept
}

/// Takes back messages that nobody has claimed for `older_than`, and [sweeps](sweep): of this process's pool, whoever sent
/// them; what this process has sent from other pools; and what the dead have left, wills and named segments.
///
/// What is taken back can't be claimed any more. A message that its sender still holds (a [`SharedMut`](crate::SharedMut)
/// that is serialized and not yet dropped) is not taken back. With [`Duration::ZERO`], every message counts that is on
/// its way at this moment, also those that others of this user have left when they exited.
///
/// ```standalone_crate
/// use commonage::{SharedStr, reclaim, stats};
/// use std::time::Duration;
///
/// let token = SharedStr::copy_from("nobody comes for this")?.into_token()?;
/// assert_eq!(stats().tickets, 1);
/// assert_eq!(reclaim(Duration::ZERO).tickets, 1);
/// assert_eq!((stats().tickets, stats().blocks), (0, 0));
/// assert!(SharedStr::from_token(&token).is_err());
/// # Ok::<(), commonage::Error>(())
/// ```
pub fn reclaim(older_than: Duration) -> Swept {
    Config::current();
    let _one_at_a_time = lock(SWEEPING.get());
    let mut swept = sweep_mapped(RETURNS);
    for at in peers::all() {
        swept.tickets += reclaim_in(&at, older_than);
    }
    sweep_files(older_than, &mut swept);
    swept
}

/// Before this process makes or attaches its first named segment: what the dead have left by name. A process that has
/// only memory without names does not look where there are none of its own.
pub(crate) fn start(backing: Backing) {
    if backing == Backing::Named && !STARTED.get().swap(true, Ordering::Relaxed) {
        sweep_files(Config::current().lost_after, &mut Swept::default());
    }
}

/// Before this process gives up for want of memory: what the dead have, what is lost, and what has only a name.
pub(crate) fn make_room() {
    let Some(_one_at_a_time) = try_lock() else { return };
    let lost_after = Config::current().lost_after;
    let mut swept = sweep_mapped(1);
    for at in peers::all() {
        swept.tickets += reclaim_in(&at, lost_after);
    }
    sweep_files(lost_after, &mut swept);
}

/// Before this process's pool grows: what the dead have may do.
pub(crate) fn sweep_own() {
    let Some(_one_at_a_time) = try_lock() else { return };
    for at in peers::all().iter().filter(|at| at.owned.is_some()) {
        sweep_segment(at, 1, &mut Swept::default());
    }
}

/// Before a change of kind is refused because others hold the block: they may be dead.
pub(crate) fn sweep_for(at: &Arc<Attachment>) {
    let _one_at_a_time = lock(SWEEPING.get());
    sweep_segment(at, 1, &mut Swept::default());
}

/// At any call that sends, receives or allocates, with no lock held: once in a while it looks for the dead. The time.
#[inline]
pub(crate) fn look() -> u64 {
    let now = sys::boot_time();
    if now >= NEXT_LOOK.load(Ordering::Relaxed) {
        look_now();
    }
    now
}

#[cold]
fn look_now() {
    let (now, next) = (sys::boot_time(), NEXT_LOOK.load(Ordering::Relaxed));
    let mine = NEXT_LOOK.compare_exchange(next, now + PERIOD, Ordering::Relaxed, Ordering::Relaxed).is_ok();
    // The first look is a period after the first call.
    if next == 0 || !mine || exit::exiting() {
        return;
    }
    let Some(_one_at_a_time) = try_lock() else { return };
    sweep_mapped(1);
    let end = sys::boot_time();
    NEXT_LOOK.fetch_max(end + SHARE * end.saturating_sub(now), Ordering::Relaxed);
}

/// Waits for a sweep that is under way in this process, and lets none begin as long as the guard lives: what a dead
/// participant held must not change hands while the process looks for what it has to move.
pub(crate) fn suspend() -> MutexGuard<'static, ()> {
    lock(SWEEPING.get())
}

fn try_lock() -> Option<MutexGuard<'static, ()>> {
    match SWEEPING.get().try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// All segments that this process has mapped; those that it does not need any more it unmaps.
fn sweep_mapped(tries: u32) -> Swept {
    let mut swept = Swept::default();
    for at in peers::all() {
        sweep_segment(&at, tries, &mut swept);
    }
    owner::drain_returned();
    peers::unmap_idle();
    swept
}

/// What has a name.
fn sweep_files(older_than: Duration, swept: &mut Swept) {
    swept.segments += orphans::sweep(older_than);
    swept.wills += wills::sweep(older_than);
}

fn sweep_segment(at: &Arc<Attachment>, tries: u32, swept: &mut Swept) {
    let dead: Vec<u32> = dead_participants(at);
    if at.owned.is_some() {
        return sweep_participants(at, &dead, tries, swept);
    }
    // Established before anything of the owner's is touched, and for good: nobody else gets its slot.
    if !at.is_orphaned() {
        return;
    }
    let Some(_alone) = at.segment.lock_sweep() else {
        swept.later += dead.len();
        return;
    };
    if at.control.state() != State::Orphaned {
        at.control.set_state(State::Orphaned);
    }
    reached(Step::SweepOrphaned);
    // Again: who was dead before has been swept by whoever had the lock.
    sweep_participants(at, &dead_participants(at), tries, swept);
    swept.tickets += reclaim_in(at, Config::current().lost_after);
    punch_what_nothing_covers(at);
    reached(Step::SweepPunched);
}

/// Participants that are dead, and not yet swept.
fn dead_participants(at: &Attachment) -> Vec<u32> {
    let is_dead = |slot: &u32| {
        let mark = at.control.slot(*slot).mark.load(Ordering::SeqCst);
        mark != 0 && mark & SWEPT == 0 && at.is_dead(*slot)
    };
    (0..at.control.layout.participants).filter(is_dead).collect()
}

fn sweep_participants(at: &Arc<Attachment>, dead: &[u32], tries: u32, swept: &mut Swept) {
    let until = Instant::now() + PATIENCE;
    for slot in dead {
        let mut tries = (0..tries).take_while(|returned| *returned == 0 || Instant::now() < until);
        let done = tries.any(|returned| {
            if returned > 0 {
                thread::yield_now();
            }
            sweep_participant(at, *slot)
        });
        if done { swept.participants += 1 } else { swept.later += 1 }
    }
}

/// Gives back all that a dead participant had; false if it has to wait.
fn sweep_participant(at: &Arc<Attachment>, dead: u32) -> bool {
    for ticket in 0..at.control.tickets_backed() {
        if steps::settle_ticket(&**at, ticket, dead) {
            wake_claims(at.control.ticket(ticket));
        }
        forget_if_moved_and_lost(at, ticket, |issuer| issuer == dead);
    }
    for stripe in 0..STRIPES as u32 {
        let intent = at.control.intent(dead, stripe);
        let Some(block) = intent.load(Ordering::SeqCst).checked_sub(1) else { continue };
        // It may be anything: only a block of this stripe means something.
        let block = u32::try_from(block).ok().filter(|block| block % STRIPES as u32 == stripe);
        if let Some(block) = block.filter(|block| *block < at.control.blocks_backed()) {
            match steps::recount(&**at, block) {
                Recount::Later => return false,
                Recount::Done(word) if word.is_zero() => owner::settle(at, block, word),
                Recount::Done(_) => {}
            }
        }
        reached(Step::SweepFreed);
        intent.store(0, Ordering::SeqCst);
        reached(Step::SweepIntent);
    }
    for block in at.control.hold_bits(dead) {
        // A bit can be of no block: only rubbish that it has left.
        if block < at.control.blocks_backed() && !give_for(at, dead, block) {
            return false;
        }
    }
    at.control.clear_hold_bits(dead);
    let slot = at.control.slot(dead);
    if dead == at.control.owner_slot() {
        slot.mark.fetch_or(SWEPT, Ordering::SeqCst);
    } else {
        slot.pid.store(0, Ordering::Relaxed);
        // Last: whoever takes the slot finds it empty.
        let mark = slot.mark.swap(0, Ordering::SeqCst);
        reached(Step::SweepUnmarked);
        if at.segment.locator().backing == Backing::Named {
            orphans::bury(mark >> 8);
        }
    }
    reached(Step::SweepSlot);
    true
}

/// Gives for the dead; false if this process is leaving the segment.
fn give_for(at: &Arc<Attachment>, dead: u32, block: u32) -> bool {
    let released = {
        let _stripe = at.stripe(block);
        if at.has_departed() {
            return false;
        }
        let _intent = Intent::on(&**at, block);
        let word = steps::give(&**at, dead, block);
        word.ok().filter(|word| word.is_zero()).and_then(|_| give_back(at, block))
    };
    reached(Step::SweepGiven);
    if let Some(released) = released {
        released.put_back(at);
    }
    true
}

/// A ticket whose mover died before its will came into view, or whose will has been claimed, is nobody's.
fn forget_if_moved_and_lost(at: &Attachment, ticket: u32, of: impl Fn(u32) -> bool) {
    let word = TicketWord(at.ticket(ticket).load(Ordering::SeqCst));
    let lost = || !wills::exists(WillName { segment: at.id(), ticket, epoch: word.epoch() });
    // In this order. A process that exits moves what others have issued, and is not dead: asked after the look at the
    // ticket, it says so.
    if word.state() == Some(TicketState::Moved) && of(word.issuer()) && !exit::exiting() && lost() {
        swap_ticket(at.ticket(ticket), word, word.with(TicketState::Free));
    }
}

/// Takes back tickets that are older: in this process's own segments and in orphaned ones everybody's, elsewhere its own.
/// How many.
fn reclaim_in(at: &Arc<Attachment>, older_than: Duration) -> usize {
    let everybodys = at.owned.is_some() || at.is_orphaned();
    let now = sys::boot_time();
    let mut taken = 0;
    for ticket in 0..at.control.tickets_backed() {
        let row = at.control.ticket(ticket);
        let word = TicketWord(row.word.load(Ordering::SeqCst));
        if !(everybodys || word.issuer() == at.slot) || sys::age(row.time.load(Ordering::Relaxed), now) < older_than {
            continue;
        }
        match word.state() {
            Some(TicketState::Armed) => taken += usize::from(tickets::reclaim(at, ticket, word.epoch())),
            Some(TicketState::Moved) => forget_if_moved_and_lost(at, ticket, |issuer| at.is_dead(issuer)),
            _ => {}
        }
    }
    taken
}

/// A block of an orphaned segment has come to 0/0: nobody allocates there any more, so it goes back to the system. False
/// if the owner is there to take it back.
///
/// SeqCst, with the mark as orphaned: of a giver that finds no mark and a sweeper, the sweeper sees the word at 0/0.
pub(crate) fn give_back_to_nobody(at: &Attachment, block: u32) -> bool {
    if at.control.state() != State::Orphaned {
        return false;
    }
    if let Ok(extent) = Extent::read(at, block) {
        let (start, end) = (extent.offset, extent.offset + extent.len);
        // A block that is longer than every class has its last page for itself.
        let whole = extent.len > CLASSES[CLASSES.len() - 1];
        let unit = sys::page_size().max(PAGE);
        let end = if whole && unit == PAGE { end.next_multiple_of(unit) } else { end / unit * unit };
        punch(at, start.next_multiple_of(unit), end);
    }
    true
}

/// Gives back all of an orphaned segment's data that no live block covers. A block that is at 0/0 stays so.
fn punch_what_nothing_covers(at: &Attachment) {
    let unit = sys::page_size().max(PAGE);
    let mut covered: Vec<(usize, usize)> = (0..at.control.blocks_backed())
        .filter(|block| !Word(at.word(*block).load(Ordering::SeqCst)).is_zero())
        .filter_map(|block| Extent::read(at, block).ok())
        .map(|extent| {
            let start = extent.offset / unit * unit;
            (start, (extent.offset + extent.len).next_multiple_of(unit))
        })
        .collect();
    covered.sort_unstable();
    let mut from = 0;
    for (start, end) in covered {
        punch(at, from, start);
        from = from.max(end);
    }
    punch(at, from, at.segment.data_len());
}

/// Punches a range of the data area, if it is one.
fn punch(at: &Attachment, start: usize, end: usize) {
    let end = end.min(at.segment.data_len());
    if start < end {
        let control = at.segment.control_len();
        at.segment.punch(control + start..control + end);
    }
}

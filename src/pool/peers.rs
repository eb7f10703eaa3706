//! Every segment that this process has mapped, its own and its peers': mapped once, found by id without a system call.
//!
//! Lock order, for all of `pool`: attaching or allocator → gate → table → stripe. Under a stripe lock no other is taken.
#![allow(unsafe_code)] // A mapped segment's control area is entered, once.

use std::{
    array,
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use crate::{
    Config, Error, SegmentId,
    pool::{
        Secret,
        block::Hold,
        layout::{Control, Layout, STRIPES, State},
        owner::Owned,
        word::TicketState,
    },
    segment::{Liveness, Locator, Segment},
    sys,
};

/// Locks and occupies a free slot, and backs its row.
fn take_slot(segment: &Segment, control: &Control) -> Result<u32, Error> {
    let identity = segment.identity()?;
    let mark = u64::from(sys::process_id()) << 8 | 1;
    for number in 0..control.layout.participants {
        let slot = control.slot(number);
        // Lock before occupying: a slot that is marked and not locked is a dead one's.
        if slot.mark.load(Ordering::Acquire) != 0 || !segment.occupy(number)? {
            continue;
        }
        if slot.mark.compare_exchange(0, mark, Ordering::SeqCst, Ordering::Relaxed).is_err() {
            segment.vacate(number);
            continue;
        }
        slot.identity.store(identity, Ordering::Release);
        if let Err(error) = segment.reserve(control.layout.row_bytes(number)) {
            slot.mark.store(0, Ordering::Release);
            segment.vacate(number);
            return Err(error);
        }
        return Ok(number);
    }
    Err(Error::ParticipantsFull { segment: segment.id(), participants: control.layout.participants })
}

/// What this process knows of one block in one of its stripes: private, under the stripe lock.
///
/// INVARIANT: `count` is the number of `Hold`s of the block, those that are being dropped included; this process's hold
/// bit is set exactly while it is not zero.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) count: u32,
    /// The hold that further claims share; its `Arc` can be dying, then they make another.
    pub(crate) hold: Weak<Hold>,
}

/// The blocks of one stripe, by block number ÷ `STRIPES`.
#[derive(Default)]
pub(crate) struct Stripe(Vec<Held>);

impl Stripe {
    pub(crate) fn held(&mut self, block: u32) -> &mut Held {
        let at = block as usize / STRIPES;
        if self.0.len() <= at {
            self.0.resize_with(at + 1, Held::default);
        }
        &mut self.0[at]
    }
}

/// A stripe lock on a cache line of its own.
#[repr(align(64))]
#[derive(Default)]
struct StripeLock(Mutex<Stripe>);

fn holds_nothing(stripe: &Stripe) -> bool {
    stripe.0.iter().all(|held| held.count == 0)
}

/// A segment that this process has mapped, as a participant.
pub(crate) struct Attachment {
    pub(crate) control: Control,
    pub(crate) secret: Secret,
    /// This process's participant slot.
    pub(crate) slot: u32,
    stripes: Box<[StripeLock; STRIPES]>,
    /// Where the last ticket was found: the next search begins there.
    pub(crate) ticket_hint: AtomicU32,
    /// The slot is no longer this process's. Set under all stripe locks, read under one.
    departed: AtomicBool,
    /// Allocation state, if this process is the owner.
    pub(crate) owned: Option<Owned>,
    // Last, so that the mapping outlives `control`.
    pub(crate) segment: Segment,
}

/// Locks also what a panic elsewhere has poisoned: no lock of the pool is held while code runs that can panic half-way.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Attachment {
    /// Takes part in a mapped segment, which has the sizes of `layout`: locks and occupies a slot, backs its row. The
    /// owner, its first participant, writes the header before that.
    pub(crate) fn join(segment: Segment, layout: Layout, secret: Secret, owned: Option<Owned>) -> Result<Self, Error> {
        // SAFETY: the segment was made, or checked, with this layout's sizes; both move into the attachment, where the
        // segment is dropped last.
        let control = unsafe { Control::new(&segment, layout) };
        if owned.is_some() {
            control.found(segment.id(), secret, 0);
        }
        let taken = take_slot(&segment, &control).inspect_err(|_| {
            if owned.is_some() {
                segment.remove_name();
            }
        });
        Ok(Attachment {
            control,
            secret,
            slot: taken?,
            stripes: Box::new(array::from_fn(|_| StripeLock::default())),
            ticket_hint: AtomicU32::new(0),
            departed: AtomicBool::new(false),
            owned,
            segment,
        })
    }

    pub(crate) fn id(&self) -> SegmentId {
        self.segment.id()
    }

    pub(crate) fn stripe(&self, block: u32) -> MutexGuard<'_, Stripe> {
        lock(&self.stripes[block as usize % STRIPES].0)
    }

    /// This process has left the segment: nothing can be claimed through this value. Call it under a stripe lock.
    pub(crate) fn has_departed(&self) -> bool {
        self.departed.load(Ordering::Relaxed)
    }

    /// Is the participant in `slot` dead? This process is not.
    pub(crate) fn is_dead(&self, slot: u32) -> bool {
        if slot == self.slot || slot >= self.control.layout.participants {
            return false;
        }
        let row = self.control.slot(slot);
        row.mark.load(Ordering::Acquire) == 0
            || self.segment.liveness(slot, row.identity.load(Ordering::Acquire)) == Liveness::Dead
    }

    /// The owner has said that it is done, or it is dead.
    fn owner_is_done(&self) -> bool {
        self.owned.is_none() && (self.control.state() != State::Active || self.is_dead(self.control.owner_slot()))
    }

    /// A ticket of this process's own is on its way.
    fn has_tickets(&self) -> bool {
        self.tickets().any(|(issuer, state)| issuer == self.slot && state != TicketState::Free)
    }

    /// While other threads may still run: frees the slot if nothing is held, and makes sure that nothing will be.
    fn depart_if_idle(&self) -> bool {
        let stripes: Vec<_> = self.stripes.iter().map(|stripe| lock(&stripe.0)).collect();
        let idle = stripes.iter().all(|stripe| holds_nothing(stripe)) && !self.has_tickets();
        if idle && !self.departed.swap(true, Ordering::Relaxed) {
            self.leave();
        }
        idle
    }

    /// Issuer and state of every ticket.
    fn tickets(&self) -> impl Iterator<Item = (u32, TicketState)> + '_ {
        (0..self.control.tickets_backed()).filter_map(|ticket| {
            let word = super::word::TicketWord(self.control.ticket(ticket).word.load(Ordering::SeqCst));
            Some((word.issuer(), word.state()?))
        })
    }

    /// Neither another living participant, which is not exiting, nor a message on its way needs the segment's name.
    ///
    /// Tickets first: whoever claims one has marked its slot before it is gone.
    fn nobody_needs_the_name(&self) -> bool {
        if self.tickets().any(|(_, state)| matches!(state, TicketState::Held | TicketState::Armed)) {
            return false;
        }
        let in_use = |number| {
            let mark = self.control.slot(number).mark.load(Ordering::SeqCst);
            mark != 0 && mark & EXITED == 0 && !self.is_dead(number)
        };
        !(0..self.control.layout.participants).filter(|n| *n != self.slot).any(in_use)
    }

    /// This process is done with the segment, its slot free or marked as exited: if it is the last, the name goes.
    /// SeqCst: of two that leave at once, at least one sees that the other has left.
    fn last_one_removes_the_name(&self) {
        let last = self.owned.is_some() || self.owner_is_done();
        if last && self.nobody_needs_the_name() {
            self.remove_name();
        }
    }

    /// Removes the segment's name, where it has one, and what its dead participants have left to be known by. Nobody asks
    /// any more whether this process lives.
    pub(crate) fn remove_name(&self) {
        self.segment.remove_name();
        for slot in (0..self.control.layout.participants).map(|number| self.control.slot(number)) {
            let mark = slot.mark.load(Ordering::SeqCst);
            if mark != 0 {
                self.segment.bury(slot.identity.load(Ordering::Acquire), mark & EXITED != 0);
            }
        }
        self.segment.vacate(self.slot);
    }

    /// Frees this process's slot. Its bitmap and intents are zero: it holds nothing.
    fn leave(&self) {
        self.control.slot(self.slot).identity.store(0, Ordering::Relaxed);
        // Last: whoever takes the slot finds it empty. SeqCst: see `last_one_removes_the_name`.
        self.control.slot(self.slot).mark.store(0, Ordering::SeqCst);
        self.segment.vacate(self.slot);
    }
}

impl Drop for Attachment {
    /// The last `Hold` here is gone: nothing is held. (Own segments are dropped when they are retired.)
    fn drop(&mut self) {
        if !self.departed.swap(true, Ordering::Relaxed) {
            self.leave();
        }
        if self.owned.is_none() {
            self.last_one_removes_the_name();
        }
    }
}

/// A segment's id is random: it is its own hash.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }
}

type Table = HashMap<u64, Arc<Attachment>, BuildHasherDefault<IdHasher>>;

static TABLE: RwLock<Option<Table>> = RwLock::new(None);
static ATTACHING: Mutex<()> = Mutex::new(());
static EXITING: AtomicBool = AtomicBool::new(false);

/// Closed, by the exit handler, for good: what is made or attached while it is open is in the table when the handler
/// looks.
static CLOSED: RwLock<bool> = RwLock::new(false);

/// In a slot's mark: its process is at its clean exit, and keeps the slot only for what it still holds.
const EXITED: u64 = 2;

/// The segment with this id, if this process has it mapped.
pub(crate) fn find(id: SegmentId) -> Option<Arc<Attachment>> {
    TABLE.read().unwrap_or_else(PoisonError::into_inner).as_ref()?.get(&id.0).cloned()
}

/// Makes an attachment known to this process; the first one asks to be told of the process's exit.
pub(crate) fn insert(attachment: &Arc<Attachment>) {
    let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
    if table.is_none() {
        sys::at_exit(exit);
    }
    table.get_or_insert_default().insert(attachment.id().0, Arc::clone(attachment));
}

/// Forgets an attachment; it is unmapped when the last hold in it goes.
pub(crate) fn remove(id: SegmentId) -> Option<Arc<Attachment>> {
    TABLE.write().unwrap_or_else(PoisonError::into_inner).as_mut()?.remove(&id.0)
}

/// The segment that a locator leads to: mapped already, or attached now.
pub(crate) fn attach(locator: &Locator) -> Result<Arc<Attachment>, Error> {
    if let Some(attachment) = find(locator.id) {
        return Ok(attachment);
    }
    let _one_at_a_time = lock(&ATTACHING);
    if let Some(attachment) = find(locator.id) {
        return Ok(attachment);
    }
    Config::current();
    unmap_idle();
    let _open = gate()?;
    let mut parsed = None;
    let segment = Segment::attach(locator, |prefix, size| {
        let (layout, secret) = Layout::parse(prefix, size, locator.id)?;
        parsed = Some((layout, secret));
        Ok(layout.sizes())
    })?;
    let (layout, secret) = parsed.ok_or(Error::Expired { segment: locator.id, block: 0 })?;
    let attachment = Arc::new(Attachment::join(segment, layout, secret, None)?);
    insert(&attachment);
    Ok(attachment)
}

/// Unmaps what peers have retired, or left behind, while nothing was held in it here.
fn unmap_idle() {
    let done: Vec<Arc<Attachment>> = {
        let table = TABLE.read().unwrap_or_else(PoisonError::into_inner);
        table.iter().flat_map(|table| table.values()).filter(|a| a.owner_is_done()).cloned().collect()
    };
    done.into_iter().for_each(unmap_if_idle);
}

/// After the last handle on a block here is gone: unmaps the segment if nobody needs it here any more.
pub(crate) fn unmap_if_done(attachment: Arc<Attachment>) {
    if attachment.control.state() != State::Active && attachment.owner_is_done() {
        unmap_if_idle(attachment);
    }
}

/// Forgets an attachment in which nothing is held. Whoever has found it before, and is about to claim in it, finds that
/// this process has departed, and attaches again.
fn unmap_if_idle(attachment: Arc<Attachment>) {
    let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
    let id = attachment.id().0;
    let Some(table) = table.as_mut() else { return };
    if table.get(&id).is_some_and(|known| Arc::ptr_eq(known, &attachment)) && attachment.depart_if_idle() {
        table.remove(&id);
    }
}

/// Keeps the exit handler waiting while a segment is made or attached, until it is in the table.
///
/// # Errors
///
/// `Exiting`, if the handler has looked.
pub(crate) fn gate() -> Result<RwLockReadGuard<'static, bool>, Error> {
    let closed = CLOSED.read().unwrap_or_else(PoisonError::into_inner);
    if *closed { Err(Error::Exiting) } else { Ok(closed) }
}

/// Is this process on its way out?
pub(crate) fn exiting() -> bool {
    EXITING.load(Ordering::Relaxed)
}

/// Clean exit. Other threads may still run, so nothing is unmapped and no hold is given back; slots in which nothing is
/// held are freed, and names that nobody needs are removed.
extern "C" fn exit() {
    EXITING.store(true, Ordering::Relaxed);
    *CLOSED.write().unwrap_or_else(PoisonError::into_inner) = true;
    let table = TABLE.read().unwrap_or_else(PoisonError::into_inner);
    for attachment in table.iter().flat_map(|table| table.values()) {
        if attachment.owned.is_some() {
            attachment.control.set_state(State::Exiting);
        }
        if attachment.owned.is_some() || !attachment.depart_if_idle() {
            attachment.control.slot(attachment.slot).mark.fetch_or(EXITED, Ordering::SeqCst);
        }
        attachment.last_one_removes_the_name();
    }
    crate::segment::clean_exit();
}

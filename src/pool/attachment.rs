//! A segment that this process has mapped, and its place in it as a participant.
//!
//! Lock order, for all of `pool`: sweeping → attaching or allocator → gate → table → stripe. Under a stripe lock no other is
//! taken.
#![allow(unsafe_code)] // A mapped segment's control area is entered, once.

use std::{
    array,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence},
    },
};

use crate::{
    Error, SegmentId,
    pool::{
        Secret,
        checkpoint::{Step, reached},
        layout::{Control, Layout, STRIPES, State},
        records::{self, Owned},
        steps::Area,
        stripe::{Guard, StripeLock},
        tickets,
        word::{TicketState, TicketWord},
    },
    segment::{Liveness, Segment},
    sys,
};

/// In a slot's mark: it is somebody's.
const OCCUPIED: u64 = 1;
/// In a slot's mark: its process is at its clean exit, and keeps the slot only for what it still holds.
pub(crate) const EXITED: u64 = 2;
/// In the mark of an owner's slot, which nobody else ever has: the owner is dead, and what it held has been given.
pub(crate) const SWEPT: u64 = 4;

/// Locks and occupies a free slot, whose row has memory before anybody looks at it.
fn take_slot(segment: &Segment, control: &Control) -> Result<u32, Error> {
    let pid = u64::from(sys::process_id());
    // Where the lock of the slot says who lives, the identity is not asked for.
    let mark = match segment.identity()? {
        0 => pid << 8 | OCCUPIED,
        identity => identity << 8 | OCCUPIED,
    };
    for number in 0..control.layout.participants {
        let slot = control.slot(number);
        // Lock before occupying: a slot that is marked and not locked is a dead one's.
        if slot.mark.load(Ordering::Acquire) != 0 || !segment.occupy(number)? {
            continue;
        }
        reached(Step::AttachLocked);
        // Two that come at once may both do this, and one of them goes on.
        if let Err(error) = segment.reserve(control.layout.row_bytes(number)) {
            segment.vacate(number);
            return Err(error);
        }
        reached(Step::AttachReserved);
        // One step: whoever sees the mark knows whom to ask whether its process lives.
        if slot.mark.compare_exchange(0, mark, Ordering::SeqCst, Ordering::Relaxed).is_err() {
            segment.vacate(number);
            continue;
        }
        slot.pid.store(pid, Ordering::Relaxed);
        reached(Step::AttachMarked);
        return Ok(number);
    }
    Err(Error::ParticipantsFull { segment: segment.id(), participants: control.layout.participants })
}

/// A segment that this process has mapped, as a participant.
pub(crate) struct Attachment {
    pub(crate) control: Control,
    pub(crate) secret: Secret,
    /// This process's participant slot.
    pub(crate) slot: u32,
    /// The process that this is: in a forked child, the parent.
    pid: u32,
    /// What tells that process from a child that has the same id.
    lineage: u32,
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
            pid: sys::process_id(),
            lineage: sys::lineage(),
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

    /// A forked child has it from its parent: then nothing of it may be touched but the bytes of values, and no lock.
    #[inline]
    pub(crate) fn is_inherited(&self) -> bool {
        self.lineage != sys::lineage()
    }

    /// # Errors
    ///
    /// `Inherited`, in a forked child.
    #[inline]
    pub(crate) fn refuse_inherited(&self) -> Result<(), Error> {
        if self.is_inherited() { Err(Error::Inherited { process: self.pid }) } else { Ok(()) }
    }

    #[inline]
    pub(crate) fn stripe(&self, block: u32) -> Guard<'_> {
        self.stripes[block as usize % STRIPES].lock()
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
        let mark = self.control.slot(slot).mark.load(Ordering::SeqCst);
        mark == 0 || self.segment.liveness(slot, mark >> 8) == Liveness::Dead
    }

    /// The owner is dead, and its segment nobody's.
    pub(crate) fn is_orphaned(&self) -> bool {
        self.owned.is_none() && self.is_dead(self.control.owner_slot())
    }

    /// Forgets what holds have left: it would keep the segment mapped.
    #[cfg(fuzzing)]
    pub(crate) fn forget_kept(&self) {
        self.stripes.iter().for_each(|stripe| stripe.lock().forget_kept());
    }

    /// Waits until no thread of this process is in the middle of a change.
    pub(crate) fn drain_stripes(&self) {
        self.stripes.iter().for_each(|stripe| drop(stripe.lock()));
    }

    /// The owner has said that it is done, or it is dead.
    pub(crate) fn owner_is_done(&self) -> bool {
        self.owned.is_none() && (self.control.state() != State::Active || self.is_dead(self.control.owner_slot()))
    }

    /// A ticket of this process's own is on its way.
    fn has_tickets(&self) -> bool {
        self.tickets_by_state().any(|(issuer, state)| issuer == self.slot && state != TicketState::Free)
    }

    /// While other threads may still run: frees the slot if nothing is held, and makes sure that nothing will be.
    pub(crate) fn depart_if_idle(&self) -> bool {
        let stripes: Vec<_> = self.stripes.iter().map(StripeLock::lock).collect();
        let idle = stripes.iter().all(|stripe| stripe.holds_nothing()) && !self.has_tickets();
        if idle && !self.departed.swap(true, Ordering::Relaxed) {
            self.leave();
        }
        idle
    }

    /// Issuer and state of every ticket.
    fn tickets_by_state(&self) -> impl Iterator<Item = (u32, TicketState)> + '_ {
        (0..self.control.tickets_backed()).filter_map(|ticket| {
            let word = TicketWord(self.control.ticket(ticket).word.load(Ordering::SeqCst));
            Some((word.issuer(), word.state()?))
        })
    }

    /// Neither a living participant, which is not exiting, nor a message on its way needs the segment's name. This process's
    /// own slot, which is free or marked as exited, is looked at as any other: by now somebody else may be in it.
    ///
    /// Tickets first: whoever claims one has marked its slot before it is gone.
    fn nobody_needs_the_name(&self) -> bool {
        if self.tickets_by_state().any(|(_, state)| matches!(state, TicketState::Held | TicketState::Armed)) {
            return false;
        }
        let in_use = |number| {
            let mark = self.control.slot(number).mark.load(Ordering::SeqCst);
            mark != 0 && mark & EXITED == 0 && !self.is_dead(number)
        };
        !(0..self.control.layout.participants).any(in_use)
    }

    /// This process is done with the segment, its slot free or marked as exited: if it is the last, the name goes.
    /// SeqCst: of two that leave at once, at least one sees that the other has left.
    pub(crate) fn last_one_removes_the_name(&self) {
        let last = self.owned.is_some() || self.owner_is_done();
        if last && self.nobody_needs_the_name() {
            self.remove_name();
        }
    }

    /// Removes the segment's name, where it has one, and what its dead participants have left to be known by. Nobody asks
    /// any more whether this process lives.
    pub(crate) fn remove_name(&self) {
        self.segment.remove_name();
        reached(Step::NameRemoved);
        for slot in (0..self.control.layout.participants).map(|number| self.control.slot(number)) {
            let mark = slot.mark.load(Ordering::SeqCst);
            if mark != 0 {
                self.segment.bury(mark >> 8, mark & EXITED != 0);
            }
        }
        self.segment.vacate(self.slot);
    }

    /// Frees this process's slot. Its bitmap and intents are zero: it holds nothing.
    fn leave(&self) {
        // Last: whoever takes the slot finds it empty. SeqCst: see `last_one_removes_the_name`.
        self.control.slot(self.slot).mark.store(0, Ordering::SeqCst);
        reached(Step::LeaveMarked);
        self.segment.vacate(self.slot);
    }
}

impl Drop for Attachment {
    /// The last `Hold` here is gone: nothing is held. (Own segments are dropped when they are retired.)
    fn drop(&mut self) {
        if self.is_inherited() {
            return;
        }
        // Else whoever has departed has seen to the name.
        if !self.departed.swap(true, Ordering::Relaxed) {
            self.leave();
            if self.owned.is_none() {
                self.last_one_removes_the_name();
            }
        }
    }
}

impl Area for Attachment {
    type Atom = AtomicU64;

    #[inline]
    fn slot(&self) -> u32 {
        self.slot
    }

    #[inline]
    fn word(&self, block: u32) -> &AtomicU64 {
        &self.control.block(block).word
    }

    #[inline]
    fn serial(&self, block: u32) -> &AtomicU64 {
        &self.control.block(block).serial
    }

    #[inline]
    fn next(&self, block: u32) -> &AtomicU64 {
        &self.control.block(block).next
    }

    #[inline]
    fn returned(&self) -> &AtomicU64 {
        self.control.returned()
    }

    #[inline]
    fn intent(&self, slot: u32, block: u32) -> &AtomicU64 {
        self.control.intent(slot, block)
    }

    #[inline]
    fn hold_bit(&self, slot: u32, block: u32) -> (&AtomicU64, u64) {
        self.control.hold_bit(slot, block)
    }

    #[inline]
    fn ticket(&self, ticket: u32) -> &AtomicU64 {
        &self.control.ticket(ticket).word
    }

    fn ticket_for(&self, ticket: u32) -> (u32, u64) {
        tickets::named_by(self.control.ticket(ticket))
    }

    fn participants(&self) -> u32 {
        self.control.layout.participants
    }

    fn tickets(&self) -> u32 {
        self.control.tickets_backed()
    }

    fn is_occupied(&self, slot: u32) -> bool {
        self.control.slot(slot).mark.load(Ordering::SeqCst) != 0
    }

    fn may_live(&self, slot: u32) -> bool {
        !self.is_dead(slot)
    }

    #[inline]
    fn note_hold(&self, block: u32, held: bool) {
        if held { records::mark_held(self, block) } else { records::mark_unheld(self, block) }
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backing, segment::GRANULE};

    #[test]
    fn who_leaves_does_not_take_the_name_from_who_has_its_slot_by_then() {
        let (id, secret) = (SegmentId(sys::random_u64().unwrap()), [7; 16]);
        let layout = Layout::for_data(GRANULE);
        let segment = Segment::create(Backing::Named, id, layout.control(), layout.data).unwrap();
        segment.reserve(layout.always()).unwrap();
        let owner = Attachment::join(segment, layout, secret, Some(Owned::new(0, layout.blocks).unwrap())).unwrap();
        let guest = || {
            let sizes = |prefix: &_, size| Ok(Layout::parse(prefix, size, id)?.0.sizes());
            let segment = Segment::attach(&owner.segment.locator(), sizes)?;
            Attachment::join(segment, layout, secret, None)
        };
        let first = guest().unwrap();
        owner.control.set_state(State::Exiting);
        owner.control.slot(owner.slot).mark.fetch_or(EXITED, Ordering::SeqCst);
        assert!(first.depart_if_idle());
        let second = guest().unwrap();
        assert_eq!(first.slot, second.slot);
        first.last_one_removes_the_name();
        assert!(guest().is_ok(), "the name is there");
    }
}

//! Every segment that this process has mapped, its own and its peers': mapped once, found by id without a system call.
//!
//! Values come from the same segment again and again, so each thread knows the one that it has found last, and finds it
//! again without a lock. Knowing it does not keep it mapped.

use std::{
    cell::Cell,
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    mem,
    sync::{
        Arc, Mutex, PoisonError, RwLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    Config, Error, SegmentId,
    pool::{
        attachment::{Attachment, lock},
        exit,
        layout::{Layout, State},
        recovery,
    },
    segment::{Locator, Segment},
    sys::PerProcess,
};

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

static TABLE: PerProcess<RwLock<Table>> = PerProcess::new();
static ATTACHING: PerProcess<Mutex<()>> = PerProcess::new();

/// How often a segment has been forgotten.
static REMOVALS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The segment that this thread has found last, and how many had been forgotten then.
    static LAST: Cell<Option<(u64, Weak<Attachment>)>> = const { Cell::new(None) };
}

/// The segment that this thread has found last, if it is the one with this id, and none has been forgotten since.
#[inline]
fn last(id: SegmentId) -> Option<Arc<Attachment>> {
    LAST.try_with(|cell| {
        let (removals, known) = cell.take()?;
        // Acquire: who sees it forgotten sees why. Who does not sees that this process has left it, under a stripe lock; and
        // then here, so that it does not come back to what is being forgotten.
        let current = |at: &Arc<Attachment>| removals == REMOVALS.load(Ordering::Acquire) && !at.has_departed();
        let attachment = known.upgrade().filter(current)?;
        if attachment.is_inherited() {
            mem::forget((known, attachment));
            return None;
        }
        cell.set(Some((removals, known)));
        (attachment.id() == id).then_some(attachment)
    })
    .ok()?
}

/// The segment with this id, if this process has it mapped.
pub(crate) fn find(id: SegmentId) -> Option<Arc<Attachment>> {
    TABLE.existing()?.read().unwrap_or_else(PoisonError::into_inner).get(&id.0).cloned()
}

/// All segments that this process has mapped.
pub(crate) fn all() -> Vec<Arc<Attachment>> {
    let Some(table) = TABLE.existing() else { return Vec::new() };
    table.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
}

/// Makes an attachment known to this process.
pub(crate) fn insert(attachment: &Arc<Attachment>) {
    exit::register();
    let mut table = TABLE.get().write().unwrap_or_else(PoisonError::into_inner);
    table.insert(attachment.id().0, Arc::clone(attachment));
}

/// Forgets an attachment; it is unmapped when the last hold in it goes.
pub(crate) fn remove(id: SegmentId) -> Option<Arc<Attachment>> {
    let removed = TABLE.existing()?.write().unwrap_or_else(PoisonError::into_inner).remove(&id.0);
    forgotten();
    removed
}

/// A segment is no longer in the table: threads that have found it look again.
fn forgotten() {
    REMOVALS.fetch_add(1, Ordering::AcqRel);
}

/// The segment that a locator leads to: found before, or attached now.
#[inline]
pub(crate) fn attach(locator: &Locator) -> Result<Arc<Attachment>, Error> {
    match last(locator.id) {
        Some(attachment) => Ok(attachment),
        None => {
            let removals = REMOVALS.load(Ordering::Acquire);
            let attachment = find_or_attach(locator)?;
            let found = (removals, Arc::downgrade(&attachment));
            // Of a thread that is ending there is no last.
            let _ = LAST.try_with(|cell| cell.set(Some(found)));
            Ok(attachment)
        }
    }
}

fn find_or_attach(locator: &Locator) -> Result<Arc<Attachment>, Error> {
    if let Some(attachment) = find(locator.id) {
        return Ok(attachment);
    }
    let _one_at_a_time = lock(ATTACHING.get());
    if let Some(attachment) = find(locator.id) {
        return Ok(attachment);
    }
    Config::current();
    recovery::start(locator.backing);
    unmap_idle();
    let _open = exit::gate()?;
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
pub(crate) fn unmap_idle() {
    all().into_iter().filter(|at| at.owner_is_done()).for_each(unmap_if_idle);
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
    let Some(table) = TABLE.existing() else { return };
    let mut table = table.write().unwrap_or_else(PoisonError::into_inner);
    let id = attachment.id().0;
    if table.get(&id).is_some_and(|known| Arc::ptr_eq(known, &attachment)) && attachment.depart_if_idle() {
        table.remove(&id);
        drop(table);
        forgotten();
        attachment.last_one_removes_the_name();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backing, pool::records::Owned, segment::GRANULE, sys};

    #[test]
    fn a_thread_does_not_come_back_to_a_segment_that_its_process_is_about_to_forget() {
        let (id, secret) = (SegmentId(sys::random_u64().unwrap()), [7; 16]);
        let layout = Layout::for_data(GRANULE);
        let segment = Segment::create(Backing::Named, id, layout.control(), layout.data).unwrap();
        segment.reserve(layout.always()).unwrap();
        let at =
            Arc::new(Attachment::join(segment, layout, secret, Some(Owned::new(0, layout.blocks).unwrap())).unwrap());
        LAST.set(Some((REMOVALS.load(Ordering::Acquire), Arc::downgrade(&at))));
        assert!(last(id).is_some());
        assert!(at.depart_if_idle());
        // Another thread has not come to say so yet: whoever came back would find that it must not claim, again and again.
        assert!(last(id).is_none());
        at.last_one_removes_the_name();
    }
}

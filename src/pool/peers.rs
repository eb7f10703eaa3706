//! Every segment that this process has mapped, its own and its peers': mapped once, found by id without a system call.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, Mutex, PoisonError, RwLock},
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
    TABLE.existing()?.write().unwrap_or_else(PoisonError::into_inner).remove(&id.0)
}

/// The segment that a locator leads to: mapped already, or attached now.
pub(crate) fn attach(locator: &Locator) -> Result<Arc<Attachment>, Error> {
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
    }
}

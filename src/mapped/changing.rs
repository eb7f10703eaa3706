//! Who writes a file, and who reads it: in turn.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    sync::{
        Arc,
        atomic::{Ordering, fence},
    },
    time::{Duration, SystemTime},
};

use super::{
    Access, FileKind, Mapped, Origin, Part, Role,
    header::{BEING_WRITTEN, FINISHED, HEADER},
    table::table,
};
use crate::{Error, FileAccess, FileFault, Kind, sys};

/// No file system that keeps times at all counts them in larger steps.
const FRESH: Duration = Duration::from_secs(2);

impl Mapped {
    /// The file is this process's to write: another generation begins.
    pub(super) fn begin_writing(&self) {
        if let Some(words) = self.words() {
            words.writer.store(sys::process_id().to_le(), Ordering::Relaxed);
            words.state.store(BEING_WRITTEN.to_le(), Ordering::Relaxed);
        }
        self.begin_generation();
        self.set_role(Role::Writer);
    }

    /// What was said of the value before is said of another one. Only who has it alone does this.
    fn begin_generation(&self) {
        if let FileKind::Headed { generation, .. } = &self.kind
            && let Some(words) = self.words()
        {
            let now = generation.load(Ordering::Relaxed);
            // Not the next: a copy of the file has writers of its own, and what they write is another value. A forked child has
            // its parent's states.
            let step = RandomState::new().hash_one((sys::process_id(), now)) >> 24;
            let next = now.wrapping_add(1 + step);
            words.generation.store(next.to_le(), Ordering::Release);
            generation.store(next, Ordering::Relaxed);
        }
    }

    /// Once in a generation: brings to the disk that the file is being written, so that no loss of power leaves it there
    /// as finished with what is flushed afterwards.
    pub(super) fn flush_header(&self) -> io::Result<()> {
        if let FileKind::Headed { generation, on_disk, .. } = &self.kind {
            let now = generation.load(Ordering::Relaxed);
            if on_disk.load(Ordering::Relaxed) != now {
                self.bring_to_disk(0, HEADER)?;
                on_disk.store(now, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Waits until the disk has these bytes of the mapping.
    pub(super) fn bring_to_disk(&self, offset: usize, len: usize) -> io::Result<()> {
        self.map.flush_range(offset, len)?;
        match &self.held {
            Some(held) if !sys::FLUSH_REACHES_DISK => sys::sync_file(held.file.file()),
            _ => Ok(()),
        }
    }

    /// What was said of a file without a header before is said of another value: it gets another time. (The system gives it
    /// one only when a page is written that was not, since it last was on the disk.)
    fn begin_time(&self) {
        if let FileKind::Foreign { modified, .. } = &self.kind
            && self.access == Access::Write
            && let Some(held) = &self.held
        {
            held.file.set_later(modified.load(Ordering::Relaxed));
        }
        self.look_again();
    }

    /// The same, if the file's time is of the same tick of the clock as what will be written, or could be.
    pub(super) fn begin_time_if_fresh(&self) {
        if let FileKind::Foreign { modified, .. } = &self.kind {
            let time = Duration::from_nanos(modified.load(Ordering::Relaxed));
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            if now.saturating_sub(time) < FRESH {
                self.begin_time();
            }
        }
    }

    /// The time of a file that has been written by this process: no earlier one than it had when that began.
    pub(super) fn look_again(&self) {
        let FileKind::Foreign { modified, .. } = &self.kind else { return };
        let Some(held) = self.held.as_ref().filter(|_| self.access == Access::Write) else { return };
        let before = modified.load(Ordering::Relaxed);
        let time = || held.file.facts().map_or(before, |facts| facts.modified);
        let mut now = time();
        if now < before {
            // A clock goes by ticks: the time of a page that was written is the last one.
            held.file.set_later(before);
            now = time();
        }
        modified.store(now, Ordering::Relaxed);
    }
}

impl Part {
    /// Has claims find it.
    pub(super) fn register(&self) {
        if let Some(key) = self.hold.key() {
            table().put(key, &self.hold, self.hold.role() == Role::Writer);
        }
    }

    /// Is it the only handle here? Whatever was done by others, on other threads, has been done then.
    fn is_alone(&self) -> bool {
        let alone = Arc::strong_count(&self.hold) == 1;
        // The count is read without an order of its own; with the release by which the others were dropped.
        fence(Ordering::Acquire);
        alone
    }

    /// `SharedMut` to `Shared`: state *finished*, and the lock is others' to share.
    ///
    /// # Errors
    ///
    /// `NotAlone`, `Inherited`, `FileFault::Failed`.
    pub(crate) fn freeze(&self) -> Result<(), Error> {
        let mapped = &*self.hold;
        mapped.home.must_be_here()?;
        // Of what is written the table gives out no handle.
        if !self.is_alone() {
            return Err(Error::NotAlone(self.counts()));
        }
        if let Some(held) = mapped.held.as_ref().filter(|_| mapped.access == Access::Write) {
            let words = mapped.words();
            // Release: all that was written is in the file before it.
            let state = |state: u32| words.iter().for_each(|words| words.state.store(state.to_le(), Ordering::Release));
            state(FINISHED);
            if let Some(key) = mapped.key() {
                table().take(&key, mapped);
            }
            mapped.look_again();
            held.file.share().map_err(|error| {
                state(BEING_WRITTEN);
                held.error(error)
            })?;
        }
        mapped.set_role(Role::Reader);
        self.register();
        Ok(())
    }

    /// `Shared` to `SharedMut`: the lock is this process's alone, another generation begins, state *being written*.
    ///
    /// # Errors
    ///
    /// `NotAlone`, `FileFault::ReadOnly`, `FileFault::Locked`.
    pub(crate) fn thaw(&self) -> Result<(), Error> {
        let mapped = &*self.hold;
        mapped.home.must_be_here()?;
        if mapped.access == Access::Read {
            return Err(mapped.fault(FileFault::ReadOnly));
        }
        self.leave_table()?;
        let taken = mapped.held.as_ref().filter(|_| mapped.access == Access::Write).map_or(Ok(()), |held| {
            match held.file.take_alone() {
                Ok(true) => Ok(()),
                Ok(false) => Err(held.locked(FileAccess::Write)),
                Err(error) => Err(held.error(error)),
            }
        });
        if taken.is_ok() {
            mapped.begin_writing();
            mapped.begin_time();
        }
        self.register();
        taken
    }

    /// Nobody finds another handle from now on.
    ///
    /// # Errors
    ///
    /// `NotAlone`.
    fn leave_table(&self) -> Result<(), Error> {
        let mut table = table(); // nobody finds one there while they are counted
        if !self.is_alone() {
            return Err(Error::NotAlone(self.counts()));
        }
        if let Some(key) = self.hold.key() {
            table.take(&key, &*self.hold);
        }
        Ok(())
    }

    /// What a token of this handle says, and the key of its MAC.
    ///
    /// # Errors
    ///
    /// `FileFault::NotSent`; `Inherited` in a forked child.
    pub(crate) fn origin(&self, kind: Kind) -> Result<(Origin, [u8; 16]), Error> {
        let mapped = &*self.hold;
        mapped.home.must_be_here()?;
        let not_sent = |why| Err(mapped.fault(FileFault::NotSent { why }));
        let Some(held) = &mapped.held else {
            return not_sent("it is memory of this process alone, without a file");
        };
        if mapped.access == Access::Private {
            return not_sent("what was written to it is a copy of this process's own");
        }
        if kind == Kind::SharedMut {
            if let FileKind::Foreign { .. } = mapped.kind {
                return not_sent("the file has no header, which says who has it; frozen it can be sent");
            }
            if self.len != mapped.len {
                return not_sent("it is a part of the file's value; only all of it can be sent, or frozen");
            }
        }
        let origin = Origin {
            path: held.path.as_os_str().as_encoded_bytes().to_vec(),
            identity: mapped.identity(),
            offset: mapped.offset,
            len: mapped.len as u64,
            fingerprint: mapped.fingerprint,
        };
        Ok((origin, mapped.secret()))
    }

    /// Drops a `SharedMut`'s part whose token has left: unlocked, and left *being written* for whoever claims it.
    pub(crate) fn hand_over(self) {
        if self.hold.role() == Role::Writer && self.hold.home.is_here() {
            self.hold.set_role(Role::Left);
        }
    }

    /// What has been emitted of a `SharedMut`'s token is worth nothing any more: another generation begins.
    pub(crate) fn revoke(&self) {
        let mapped = &*self.hold;
        if mapped.role() != Role::Writer || !mapped.home.is_here() {
            return;
        }
        let mut table = table();
        if let Some(key) = mapped.key() {
            table.take(&key, mapped);
        }
        mapped.begin_generation();
        if let Some(key) = mapped.key() {
            table.put(key, &self.hold, true);
        }
    }
}

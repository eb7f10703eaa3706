//! Segments with a name, through the `shared_memory` crate.
//!
//! That crate maps by name and lets go of what it has checked nothing of; so an [`Object`] of this process's own looks
//! first, looks again afterwards, and does what needs a descriptor.

use std::{
    io,
    ptr::NonNull,
    sync::atomic::{AtomicBool, Ordering},
};

use shared_memory::{Shmem, ShmemConf, ShmemError};

use super::{Check, Locator, Mapped, Mapping, Sizes, examine, identity, no_space, not_the_segment, refused};
use crate::{
    Backing, Error, SegmentId,
    sys::{self, Object, Refusal, StandardTaken, Whereabouts},
};

/// A named object, mapped.
pub(super) struct Named {
    object: Object,
    /// Unmaps on drop; removes nothing, because it is never the owner.
    _mapping: Shmem,
    removed: AtomicBool,
}

/// 27 bytes: macOS allows 30.
pub(super) fn name_of(id: SegmentId) -> String {
    format!("/commonage-{:016x}", id.0)
}

/// See [`super::Segment::whereabouts`].
pub(super) fn whereabouts(id: SegmentId) -> Whereabouts {
    sys::whereabouts_of(&name_of(id))
}

/// The segment with this name.
pub(super) fn id_of(name: &str) -> Option<SegmentId> {
    name.strip_prefix("/commonage-").and_then(number_of).map(SegmentId)
}

/// The number that is written as these 16 digits.
pub(super) fn number_of(digits: &str) -> Option<u64> {
    let all = digits.len() == 16 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    all.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

impl Named {
    pub(super) fn object(&self) -> &Object {
        &self.object
    }

    pub(super) fn remove_name(&self, id: SegmentId) {
        if self.removed.swap(true, Ordering::Relaxed) {
            return;
        }
        match sys::unlink_named(&name_of(id)) {
            Ok(()) => identity::strike(id),
            // The line stays as well, for whoever sweeps after this process.
            Err(_) => self.removed.store(false, Ordering::Relaxed),
        }
    }
}

/// See [`super::Segment::create`].
pub(super) fn create(id: SegmentId, sizes: Sizes, len: usize) -> Result<Mapped, Error> {
    let room = sys::room_for_named();
    if len as u64 > room {
        return Err(Error::NoSpace { requested: len as u64, available: room });
    }
    identity::enlist(id)?; // first, so that whoever finds this process dead knows of the name
    let name = name_of(id);
    let _taken = StandardTaken::new();
    let mapping = match ShmemConf::new().os_id(&name).size(len).create() {
        Ok(mut mapping) => {
            mapping.set_owner(false);
            mapping
        }
        Err(error) => {
            // What the crate has made, it has removed again, but not on every platform.
            if !matches!(error, ShmemError::MappingIdExists) {
                let _ = sys::unlink_named(&name);
            }
            identity::strike(id);
            return Err(no_space(os_error(&error), len as u64, 0, "creation of a named segment"));
        }
    };
    let mapped = Object::open_named(&name).map_err(|refusal| {
        let locator = Locator { id, backing: Backing::Named, sender: Default::default(), owner: Default::default() };
        refused(&locator, sys::process_id(), format!("the name {name}"), refusal)
    });
    let backed = |object| match sys::back_named(&name, len as u64) {
        Ok(()) => Ok(object),
        Err(error) => Err(no_space(error, len as u64, 0, "writing of a named segment")),
    };
    mapped.and_then(backed).and_then(|object| mapped_as(id, object, mapping, sizes, len)).inspect_err(|_| {
        if sys::unlink_named(&name).is_ok() {
            identity::strike(id);
        }
    })
}

/// See [`super::Segment::attach`].
pub(super) fn attach(locator: &Locator, check: Check<'_>) -> Result<Mapped, Error> {
    let name = name_of(locator.id);
    let path = || format!("the name {name}");
    let open = || Object::open_named(&name).map_err(|refusal| refused(locator, locator.owner.pid, path(), refusal));
    let object = open()?;
    let (sizes, len) = examine(locator, &path(), &object, check)?;
    let _taken = StandardTaken::new();
    let mapping = ShmemConf::new().os_id(&name).open().map_err(|error| {
        let error = os_error(&error);
        match error.kind() {
            io::ErrorKind::NotFound => refused(locator, locator.owner.pid, path(), Refusal::Absent),
            _ => no_space(error, len as u64, 0, "opening of a named segment"),
        }
    })?;
    // What has been mapped by name is what has been examined: its name can't have led elsewhere in between, as only this
    // user could have given it back.
    if !object.is_same(&open()?) {
        return Err(not_the_segment(locator, path(), "an object that was put in its place".into()));
    }
    mapped_as(locator.id, object, mapping, sizes, len)
}

/// Whether nothing has this segment's name.
pub(super) fn is_gone(id: SegmentId) -> bool {
    matches!(Object::open_named(&name_of(id)), Err(Refusal::Absent))
}

fn mapped_as(id: SegmentId, object: Object, mapping: Shmem, sizes: Sizes, len: usize) -> Result<Mapped, Error> {
    match NonNull::new(mapping.as_ptr()) {
        Some(base) if mapping.len() >= len => {
            let named = Named { object, _mapping: mapping, removed: AtomicBool::new(false) };
            Ok(Mapped { base, sizes, mapping: Mapping::Named(named) })
        }
        _ => Err(Error::Corrupt {
            segment: id,
            what: "the length of its mapping",
            expected: format!("at least {len}"),
            found: mapping.len() as u64,
        }),
    }
}

/// What the system said, where the crate tells.
fn os_error(error: &ShmemError) -> io::Error {
    match error {
        ShmemError::MapCreateFailed(code) | ShmemError::MapOpenFailed(code) | ShmemError::UnknownOsError(code) => {
            io::Error::from_raw_os_error(code.cast_signed())
        }
        ShmemError::MappingIdExists => io::ErrorKind::AlreadyExists.into(),
        other => io::Error::other(other.to_string()),
    }
}

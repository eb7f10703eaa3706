//! Values in memory of a pool, sent by the target `wire`.

use commonage::{Shared, SharedMut};

use crate::{
    claims::{Claim, Made, Way, claimed, with},
    subjects::{AnyHandle, Handle, Subject, emit, emit_mut},
};

/// A value that was sent.
pub struct Sent {
    pub token: Vec<u8>,
    /// What was sent, as it is in memory.
    content: Vec<u8>,
    /// Where that is.
    start: Option<usize>,
    /// The handle that it was sent from, if that is still there.
    pub original: Option<AnyHandle>,
}

/// Makes a value and sends it. If the original is kept, a `Shared`'s can be claimed nevertheless, a `SharedMut`'s is held.
pub fn send(made: &Made) -> Sent {
    with!(made.of, sent(made))
}

fn sent<T: Subject + ?Sized>(made: &Made) -> Sent {
    T::with(&made.content, |value, content| {
        let (start, (token, original)) = if made.exclusive {
            let value = SharedMut::<T>::copy_from(value).expect("there is room");
            (value.start(), emit_mut(value, made.kept))
        } else {
            let value = Shared::<T>::copy_from(value).expect("there is room");
            (value.start(), emit(value, made.kept))
        };
        Sent { token, content, start, original }
    })
}

impl Sent {
    /// The handle shows what was sent, all of it.
    pub fn assert_whole(&self, handle: &dyn Handle) {
        self.assert_part(handle, 0, self.content.len());
        let mut shown = 0;
        handle.runs(&mut |run| shown += run.len());
        assert_eq!(shown, self.content.len(), "all of it");
    }

    /// The handle shows what was sent, and nothing but these bytes of it.
    pub fn assert_part(&self, handle: &dyn Handle, start: usize, len: usize) {
        assert!(start <= self.content.len() && len <= self.content.len() - start, "{start} and {len} more");
        let range = &self.content[start..][..len];
        handle.runs(&mut |run| {
            let Some(base) = self.start.filter(|_| !run.is_empty()) else { return };
            let from = run.as_ptr().addr().checked_sub(base + start).expect("not before the range");
            assert!(from <= len && run.len() <= len - from, "not beyond the range");
            assert_eq!(*run, range[from..][..run.len()], "what was sent");
        });
    }
}

/// A value that was sent is claimed as what it is, unless another token has taken it.
pub fn claim_honestly(made: &Made, mut sent: Sent, may_be_gone: bool) {
    let claim = Claim { of: made.of, exclusive: made.exclusive, way: Way::Text };
    if made.exclusive && sent.original.is_some() {
        assert!(with!(made.of, claimed(claim, &sent.token)).is_none(), "it is still held");
        sent.original = None;
    }
    match with!(made.of, claimed(claim, &sent.token)) {
        Some(handle) => sent.assert_whole(&*handle),
        None => assert!(may_be_gone, "it is still there"),
    }
}

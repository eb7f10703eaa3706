//! How a side sleeps, whatever with: see `handshake` for the words.
//!
//! The order of the steps is all there is to it: announce, barrier, look, sleep, retract, look. It is written for words of any
//! kind, and for any barrier and bell, so that the model checker runs the code that ships.

use std::ops::ControlFlow;

use super::handshake::{announce, retract};
use crate::sync::atoms::Atom;

/// Announces that this side is about to sleep until the other's index has reached `index`, and looks whether it has, or
/// whether there is another reason not to sleep. If it has found one this side is awake; if not, the other side wakes it.
///
/// - `barrier` has everything that the other side has published before it last looked at `word` found by `look`.
/// - `look` loads the other side's index, and says what it has found.
#[cold]
pub(super) fn arm<W: Atom<Value = u64>, R>(
    word: &W,
    index: u64,
    barrier: impl FnOnce(),
    look: impl FnOnce() -> Option<R>,
) -> Option<R> {
    announce(word, index);
    barrier();
    let found = look();
    if found.is_some() {
        retract(word);
    }
    found
}

/// Sleeps until `look` has found something: see [`arm`].
///
/// - `doze` sleeps until the bell rings, and takes what has been rung; it may return for any reason. It breaks if there is no
///   sense in another sleep: the time has passed, the other side is gone. What `look` finds even then is worth more.
#[cold]
pub(super) fn sleep<W: Atom<Value = u64>, R>(
    word: &W,
    index: u64,
    mut barrier: impl FnMut(),
    mut look: impl FnMut() -> Option<R>,
    mut doze: impl FnMut() -> ControlFlow<R>,
) -> R {
    loop {
        if let Some(found) = arm(word, index, &mut barrier, &mut look) {
            return found;
        }
        let woken = doze();
        retract(word);
        if let Some(found) = look() {
            return found;
        }
        if let ControlFlow::Break(reason) = woken {
            return reason;
        }
    }
}

//! Parts of one block. The control area does not know of them: a part in this process is one more handle on the hold, and
//! what has gone elsewhere is a hold, or a ticket, as any other.

use std::sync::atomic::Ordering;

use crate::{
    Error,
    pool::{Part, steps::Area, word::Word},
};

impl Part {
    /// Gives up what lies behind the first `len` bytes. If the part is all that there is of its block, the block is as long
    /// from now on.
    ///
    /// # Panics
    ///
    /// If the part is not as long.
    pub(crate) fn shorten(&mut self, len: usize) {
        *self = self.clone().narrow(0, len);
        let (hold, at) = (self.hold(), &*self.hold().at);
        if at.is_inherited() || self.offset() != 0 {
            return;
        }
        let _stripe = at.stripe(hold.block);
        let word = Word(at.word(hold.block).load(Ordering::Acquire));
        if self.alone_here() && (word.in_flight(), word.holders()) == (0, 1) {
            at.control.block(hold.block).length.store(len as u64, Ordering::Relaxed);
            hold.set_len(len);
        }
    }

    /// The two must be of one block to be put together.
    ///
    /// # Errors
    ///
    /// `OtherBlock`.
    pub(crate) fn of_one_block(&self, other: &Part) -> Result<(), Error> {
        if self.same_block(other) {
            return Ok(());
        }
        let (segment, block) = (self.segment(), self.hold().block);
        Err(Error::OtherBlock { segment, block, other_segment: other.segment(), other_block: other.hold().block })
    }
}

//! Another length for a slice.

use std::mem::MaybeUninit;

use bytemuck::{CheckedBitPattern, NoUninit};

use super::SharedMut;
use crate::{
    Error, Kind,
    backed::{room_for, write_elements},
    part::Part,
    shared::make,
};

impl<E: NoUninit + CheckedBitPattern> SharedMut<[E]> {
    /// Makes the slice `len` elements long: the last ones go, or copies of `value` come after them.
    ///
    /// To shrink is to forget: the value keeps its memory, and grows into it again in place, also in another process.
    /// To grow beyond that takes new memory of just this length and one copy of the elements; what is new is written once.
    /// So whoever grows a slice step by step better makes it long enough at once.
    ///
    /// A value in a [`file`](crate::file) stays there, so it can't grow beyond its first length; and the file goes on saying
    /// that length: a slice that was shrunk is short for whoever is sent it, not for whoever opens the file.
    ///
    /// ```
    /// use commonage::SharedSliceMut;
    /// let mut counts = SharedSliceMut::copy_from(&[1, 2, 3])?;
    /// counts.resize(5, 9)?;
    /// assert_eq!(counts, [1, 2, 3, 9, 9]);
    /// counts.resize(2, 0)?;
    /// assert_eq!(counts, [1, 2]);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`Error::TooLarge`] if a value in a file would have to grow; the slice is as it was then.
    ///
    /// # Panics
    ///
    /// If the handle has been [serialized](Self#serialization).
    #[track_caller]
    pub fn resize(&mut self, len: usize, value: E) -> Result<(), Error> {
        let old = self.len();
        let bytes = len.saturating_mul(size_of::<E>());
        // Elements without bytes are there already, however many.
        if len <= old || size_of::<E>() == 0 {
            self.metadata = len;
            return Ok(());
        }
        // The whole range is this handle's alone, what lies behind the last element included: no other part of the block
        // reaches into it.
        let room = self.hold.bytes_mut();
        if bytes <= room.len() {
            room_for::<E>(room, len)[old..].fill(MaybeUninit::new(value));
            self.metadata = len;
            return Ok(());
        }
        let limit = room.len();
        if let Part::File(_) = self.hold.part() {
            return Err(Error::TooLarge { requested: bytes, limit });
        }
        let (part, metadata) = make::<[E]>(Kind::SharedMut, bytes, false, |data| {
            write_elements(data, self);
            room_for::<E>(data, len)[old..].fill(MaybeUninit::new(value));
            len
        })?;
        *self = Self::from_parts(part, metadata);
        Ok(())
    }
}

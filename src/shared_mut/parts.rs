//! Parts of one writable block: cut, filled by different processes, put together in any order. What slices and arrays have
//! in common, and the methods of slices.

use std::{iter, ops::Range};

use bytemuck::{CheckedBitPattern, NoUninit};

use super::SharedMut;
use crate::{Error, Refused, ShmemBacked, backed::CheckError, part::Part};

/// A type whose values are so many units (elements, rows) one after the other in memory.
pub(super) trait InParts: ShmemBacked {
    /// How many units a value has, and how many bytes each of them.
    ///
    /// # Errors
    ///
    /// If the value is not made of such units.
    fn units(metadata: &Self::MetaData) -> Result<Units, Error>;

    /// Whether the units of two values are alike.
    ///
    /// # Errors
    ///
    /// If they are not.
    fn alike(first: &Self::MetaData, second: &Self::MetaData) -> Result<(), Error>;

    /// The metadata of a value of `number` such units.
    ///
    /// # Errors
    ///
    /// If there can't be that many.
    fn of_units(metadata: &Self::MetaData, number: usize) -> Result<Self::MetaData, Error>;
}

#[derive(Clone, Copy)]
pub(super) struct Units {
    pub(super) number: usize,
    /// Bytes of each.
    pub(super) bytes: usize,
}

impl Units {
    /// The units that a range of bytes covers, or a piece of.
    fn covered(self, bytes: Range<usize>) -> Range<usize> {
        match self.bytes {
            0 => 0..0,
            unit => bytes.start / unit..bytes.end.div_ceil(unit),
        }
    }
}

/// `whole` keeps the units before `at`, and what is returned has the rest.
#[track_caller]
pub(super) fn split_off<T: InParts + ?Sized>(whole: &mut SharedMut<T>, at: usize) -> Result<SharedMut<T>, Error> {
    whole.hold.assert_live();
    let units = T::units(&whole.metadata)?;
    assert!(at <= units.number, "a split at {at} of a length of {}", units.number);
    let head = T::of_units(&whole.metadata, at)?;
    let tail = T::of_units(&whole.metadata, units.number - at)?;
    // A slice that has been resized has forgotten what lies behind it.
    let used = units.number.saturating_mul(units.bytes);
    if used < whole.hold.part().len() {
        whole.hold.shorten(used);
    }
    // `at` is not 0, so the units are within the part's bytes, and their size does not overflow.
    let part = whole.hold.split_off(if at == 0 { 0 } else { at * units.bytes });
    whole.metadata = head;
    Ok(SharedMut::from_parts(part, tail))
}

/// So many parts whose lengths differ by at most one unit, the longer ones first.
#[track_caller]
pub(super) fn split_into<T: InParts + ?Sized>(
    mut whole: SharedMut<T>,
    parts: usize,
) -> Result<Vec<SharedMut<T>>, Refused<SharedMut<T>>> {
    whole.hold.assert_live();
    assert!(parts > 0, "a value can't be split into no parts");
    let units = match T::units(&whole.metadata) {
        Ok(units) => units,
        Err(reason) => return Err(Refused { handle: whole, reason }),
    };
    let (least, longer) = (units.number / parts, units.number % parts);
    let mut rest = Vec::with_capacity(parts);
    // From the end: what is left is always the first part.
    for number in (1..parts).rev() {
        match split_off(&mut whole, number * least + number.min(longer)) {
            Ok(part) => rest.push(part),
            // Not after the first: what has units can have fewer.
            Err(reason) => return Err(Refused { handle: whole, reason }),
        }
    }
    rest.push(whole);
    rest.reverse();
    Ok(rest)
}

type Pair<T> = (SharedMut<T>, SharedMut<T>);

/// The two, which must lie side by side, as one.
pub(super) fn unsplit<T: InParts + ?Sized>(
    first: SharedMut<T>,
    second: SharedMut<T>,
) -> Result<SharedMut<T>, Refused<Pair<T>>> {
    match in_order(&[&first, &second]).and_then(|order| joined(&[&first, &second], &order)) {
        Ok(metadata) => Ok(put_together([first, second], metadata)),
        Err(reason) => Err(Refused { handle: (first, second), reason }),
    }
}

/// All parts of a block, in any order, as one.
pub(super) fn unsplit_all<T: InParts + ?Sized>(
    parts: Vec<SharedMut<T>>,
) -> Result<SharedMut<T>, Refused<Vec<SharedMut<T>>>> {
    let all: Vec<&SharedMut<T>> = parts.iter().collect();
    let metadata = in_order(&all).and_then(|order| {
        nothing_missing(&all, &order)?;
        joined(&all, &order)
    });
    match metadata {
        Ok(metadata) => Ok(put_together(parts, metadata)),
        Err(reason) => Err(Refused { handle: parts, reason }),
    }
}

/// The order in which the parts lie in memory, if they are of one block and can be put together at all.
fn in_order<T: InParts + ?Sized>(parts: &[&SharedMut<T>]) -> Result<Vec<usize>, Error> {
    let first = parts.first().ok_or(Error::NoParts)?;
    for part in parts {
        if !part.hold.is_live() {
            return Err(Error::Serialized);
        }
        first.hold.part().of_one_block(part.hold.part())?;
        T::alike(&first.metadata, &part.metadata)?;
        T::units(&part.metadata)?;
    }
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|&number| {
        let Range { start, end } = place(parts[number]);
        (start, end)
    });
    // Behind the last one, whose place nobody takes, there may be bytes that it does not use.
    order[..order.len() - 1].iter().try_for_each(|&number| fills(parts[number]))?;
    Ok(order)
}

/// What follows units that do not use all bytes of their part (it has become shorter) would not come next to them.
fn fills<T: InParts + ?Sized>(part: &SharedMut<T>) -> Result<(), Error> {
    let (units, len) = (T::units(&part.metadata)?, part.hold.part().len());
    if units.number.checked_mul(units.bytes) == Some(len) || (units.number, len) == (0, 0) {
        return Ok(());
    }
    let reason = format!("{} times {} bytes do not fill {len} bytes", units.number, units.bytes);
    Err(CheckError::metadata(reason).into_error::<T>())
}

fn place<T: ShmemBacked + ?Sized>(part: &SharedMut<T>) -> Range<usize> {
    part.hold.part().place()
}

/// That the parts, in their order, are all that there is of the block.
fn nothing_missing<T: InParts + ?Sized>(parts: &[&SharedMut<T>], order: &[usize]) -> Result<(), Error> {
    let first = parts[order[0]];
    let (units, all) = (T::units(&first.metadata)?, first.hold.part().block_len());
    let (mut missing, mut end) = (Vec::new(), 0);
    for at in order.iter().map(|&number| place(parts[number])).chain(iter::once(all..all)) {
        if at.start > end && units.bytes > 0 {
            missing.push(units.covered(end..at.start));
        }
        end = end.max(at.end);
    }
    if missing.is_empty() { Ok(()) } else { Err(Error::Missing { missing, length: units.covered(0..all).end }) }
}

/// The metadata of the parts as one, if each, in their order, begins where what is before it ends. A part of length zero
/// may lie anywhere within.
fn joined<T: InParts + ?Sized>(parts: &[&SharedMut<T>], order: &[usize]) -> Result<T::MetaData, Error> {
    let first = parts[order[0]];
    let units = T::units(&first.metadata)?;
    let (Range { start, mut end }, mut number) = (place(first), units.number);
    for &next in &order[1..] {
        let at = place(parts[next]);
        if at.start > end || at.start < end && !at.is_empty() {
            return Err(Error::Apart { first: units.covered(start..end), second: units.covered(at) });
        }
        end = end.max(at.end);
        let more = T::units(&parts[next].metadata)?.number;
        let too_many = Error::TooLarge { requested: usize::MAX, limit: isize::MAX as usize };
        number = number.checked_add(more).ok_or(too_many)?;
    }
    T::of_units(&first.metadata, number)
}

/// One handle in the place of parts that are live and lie side by side.
fn put_together<T: InParts + ?Sized>(
    parts: impl IntoIterator<Item = SharedMut<T>>,
    metadata: T::MetaData,
) -> SharedMut<T> {
    match Part::together(parts.into_iter().map(|part| part.into_parts().0)) {
        Some(part) => SharedMut::from_parts(part, metadata),
        None => unreachable!("of nothing there is no order"),
    }
}

impl<E: NoUninit + CheckedBitPattern> InParts for [E] {
    fn units(len: &usize) -> Result<Units, Error> {
        Ok(Units { number: *len, bytes: size_of::<E>() })
    }

    fn alike(_: &usize, _: &usize) -> Result<(), Error> {
        Ok(())
    }

    fn of_units(_: &usize, number: usize) -> Result<usize, Error> {
        Ok(number)
    }
}

/// Parts of a slice. See [the type](SharedMut#parts).
impl<E: NoUninit + CheckedBitPattern> SharedMut<[E]> {
    /// Cuts the slice in two: this handle keeps the elements before `at`, the one that is returned has those from `at` on.
    /// Nothing is copied: both are parts of one block, each exclusive, each to be sent and dropped by itself.
    ///
    /// ```
    /// use commonage::SharedSliceMut;
    /// let mut left: SharedSliceMut<u8> = SharedSliceMut::zeroed(5)?;
    /// let mut right = left.split_off(2);
    /// left.fill(1);
    /// right.fill(2);
    /// let whole = right.unsplit(left)?;
    /// assert_eq!(whole, [1, 1, 2, 2, 2]);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If `at` is greater than the length, or the handle has been [serialized](Self#serialization).
    #[track_caller]
    #[must_use = "what is cut off is dropped otherwise"]
    pub fn split_off(&mut self, at: usize) -> Self {
        match split_off(self, at) {
            Ok(tail) => tail,
            Err(_) => unreachable!("a slice is made of elements"),
        }
    }

    /// Cuts the slice into so many parts, in their order, whose lengths differ by at most one.
    ///
    /// ```
    /// use commonage::SharedSliceMut;
    /// let parts = SharedSliceMut::<u32>::zeroed(10)?.split_into(4);
    /// assert!(parts.iter().map(|part| part.len()).eq([3, 3, 2, 2]));
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If `parts` is 0, or the handle has been [serialized](Self#serialization).
    #[track_caller]
    pub fn split_into(self, parts: usize) -> Vec<Self> {
        match split_into(self, parts) {
            Ok(parts) => parts,
            Err(_) => unreachable!("a slice is made of elements"),
        }
    }

    /// Puts two parts that lie side by side together, in either order. Nothing is copied.
    ///
    /// ```
    /// use commonage::{Error, SharedSliceMut};
    /// let mut first = SharedSliceMut::<u8>::zeroed(30)?;
    /// let mut second = first.split_off(10);
    /// let third = second.split_off(10);
    ///
    /// let refused = first.unsplit(third).unwrap_err();
    /// println!("{}", refused.reason); // the parts 0..10 and 20..30 don't lie side by side
    /// let (first, third) = refused.handle;
    /// assert_eq!(third.unsplit(second)?.unsplit(first)?.len(), 30);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Refused`], with both handles as they were, and as the reason [`Error::OtherBlock`] or [`Error::OtherFile`],
    /// [`Error::Apart`], [`Error::Serialized`] if one has been serialized, or [`Error::Metadata`] if the one that comes first
    /// in memory has become shorter, by [`resize`](Self::resize) or through its [metadata](Self::metadata_mut).
    pub fn unsplit(self, other: Self) -> Result<Self, Refused<(Self, Self)>> {
        unsplit(self, other)
    }

    /// Puts all parts of a block together, in any order. Nothing is copied. If one is missing, because it was dropped or a
    /// process has died with it, the error says which elements it had, and gives the others back.
    ///
    /// ```
    /// use commonage::{Error, SharedSliceMut};
    /// let mut parts = SharedSliceMut::<u64>::zeroed(1000)?.split_into(4);
    /// parts.rotate_left(1);
    /// let lost = parts.remove(1);
    ///
    /// let refused = SharedSliceMut::unsplit_all(parts).unwrap_err();
    /// let Error::Missing { missing, length: 1000 } = refused.reason else { panic!("{refused}") };
    /// assert_eq!(missing, [500..750]);
    ///
    /// let mut parts = refused.handle;
    /// parts.push(lost);
    /// let whole = SharedSliceMut::unsplit_all(parts)?.freeze()?;
    /// assert_eq!(whole.len(), 1000);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Refused`], with all handles in the order in which they were given, and as the reason [`Error::Missing`],
    /// [`Error::NoParts`] if there are none, or what [`unsplit`](Self::unsplit) says.
    pub fn unsplit_all(parts: impl IntoIterator<Item = Self>) -> Result<Self, Refused<Vec<Self>>> {
        unsplit_all(parts.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As nobody has them who follows the protocol.
    #[test]
    fn parts_that_overlap_are_not_put_together() {
        let whole = SharedMut::<[u32]>::zeroed(10).unwrap();
        let part = |range: Range<usize>| {
            let bytes = whole.hold.part().slice(range.start * 4, range.len() * 4);
            SharedMut::<[u32]>::from_parts(bytes, range.len())
        };
        for (one, other) in [(0..6, 4..10), (0..10, 3..5), (2..7, 2..7), (0..5, 0..6)] {
            let refused = part(one.clone()).unsplit(part(other.clone())).unwrap_err();
            assert!(matches!(refused.reason, Error::Apart { .. }), "{one:?} and {other:?}: {refused}");
        }
        let refused = SharedMut::<[u32]>::unsplit_all([part(5..10), part(0..5), part(4..6)]).unwrap_err();
        assert!(matches!(refused.reason, Error::Apart { .. }), "{refused}");
    }
}

//! Values that are written element by element where they stay.

use bytemuck::{CheckedBitPattern, NoUninit};

use super::make;
use crate::{Error, Kind, backed::room_for, pool::Part};

/// A new slice of the elements that `f` makes of their indices, and its length.
pub(crate) fn made_by<E: NoUninit + CheckedBitPattern>(
    kind: Kind,
    len: usize,
    mut f: impl FnMut(usize) -> E,
) -> Result<(Part, usize), Error> {
    make::<[E]>(kind, len.saturating_mul(size_of::<E>()), false, |data| {
        for (index, room) in room_for(data, len).iter_mut().enumerate() {
            room.write(f(index));
        }
        len
    })
}

/// A new slice of the elements that come from an iterator, but of no more than it promises, and its length.
pub(crate) fn made_of<E: NoUninit + CheckedBitPattern>(
    kind: Kind,
    elements: impl ExactSizeIterator<Item = E>,
) -> Result<(Part, usize), Error> {
    let promised = elements.len();
    make::<[E]>(kind, promised.saturating_mul(size_of::<E>()), false, |data| {
        let mut came = 0;
        // The room comes first: when it is full, no element is asked for.
        for (room, element) in room_for(data, promised).iter_mut().zip(elements) {
            room.write(element);
            came += 1;
        }
        came
    })
}

/// A new array, in C order, of the elements that `f` makes of their indices, and its metadata.
#[cfg(feature = "ndarray")]
pub(crate) fn made_by_index<A, D>(
    kind: Kind,
    dim: &D,
    mut f: impl FnMut(D::Pattern) -> A,
) -> Result<(Part, <ndarray::Array<A, D> as crate::ShmemBacked>::MetaData), Error>
where
    A: NoUninit + CheckedBitPattern,
    D: ndarray::Dimension,
{
    use crate::backed::{required_memory_for, room_for_array, standard_metadata};

    make::<ndarray::Array<A, D>>(kind, required_memory_for::<A, D>(dim), false, |data| {
        let metadata = standard_metadata(dim);
        for (index, room) in room_for_array::<A, D>(data, &metadata).indexed_iter_mut() {
            room.write(f(index));
        }
        metadata
    })
}

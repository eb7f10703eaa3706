//! Values that are written where they stay.

use bytemuck::{AnyBitPattern, CheckedBitPattern, NoUninit};

use super::{Shared, make};
use crate::{Error, Kind, ShmemViewMut, backed::room_for, part::Part};

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

impl<E: NoUninit + AnyBitPattern> Shared<[E]> {
    /// A slice of `len` elements that `fill` writes where it stays, and that nobody writes afterwards. What `fill` finds there
    /// is arbitrary: whatever the memory held.
    ///
    /// ```
    /// use commonage::SharedSlice;
    /// # let mut file: &[u8] = &[7; 4096];
    /// use std::io::Read;
    ///
    /// let mut read = Ok(());
    /// let block = SharedSlice::<u8>::build(4096, |bytes| read = file.read_exact(bytes))?;
    /// read?;
    /// assert_eq!(block[4095], 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn build(len: usize, fill: impl FnOnce(&mut [E])) -> Result<Self, Error> {
        let bytes = len.saturating_mul(size_of::<E>());
        let (part, len) = make::<[E]>(Kind::Shared, bytes, false, |data| {
            let mut metadata = len;
            fill(<[E]>::view_mut(data, &mut metadata));
            metadata
        })?;
        Ok(Self::from_parts(part, len))
    }
}

#[cfg(feature = "ndarray")]
impl<A, D> Shared<ndarray::Array<A, D>>
where
    A: NoUninit + AnyBitPattern,
    D: ndarray::Dimension,
{
    /// An array, in C order, that `fill` writes where it stays, and that nobody writes afterwards. What `fill` finds there is
    /// arbitrary: whatever the memory held.
    ///
    /// ```
    /// use commonage::SharedArray;
    /// use ndarray::{Array2, Ix2, Zip};
    ///
    /// let (a, b) = (Array2::from_elem((480, 640), 1.0), Array2::from_elem((480, 640), 2.0));
    /// let sum = SharedArray::<f64, Ix2>::build((480, 640), |view| {
    ///     Zip::from(view).and(&a).and(&b).for_each(|sum, a, b| *sum = a + b);
    /// })?;
    /// assert_eq!(sum.as_view()[[479, 639]], 3.0);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn build(
        shape: impl ndarray::IntoDimension<Dim = D>,
        fill: impl FnOnce(ndarray::ArrayViewMut<'_, A, D>),
    ) -> Result<Self, Error> {
        use crate::backed::{required_memory_for, standard_metadata};

        let dim = shape.into_dimension();
        let bytes = required_memory_for::<A, D>(&dim);
        let (part, metadata) = make::<ndarray::Array<A, D>>(Kind::Shared, bytes, false, |data| {
            let mut metadata = standard_metadata(&dim);
            fill(ndarray::Array::view_mut(data, &mut metadata));
            metadata
        })?;
        Ok(Self::from_parts(part, metadata))
    }
}

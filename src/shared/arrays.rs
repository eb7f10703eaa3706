//! What handles on arrays have besides: they are made from views too, and have parts.

use std::ops::RangeBounds;

use bytemuck::{CheckedBitPattern, NoUninit};
use ndarray::{Array, ArrayRef, ArrayView, Axis, Dimension, IntoDimension};

use super::{Shared, copy_plain, made_by_index, make, or_panic, slices::resolve};
use crate::{
    Error, Kind,
    backed::{narrow_axis, plain_array, required_memory_of, write_array},
};

impl<A, D> Shared<Array<A, D>>
where
    A: NoUninit + CheckedBitPattern,
    D: Dimension,
{
    /// A copy of a view (or of any other array) in shared memory. Contiguous ones keep their order, C or Fortran;
    /// what is sliced, reversed or permuted is copied in logical order to C order.
    ///
    /// ```
    /// use commonage::{Shared, SharedArray};
    /// use ndarray::{Array2, Ix2, s};
    ///
    /// let image = Array2::from_shape_fn((4, 4), |(y, x)| (10 * y + x) as u8);
    /// let tile: SharedArray<u8, Ix2> = Shared::copy_from_view(&image.slice(s![1..3, ..;-2]))?;
    /// assert_eq!(tile.as_view(), ndarray::array![[13, 11], [23, 21]]);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Shared::new`].
    pub fn copy_from_view(view: &ArrayRef<A, D>) -> Result<Self, Error> {
        let len = required_memory_of(view);
        let copied = copy_plain::<Array<A, D>>(Kind::Shared, len, || plain_array(view));
        let fill = |data: &mut [u8]| write_array(data, view);
        let (part, metadata) = copied.unwrap_or_else(|| make::<Array<A, D>>(Kind::Shared, len, false, fill))?;
        Ok(Self::from_parts(part, metadata))
    }

    /// The array, in C order, whose elements `f` makes of their indices. Each is written where it stays. If `f` panics, the
    /// memory is given back.
    ///
    /// ```
    /// use commonage::SharedArray;
    /// use ndarray::{Ix2, array};
    /// let table: SharedArray<usize, Ix2> = SharedArray::from_shape_fn((2, 3), |(row, column)| 10 * row + column)?;
    /// assert_eq!(table.as_view(), array![[0, 1, 2], [10, 11, 12]]);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Shared::new`].
    pub fn from_shape_fn(shape: impl IntoDimension<Dim = D>, f: impl FnMut(D::Pattern) -> A) -> Result<Self, Error> {
        let (part, metadata) = made_by_index(Kind::Shared, &shape.into_dimension(), f)?;
        Ok(Self::from_parts(part, metadata))
    }

    /// A handle on the indices `range` along `axis`. Nothing is copied, and the part keeps the whole block alive.
    ///
    /// ```
    /// use commonage::{Shared, SharedArray};
    /// use ndarray::{Axis, Ix2, array};
    ///
    /// let all: SharedArray<u8, Ix2> = Shared::copy_from(&array![[1, 2, 3], [4, 5, 6]])?;
    /// let right = all.slice_axis(Axis(1), 1..);
    /// assert_eq!(right.as_view(), array![[2, 3], [5, 6]]);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If there is no such axis, or the range does not lie within its length.
    #[track_caller]
    pub fn slice_axis(&self, axis: Axis, range: impl RangeBounds<usize>) -> Self {
        let axes = self.metadata.shape().len();
        let length = self.metadata.shape().get(axis.index()).copied();
        let range = resolve(range, length.unwrap_or(0));
        match narrow_axis::<A, D>(&self.metadata, axis.index(), range) {
            Some((offset, len, metadata)) => Self::from_parts(self.part.slice(offset, len), metadata),
            None => panic!("axis {} of an array with {axes} axes", axis.index()),
        }
    }
}

/// Copies a view into shared memory.
///
/// # Panics
///
/// When memory runs out, or as [`Shared::copy_from_view`], which returns an error instead, says.
impl<A, D> From<ArrayView<'_, A, D>> for Shared<Array<A, D>>
where
    A: NoUninit + CheckedBitPattern,
    D: Dimension,
{
    #[track_caller]
    fn from(view: ArrayView<'_, A, D>) -> Self {
        or_panic::<Array<A, D>, _>(Self::copy_from_view(&view))
    }
}

//! What handles on arrays have besides: they are made from views too, and of zeros.

use bytemuck::{CheckedBitPattern, NoUninit, Zeroable};
use ndarray::{Array, ArrayRef, ArrayView, Dimension, IntoDimension};

use super::SharedMut;
use crate::{
    Error, Kind,
    backed::{plain_array, required_memory_for, required_memory_of, standard_metadata, write_array},
    shared::{copy_plain, made_by_index, make, or_panic},
};

impl<A, D> SharedMut<Array<A, D>>
where
    A: NoUninit + CheckedBitPattern,
    D: Dimension,
{
    /// A copy of a view (or of any other array) in shared memory. Contiguous ones keep their order, C or Fortran;
    /// what is sliced, reversed or permuted is copied in logical order to C order.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn copy_from_view(view: &ArrayRef<A, D>) -> Result<Self, Error> {
        let len = required_memory_of(view);
        let copied = copy_plain::<Array<A, D>>(Kind::SharedMut, len, || plain_array(view));
        let fill = |data: &mut [u8]| write_array(data, view);
        let (part, metadata) = copied.unwrap_or_else(|| make::<Array<A, D>>(Kind::SharedMut, len, false, fill))?;
        Ok(Self::from_parts(part, metadata))
    }

    /// An array of zeros, in C order. Memory that comes fresh from the system is zero and is not touched.
    ///
    /// ```
    /// use commonage::SharedArrayMut;
    /// use ndarray::Ix2;
    /// let mut image: SharedArrayMut<u8, Ix2> = SharedArrayMut::zeroed((1080, 1920))?;
    /// image.as_view_mut()[[5, 7]] = 255;
    /// assert_eq!(image.as_view().iter().filter(|&&pixel| pixel == 0).count(), 1080 * 1920 - 1);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn zeroed(shape: impl IntoDimension<Dim = D>) -> Result<Self, Error>
    where
        A: Zeroable,
    {
        let dim = shape.into_dimension();
        let bytes = required_memory_for::<A, D>(&dim);
        // Zeros are valid elements: that is `Zeroable`.
        let (part, metadata) = make::<Array<A, D>>(Kind::SharedMut, bytes, true, |_| standard_metadata(&dim))?;
        Ok(Self::from_parts(part, metadata))
    }

    /// The array, in C order, whose elements `f` makes of their indices. Each is written where it stays. If `f` panics, the
    /// memory is given back.
    ///
    /// ```
    /// use commonage::SharedArrayMut;
    /// use ndarray::{Ix2, array};
    /// let table: SharedArrayMut<usize, Ix2> = SharedArrayMut::from_shape_fn((2, 3), |(row, column)| 10 * row + column)?;
    /// assert_eq!(table.as_view(), array![[0, 1, 2], [10, 11, 12]]);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_shape_fn(shape: impl IntoDimension<Dim = D>, f: impl FnMut(D::Pattern) -> A) -> Result<Self, Error> {
        let (part, metadata) = made_by_index(Kind::SharedMut, &shape.into_dimension(), f)?;
        Ok(Self::from_parts(part, metadata))
    }
}

/// Copies a view into shared memory.
///
/// # Panics
///
/// When memory runs out, or as [`SharedMut::copy_from_view`], which returns an error instead, says.
impl<A, D> From<ArrayView<'_, A, D>> for SharedMut<Array<A, D>>
where
    A: NoUninit + CheckedBitPattern,
    D: Dimension,
{
    #[track_caller]
    fn from(view: ArrayView<'_, A, D>) -> Self {
        or_panic::<Array<A, D>, _>(Self::copy_from_view(&view))
    }
}

//! Arrays that are written where they stay, or copied from views.

// Functions that make a value of options have the names that they have in the type.
#![allow(clippy::wrong_self_convention)]

use bytemuck::{AnyBitPattern, CheckedBitPattern, NoUninit};
use ndarray::{Array, ArrayRef, ArrayViewMut, Dimension, IntoDimension};

use super::{
    Options, Sealed,
    making::{copy_bytes, make},
};
use crate::{
    Error, ShmemViewMut,
    backed::{plain_array, required_memory_for, required_memory_of, room_for_array, standard_metadata, write_array},
};

impl<A, D> Sealed<Array<A, D>>
where
    A: NoUninit + CheckedBitPattern,
    D: Dimension,
{
    /// A copy of a view (or of any other array). Contiguous ones keep their order, C or Fortran; what is sliced, reversed
    /// or permuted is copied in logical order to C order.
    ///
    /// ```
    /// use commonage::Sealed;
    /// use ndarray::{Array2, s};
    ///
    /// let image = Array2::from_shape_fn((4, 4), |(y, x)| (10 * y + x) as u8);
    /// let tile = Sealed::<Array2<u8>>::copy_from_view(&image.slice(s![1..3, ..;-2]))?;
    /// assert_eq!(tile.as_view(), ndarray::array![[13, 11], [23, 21]]);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn copy_from_view(view: &ArrayRef<A, D>) -> Result<Self, Error> {
        Self::options().copy_from_view(view)
    }

    /// The array, in C order, whose elements `f` makes of their indices. Each is written where it stays.
    ///
    /// ```
    /// use commonage::Sealed;
    /// use ndarray::{Array2, array};
    /// let table = Sealed::<Array2<usize>>::from_shape_fn((2, 3), |(row, column)| 10 * row + column)?;
    /// assert_eq!(table.as_view(), array![[0, 1, 2], [10, 11, 12]]);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_shape_fn(shape: impl IntoDimension<Dim = D>, f: impl FnMut(D::Pattern) -> A) -> Result<Self, Error> {
        Self::options().from_shape_fn(shape, f)
    }
}

impl<A, D> Sealed<Array<A, D>>
where
    A: NoUninit + AnyBitPattern,
    D: Dimension,
{
    /// An array, in C order, that `fill` writes where it stays, and that nobody writes afterwards. `fill` finds zeroes there.
    ///
    /// ```
    /// use commonage::Sealed;
    /// use ndarray::Array2;
    ///
    /// let ramp = Sealed::<Array2<f32>>::build((480, 640), |mut view| {
    ///     view.rows_mut().into_iter().enumerate().for_each(|(y, mut row)| row.fill(y as f32));
    /// })?;
    /// assert_eq!(ramp.as_view()[[479, 0]], 479.0);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn build(shape: impl IntoDimension<Dim = D>, fill: impl FnOnce(ArrayViewMut<'_, A, D>)) -> Result<Self, Error> {
        Self::options().build(shape, fill)
    }
}

impl<A, D> Options<Array<A, D>>
where
    A: NoUninit + CheckedBitPattern,
    D: Dimension,
{
    /// [`Sealed::copy_from_view`] with these options.
    ///
    /// # Errors
    ///
    /// As [`Sealed::new`].
    pub fn copy_from_view(&self, view: &ArrayRef<A, D>) -> Result<Sealed<Array<A, D>>, Error> {
        match plain_array(view) {
            Some((bytes, metadata)) => copy_bytes(self, bytes, &metadata),
            None => make(self, required_memory_of(view), |data| write_array(data, view)),
        }
    }

    /// [`Sealed::from_shape_fn`] with these options.
    ///
    /// # Errors
    ///
    /// As [`Sealed::new`].
    pub fn from_shape_fn(
        &self,
        shape: impl IntoDimension<Dim = D>,
        mut f: impl FnMut(D::Pattern) -> A,
    ) -> Result<Sealed<Array<A, D>>, Error> {
        let dim = shape.into_dimension();
        make(self, required_memory_for::<A, D>(&dim), |data| {
            let metadata = standard_metadata(&dim);
            for (index, room) in room_for_array::<A, D>(data, &metadata).indexed_iter_mut() {
                room.write(f(index));
            }
            metadata
        })
    }
}

impl<A, D> Options<Array<A, D>>
where
    A: NoUninit + AnyBitPattern,
    D: Dimension,
{
    /// [`Sealed::build`] with these options.
    ///
    /// # Errors
    ///
    /// As [`Sealed::new`].
    pub fn build(
        &self,
        shape: impl IntoDimension<Dim = D>,
        fill: impl FnOnce(ArrayViewMut<'_, A, D>),
    ) -> Result<Sealed<Array<A, D>>, Error> {
        let dim = shape.into_dimension();
        make(self, required_memory_for::<A, D>(&dim), |data| {
            let mut metadata = standard_metadata(&dim);
            fill(Array::view_mut(data, &mut metadata));
            metadata
        })
    }
}

//! Arrays: their elements in no order, as ndarray's own parallel iterators have them.

use ::rayon::iter::IntoParallelIterator;
use bytemuck::{CheckedBitPattern, NoUninit};
use ndarray::{Array, ArrayView, ArrayViewMut, Dimension, parallel::Parallel};

use crate::{Shared, SharedMut};

/// The elements, for the threads of rayon's pool, with the features `rayon` and `ndarray`. By rows, and beside other
/// arrays, it goes by way of the [view](Shared::as_view), with all that `ndarray::parallel` has.
///
/// ```
/// use commonage::{Shared, SharedArray};
/// use ndarray::{Axis, Ix2, array, parallel::prelude::*};
///
/// let table: SharedArray<u32, Ix2> = Shared::copy_from(&array![[1, 2], [3, 4]])?;
/// assert_eq!(table.par_iter().sum::<u32>(), 10);
/// let rows = table.as_view();
/// assert_eq!(rows.axis_iter(Axis(0)).into_par_iter().map(|row| row.sum()).collect::<Vec<_>>(), [3, 7]);
/// # Ok::<(), commonage::Error>(())
/// ```
impl<'a, A, D> IntoParallelIterator for &'a Shared<Array<A, D>>
where
    A: NoUninit + CheckedBitPattern + Sync,
    D: Dimension,
{
    type Item = &'a A;
    type Iter = Parallel<ArrayView<'a, A, D>>;

    fn into_par_iter(self) -> Self::Iter {
        self.as_view().into_par_iter()
    }
}

/// The elements, for the threads of rayon's pool, with the features `rayon` and `ndarray`.
///
/// # Panics
///
/// If the handle has been [serialized](SharedMut#serialization).
impl<'a, A, D> IntoParallelIterator for &'a SharedMut<Array<A, D>>
where
    A: NoUninit + CheckedBitPattern + Sync,
    D: Dimension,
{
    type Item = &'a A;
    type Iter = Parallel<ArrayView<'a, A, D>>;

    #[track_caller]
    fn into_par_iter(self) -> Self::Iter {
        self.as_view().into_par_iter()
    }
}

/// The elements to write to, for the threads of rayon's pool, with the features `rayon` and `ndarray`.
///
/// ```
/// use commonage::SharedArrayMut;
/// use ndarray::Ix2;
/// use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};
///
/// let mut image = SharedArrayMut::<u8, Ix2>::zeroed((480, 640))?;
/// image.par_iter_mut().for_each(|pixel| *pixel = 255);
/// assert!(image.as_view().iter().all(|&pixel| pixel == 255));
/// # Ok::<(), commonage::Error>(())
/// ```
///
/// # Panics
///
/// If the handle has been [serialized](SharedMut#serialization).
impl<'a, A, D> IntoParallelIterator for &'a mut SharedMut<Array<A, D>>
where
    A: NoUninit + CheckedBitPattern + Send + Sync,
    D: Dimension,
{
    type Item = &'a mut A;
    type Iter = Parallel<ArrayViewMut<'a, A, D>>;

    #[track_caller]
    fn into_par_iter(self) -> Self::Iter {
        self.as_view_mut().into_par_iter()
    }
}

//! What is shared, gone over by all the threads of rayon's pool: slices, and arrays as ndarray has them.

use ::rayon::{
    iter::IntoParallelIterator,
    slice::{Iter, IterMut},
};
use bytemuck::{CheckedBitPattern, NoUninit};

use crate::{Shared, SharedMut};

#[cfg(feature = "ndarray")]
mod arrays;

/// The elements, for the threads of rayon's pool, with the feature `rayon`.
///
/// ```
/// use commonage::SharedSlice;
/// use rayon::iter::{IntoParallelIterator, ParallelIterator};
///
/// let numbers = SharedSlice::from_fn(10_000, |index| index as u64)?;
/// assert_eq!((&numbers).into_par_iter().sum::<u64>(), 49_995_000);
/// # Ok::<(), commonage::Error>(())
/// ```
impl<'a, E: NoUninit + CheckedBitPattern + Sync> IntoParallelIterator for &'a Shared<[E]> {
    type Item = &'a E;
    type Iter = Iter<'a, E>;

    fn into_par_iter(self) -> Iter<'a, E> {
        self.as_view().into_par_iter()
    }
}

/// The elements, for the threads of rayon's pool, with the feature `rayon`.
///
/// # Panics
///
/// If the handle has been [serialized](SharedMut#serialization).
impl<'a, E: NoUninit + CheckedBitPattern + Sync> IntoParallelIterator for &'a SharedMut<[E]> {
    type Item = &'a E;
    type Iter = Iter<'a, E>;

    #[track_caller]
    fn into_par_iter(self) -> Iter<'a, E> {
        self.as_view().into_par_iter()
    }
}

/// The elements to write to, for the threads of rayon's pool, with the feature `rayon`.
///
/// ```
/// use commonage::SharedSliceMut;
/// use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
///
/// let mut squares = SharedSliceMut::<u64>::zeroed(10_000)?;
/// (&mut squares).into_par_iter().enumerate().for_each(|(index, square)| *square = (index * index) as u64);
/// assert_eq!(squares[99], 9801);
/// # Ok::<(), commonage::Error>(())
/// ```
///
/// # Panics
///
/// If the handle has been [serialized](SharedMut#serialization).
impl<'a, E: NoUninit + CheckedBitPattern + Send> IntoParallelIterator for &'a mut SharedMut<[E]> {
    type Item = &'a mut E;
    type Iter = IterMut<'a, E>;

    #[track_caller]
    fn into_par_iter(self) -> IterMut<'a, E> {
        self.as_view_mut().into_par_iter()
    }
}

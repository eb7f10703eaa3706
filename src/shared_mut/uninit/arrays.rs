//! The same for arrays.

use std::mem::MaybeUninit;

use bytemuck::{AnyBitPattern, CheckedBitPattern, NoUninit};
use ndarray::{Array, ArrayViewMut, Dimension, IntoDimension};

use super::{SharedMut, SharedUninit};
use crate::{
    Error,
    backed::{required_memory_for, room_for_array, standard_metadata},
};

impl<A, D> SharedUninit<Array<A, D>>
where
    A: NoUninit + CheckedBitPattern,
    D: Dimension,
{
    /// The elements, to be written. `Zip`'s `map_assign_into`, and with ndarray's feature `rayon` its
    /// `par_map_assign_into`, write straight into it.
    ///
    /// ```
    /// use commonage::{SharedArrayMut, SharedMut};
    /// use ndarray::{Array2, Ix2, Zip};
    ///
    /// let (a, b) = (Array2::from_elem((480, 640), 1.5), Array2::from_elem((480, 640), 2.0));
    /// let mut room = SharedArrayMut::<f64, Ix2>::new_uninit((480, 640))?;
    /// Zip::from(&a).and(&b).map_assign_into(room.as_view_mut(), |a, b| a * b);
    /// // SAFETY: `Zip` assigns to all elements, or panics.
    /// let product: SharedArrayMut<f64, Ix2> = unsafe { room.assume_init() };
    /// assert_eq!(product.as_view()[[479, 639]], 3.0);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    pub fn as_view_mut(&mut self) -> ArrayViewMut<'_, MaybeUninit<A>, D> {
        let (data, metadata) = self.room();
        room_for_array(data, metadata)
    }

    /// Calls `f` for each element, in logical order. If `f` panics, the memory is given back.
    pub fn fill_with(mut self, mut f: impl FnMut() -> A) -> SharedMut<Array<A, D>> {
        for room in &mut self.as_view_mut() {
            room.write(f());
        }
        // SAFETY: all of them, just now.
        unsafe { self.assume_init() }
    }
}

impl<A, D> SharedMut<Array<A, D>>
where
    A: NoUninit + CheckedBitPattern,
    D: Dimension,
{
    /// Memory for an array in C order, whose elements are still to be written.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn new_uninit(shape: impl IntoDimension<Dim = D>) -> Result<SharedUninit<Array<A, D>>, Error> {
        let dim = shape.into_dimension();
        // The pool refuses a number of bytes that overflows before there are metadata of such a shape.
        SharedUninit::new(required_memory_for::<A, D>(&dim), || standard_metadata(&dim))
    }

    /// An array in C order with elements of any values: of what the memory held before, zeros or not. For what is
    /// written next in any case this is [`zeroed`](Self::zeroed) without the zeros.
    ///
    /// ```
    /// use commonage::SharedArrayMut;
    /// use ndarray::{Array2, Ix2, Zip};
    ///
    /// let image = Array2::from_elem((480, 640), 100u8);
    /// let mut brighter: SharedArrayMut<u8, Ix2> = SharedArrayMut::unzeroed((480, 640))?;
    /// Zip::from(brighter.as_view_mut()).and(&image).for_each(|to, pixel| *to = pixel + 50);
    /// assert_eq!(brighter.as_view()[[7, 7]], 150);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn unzeroed(shape: impl IntoDimension<Dim = D>) -> Result<Self, Error>
    where
        A: AnyBitPattern,
    {
        let room = Self::new_uninit(shape)?;
        // SAFETY: shared memory's bytes have values, if only those that somebody left, and every value is an element's.
        Ok(unsafe { room.assume_init() })
    }
}

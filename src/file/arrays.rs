//! Arrays that are written in their file, or copied from views.

use std::path::Path;

use bytemuck::{CheckedBitPattern, NoUninit, Zeroable};
use ndarray::{Array, ArrayRef, Dimension, IntoDimension};

use super::{Draft, Options, making};
use crate::{
    Error,
    backed::{plain_array, required_memory_for, required_memory_of, room_for_array, standard_metadata, write_array},
};

impl<A, D> Draft<Array<A, D>>
where
    A: NoUninit + CheckedBitPattern,
    D: Dimension,
{
    /// A draft of the array, in C order, whose elements `f` makes of their indices. Each is written where it stays.
    ///
    /// ```
    /// use commonage::file::{self, Draft};
    /// use ndarray::{Array2, array};
    /// # let directory = std::env::temp_dir().join(format!("commonage-docs-shape-fn-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("table");
    /// Draft::<Array2<u32>>::from_shape_fn(&path, (2, 3), |(row, column)| (10 * row + column) as u32)?.publish()?;
    /// assert_eq!(file::read::<Array2<u32>>(&path)?.as_view(), array![[0, 1, 2], [10, 11, 12]]);
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`write`](super::write).
    pub fn from_shape_fn(
        path: impl AsRef<Path>,
        shape: impl IntoDimension<Dim = D>,
        f: impl FnMut(D::Pattern) -> A,
    ) -> Result<Self, Error> {
        super::options::<Array<A, D>>().draft_from_shape_fn(path, shape, f)
    }

    /// A draft of an array of zeroes, in C order. New files consist of them: nothing is written.
    ///
    /// # Errors
    ///
    /// As [`write`](super::write).
    pub fn zeroed(path: impl AsRef<Path>, shape: impl IntoDimension<Dim = D>) -> Result<Self, Error>
    where
        A: Zeroable,
    {
        super::options::<Array<A, D>>().draft_zeroed(path, shape)
    }

    /// A draft of a copy of a view (or of any other array). Contiguous ones keep their order, C or Fortran; what is
    /// sliced, reversed or permuted is copied in logical order to C order.
    ///
    /// ```
    /// use commonage::file::{self, Draft};
    /// use ndarray::{Array2, s};
    /// # let directory = std::env::temp_dir().join(format!("commonage-docs-view-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("tile");
    /// let image = Array2::from_shape_fn((4, 4), |(y, x)| (10 * y + x) as u8);
    /// Draft::<Array2<u8>>::copy_from_view(&path, &image.slice(s![1..3, ..;-2]))?.publish()?;
    /// assert_eq!(file::read::<Array2<u8>>(&path)?.as_view(), ndarray::array![[13, 11], [23, 21]]);
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`write`](super::write).
    pub fn copy_from_view(path: impl AsRef<Path>, view: &ArrayRef<A, D>) -> Result<Self, Error> {
        super::options::<Array<A, D>>().draft_from_view(path, view)
    }
}

impl<A, D> Options<Array<A, D>>
where
    A: NoUninit + CheckedBitPattern,
    D: Dimension,
{
    /// [`Draft::from_shape_fn`] with these options.
    ///
    /// # Errors
    ///
    /// As [`write`](super::write).
    pub fn draft_from_shape_fn(
        &self,
        path: impl AsRef<Path>,
        shape: impl IntoDimension<Dim = D>,
        mut f: impl FnMut(D::Pattern) -> A,
    ) -> Result<Draft<Array<A, D>>, Error> {
        let dim = shape.into_dimension();
        making::draft(self, path.as_ref(), required_memory_for::<A, D>(&dim), |data| {
            let metadata = standard_metadata(&dim);
            for (index, room) in room_for_array::<A, D>(data, &metadata).indexed_iter_mut() {
                room.write(f(index));
            }
            metadata
        })
    }

    /// [`Draft::zeroed`] with these options.
    ///
    /// # Errors
    ///
    /// As [`write`](super::write).
    pub fn draft_zeroed(
        &self,
        path: impl AsRef<Path>,
        shape: impl IntoDimension<Dim = D>,
    ) -> Result<Draft<Array<A, D>>, Error>
    where
        A: Zeroable,
    {
        let dim = shape.into_dimension();
        // Zeroes are valid elements: that is `Zeroable`.
        making::draft(self, path.as_ref(), required_memory_for::<A, D>(&dim), |_| standard_metadata(&dim))
    }

    /// [`Draft::copy_from_view`] with these options.
    ///
    /// # Errors
    ///
    /// As [`write`](super::write).
    pub fn draft_from_view(&self, path: impl AsRef<Path>, view: &ArrayRef<A, D>) -> Result<Draft<Array<A, D>>, Error> {
        let path = path.as_ref();
        match plain_array(view) {
            Some((bytes, metadata)) => making::copy_bytes(self, path, bytes, metadata, self.making()?),
            None => making::draft(self, path, required_memory_of(view), |data| write_array(data, view)),
        }
    }
}

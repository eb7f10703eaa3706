//! Parts of a writable array, by rows: the indices along the first axis, each of which is all in one piece in C order.

use bytemuck::{CheckedBitPattern, NoUninit};
use ndarray::{Array, Dimension};

use super::{
    SharedMut,
    parts::{InParts, Units, split_into, split_off, unsplit, unsplit_all},
};
use crate::{Error, Refused};

impl<A, D> InParts for Array<A, D>
where
    A: NoUninit + CheckedBitPattern,
    D: Dimension,
{
    fn units(layout: &Self::MetaData) -> Result<Units, Error> {
        match layout.rows() {
            Some((number, elements)) => Ok(Units { number, bytes: elements.saturating_mul(size_of::<A>()) }),
            None => Err(Error::NoRows { shape: layout.shape().to_vec(), strides: layout.strides().to_vec() }),
        }
    }

    fn alike(first: &Self::MetaData, second: &Self::MetaData) -> Result<(), Error> {
        let row = |layout: &Self::MetaData| layout.shape().get(1..).map(<[usize]>::to_vec);
        match (row(first), row(second)) {
            (Some(first), Some(second)) if first != second => Err(Error::OtherRows { first, second }),
            // Those that have no rows are found out by `units`.
            _ => Ok(()),
        }
    }

    fn of_units(layout: &Self::MetaData, number: usize) -> Result<Self::MetaData, Error> {
        layout.with_rows(number).ok_or(Error::TooLarge { requested: usize::MAX, limit: isize::MAX as usize })
    }
}

/// Parts of an array in C order, by rows: the indices along its first axis. See [the type](SharedMut#parts).
impl<A, D> SharedMut<Array<A, D>>
where
    A: NoUninit + CheckedBitPattern,
    D: Dimension,
{
    /// Cuts the array in two: this handle keeps the rows before `row`, the one that is returned has those from `row` on.
    /// Nothing is copied: both are parts of one block, each exclusive, each to be sent and dropped by itself.
    ///
    /// ```
    /// use commonage::SharedArrayMut;
    /// use ndarray::{Ix2, array};
    ///
    /// let mut top: SharedArrayMut<u8, Ix2> = SharedArrayMut::zeroed((3, 2))?;
    /// let mut bottom = top.split_off(1)?;
    /// top.as_view_mut().fill(1);
    /// bottom.as_view_mut().fill(2);
    /// let whole = bottom.unsplit(top)?.freeze()?;
    /// assert_eq!(whole.as_view(), array![[1, 1], [2, 2], [2, 2]]);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoRows`] if the array is not in C order, or has no axes; the array is as it was.
    ///
    /// # Panics
    ///
    /// If `row` is greater than the number of rows, or the handle has been [serialized](Self#serialization).
    #[track_caller]
    pub fn split_off(&mut self, row: usize) -> Result<Self, Error> {
        split_off(self, row)
    }

    /// Cuts the array into so many parts, in their order, whose numbers of rows differ by at most one.
    ///
    /// ```
    /// use commonage::SharedArrayMut;
    /// use ndarray::Ix2;
    /// let tiles = SharedArrayMut::<f32, Ix2>::zeroed((1080, 1920))?.split_into(7)?;
    /// assert_eq!(tiles[0].as_view().dim(), (155, 1920));
    /// assert_eq!(tiles[6].as_view().dim(), (154, 1920));
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Refused`], with the handle as it was, and as the reason what [`split_off`](Self::split_off) says.
    ///
    /// # Panics
    ///
    /// If `parts` is 0, or the handle has been [serialized](Self#serialization).
    #[track_caller]
    pub fn split_into(self, parts: usize) -> Result<Vec<Self>, Refused<Self>> {
        split_into(self, parts)
    }

    /// Puts two parts whose rows lie side by side together, in either order. Nothing is copied.
    ///
    /// ```
    /// use commonage::{Error, SharedArrayMut};
    /// use ndarray::Ix4;
    ///
    /// let mut frames: SharedArrayMut<u8, Ix4> = SharedArrayMut::zeroed(Ix4(10, 3, 4, 2))?;
    /// let second = frames.split_off(5)?;
    /// frames = second.unsplit(frames)?;
    /// assert_eq!(frames.as_view().shape(), [10, 3, 4, 2]);
    ///
    /// let other = SharedArrayMut::zeroed(Ix4(10, 3, 4, 2))?;
    /// assert!(matches!(frames.unsplit(other).unwrap_err().reason, Error::OtherBlock { .. }));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Refused`], with both handles as they were, and as the reason [`Error::OtherBlock`] or [`Error::OtherFile`],
    /// [`Error::Apart`], [`Error::NoRows`] or [`Error::OtherRows`] if shape and strides do not agree, [`Error::Serialized`] if
    /// one has been serialized, or [`Error::Metadata`] if the one that comes first in memory has been made smaller through
    /// its [metadata](Self::metadata_mut).
    pub fn unsplit(self, other: Self) -> Result<Self, Refused<(Self, Self)>> {
        unsplit(self, other)
    }

    /// Puts all parts of a block together, in any order. Nothing is copied. If one is missing, because it was dropped or a
    /// process has died with it, the error says which rows it had, and gives the others back.
    ///
    /// ```
    /// use commonage::{Error, SharedArrayMut};
    /// use ndarray::Ix2;
    ///
    /// let mut tiles = SharedArrayMut::<f32, Ix2>::zeroed((1080, 1920))?.split_into(4)?;
    /// for (tile, number) in tiles.iter_mut().zip(1u8..) {
    ///     tile.as_view_mut().fill(number.into()); // in whatever process
    /// }
    /// tiles.reverse();
    /// let lost = tiles.pop();
    /// let refused = SharedArrayMut::unsplit_all(tiles).unwrap_err();
    /// let Error::Missing { missing, .. } = refused.reason else { panic!("{refused}") };
    /// assert_eq!(missing, [0..270]);
    ///
    /// let image = SharedArrayMut::unsplit_all(refused.handle.into_iter().chain(lost))?.freeze()?;
    /// assert_eq!(image.as_view()[[1079, 0]], 4.0);
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

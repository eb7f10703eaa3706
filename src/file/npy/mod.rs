//! Arrays in `.npy` files, which NumPy writes with `numpy.save` and reads with `numpy.load`.
//!
//! What is mapped here is a [`SharedArray`] as any other, and can be sent as any other: the receiver maps the same file. What is
//! written here `numpy.load(path, mmap_mode="r")` maps.
//!
//! ```
//! use commonage::{SharedArray, file::npy};
//! use ndarray::{Ix2, array};
//! # let directory = std::env::temp_dir().join(format!("commonage-docs-npy-{}", std::process::id()));
//! # std::fs::create_dir_all(&directory)?;
//! # let path = directory.join("table.npy");
//!
//! npy::write(&path, &array![[1.5, 2.5], [3.5, 4.5]])?; // or by NumPy
//!
//! let header = npy::header(&path)?;
//! assert_eq!((header.dtype.as_str(), &header.shape[..], header.fortran_order), ("<f8", &[2, 2][..], false));
//!
//! // SAFETY: nobody changes the file but through this crate.
//! let table: SharedArray<f64, Ix2> = unsafe { npy::open(&path) }?;
//! assert_eq!(table.as_view().sum(), 12.0);
//! # drop(table);
//! # std::fs::remove_dir_all(&directory)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An array is of one type of elements ([`NumPyElement`]) and has so many axes, `IxDyn` any number; both are the caller's to
//! know, or to ask [`header`] for. What is not as it should be is [`FileFault::Npy`], which says what was expected and what was
//! found: another type, another order of bytes, structures, Python's objects, another number of axes.
//!
//! Files of versions 1, 2 and 3 are read, in C order and in Fortran order. Version 1 is written, which has room for whatever
//! an array can be: NumPy knows no more than 64 axes. In what is written the elements begin at a multiple of 128 bytes.
//!
//! The functions of this module are methods of [`Options`] too, for arrays that are populated, or advised of, or of another mode.
//! What the [module above](super) says of locks, of crashes, and of what a caller of `open` promises, holds here, but that such a
//! file does not say that it is being written: there is no [`FileFault::Unfinished`].

#![allow(unsafe_code)] // What maps a file that a stranger can cut is for its caller to answer for.

mod options;

use std::path::Path;

use bytemuck::Zeroable;
use ndarray::{Array, ArrayRef, Dimension, IntoDimension};

use super::{Draft, Options};
#[cfg(doc)]
use crate::FileFault;
use crate::{Error, SharedArray, SharedArrayMut};
pub use crate::{
    backed::Order,
    numpy::{Header, NumPyElement},
};

fn usual<A: NumPyElement, D: Dimension>() -> Options<Array<A, D>> {
    super::options()
}

/// Maps the array in an `.npy` file, to be read by any number of processes. Nothing is copied, and only the header is looked at;
/// of `bool`s all.
///
/// # Errors
///
/// [`Error::File`] with [`FileFault::Npy`] if it is no such file, or of another type; [`FileFault::TooShort`] if elements are
/// missing (there may be more than those of the array), [`FileFault::Misaligned`] if they begin where a view of them can't,
/// and the faults of [`open`](super::open); [`Error::Content`] if a byte is no `bool`.
///
/// # Safety
///
/// As for [`open`](super::open): as long as any handle lives that was made from this one, in any process, nobody changes the
/// file or cuts it, but through handles of this crate. NumPy's `mmap_mode="r+"` does.
pub unsafe fn open<A: NumPyElement, D: Dimension>(path: impl AsRef<Path>) -> Result<SharedArray<A, D>, Error> {
    // SAFETY: as the caller promises.
    unsafe { usual().open_npy(path) }
}

/// Maps the array in an `.npy` file, to be changed where it stays.
///
/// ```
/// use commonage::file::npy;
/// use ndarray::{Ix1, array};
/// # let directory = std::env::temp_dir().join(format!("commonage-docs-npy-mut-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("counts.npy");
/// # npy::write(&path, &array![0u32, 0, 0])?;
/// // SAFETY: nobody changes the file but through this crate.
/// let mut counts = unsafe { npy::open_mut::<u32, Ix1>(&path) }?;
/// counts.as_view_mut()[1] += 1;
/// counts.flush()?;
/// # drop(counts);
/// # assert_eq!(npy::read::<u32, Ix1>(&path)?.as_view(), array![0, 1, 0]);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`open`].
///
/// # Safety
///
/// As for [`open`].
pub unsafe fn open_mut<A: NumPyElement, D: Dimension>(path: impl AsRef<Path>) -> Result<SharedArrayMut<A, D>, Error> {
    // SAFETY: as the caller promises.
    unsafe { usual().open_npy_mut(path) }
}

/// Copies the array in an `.npy` file into this process's pool: whatever becomes of the file, the copy stays as it is. Where in
/// the file the elements begin doesn't matter.
///
/// # Errors
///
/// As [`open`], and those of [`Shared::new`](crate::Shared::new).
pub fn read<A: NumPyElement, D: Dimension>(path: impl AsRef<Path>) -> Result<SharedArray<A, D>, Error> {
    usual().read_npy(path)
}

/// Writes an array, or a view of one, into an `.npy` file: to the disk, under its name, in place of what had that name, whole or
/// not at all. Contiguous ones keep their order, C or Fortran; what is sliced, reversed or permuted is written in C order.
///
/// ```
/// use commonage::file::npy;
/// use ndarray::{Ix2, array, s};
/// # let directory = std::env::temp_dir().join(format!("commonage-docs-npy-write-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("part.npy");
/// let all = array![[1u8, 2, 3], [4, 5, 6]];
/// npy::write(&path, &all.t())?;
/// assert!(npy::header(&path)?.fortran_order);
/// npy::write(&path, &all.slice(s![.., ..;-2]))?;
/// assert_eq!(npy::read::<u8, Ix2>(&path)?.as_view(), array![[3, 1], [6, 4]]);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`file::write`](super::write), and [`FileFault::Npy`] if there are more than 64 axes.
pub fn write<A: NumPyElement, D: Dimension>(path: impl AsRef<Path>, array: &ArrayRef<A, D>) -> Result<(), Error> {
    usual().write_npy(path, array)
}

/// An array of zeroes in an `.npy` file that nobody sees until it is [published](Draft::publish).
///
/// ```
/// use commonage::file::npy::{self, Order};
/// use ndarray::Ix2;
/// # let directory = std::env::temp_dir().join(format!("commonage-docs-npy-draft-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("products.npy");
/// let mut products = npy::draft::<f32, Ix2>(&path, (100, 100), Order::C)?;
/// for ((row, column), product) in products.as_view_mut().indexed_iter_mut() {
///     *product = (row * column) as f32;
/// }
/// products.publish()?;
/// assert_eq!(npy::read::<f32, Ix2>(&path)?.as_view()[[9, 7]], 63.0);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`write`](fn@write).
pub fn draft<A, D>(
    path: impl AsRef<Path>,
    shape: impl IntoDimension<Dim = D>,
    order: Order,
) -> Result<Draft<Array<A, D>>, Error>
where
    A: NumPyElement + Zeroable,
    D: Dimension,
{
    usual().draft_npy(path, shape, order)
}

/// What the header of an `.npy` file says: also of one whose elements are of no type that this crate knows, but one that has
/// a name. The elements are not looked at, nor whether they are all there.
///
/// # Errors
///
/// As [`read`].
pub fn header(path: impl AsRef<Path>) -> Result<Header, Error> {
    options::header(path.as_ref())
}

//! Where a value is, for programs that are none of Rust's.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::Shared;
#[cfg(feature = "ndarray")]
use crate::SharedArray;
use crate::{Error, FileFault, NumPyElement, part::Part, sys::Whereabouts};

/// Where a value is and what it is: all that another program of this user needs to map it and look at it, whatever it is
/// written in. What [`Shared::location`] of slices, strings and arrays returns.
///
/// It is shown as one line of JSON with these fields, and serde has the same. `python/attach.py` of this crate turns that
/// line into a read-only NumPy array.
///
/// It is no token: it keeps nothing. It is right as long as the process that it was made in has a handle on the value;
/// what is at that place afterwards may be anything. Of a value in a file it is the file's path, which leads there until
/// somebody puts another file in its place.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Location {
    /// How `name` is opened.
    pub kind: LocationKind,
    /// What is to be opened, for reading, and mapped as shared memory.
    pub name: String,
    /// Where the value begins in it, in bytes. Mappings begin at multiples of a page, or of more: map from the last such
    /// place before it on.
    pub offset: u64,
    /// Bytes from the value's first to its last. If there are none, there is nothing to map.
    pub length: u64,
    /// The length of each axis. A slice has one; so has a string, whose elements are the bytes of its UTF-8.
    pub shape: Vec<usize>,
    /// How many bytes from one index to the next, for each axis. Where it is negative, the value begins with that axis's
    /// last index.
    pub strides: Vec<isize>,
    /// The type of the elements, by NumPy's name ([`NumPyElement::DTYPE`]).
    pub dtype: String,
}

/// How what has a value in it is opened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LocationKind {
    /// By its path, as a file.
    Path,
    /// By its name, with `shm_open`.
    Shm,
}

/// One line of JSON.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Location { kind, name, offset, length, shape, strides, dtype } = self;
        let kind = match kind {
            LocationKind::Path => "path",
            LocationKind::Shm => "shm",
        };
        let (name, dtype) = (Quoted(name), Quoted(dtype));
        write!(f, r#"{{"kind":"{kind}","name":{name},"offset":{offset},"length":{length},"#)?;
        // A list of numbers is the same to JSON.
        write!(f, r#""shape":{shape:?},"strides":{strides:?},"dtype":{dtype}}}"#)
    }
}

/// A string, as JSON has it.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for letter in self.0.chars() {
            match letter {
                '"' | '\\' => write!(f, "\\{letter}")?,
                '\0'..='\x1f' => write!(f, "\\u{:04x}", u32::from(letter))?,
                _ => write!(f, "{letter}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Where the elements of `part` are, one after the other in each axis; strides in elements.
fn location<E: NumPyElement>(part: &Part, shape: &[usize], strides: &[isize]) -> Result<Location, Error> {
    let (whereabouts, offset) = part.whereabouts()?;
    let (kind, name) = match whereabouts {
        Whereabouts::Path(path) => (LocationKind::Path, text_of(path)?),
        Whereabouts::Name(name) => (LocationKind::Shm, name),
    };
    // Of an axis that is never stepped along, a stride may be any number.
    let strides: Vec<_> = strides.iter().map(|stride| stride.wrapping_mul(size_of::<E>().cast_signed())).collect();
    let last: usize =
        shape.iter().zip(&strides).map(|(len, stride)| len.saturating_sub(1) * stride.unsigned_abs()).sum();
    let length = if shape.contains(&0) { 0 } else { last + size_of::<E>() };
    let (shape, dtype) = (shape.to_vec(), E::DTYPE.to_owned());
    Ok(Location { kind, name, offset, length: length as u64, shape, strides, dtype })
}

fn text_of(path: PathBuf) -> Result<String, Error> {
    path.into_os_string().into_string().map_err(|path| {
        let why = "its path is not Unicode, and a location is text";
        Error::File { path: path.into(), fault: FileFault::NotSent { why } }
    })
}

impl<E: NumPyElement> Shared<[E]> {
    /// Where the elements are, for other programs of this user: valid while this process has a handle on them.
    ///
    /// ```
    /// use commonage::SharedSlice;
    /// let samples: SharedSlice<f32> = SharedSlice::copy_from(&[0.5; 100])?;
    /// let location = samples.location()?;
    /// assert_eq!((&location.shape[..], &location.strides[..], &*location.dtype), (&[100][..], &[4][..], "<f4"));
    /// println!("{location}"); // for `python/attach.py`
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`FileFault::NotSent`](crate::FileFault::NotSent) in an [`Error::File`] if no other program can find the value: it is
    /// in private memory, or its path is no text; [`Error::Inherited`].
    pub fn location(&self) -> Result<Location, Error> {
        location::<E>(&self.part, &[*self.metadata], &[1])
    }
}

impl Shared<str> {
    /// Where the bytes of the string are, for other programs of this user: valid while this process has a handle on them.
    ///
    /// # Errors
    ///
    /// As of a slice.
    pub fn location(&self) -> Result<Location, Error> {
        location::<u8>(&self.part, &[self.len()], &[1])
    }
}

#[cfg(feature = "ndarray")]
impl<A, D> SharedArray<A, D>
where
    A: NumPyElement,
    D: ndarray::Dimension,
{
    /// Where the elements are, for other programs of this user: valid while this process has a handle on them.
    ///
    /// ```
    /// use commonage::{Shared, SharedArray};
    /// use ndarray::{Axis, Ix2, array};
    ///
    /// let all: SharedArray<i64, Ix2> = Shared::copy_from(&array![[1, 2, 3], [4, 5, 6]])?;
    /// let right = all.slice_axis(Axis(1), 1..).location()?;
    /// assert_eq!((&right.shape[..], &right.strides[..], right.length), (&[2, 2][..], &[24, 8][..], 40));
    /// assert_eq!(right.offset, all.location()?.offset + 8);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As of a slice.
    pub fn location(&self) -> Result<Location, Error> {
        location::<A>(&self.part, self.metadata.shape(), self.metadata.strides())
    }
}

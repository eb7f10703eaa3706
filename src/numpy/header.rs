//! The header of an `.npy` file: magic, version, length of the text, and the text, which ends where the data begin.
//!
//! ```text
//!   0  magic   93 4e 55 4d 50 59  "\x93NUMPY"
//!   6  version, 1, 2 or 3, and 0
//!   8  length of the text, little-endian: u16 in version 1, u32 in the others
//!  10  the text (12 in the others): a dictionary of Python's, filled up with spaces, and a line feed
//! ```
//!
//! The format is described in `numpy/lib/format.py`.

use std::io::{self, Read};

use super::{
    NumPyElement,
    literal::{self, MAX_AXES, MAX_DTYPE, Said, excerpt, fault},
};
use crate::FileFault;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Bytes up to and with the version.
const VERSION_END: usize = 8;
/// No honest text is longer: NumPy itself reads no longer ones if it is not told to.
pub(super) const MAX_TEXT: u32 = 1 << 16;
/// Where the data begin is a multiple of it. NumPy's own are of 64.
const DATA_ALIGN: usize = 128;

// All that can be written has a length that version 1 can say: the longest name, and as many lengths of 20 digits as
// there can be axes.
const _: () = assert!(100 + MAX_DTYPE + MAX_AXES * 22 + DATA_ALIGN <= u16::MAX as usize);

/// What the header of an `.npy` file says.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Header {
    /// The type of the elements, by NumPy's name: `<f8`, `|u1`, `>i4`.
    pub dtype: String,
    /// The first axis varies fastest, not the last.
    pub fortran_order: bool,
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// Where the elements begin in the file, in bytes.
    pub data_offset: u64,
}

impl Header {
    /// The header of a file with elements of type `A`, as [`format`](Self::format) writes it.
    ///
    /// # Errors
    ///
    /// `FileFault::Npy` if NumPy has no arrays with as many axes.
    pub(crate) fn of<A: NumPyElement>(shape: &[usize], fortran_order: bool) -> Result<Self, FileFault> {
        if shape.len() > MAX_AXES {
            return Err(fault("the number of axes", format!("at most {MAX_AXES}"), shape.len().to_string()));
        }
        let mut header = Header { dtype: A::DTYPE.to_owned(), fortran_order, shape: shape.to_vec(), data_offset: 0 };
        header.data_offset = header.format().len() as u64;
        Ok(header)
    }

    /// Reads a header from the beginning of a file, and not a byte more.
    ///
    /// # Errors
    ///
    /// `FileFault::Npy`, `FileFault::TooShort`, `FileFault::Failed`.
    pub(crate) fn read(from: &mut impl Read) -> Result<Self, FileFault> {
        let mut start = [0; VERSION_END];
        let found = read_up_to(from, &mut start)?;
        if !start[..found].starts_with(&MAGIC[..found.min(MAGIC.len())]) {
            return Err(fault("its beginning", excerpt(MAGIC), excerpt(&start[..found])));
        }
        if found < VERSION_END {
            return Err(FileFault::TooShort { expected: VERSION_END as u64, found: found as u64 });
        }
        let [.., major, minor] = start;
        let length_size = match (major, minor) {
            (1, 0) => 2,
            (2 | 3, 0) => 4,
            _ => return Err(fault("its version", "1.0, 2.0 or 3.0", format!("{major}.{minor}"))),
        };
        let mut length = [0; 4];
        read_all(from, &mut length[..length_size], VERSION_END)?;
        let length = u32::from_le_bytes(length);
        if length > MAX_TEXT {
            return Err(fault("the length of its header", format!("at most {MAX_TEXT}"), length.to_string()));
        }
        let mut text = vec![0; length as usize];
        let text_start = VERSION_END + length_size;
        read_all(from, &mut text, text_start)?;
        let Said { dtype, fortran_order, shape } = literal::parse(&text)?;
        Ok(Header { dtype, fortran_order, shape, data_offset: (text_start + text.len()) as u64 })
    }

    /// The bytes of a file before its data: version 1, with as much space that the data begin at a multiple of
    /// [`DATA_ALIGN`].
    pub(crate) fn format(&self) -> Vec<u8> {
        let order = if self.fortran_order { "True" } else { "False" };
        let mut text = format!("{{'descr': '{}', 'fortran_order': {order}, 'shape': (", self.dtype);
        text.extend(self.shape.iter().map(|length| format!("{length}, ")));
        // A tuple of one needs its comma, others may have one.
        text.push_str("), }");
        let text_start = VERSION_END + 2;
        let data_offset = (text_start + text.len() + 1).next_multiple_of(DATA_ALIGN);
        // As large as it can be, it fits: asserted above.
        let length = (data_offset - text_start) as u16;
        let mut bytes = Vec::with_capacity(data_offset);
        bytes.extend(MAGIC);
        bytes.extend([1, 0]);
        bytes.extend(length.to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.resize(data_offset - 1, b' ');
        bytes.push(b'\n');
        bytes
    }

    /// The elements must be `A`s.
    ///
    /// # Errors
    ///
    /// `FileFault::Npy`.
    pub(crate) fn expect<A: NumPyElement>(&self) -> Result<(), FileFault> {
        let is_same = match (self.dtype.as_bytes(), A::DTYPE.as_bytes()) {
            // A byte has no order; who writes one down all the same is understood.
            ([b'<' | b'>' | b'|' | b'=', found @ ..], [_, expected @ ..]) if size_of::<A>() == 1 => found == expected,
            (found, expected) => found == expected,
        };
        if is_same {
            return Ok(());
        }
        let note = if self.dtype.starts_with('>') { ", big-endian" } else { "" };
        Err(fault("the type of its elements", A::DTYPE, format!("{}{note}", self.dtype)))
    }

    /// Bytes of all elements, of `size` bytes each; `None` if there can't be as many. Like ndarray, this refuses shapes
    /// whose lengths other than 0 are too large, even if another is 0.
    pub(crate) fn data_len(&self, size: usize) -> Option<usize> {
        let all = self
            .shape
            .iter()
            .filter(|&&length| length != 0)
            .try_fold(size, |all, &length| all.checked_mul(length).filter(|&all| isize::try_from(all).is_ok()))?;
        Some(if self.shape.contains(&0) { 0 } else { all })
    }
}

/// Reads all of `into`; `at` bytes of the file have been read before.
fn read_all(from: &mut impl Read, into: &mut [u8], at: usize) -> Result<(), FileFault> {
    let read = read_up_to(from, into)?;
    if read == into.len() {
        return Ok(());
    }
    Err(FileFault::TooShort { expected: (at + into.len()) as u64, found: (at + read) as u64 })
}

/// Reads as much of `into` as there is.
fn read_up_to(from: &mut impl Read, into: &mut [u8]) -> Result<usize, FileFault> {
    let mut read = 0;
    while read < into.len() {
        match from.read(&mut into[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(FileFault::Failed { operation: "read", source }),
        }
    }
    Ok(read)
}

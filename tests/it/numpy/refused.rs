//! `.npy` files that are not what is asked for: each error says what was expected and what was found.

use std::fs;

use commonage::{
    Error, FileFault, SharedArray,
    file::npy::{self, NumPyElement},
};
use ndarray::{Array1, Array2, Dimension, Ix0, Ix1, Ix2, IxDyn};

use crate::support::Directory;

/// A file, in a directory of its own.
struct File {
    path: String,
    _directory: Directory,
}

impl File {
    fn of(bytes: &[u8]) -> Self {
        let directory = Directory::new();
        let file = File { path: format!("{}/array.npy", directory.0), _directory: directory };
        fs::write(&file.path, bytes).unwrap();
        file
    }

    /// With a text of this length, padded, and data.
    fn with(dtype: &str, shape: &str, data_offset: usize, data: &[u8]) -> Self {
        let text = format!("{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}");
        let mut bytes = b"\x93NUMPY\x01\0".to_vec();
        bytes.extend(((data_offset - 10) as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        assert!(bytes.len() < data_offset);
        bytes.resize(data_offset - 1, b' ');
        bytes.push(b'\n');
        bytes.extend(data);
        File::of(&bytes)
    }

    fn open<A: NumPyElement, D: Dimension>(&self) -> Result<SharedArray<A, D>, Error> {
        // SAFETY: nobody changes the file.
        unsafe { npy::open(&self.path) }
    }

    /// What is wrong with it, however it is opened.
    fn fault<A: NumPyElement, D: Dimension>(&self) -> FileFault {
        let fault = |error: Error| match error {
            Error::File { path, fault } => {
                assert!(path.ends_with("array.npy"), "{}", path.display());
                fault
            }
            other => panic!("{other:?}"),
        };
        let opened = fault(self.open::<A, D>().map(drop).unwrap_err());
        // SAFETY: as above.
        let to_write = fault(unsafe { npy::open_mut::<A, D>(&self.path) }.map(drop).unwrap_err());
        assert_eq!(opened.to_string(), to_write.to_string());
        if !matches!(opened, FileFault::Misaligned { .. }) {
            assert_eq!(fault(npy::read::<A, D>(&self.path).map(drop).unwrap_err()).to_string(), opened.to_string());
        }
        opened
    }

    fn npy<A: NumPyElement, D: Dimension>(&self) -> [String; 3] {
        match self.fault::<A, D>() {
            FileFault::Npy { what, expected, found } => [what.to_owned(), expected, found],
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn elements_of_another_type_are_refused() {
    let of = |dtype: &str| File::with(dtype, "(2,)", 128, &[0; 32]);
    let found = |dtype: &str| {
        let [what, expected, found] = of(dtype).npy::<f64, Ix1>();
        assert_eq!((what.as_str(), expected.as_str()), ("the type of its elements", "<f8"));
        found
    };
    assert_eq!(found("'>f8'"), ">f8, big-endian");
    assert_eq!(found("'<f4'"), "<f4");
    assert_eq!(found("'|O'"), "|O");
    assert_eq!(found("'<M8[ns]'"), "<M8[ns]");
    let [what, _, found] = of("[('a', '<f4'), ('b', '<f4')]").npy::<f64, Ix1>();
    assert_eq!(
        (what.as_str(), found.as_str()),
        ("the type of its elements", "a structure, `[('a', '<f4'), ('b', '<f…`")
    );
    let error = of("'>f8'").open::<f64, Ix1>().unwrap_err().to_string();
    assert!(error.contains("the type of its elements is >f8, big-endian, <f8 expected"), "{error}");
    // A byte has no order.
    assert_eq!(of("'<u1'").open::<u8, Ix1>().unwrap().as_view(), ndarray::array![0, 0]);
    // And the header can be asked for all the same.
    assert_eq!(npy::header(&of("'>f8'").path).unwrap().dtype, ">f8");
}

#[test]
fn another_number_of_axes_is_refused() {
    let file = File::with("'|u1'", "(2, 3)", 128, &[7; 6]);
    assert_eq!(file.npy::<u8, Ix1>(), ["the number of its axes", "1", "2, of [2, 3]"]);
    assert_eq!(file.npy::<u8, Ix0>(), ["the number of its axes", "0", "2, of [2, 3]"]);
    assert_eq!(file.open::<u8, Ix2>().unwrap().as_view(), Array2::from_elem((2, 3), 7));
    assert_eq!(file.open::<u8, IxDyn>().unwrap().as_view().shape(), [2, 3]);
}

#[test]
fn elements_that_are_missing_are_an_error_before_anything_is_touched() {
    for (shape, needed) in [("(3,)", 24), ("(1,)", 8), ("(1000000000000,)", 8_000_000_000_000)] {
        let data = vec![0; 7.max(needed.min(24) - 1)];
        match File::with("'<f8'", shape, 128, &data).fault::<f64, Ix1>() {
            FileFault::TooShort { expected, found } => {
                assert_eq!((expected, found), (128 + needed as u64, 128 + data.len() as u64));
            }
            other => panic!("{other:?}"),
        }
    }
    // More than there has to be is no error.
    let file = File::with("'<f8'", "(3,)", 128, &[0; 25]);
    assert_eq!(file.open::<f64, Ix1>().unwrap().as_view(), ndarray::array![0.0, 0.0, 0.0]);
    let many = "(9223372036854775807, 9223372036854775807)";
    let [what, _, found] = File::with("'<f8'", many, 256, &[0; 8]).npy::<f64, Ix2>();
    assert_eq!((what, found), ("its shape".to_owned(), "[9223372036854775807, 9223372036854775807]".to_owned()));
}

#[test]
fn what_is_no_npy_file_is_refused() {
    assert_eq!(File::of(b"PK\x03\x04 as an .npz has").npy::<u8, Ix1>()[0], "its beginning");
    assert_eq!(File::of(b"\x93NUMPY\x09\0v\0").npy::<u8, Ix1>()[0], "its version");
    assert_eq!(File::of(b"\x93NUMPY\x01\0\x03\0{}\n").npy::<u8, Ix1>()[0], "its header");
    for cut in [&b""[..], b"\x93NUM", b"\x93NUMPY\x01\0", b"\x93NUMPY\x01\0v\0{'descr'"] {
        let found = cut.len() as u64;
        let fault = File::of(cut).fault::<u8, Ix1>();
        assert!(
            matches!(fault, FileFault::TooShort { found: is, expected } if is == found && expected > found),
            "{fault}"
        );
    }
}

#[test]
fn elements_that_begin_where_none_can_are_refused_and_can_be_copied() {
    let data = [1.5f64.to_le_bytes(), 2.5f64.to_le_bytes()].concat();
    for offset in [129, 130, 132] {
        let file = File::with("'<f8'", "(2,)", offset, &data);
        match file.fault_of_mapping::<f64>() {
            FileFault::Misaligned { offset: found, alignment, .. } => {
                assert_eq!((found, alignment), (offset as u64, align_of::<f64>() as u64));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(npy::read::<f64, Ix1>(&file.path).unwrap().as_view(), ndarray::array![1.5, 2.5]);
    }
    // As old versions of NumPy wrote them, and others do.
    for offset in [80, 96, 136, 192] {
        let file = File::with("'<f8'", "(2,)", offset, &data);
        assert_eq!(file.open::<f64, Ix1>().unwrap().as_view(), ndarray::array![1.5, 2.5]);
    }
}

impl File {
    fn fault_of_mapping<A: NumPyElement>(&self) -> FileFault {
        match self.open::<A, Ix1>() {
            Err(Error::File { fault, .. }) => fault,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_byte_that_is_no_bool_is_refused() {
    let file = File::with("'|b1'", "(4,)", 128, &[1, 0, 2, 1]);
    let error = file.open::<bool, Ix1>().unwrap_err();
    assert!(matches!(error, Error::Content { .. }), "{error:?}");
    let error = npy::read::<bool, Ix1>(&file.path).unwrap_err();
    assert!(matches!(error, Error::Content { .. }), "{error:?}");
    assert!(file.open::<u8, Ix1>().is_err() && File::with("'|b1'", "(2,)", 128, &[1, 0]).open::<bool, Ix1>().is_ok());
}

#[test]
fn what_is_not_there_or_no_file_is_refused() {
    let directory = Directory::new();
    let absent = format!("{}/absent.npy", directory.0);
    for error in [npy::read::<u8, Ix1>(&absent).unwrap_err(), npy::header(&absent).unwrap_err()] {
        assert!(matches!(error, Error::File { fault: FileFault::Absent, .. }), "{error:?}");
    }
    let error = npy::header(&directory.0).unwrap_err();
    assert!(matches!(error, Error::File { fault: FileFault::NotAFile(_) | FileFault::Denied(_), .. }), "{error:?}");
    let nowhere = format!("{}/no/where.npy", directory.0);
    let error = npy::write(&nowhere, &Array1::<u8>::zeros(3)).unwrap_err();
    assert!(matches!(error, Error::File { fault: FileFault::NoDirectory, .. }), "{error:?}");
}

#[test]
fn an_array_that_numpy_has_not_is_not_written() {
    let directory = Directory::new();
    let path = format!("{}/many.npy", directory.0);
    let many = ndarray::ArrayD::<u8>::zeros(IxDyn(&[1; 65]));
    match npy::write(&path, &many).unwrap_err() {
        Error::File { fault: FileFault::Npy { what, expected, found }, .. } => {
            assert_eq!((what, expected.as_str(), found.as_str()), ("the number of axes", "at most 64", "65"));
        }
        other => panic!("{other:?}"),
    }
    assert!(crate::support::listing(&directory.0).is_empty());
}

#[test]
fn one_writes_or_many_read() {
    let file = File::with("'|u1'", "(3,)", 128, &[1, 2, 3]);
    let first = file.open::<u8, Ix1>().unwrap();
    let second = file.open::<u8, Ix1>().unwrap();
    // SAFETY: nobody changes the file.
    let error = unsafe { npy::open_mut::<u8, Ix1>(&file.path) }.unwrap_err();
    assert!(matches!(error, Error::File { fault: FileFault::Locked { .. }, .. }), "{error:?}");
    drop((first, second));
    // SAFETY: as above.
    let writer = unsafe { npy::open_mut::<u8, Ix1>(&file.path) }.unwrap();
    for error in [file.open::<u8, Ix1>().unwrap_err(), npy::read::<u8, Ix1>(&file.path).unwrap_err()] {
        assert!(matches!(error, Error::File { fault: FileFault::Locked { .. }, .. }), "{error:?}");
    }
    let shared = writer.freeze().unwrap();
    assert_eq!(file.open::<u8, Ix1>().unwrap().as_view(), shared.as_view());
}

//! `.npy` files that NumPy writes are mapped here, and the other way round.

use std::fs;

use commonage::{
    Error, FileFault, Shared, SharedArray, SharedArrayMut,
    file::npy::{self, Header, Order},
};
use ndarray::{ArrayD, Axis, Dimension, Ix1, Ix2, Ix3, Ix4, IxDyn};
use serde_json::json;

use super::{ForEach, Made, NumPy, SHAPES, arrays::made, for_each_type};
use crate::support::Directory;

impl NumPy {
    fn writes<E: Made>(&mut self, path: &str, shape: &[usize], order: &str, version: u32) {
        self.does(json!({
            "do": "write", "path": path, "dtype": E::DTYPE, "shape": shape, "order": order, "version": [version, 0],
        }));
    }

    fn loads<E: Made>(&mut self, path: &str, shape: &[usize], order: &str) {
        self.does(json!({"do": "load", "path": path, "dtype": E::DTYPE, "shape": shape, "order": order}));
    }
}

/// What this process's mapping shows of a file. Nobody changes it.
fn open<E: Made, D: Dimension>(path: &str) -> SharedArray<E, D> {
    // SAFETY: nobody changes the files of these tests while they are mapped.
    unsafe { npy::open(path) }.unwrap()
}

fn open_mut<E: Made, D: Dimension>(path: &str) -> SharedArrayMut<E, D> {
    // SAFETY: as above.
    unsafe { npy::open_mut(path) }.unwrap()
}

fn says(path: &str) -> Header {
    npy::header(path).unwrap()
}

/// The same, along as many axes as it has.
fn is_mapped_along_its_axes<E: Made, D: Dimension>(path: &str, expected: &ArrayD<E>) {
    let array: SharedArray<E, D> = open(path);
    assert_eq!(array.as_view().into_dyn(), expected.view(), "{path}");
}

struct RoundTrips(Directory);

impl ForEach for RoundTrips {
    fn with<E: Made>(&mut self) {
        let path = format!("{}/round.npy", self.0.0);
        for &shape in SHAPES {
            for fortran_order in [false, true] {
                let array = made::<E>(shape, fortran_order);
                npy::write(&path, &array).unwrap();
                let mapped: SharedArray<E, IxDyn> = open(&path);
                assert_eq!(mapped.as_view(), array);
                assert_eq!(mapped.as_view().strides(), Shared::copy_from(&array).unwrap().as_view().strides());
                assert_eq!(npy::read::<E, IxDyn>(&path).unwrap().as_view(), array);
            }
        }
    }
}

#[test]
fn what_is_written_here_is_read_here() {
    for_each_type(&mut RoundTrips(Directory::new()));
}

struct Written {
    numpy: NumPy,
    directory: Directory,
}

impl ForEach for Written {
    fn with<E: Made>(&mut self) {
        let path = format!("{}/by-numpy.npy", self.directory.0);
        for &shape in SHAPES {
            for (order, is_fortran) in [("C", false), ("F", true)] {
                let version = 1 + (shape.len() % 3) as u32;
                self.numpy.writes::<E>(&path, shape, order, version);
                let expected = made::<E>(shape, false);
                let header = says(&path);
                assert_eq!((&header.dtype[..], &header.shape[..]), (E::DTYPE, shape));
                // Of what has both orders NumPy says C.
                let both = shape.iter().filter(|&&len| len != 1).count() < 2 || shape.contains(&0);
                assert_eq!(header.fortran_order, is_fortran && !both, "{shape:?}");
                let array: SharedArray<E, IxDyn> = open(&path);
                assert_eq!(array.as_view(), expected.view());
                if !both {
                    assert_eq!(array.as_view().is_standard_layout(), !is_fortran);
                    assert_eq!(array.as_view().t().is_standard_layout(), is_fortran);
                }
                let copy: SharedArray<E, IxDyn> = npy::read(&path).unwrap();
                assert_eq!(copy.as_view(), expected.view());
                drop(array);
                match shape.len() {
                    0 => is_mapped_along_its_axes::<E, ndarray::Ix0>(&path, &expected),
                    1 => is_mapped_along_its_axes::<E, Ix1>(&path, &expected),
                    2 => is_mapped_along_its_axes::<E, Ix2>(&path, &expected),
                    3 => is_mapped_along_its_axes::<E, Ix3>(&path, &expected),
                    _ => is_mapped_along_its_axes::<E, Ix4>(&path, &expected),
                }
            }
        }
    }
}

#[test]
fn what_numpy_writes_is_mapped_here() {
    let Some(numpy) = NumPy::start() else { return };
    let mut written = Written { numpy, directory: Directory::new() };
    for_each_type(&mut written);
    written.numpy.end();
}

struct Loaded {
    numpy: NumPy,
    directory: Directory,
}

impl ForEach for Loaded {
    fn with<E: Made>(&mut self) {
        let path = format!("{}/by-us.npy", self.directory.0);
        for &shape in SHAPES {
            for (name, order) in [("C", Order::C), ("F", Order::Fortran)] {
                npy::write(&path, &made::<E>(shape, order == Order::Fortran)).unwrap();
                self.numpy.loads::<E>(&path, shape, name);
                assert_eq!(says(&path).data_offset % 128, 0);
                assert_eq!(open::<E, IxDyn>(&path).as_view(), made::<E>(shape, false));
            }
        }
    }
}

#[test]
fn what_is_written_here_numpy_maps() {
    let Some(numpy) = NumPy::start() else { return };
    let mut loaded = Loaded { numpy, directory: Directory::new() };
    for_each_type(&mut loaded);
    loaded.numpy.end();
}

#[test]
fn what_is_changed_here_where_it_stays_numpy_sees() {
    let Some(mut numpy) = NumPy::start() else { return };
    let directory = Directory::new();
    let path = format!("{}/changed.npy", directory.0);
    let shape = [300, 70];
    for order in [Order::C, Order::Fortran] {
        let name = if order == Order::C { "C" } else { "F" };
        // Zeroes at first, brought into view, and then changed.
        npy::draft::<f64, Ix2>(&path, (300, 70), order).unwrap().publish().unwrap();
        let mut array = open_mut::<f64, Ix2>(&path);
        assert_eq!(array.as_view().sum(), 0.0);
        array.as_view_mut().assign(&made::<f64>(&shape, false).into_dimensionality::<Ix2>().unwrap());
        array.flush().unwrap();
        drop(array);
        numpy.loads::<f64>(&path, &shape, name);
        // And written before it comes into view.
        let mut draft = npy::draft::<i16, Ix2>(&path, (300, 70), order).unwrap();
        draft.as_view_mut().assign(&made::<i16>(&shape, false).into_dimensionality::<Ix2>().unwrap());
        draft.publish().unwrap();
        numpy.loads::<i16>(&path, &shape, name);
    }
    numpy.end();
}

#[test]
fn numpy_sees_a_mapped_file_by_its_location() {
    let Some(mut numpy) = NumPy::start() else { return };
    let directory = Directory::new();
    let path = format!("{}/located.npy", directory.0);
    let shape = [40, 50, 60];
    for order in ["C", "F"] {
        numpy.writes::<u16>(&path, &shape, order, 1);
        let array: SharedArray<u16, Ix3> = open(&path);
        let location = array.location().unwrap();
        assert_eq!(location.offset, says(&path).data_offset);
        assert_eq!(fs::canonicalize(&location.name).unwrap(), fs::canonicalize(&path).unwrap());
        numpy.sees::<u16>(&location, &shape, "a");
        let part = array.slice_axis(Axis(1), 20..30).slice_axis(Axis(0), 39..);
        numpy.sees::<u16>(&part.location().unwrap(), &shape, "a[39:, 20:30]");
    }
    numpy.end();
}

#[test]
fn a_copy_of_a_part_of_an_array_is_written_in_c_order() {
    let directory = Directory::new();
    let path = format!("{}/part.npy", directory.0);
    let array = made::<u32>(&[6, 5, 4], true);
    let mut view = array.view();
    view.slice_axis_inplace(Axis(0), (1..5).into());
    view.invert_axis(Axis(2));
    npy::write(&path, &view).unwrap();
    assert!(!says(&path).fortran_order);
    assert_eq!(open::<u32, IxDyn>(&path).as_view(), view);
    // A Fortran array keeps its order.
    npy::write(&path, &array).unwrap();
    assert!(says(&path).fortran_order);
    assert_eq!(open::<u32, IxDyn>(&path).as_view(), array);
    assert_eq!(crate::support::listing(&directory.0), ["part.npy"]);
}

#[test]
fn a_private_array_changes_no_file() {
    let directory = Directory::new();
    let path = format!("{}/private.npy", directory.0);
    npy::write(&path, &made::<i32>(&[100, 100], false)).unwrap();
    // SAFETY: nobody changes the file.
    let mut private = unsafe { commonage::file::options::<ArrayD<i32>>().open_npy_private(&path) }.unwrap();
    private.as_view_mut().fill(3);
    assert_eq!(private.as_view().sum(), 30_000);
    // Nor has it a place that others could look at.
    let error = private.freeze().unwrap().location().unwrap_err();
    assert!(matches!(error, Error::File { fault: FileFault::NotSent { .. }, .. }), "{error:?}");
    assert_eq!(open::<i32, IxDyn>(&path).as_view(), made::<i32>(&[100, 100], false));
}

#[test]
fn what_is_read_is_a_copy_in_the_pool() {
    let directory = Directory::new();
    let path = format!("{}/copied.npy", directory.0);
    let array = made::<f32>(&[64, 65], true);
    npy::write(&path, &array).unwrap();
    let copy: SharedArray<f32, Ix2> = npy::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(copy.as_view().into_dyn(), array);
    assert!(copy.as_view().t().is_standard_layout());
    assert_eq!(copy.path(), None);
    let again = Shared::<ndarray::Array2<f32>>::from_token(&copy.clone().into_token().unwrap()).unwrap();
    assert_eq!(again.as_view(), copy.as_view());
}

//! Python looks at arrays while this process holds them: in any order, backwards, and at parts of them.

use commonage::{Shared, SharedArray, SharedArrayMut, SharedMut, backed::ArrayLayout};
use ndarray::{Array, ArrayD, Axis, Dimension, Ix3, IxDyn, ShapeBuilder, arr0};

use super::{ForEach, Made, NumPy, SHAPES, for_each_type};
use crate::support::on_both_backings;

/// The array whose elements are made of their numbers in C order.
pub(super) fn made<E: Made>(shape: &[usize], fortran_order: bool) -> ArrayD<E> {
    let mut number = 0..;
    let mut elements = Array::from_elem(IxDyn(shape).set_f(fortran_order), E::made(0));
    elements.iter_mut().zip(&mut number).for_each(|(element, number)| *element = E::made(number));
    elements
}

struct Arrays(NumPy);

impl ForEach for Arrays {
    fn with<E: Made>(&mut self) {
        for &shape in SHAPES {
            for fortran_order in [false, true] {
                let shared = Shared::copy_from(&made::<E>(shape, fortran_order)).unwrap();
                self.0.sees::<E>(&shared.location().unwrap(), shape, "a");
            }
        }
    }
}

#[test]
fn numpy_sees_arrays_of_each_type_in_both_orders() {
    on_both_backings("numpy::arrays::numpy_sees_arrays_of_each_type_in_both_orders", || {
        let Some(numpy) = NumPy::start() else { return };
        let mut arrays = Arrays(numpy);
        for_each_type(&mut arrays);
        arrays.0.end();
    });
}

/// The same elements, with their axes in another order in memory, and some of them backwards.
fn laid_out<D: Dimension>(array: &Array<i32, D>, strides: &[isize]) -> SharedArray<i32, D> {
    let mut shared: SharedArrayMut<i32, D> = SharedMut::new(&(0, array.raw_dim())).unwrap();
    let layout = ArrayLayout::try_from((array.shape().to_vec(), strides.to_vec())).unwrap();
    // SAFETY: of as many elements, without a gap.
    unsafe { *shared.metadata_mut() = layout };
    shared.as_view_mut().assign(array);
    shared.freeze().unwrap()
}

#[test]
fn numpy_sees_parts_of_arrays_and_axes_that_run_backwards() {
    let Some(mut numpy) = NumPy::start() else { return };
    let shape = [3, 4, 5];
    let array = made::<i32>(&shape, false).into_dimensionality::<Ix3>().unwrap();
    for strides in [[20, 5, 1], [1, 3, 12], [4, 1, 12], [-20, 5, 1], [20, -5, -1], [-1, -3, -12], [5, 15, -1]] {
        let shared = laid_out(&array, &strides);
        assert_eq!(shared.as_view(), array);
        numpy.sees::<i32>(&shared.location().unwrap(), &shape, "a");
        let part = shared.slice_axis(Axis(0), 1..2).slice_axis(Axis(2), 1..);
        numpy.sees::<i32>(&part.location().unwrap(), &shape, "a[1:2, :, 1:]");
        let part = shared.slice_axis(Axis(1), 2..4);
        numpy.sees::<i32>(&part.location().unwrap(), &shape, "a[:, 2:]");
        let nothing = shared.slice_axis(Axis(1), 4..4);
        numpy.sees::<i32>(&nothing.location().unwrap(), &shape, "a[:, 4:]");
    }
    let one = SharedArray::copy_from(&arr0(-7)).unwrap();
    numpy.sees::<i32>(&one.location().unwrap(), &[], "a");
    numpy.end();
}

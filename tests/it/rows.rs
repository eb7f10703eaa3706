//! Parts of arrays, by rows.

use std::{
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
};

use commonage::{
    Error, SharedArrayMut, SharedMut,
    backed::ArrayLayout,
    bytemuck::{CheckedBitPattern, NoUninit},
};
use ndarray::{
    Array, Array0, Array1, Array2, Array3, ArrayD, Axis, Dimension, Ix0, Ix2, IxDyn, ShapeBuilder, Slice, array, s,
};

use crate::support::on_both_backings;

/// 0, 1, 2, ... in logical order.
fn counting<D: Dimension>(shape: impl ShapeBuilder<Dim = D>) -> Array<u32, D> {
    let mut array = Array::zeros(shape);
    array.iter_mut().zip(0..).for_each(|(element, n)| *element = n);
    array
}

/// Cut at every row and put together, by pairs and at once, in several orders, sent or not.
#[track_caller]
fn is_divided_by_rows<A, D>(array: &Array<A, D>)
where
    A: NoUninit + CheckedBitPattern + PartialEq + Debug,
    D: Dimension,
{
    let rows = array.len_of(Axis(0));
    for row in 0..=rows {
        let mut top = SharedArrayMut::copy_from(array).unwrap();
        let bottom = top.split_off(row).unwrap();
        assert_eq!(top.as_view(), array.slice_axis(Axis(0), Slice::from(..row)));
        assert_eq!(bottom.as_view(), array.slice_axis(Axis(0), Slice::from(row..)));
        let top: SharedArrayMut<A, D> = SharedMut::from_token(&top.into_token().unwrap()).unwrap();
        let whole = if row % 2 == 0 { top.unsplit(bottom) } else { bottom.unsplit(top) }.unwrap();
        assert_eq!((whole.as_view(), whole.as_view().shape()), (array.view(), array.shape()));
    }
    for number in [1, 2, rows.max(1), rows + 3] {
        let mut parts = SharedArrayMut::copy_from(array).unwrap().split_into(number).unwrap();
        assert_eq!(parts.iter().map(|part| part.as_view().len_of(Axis(0))).sum::<usize>(), rows);
        parts.rotate_left(number / 2);
        parts.reverse();
        let whole = SharedArrayMut::unsplit_all(parts).unwrap().freeze().unwrap();
        assert_eq!((whole.as_view(), whole.as_view().shape()), (array.view(), array.shape()));
    }
}

#[test]
fn arrays_of_every_number_of_axes_are_divided_by_rows() {
    on_both_backings("rows::arrays_of_every_number_of_axes_are_divided_by_rows", || {
        is_divided_by_rows(&counting(7));
        is_divided_by_rows(&counting((5, 3)));
        is_divided_by_rows(&counting((4, 3, 2)));
        is_divided_by_rows(&counting(IxDyn(&[3, 2, 2, 2])));
        is_divided_by_rows(&counting(IxDyn(&[6])));
        is_divided_by_rows(&array![[true, false], [false, false], [true, true]]);
        is_divided_by_rows(&Array2::from_elem((3, 3), [0.5f64, 1.5]));
    });
}

#[test]
fn arrays_without_elements_or_bytes_are_divided_by_rows() {
    on_both_backings("rows::arrays_without_elements_or_bytes_are_divided_by_rows", || {
        is_divided_by_rows(&counting((0, 3)));
        is_divided_by_rows(&counting((3, 0)));
        is_divided_by_rows(&counting((2, 0, 3)));
        is_divided_by_rows(&counting(0));
        is_divided_by_rows(&Array2::from_elem((5, 2), [0u8; 0]));
        is_divided_by_rows(&counting((1, 4)));
        is_divided_by_rows(&counting((4, 1)));
    });
}

#[test]
fn what_is_written_to_the_parts_is_in_the_whole() {
    on_both_backings("rows::what_is_written_to_the_parts_is_in_the_whole", || {
        let mut parts = SharedArrayMut::<u32, _>::zeroed((11, 4, 2)).unwrap().split_into(3).unwrap();
        let mut from = 0;
        for part in &mut parts {
            let elements = part.as_view().len() as u32;
            part.as_view_mut().iter_mut().zip(from..).for_each(|(element, n)| *element = n);
            from += elements;
        }
        parts.swap(0, 2);
        let whole = SharedArrayMut::unsplit_all(parts).unwrap().freeze().unwrap();
        assert_eq!(whole.as_view(), counting((11, 4, 2)));
    });
}

#[test]
fn an_array_that_is_not_in_c_order_or_has_no_axes_is_given_back() {
    on_both_backings("rows::an_array_that_is_not_in_c_order_or_has_no_axes_is_given_back", || {
        let mut columns = SharedArrayMut::copy_from(&counting((3, 2).f())).unwrap();
        let error = columns.split_off(1).unwrap_err();
        assert!(matches!(&error, Error::NoRows { shape, strides } if shape[..] == [3, 2] && strides[..] == [1, 3]));
        assert_eq!(columns.as_view(), counting((3, 2)));
        let refused = columns.split_into(2).unwrap_err();
        assert!(matches!(refused.reason, Error::NoRows { .. }));
        let columns = refused.handle;
        let refused = SharedArrayMut::unsplit_all([columns]).unwrap_err();
        assert!(matches!(refused.reason, Error::NoRows { .. }));
        assert_eq!(refused.handle[0].as_view(), counting((3, 2)));

        let mut scalar: SharedArrayMut<f32, Ix0> = SharedMut::copy_from(&Array0::from_elem((), 1.5)).unwrap();
        assert!(matches!(scalar.split_off(0), Err(Error::NoRows { .. })));
        let mut scalar: SharedArrayMut<f32, IxDyn> = SharedMut::copy_from(&Array::zeros(IxDyn(&[]))).unwrap();
        assert!(matches!(scalar.split_off(0), Err(Error::NoRows { .. })));

        // What was sliced is copied to C order.
        let view = counting((4, 4));
        let mut copy = SharedArrayMut::copy_from_view(&view.slice(s![..;-1, ..;2])).unwrap();
        assert_eq!(copy.split_off(3).unwrap().as_view(), array![[0, 2]]);
    });
}

#[test]
fn a_row_beyond_the_end_and_no_parts_panic() {
    on_both_backings("rows::a_row_beyond_the_end_and_no_parts_panic", || {
        let panics = |body: &mut dyn FnMut()| catch_unwind(AssertUnwindSafe(body)).is_err();
        let mut array = SharedArrayMut::copy_from(&counting((3, 2))).unwrap();
        assert!(panics(&mut || drop(array.split_off(4))));
        assert_eq!(array.as_view(), counting((3, 2)));
        assert!(panics(&mut || drop(SharedArrayMut::copy_from(&counting((3, 2))).unwrap().split_into(0))));
        let message = postcard::to_stdvec(&array).unwrap();
        assert!(panics(&mut || drop(array.split_off(1))));
        drop(array);
        assert_eq!(postcard::from_bytes::<SharedArrayMut<u32, Ix2>>(&message).unwrap().as_view(), counting((3, 2)));
    });
}

#[test]
fn the_rows_that_are_missing_are_said() {
    on_both_backings("rows::the_rows_that_are_missing_are_said", || {
        let mut parts = SharedArrayMut::copy_from(&counting((20, 3))).unwrap().split_into(5).unwrap();
        drop(parts.remove(3));
        drop(parts.remove(0));
        parts.reverse();
        let refused = SharedArrayMut::unsplit_all(parts).unwrap_err();
        assert!(
            matches!(&refused.reason, Error::Missing { missing, length: 20 } if missing[..] == [0..4, 12..16]),
            "{refused}"
        );
        let [last, second, first] = refused.handle.try_into().unwrap();
        let refused = last.unsplit(first).unwrap_err();
        assert!(matches!(&refused.reason, Error::Apart { first, second } if (first, second) == (&(4..8), &(16..20))));
        let (last, first) = refused.handle;
        let both = second.unsplit(first).unwrap();
        assert_eq!(both.as_view(), counting((20, 3)).slice(s![4..12, ..]));
        assert_eq!(last.as_view(), counting((20, 3)).slice(s![16.., ..]));
    });
}

#[test]
fn rows_of_different_shapes_are_not_put_together() {
    #![allow(unsafe_code)]
    on_both_backings("rows::rows_of_different_shapes_are_not_put_together", || {
        let mut top: SharedArrayMut<u32, IxDyn> = SharedMut::copy_from(&counting(IxDyn(&[6, 2]))).unwrap();
        let mut bottom = top.split_off(3).unwrap();
        // SAFETY: as many elements as there are, in C order.
        unsafe { *bottom.metadata_mut() = ArrayLayout::of(&ArrayD::<u32>::zeros(IxDyn(&[2, 3]))) };
        let refused = top.unsplit(bottom).unwrap_err();
        assert!(
            matches!(&refused.reason, Error::OtherRows { first, second } if (&first[..], &second[..]) == (&[2], &[3])),
            "{refused}"
        );
        let (top, mut bottom) = refused.handle;
        // SAFETY: as many elements as there are, the first axis the fastest.
        unsafe { *bottom.metadata_mut() = ArrayLayout::of(&ArrayD::<u32>::zeros(IxDyn(&[3, 2]).f())) };
        let refused = top.unsplit(bottom).unwrap_err();
        assert!(matches!(refused.reason, Error::NoRows { .. }), "{refused}");
        let (top, mut bottom) = refused.handle;
        // SAFETY: what they were.
        unsafe { *bottom.metadata_mut() = ArrayLayout::of(&ArrayD::<u32>::zeros(IxDyn(&[3, 2]))) };
        assert_eq!(bottom.unsplit(top).unwrap().as_view(), counting(IxDyn(&[6, 2])));

        let stranger = SharedArrayMut::copy_from(&counting((2, 2))).unwrap();
        let mut other = SharedArrayMut::copy_from(&counting((2, 2))).unwrap();
        drop(other.split_off(1).unwrap());
        let refused = other.unsplit(stranger).unwrap_err();
        assert!(matches!(refused.reason, Error::OtherBlock { .. }));
    });
}

#[test]
fn parts_of_arrays_of_one_and_three_axes_keep_their_views() {
    on_both_backings("rows::parts_of_arrays_of_one_and_three_axes_keep_their_views", || {
        let mut line = SharedArrayMut::copy_from(&Array1::from_iter(0..9u8)).unwrap();
        let tail = line.split_off(6).unwrap();
        assert_eq!((line.as_view(), tail.as_view()), (array![0, 1, 2, 3, 4, 5].view(), array![6, 7, 8].view()));
        let block: Array3<u32> = counting((4, 3, 2));
        let mut top = SharedArrayMut::copy_from(&block).unwrap();
        let mut bottom = top.split_off(1).unwrap();
        bottom.as_view_mut().slice_mut(s![1, .., 0]).fill(7);
        assert_eq!(bottom.as_view().strides(), [6, 2, 1]);
        assert_eq!(top.as_view(), block.slice(s![..1, .., ..]));
        let expected: Array2<u32> = array![[7, 13], [7, 15], [7, 17]];
        assert_eq!(top.unsplit(bottom).unwrap().as_view().index_axis(Axis(0), 2), expected);
    });
}

#[test]
fn an_array_can_be_a_part_whose_rows_are_cut_further() {
    on_both_backings("rows::an_array_can_be_a_part_whose_rows_are_cut_further", || {
        let shared = SharedArrayMut::<u32, Ix2>::copy_from(&counting((8, 3))).unwrap().freeze().unwrap();
        let middle = shared.slice_axis(Axis(0), 2..6);
        drop(shared);
        let parts = middle.try_into_mut().unwrap().split_into(2).unwrap();
        let refused = SharedArrayMut::unsplit_all(parts).unwrap_err();
        assert!(matches!(&refused.reason, Error::Missing { missing, length: 8 } if missing[..] == [0..2, 6..8]));
        let [first, second] = refused.handle.try_into().unwrap();
        assert_eq!(second.unsplit(first).unwrap().as_view(), counting((8, 3)).slice(s![2..6, ..]));
    });
}

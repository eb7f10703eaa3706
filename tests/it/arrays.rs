//! Arrays: every order and shape that ndarray can make, sent by text and by bytes, written to, cut, and told apart.

use std::fmt::Debug;

use commonage::{
    Counts, Error, Shared, SharedArray, SharedArrayMut, SharedMut, SharedSlice,
    backed::ArrayLayout,
    bytemuck::{self, CheckedBitPattern, NoUninit},
};
use ndarray::{
    Array, Array0, Array1, Array2, Array3, ArrayRef, ArrayView, Axis, Dimension, Ix0, Ix1, Ix2, Ix3, IxDyn,
    ShapeBuilder, Slice, array, s,
};

use crate::support::on_both_backings;

/// 0, 1, 2, ... in logical order.
fn counting<D: Dimension>(shape: impl ShapeBuilder<Dim = D>) -> Array<u32, D> {
    let mut array = Array::zeros(shape);
    array.iter_mut().zip(0..).for_each(|(element, n)| *element = n);
    array
}

/// Sends `shared` by text and by bytes; what arrives must be `expected`, with these strides.
#[track_caller]
fn arrives<A, D>(shared: SharedArray<A, D>, expected: &ArrayRef<A, D>, strides: &[isize])
where
    A: NoUninit + CheckedBitPattern + PartialEq + Debug,
    D: Dimension,
{
    assert_eq!(shared.as_view(), expected, "before it was sent");
    let by_bytes: SharedArray<A, D> = postcard::from_bytes(&postcard::to_stdvec(&shared).unwrap()).unwrap();
    let by_text: SharedArray<A, D> = Shared::from_token(&shared.into_token().unwrap()).unwrap();
    for received in [by_bytes, by_text] {
        let view = received.as_view();
        assert_eq!(view, expected);
        assert_eq!(view.shape(), expected.shape());
        assert_eq!(view.strides(), strides);
        assert_eq!(view.iter().count(), expected.len());
    }
}

/// The same of an exclusive one, which each receiver sends on.
#[track_caller]
fn arrives_exclusive<A, D>(exclusive: SharedArrayMut<A, D>, expected: &ArrayRef<A, D>, strides: &[isize])
where
    A: NoUninit + CheckedBitPattern + PartialEq + Debug,
    D: Dimension,
{
    assert_eq!(exclusive.as_view(), expected, "before it was sent");
    let message = postcard::to_stdvec(&exclusive).unwrap();
    drop(exclusive);
    let received: SharedArrayMut<A, D> = postcard::from_bytes(&message).unwrap();
    assert_eq!((received.as_view(), received.as_view().strides()), (expected.view(), strides));
    let mut received: SharedArrayMut<A, D> = SharedMut::from_token(&received.into_token().unwrap()).unwrap();
    let view = received.as_view_mut();
    assert_eq!((view.shape(), view.strides()), (expected.shape(), strides));
    assert_eq!(received.as_view(), expected);
}

/// A copy of an owned array and a copy of a view of it, each of both kinds.
#[track_caller]
fn travels<A, D>(array: &Array<A, D>, strides: &[isize])
where
    A: NoUninit + CheckedBitPattern + PartialEq + Debug,
    D: Dimension,
{
    arrives(Shared::copy_from(array).unwrap(), array, strides);
    arrives_exclusive(SharedMut::copy_from(array).unwrap(), array, strides);
    view_travels(array.view(), strides);
}

/// A copy of a view, of both kinds.
#[track_caller]
fn view_travels<A, D>(view: ArrayView<'_, A, D>, strides: &[isize])
where
    A: NoUninit + CheckedBitPattern + PartialEq + Debug,
    D: Dimension,
{
    arrives(SharedArray::from(view.view()), &view, strides);
    arrives(SharedArray::copy_from_view(&view).unwrap(), &view, strides);
    arrives_exclusive(SharedArrayMut::from(view.view()), &view, strides);
    arrives_exclusive(SharedArrayMut::copy_from_view(&view).unwrap(), &view, strides);
}

#[test]
fn arrays_keep_shape_order_and_content() {
    on_both_backings("arrays::arrays_keep_shape_order_and_content", || {
        travels(&counting(7), &[1]);
        travels(&counting((3, 4)), &[4, 1]);
        travels(&counting((2, 3, 4)), &[12, 4, 1]);
        travels(&counting(IxDyn(&[2, 3, 4, 5])), &[60, 20, 5, 1]);
        travels(&counting(IxDyn(&[2; 12])), &[2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1]);
        // More than a page, more than a segment's first.
        travels(&counting((300, 500)), &[500, 1]);
        travels(&counting((5, 1000, 1000)), &[1_000_000, 1000, 1]);
    });
}

#[test]
fn arrays_in_fortran_order_stay_in_fortran_order() {
    on_both_backings("arrays::arrays_in_fortran_order_stay_in_fortran_order", || {
        travels(&counting((3, 4).f()), &[1, 3]);
        travels(&counting((2, 3, 4).f()), &[1, 2, 6]);
        travels(&counting(IxDyn(&[2, 3, 4]).f()), &[1, 2, 6]);
        travels(&counting((2, 3, 4)).reversed_axes(), &[1, 4, 12]);
        travels(&counting((500, 300).f()), &[1, 500]);
        view_travels(counting((3, 4)).t(), &[1, 4]);
        let shared: SharedArray<u32, Ix2> = Shared::copy_from(&counting((3, 4).f())).unwrap();
        assert!(shared.as_view().t().is_standard_layout());
    });
}

#[test]
fn views_with_reversed_sliced_and_permuted_axes_become_c_order() {
    on_both_backings("arrays::views_with_reversed_sliced_and_permuted_axes_become_c_order", || {
        let array = counting((4, 5, 6));
        view_travels(array.slice(s![..;-1, .., ..]), &[30, 6, 1]);
        view_travels(array.slice(s![..;-1, ..;-1, ..;-1]), &[30, 6, 1]);
        view_travels(array.slice(s![.., .., 1..4]), &[15, 3, 1]);
        view_travels(array.slice(s![1..3, ..;2, 1..;3]), &[6, 2, 1]);
        view_travels(array.slice(s![..;-2, 1..4;-1, ..]), &[18, 6, 1]);
        view_travels(array.slice(s![2, .., ..]), &[6, 1]);
        view_travels(array.slice(s![.., .., 3]), &[5, 1]);
        view_travels(array.slice(s![1, 2, ..]), &[1]);
        view_travels(array.view().permuted_axes([1, 0, 2]), &[24, 6, 1]);
        view_travels(array.view().permuted_axes([1, 2, 0]), &[24, 4, 1]);
        view_travels(array.view().into_dyn().permuted_axes(vec![2, 0, 1]), &[20, 5, 1]);
        view_travels(array.slice(s![..;-1, 1..4, ..;2]).permuted_axes([2, 0, 1]), &[12, 3, 1]);
        view_travels(array.diag(), &[1]);
        view_travels(array![1u32, 2, 3].broadcast((2, 3)).unwrap(), &[3, 1]);
        // Owned, with an order of its own.
        let mut owned = array.clone();
        owned.invert_axis(Axis(1));
        owned.swap_axes(0, 2);
        travels(&owned, &[20, 4, 1]);
    });
}

#[test]
fn arrays_without_elements_or_without_axes_are_values() {
    on_both_backings("arrays::arrays_without_elements_or_without_axes_are_values", || {
        travels(&counting((0, 5)), &[0, 0]);
        travels(&counting((3, 0, 5).f()), &[0, 0, 0]);
        travels(&counting(0), &[0]);
        travels(&counting(IxDyn(&[4, 0])), &[0, 0]);
        view_travels(counting((4, 6)).slice(s![2..2, ..;-1]), &[0, 0]);
        travels(&counting(()), &[]);
        travels(&counting(IxDyn(&[])), &[]);
        travels(&counting(IxDyn(&[1, 1])), &[1, 1]);
        travels(&Array2::<[u16; 0]>::from_elem((3, 2), []), &[2, 1]);

        let empty: SharedArray<f64, Ix2> = Shared::new(&(1.0, Ix2(7, 0))).unwrap();
        assert_eq!(empty.as_view().dim(), (7, 0));
        let mut one: SharedArrayMut<f64, Ix0> = SharedMut::new(&(1.5, Ix0())).unwrap();
        one.as_view_mut()[()] = 2.5;
        assert_eq!(one.as_view().into_scalar(), &2.5);
        arrives_exclusive(one, &Array0::from_elem((), 2.5), &[]);
    });
}

#[derive(Clone, Copy, PartialEq, Debug, bytemuck::NoUninit, bytemuck::CheckedBitPattern)]
#[repr(C)]
struct Star {
    at: [f32; 2],
    brightness: f32,
    known: bool,
    kind: u8,
    rest: [u8; 2],
}

#[test]
fn arrays_of_every_kind_of_element_travel() {
    on_both_backings("arrays::arrays_of_every_kind_of_element_travel", || {
        travels(&array![[true, false], [false, true], [true, true]], &[2, 1]);
        travels(&array!['a', '§', '🦀'], &[1]);
        travels(&array![[1i128, -2], [i128::MAX, i128::MIN]], &[2, 1]);
        travels(&array![[[1.5f32, -0.0], [f32::INFINITY, f32::MIN_POSITIVE]]], &[4, 2, 1]);
        travels(&array![[[1u8, 2, 3], [4, 5, 6]]].mapv(|x| [x, 0]), &[6, 3, 1]);
        let star = Star { at: [1.0, 2.0], brightness: 0.5, known: true, kind: 7, rest: [0; 2] };
        travels(&Array1::from_elem(100, star), &[1]);
        let nan: SharedArray<f64, Ix1> = Shared::copy_from(&array![f64::NAN]).unwrap();
        assert!(SharedArray::<f64, Ix1>::from_token(&nan.into_token().unwrap()).unwrap().as_view()[0].is_nan());
    });
}

#[test]
fn what_is_written_through_a_view_is_what_the_receiver_reads() {
    on_both_backings("arrays::what_is_written_through_a_view_is_what_the_receiver_reads", || {
        let mut image: SharedArrayMut<f32, Ix2> = SharedArrayMut::new(&(0.0, Ix2(480, 640))).unwrap();
        image.as_view_mut().slice_mut(s![10..20, ..;2]).fill(1.0);
        image.as_view_mut().row_mut(479).fill(2.0);
        let mut image = SharedArrayMut::<f32, Ix2>::from_token(&image.into_token().unwrap()).unwrap();
        assert_eq!(image.as_view().sum(), 10.0 * 320.0 + 640.0 * 2.0);
        image.as_view_mut()[[0, 0]] = -1.0;
        image.as_view_mut().invert_axis(Axis(0));
        let image: SharedArray<f32, Ix2> = image.freeze().unwrap();
        let image = SharedArray::<f32, Ix2>::from_token(&image.into_token().unwrap()).unwrap();
        assert_eq!(image.as_view()[[0, 0]], -1.0);
        assert_eq!(image.as_view()[[479, 639]], 2.0);

        let mut fortran = SharedArrayMut::<u32, Ix2>::copy_from(&counting((3, 4).f())).unwrap();
        fortran.as_view_mut().column_mut(1).fill(9);
        let expected = array![[0, 9, 2, 3], [4, 9, 6, 7], [8, 9, 10, 11]];
        arrives_exclusive(fortran, &expected, &[1, 3]);
    });
}

#[test]
fn metadata_with_other_axes_travel() {
    on_both_backings("arrays::metadata_with_other_axes_travel", || {
        let array = counting((10, 20, 30)).into_dyn();
        let mut shared: SharedArrayMut<u32, IxDyn> = SharedMut::copy_from(&array).unwrap();
        let mut view = shared.as_view_mut();
        view.swap_axes(0, 1);
        view.invert_axis(Axis(2));
        view[[1, 2, 3]] = 1_000_000;
        let layout = ArrayLayout::of(&view);
        // SAFETY: the metadata are those of a view of all the same elements.
        unsafe {
            *shared.metadata_mut() = layout;
        }
        let mut expected = array.clone();
        expected.swap_axes(0, 1);
        expected.invert_axis(Axis(2));
        expected[[1, 2, 3]] = 1_000_000;
        assert_eq!(shared.as_view().strides(), &[30, 600, -1]);
        arrives_exclusive(shared, &expected, &[30, 600, -1]);
    });
}

#[test]
fn metadata_that_lead_out_of_the_data_are_an_error_at_the_claim() {
    on_both_backings("arrays::metadata_that_lead_out_of_the_data_are_an_error_at_the_claim", || {
        let layouts = [
            (vec![4, 4], vec![4, 1]),
            (vec![3, 4], vec![isize::MAX, 1]),
            (vec![3, 4], vec![0, 1]),
            (vec![usize::MAX, usize::MAX], vec![4, 1]),
        ];
        for layout in layouts {
            let mut shared: SharedArrayMut<u32, Ix2> = SharedMut::copy_from(&counting((3, 4))).unwrap();
            // SAFETY: none: what a careless sender does must not harm the receiver. No view is made here.
            unsafe {
                *shared.metadata_mut() = layout.clone().try_into().unwrap();
            }
            let ticket = shared.into_ticket().unwrap();
            for claim in 1..=2 {
                let error = ticket.claim_mut().unwrap_err();
                assert!(matches!(error, Error::Metadata { .. }), "{layout:?}, claim {claim}: {error:?}");
            }
            assert!(ticket.revoke().unwrap(), "a claim that fails takes nothing");
        }
    });
}

#[test]
fn a_part_along_an_axis_is_a_handle_on_the_same_memory() {
    on_both_backings("arrays::a_part_along_an_axis_is_a_handle_on_the_same_memory", || {
        let array = counting((6, 5, 4));
        let shared: SharedArray<u32, Ix3> = Shared::copy_from(&array).unwrap();
        for (axis, len) in [(Axis(0), 6), (Axis(1), 5), (Axis(2), 4)] {
            for range in [0..len, 1..3, 2..len, len - 1..len] {
                let part = shared.slice_axis(axis, range.clone());
                let expected = array.slice_axis(axis, Slice::from(range.clone()));
                assert_eq!(part.as_view(), expected, "{axis:?} {range:?}");
                let first = shared.as_view().slice_axis(axis, Slice::from(range.clone())).as_ptr();
                assert_eq!(part.as_view().as_ptr(), first, "no copy");
                assert_eq!(shared.counts(), Counts { handles: 2, holders: 1, in_flight: 0 });
                arrives(part, &expected, &[20, 4, 1]);
            }
            let nothing = shared.slice_axis(axis, 2..2);
            assert_eq!(nothing.as_view().len(), 0);
            arrives(nothing, &array.slice_axis(axis, Slice::from(2..2)), &[0, 0, 0]);
        }

        let part = shared.slice_axis(Axis(0), 1..5).slice_axis(Axis(1), 2..4).slice_axis(Axis(2), 1..2);
        drop(shared);
        assert_eq!(part.counts().handles, 1);
        arrives(part, &array.slice(s![1..5, 2..4, 1..2]), &[20, 4, 1]);

        let array = counting((6, 5).f());
        let shared: SharedArray<u32, Ix2> = Shared::copy_from(&array).unwrap();
        arrives(shared.slice_axis(Axis(1), 1..4), &array.slice(s![.., 1..4]), &[1, 6]);
        arrives(shared.slice_axis(Axis(0), 2..4), &array.slice(s![2..4, ..]), &[1, 6]);
    });
}

#[test]
fn a_part_of_an_array_with_a_reversed_axis_counts_from_its_own_beginning() {
    on_both_backings("arrays::a_part_of_an_array_with_a_reversed_axis_counts_from_its_own_beginning", || {
        let mut array = counting((6, 5));
        let mut exclusive: SharedArrayMut<u32, Ix2> = SharedMut::copy_from(&array).unwrap();
        array.invert_axis(Axis(0));
        // SAFETY: the metadata of the same elements, the rows in the opposite order.
        unsafe {
            *exclusive.metadata_mut() = ArrayLayout::of(&array);
        }
        let shared: SharedArray<u32, Ix2> = exclusive.freeze().unwrap();
        assert_eq!(shared.as_view(), array);
        arrives(shared.slice_axis(Axis(0), 1..3), &array.slice(s![1..3, ..]), &[-5, 1]);
        arrives(shared.slice_axis(Axis(1), 1..3), &array.slice(s![.., 1..3]), &[-5, 1]);
    });
}

#[test]
fn the_last_part_can_become_exclusive_and_changes_only_its_own_elements() {
    on_both_backings("arrays::the_last_part_can_become_exclusive_and_changes_only_its_own_elements", || {
        let array = counting((6, 5));
        let shared: SharedArray<u32, Ix2> = Shared::copy_from(&array).unwrap();
        let part = shared.slice_axis(Axis(0), 2..4);
        let refused = part.try_into_mut().unwrap_err();
        assert!(matches!(refused.reason, Error::NotAlone(Counts { handles: 2, .. })), "{refused:?}");
        drop(shared);
        let mut part: SharedArrayMut<u32, Ix2> = refused.handle.try_into_mut().unwrap();
        part.as_view_mut().column_mut(0).fill(77);
        arrives_exclusive(part, &array![[77, 11, 12, 13, 14], [77, 16, 17, 18, 19]], &[5, 1]);
    });
}

#[test]
#[should_panic]
fn a_part_beyond_the_axis_panics() {
    let shared: SharedArray<u32, Ix2> = Shared::copy_from(&counting((6, 5))).unwrap();
    shared.slice_axis(Axis(1), 3..6);
}

#[test]
#[should_panic]
fn a_part_along_an_axis_that_is_not_there_panics() {
    let shared: SharedArray<u32, Ix2> = Shared::copy_from(&counting((6, 5))).unwrap();
    shared.slice_axis(Axis(2), 0..1);
}

#[test]
fn an_array_claimed_as_another_type_can_still_be_claimed_as_what_it_is() {
    on_both_backings("arrays::an_array_claimed_as_another_type_can_still_be_claimed_as_what_it_is", || {
        #[track_caller]
        fn refused<H>(claim: Result<H, Error>) {
            match claim {
                Err(Error::WrongType { expected_fingerprint, found_fingerprint, .. }) => {
                    assert_ne!(expected_fingerprint, found_fingerprint);
                }
                Err(error) => panic!("{error:?}"),
                Ok(_) => panic!("claimed as something that it is not"),
            }
        }

        let array = counting((3, 4));
        let token = SharedArray::<u32, Ix2>::copy_from(&array).unwrap().into_token().unwrap();
        refused(SharedArray::<u32, Ix1>::from_token(&token));
        refused(SharedArray::<u32, Ix3>::from_token(&token));
        refused(SharedArray::<u32, IxDyn>::from_token(&token));
        refused(SharedArray::<f32, Ix2>::from_token(&token));
        refused(SharedArray::<u64, Ix2>::from_token(&token));
        refused(SharedArray::<[u16; 2], Ix2>::from_token(&token));
        refused(SharedSlice::<u32>::from_token(&token));
        assert!(matches!(SharedArrayMut::<u32, Ix2>::from_token(&token), Err(Error::WrongKind { .. })));
        let message = postcard::to_stdvec(&SharedArray::<u32, Ix2>::from_token(&token).unwrap()).unwrap();
        assert!(postcard::from_bytes::<SharedArray<u32, Ix3>>(&message).is_err());
        assert_eq!(postcard::from_bytes::<SharedArray<u32, Ix2>>(&message).unwrap().as_view(), array);

        // Dynamic arrays are a type of their own, also where the number of axes is the same.
        let token = SharedArrayMut::<u32, IxDyn>::copy_from(&array.clone().into_dyn()).unwrap().into_token().unwrap();
        refused(SharedArrayMut::<u32, Ix2>::from_token(&token));
        refused(SharedArrayMut::<i32, IxDyn>::from_token(&token));
        assert_eq!(SharedArrayMut::<u32, IxDyn>::from_token(&token).unwrap().as_view(), array.into_dyn());

        let token = SharedSlice::<u32>::copy_from(&[1, 2, 3][..]).unwrap().into_token().unwrap();
        refused(SharedArray::<u32, Ix1>::from_token(&token));
        assert_eq!(*SharedSlice::<u32>::from_token(&token).unwrap(), [1, 2, 3]);
    });
}

#[test]
fn shapes_that_overflow_are_too_large() {
    on_both_backings("arrays::shapes_that_overflow_are_too_large", || {
        for shape in [vec![usize::MAX, 2], vec![1 << 62], vec![usize::MAX], vec![1 << 32, 1 << 32], vec![2; 64]] {
            let error = SharedArray::<u64, IxDyn>::new(&(0, IxDyn(&shape))).unwrap_err();
            assert!(matches!(error, Error::TooLarge { requested: usize::MAX, .. }), "{shape:?}: {error:?}");
        }
        assert!(matches!(SharedArrayMut::<u8, Ix2>::new(&(0, Ix2(1 << 30, 1 << 11))), Err(Error::NoSpace { .. })));
        assert_eq!(SharedArray::<u64, Ix3>::new(&(7, Ix3(1, 2, 3))).unwrap().as_view().sum(), 42);
    });
}

#[test]
fn clones_of_an_array_are_one_array() {
    on_both_backings("arrays::clones_of_an_array_are_one_array", || {
        let array: Array3<u32> = counting((20, 30, 40));
        let shared = Shared::from(&array);
        let clones: Vec<SharedArray<u32, Ix3>> = (0..100).map(|_| shared.clone()).collect();
        assert!(
            clones.iter().all(|clone| clone.ptr_eq(&shared) && clone.as_view().as_ptr() == shared.as_view().as_ptr())
        );
        assert_eq!(shared.counts(), Counts { handles: 101, holders: 1, in_flight: 0 });
        std::thread::scope(|scope| {
            for clone in &clones {
                scope.spawn(|| assert_eq!(clone.as_view(), array));
            }
        });
        let messages: Vec<Vec<u8>> = clones.iter().map(|clone| postcard::to_stdvec(clone).unwrap()).collect();
        drop((shared, clones));
        for message in messages {
            assert_eq!(postcard::from_bytes::<SharedArray<u32, Ix3>>(&message).unwrap().as_view(), array);
        }
    });
}

//! Parallel iterators over handles.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::rayon::iter::{
    IndexedParallelIterator, IntoParallelIterator, IntoParallelRefIterator, IntoParallelRefMutIterator,
    ParallelIterator,
};
use commonage::{Shared, SharedSlice, SharedSliceMut};

use super::from_one_to_another;

const COUNT: usize = 100_000;

/// Where the elements are that an iterator gives, in order.
fn places<'a, E: Sync + 'a>(elements: impl IntoParallelIterator<Item = &'a E>) -> Vec<usize> {
    let mut places: Vec<_> = elements.into_par_iter().map(|element| std::ptr::from_ref(element).addr()).collect();
    places.sort_unstable();
    places
}

/// Where `COUNT` elements are that begin there.
fn from<E>(start: *const E) -> Vec<usize> {
    (0..COUNT).map(|index| start.wrapping_add(index).addr()).collect()
}

#[test]
fn the_elements_of_a_slice_are_gone_over_where_they_lie() {
    let mut exclusive: SharedSliceMut<u32> = SharedSliceMut::zeroed(COUNT).unwrap();
    let expected = from(exclusive.as_ptr());
    assert_eq!(places(&exclusive), expected);
    let of = |(index, element): (usize, &mut u32)| {
        *element = index as u32;
        std::ptr::from_mut(element).addr()
    };
    let written: Vec<_> = (&mut exclusive).into_par_iter().enumerate().map(of).collect();
    assert_eq!(written, expected);
    let shared = exclusive.freeze().unwrap();
    assert_eq!(places(&shared), expected);
    assert!(shared.iter().copied().eq(0..COUNT as u32));
}

#[test]
fn what_was_received_is_gone_over_where_it_lies() {
    from_one_to_another(
        "bridges::rayon::what_was_received_is_gone_over_where_it_lies",
        || {
            let mut numbers: SharedSliceMut<u64> = SharedSliceMut::zeroed(COUNT).unwrap();
            numbers.par_iter_mut().enumerate().for_each(|(index, number)| *number = index as u64);
            numbers.freeze().unwrap()
        },
        |received: SharedSlice<u64>| {
            assert_eq!(places(&received), from(received.as_ptr()));
            assert_eq!(received.par_iter().sum::<u64>(), (COUNT as u64 - 1) * COUNT as u64 / 2);
        },
    );
}

#[test]
fn what_was_given_away_is_not_gone_over() {
    let exclusive: SharedSliceMut<u32> = SharedSliceMut::zeroed(10).unwrap();
    let token = serde_json::to_string(&exclusive).unwrap();
    let refused = catch_unwind(AssertUnwindSafe(|| (&exclusive).into_par_iter().count())).unwrap_err();
    assert!(refused.downcast::<String>().unwrap().contains("serialized"));
    drop(exclusive);
    let received: SharedSliceMut<u32> = serde_json::from_str(&token).unwrap();
    assert_eq!((&received).into_par_iter().count(), 10);
}

#[test]
fn a_slice_without_elements_is_gone_over() {
    let none: SharedSlice<u8> = Shared::new(&(0, 0)).unwrap();
    assert_eq!((&none).into_par_iter().count(), 0);
}

#[cfg(feature = "ndarray")]
mod arrays {
    use commonage::{SharedArray, SharedArrayMut};
    use ndarray::{Array, Axis, Ix2, Ix3, ShapeBuilder};

    use super::*;

    #[test]
    fn the_elements_of_an_array_are_gone_over_where_they_lie() {
        let mut exclusive: SharedArrayMut<u16, Ix2> = SharedArrayMut::zeroed((COUNT / 100, 100)).unwrap();
        let expected = from(exclusive.as_view().as_ptr());
        assert_eq!(places(&exclusive), expected);
        (&mut exclusive).into_par_iter().for_each(|element| *element = 3);
        exclusive.par_iter_mut().for_each(|element| *element += 1);
        let shared = exclusive.freeze().unwrap();
        assert_eq!(places(&shared), expected);
        assert!(shared.as_view().iter().all(|&element| element == 4));
    }

    #[test]
    fn an_array_that_was_received_is_gone_over_where_it_lies() {
        from_one_to_another(
            "bridges::rayon::arrays::an_array_that_was_received_is_gone_over_where_it_lies",
            || {
                let columns = Array::from_shape_fn((100, COUNT / 100).f(), |(row, column)| (row + 100 * column) as i64);
                Shared::copy_from(&columns).unwrap()
            },
            |received: SharedArray<i64, Ix2>| {
                assert_eq!(places(&received), from(received.as_view().as_ptr()));
                assert_eq!(received.par_iter().sum::<i64>(), (COUNT as i64 - 1) * COUNT as i64 / 2);
            },
        );
    }

    #[test]
    fn a_part_of_an_array_is_gone_over_and_no_more() {
        let all: SharedArray<u32, Ix3> =
            Shared::from_shape_fn((4, 5, 6), |(i, j, k)| (100 * i + 10 * j + k) as u32).unwrap();
        let part = all.slice_axis(Axis(1), 2..4);
        let mut found: Vec<_> = part.par_iter().copied().collect();
        found.sort_unstable();
        let expected = (0..4).flat_map(|i| (2..4).flat_map(move |j| (0..6).map(move |k| 100 * i + 10 * j + k)));
        assert!(found.into_iter().eq(expected));
    }
}

//! Values that are built where they stay, and slices that change their length.

use std::{
    env,
    mem::MaybeUninit,
    panic::{AssertUnwindSafe, catch_unwind},
};

use commonage::{Error, Shared, SharedMut, SharedSlice, SharedSliceMut, stats};

use crate::support::{child, on_both_backings, touched};

/// Memory of `bytes` bytes that has been used before comes next.
fn soil(bytes: usize) {
    drop(SharedSlice::<u8>::new(&(0xaa, bytes)).unwrap());
}

#[test]
fn a_closure_makes_each_element_of_its_index() {
    on_both_backings("building::a_closure_makes_each_element_of_its_index", || {
        for len in [0, 1, 7, 1000, 1_000_000] {
            soil(8 * len);
            let mut indices = 0;
            let shared = SharedSlice::<u64>::from_fn(len, |index| {
                assert_eq!(index, indices, "in order");
                indices += 1;
                3 * index as u64
            });
            let exclusive = SharedSliceMut::<u64>::from_fn(len, |index| 3 * index as u64).unwrap();
            assert_eq!(shared.unwrap(), exclusive);
            assert!(exclusive.len() == len && (0..).zip(&exclusive).all(|(n, element)| *element == 3 * n));
        }
        let mut calls = 0;
        assert_eq!(SharedSlice::from_fn(5, |_| calls += 1).unwrap().len(), 5);
        assert_eq!(calls, 5, "also for elements without bytes");
        let error = SharedSlice::<u64>::from_fn(usize::MAX / 4, |_| unreachable!("there is no memory")).unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    });
}

/// Gives the numbers from 0 to `gives`, and says that there will be `promises`.
struct Liar {
    gives: std::ops::Range<u32>,
    promises: usize,
}

impl Iterator for Liar {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.gives.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.promises, Some(self.promises))
    }
}

impl ExactSizeIterator for Liar {}

#[test]
fn an_iterator_of_known_length_is_collected_and_one_that_lies_too() {
    on_both_backings("building::an_iterator_of_known_length_is_collected_and_one_that_lies_too", || {
        let words = ["one", "three", "five"];
        assert_eq!(SharedSlice::from_exact_iter(words.map(str::len)).unwrap(), [3, 5, 4]);
        assert_eq!(SharedSliceMut::from_exact_iter(words.iter().map(|word| word.len())).unwrap(), [3, 5, 4]);
        assert!(SharedSlice::from_exact_iter([0u8; 0]).unwrap().is_empty());

        let few = || Liar { gives: 0..3, promises: 1000 };
        let shared = SharedSlice::from_exact_iter(few()).unwrap();
        assert_eq!(shared, [0, 1, 2]);
        assert_eq!(SharedSlice::from_token(&shared.slice(1..).into_token().unwrap()).unwrap(), [1u32, 2]);
        let mut exclusive = SharedSliceMut::from_exact_iter(few()).unwrap();
        assert_eq!(exclusive, [0, 1, 2]);
        exclusive.resize(4, 7).unwrap();
        assert_eq!(*exclusive.freeze().unwrap(), [0, 1, 2, 7]);

        let mut many = Liar { gives: 0..1000, promises: 3 };
        assert_eq!(SharedSlice::from_exact_iter(&mut many).unwrap(), [0, 1, 2]);
        assert_eq!(many.next(), Some(3), "what there is no room for stays with the iterator");
        let far = Liar { gives: 0..3, promises: usize::MAX };
        assert!(matches!(SharedSliceMut::from_exact_iter(far), Err(Error::TooLarge { .. })));
    });
}

#[test]
fn a_panic_while_building_leaves_nothing_behind() {
    on_both_backings("building::a_panic_while_building_leaves_nothing_behind", || {
        let at_five = |index: usize| if index == 5 { panic!("as expected") } else { index as u64 };
        fn panics<R>(make: impl FnOnce() -> R) {
            assert!(catch_unwind(AssertUnwindSafe(make)).is_err());
            assert_eq!((stats().blocks, stats().live), (0, 0));
        }
        for len in [6, 100_000] {
            panics(|| SharedSlice::from_fn(len, at_five));
            panics(|| SharedSliceMut::from_fn(len, at_five));
            panics(|| SharedSlice::from_exact_iter((0..len).map(at_five)));
            panics(|| SharedSliceMut::from_exact_iter((0..len).map(at_five)));
            let room = SharedMut::<[u64]>::new_uninit(len).unwrap();
            let mut indices = 0..;
            panics(|| room.fill_with(|| at_five(indices.next().unwrap())));
            let room = SharedMut::<[u64]>::new_uninit(len).unwrap();
            panics(|| room.copy_from_slice(&[1; 5]));
        }
        drop(SharedMut::<[u64]>::new_uninit(1000).unwrap());
        assert_eq!(stats().blocks, 0);
        assert_eq!(SharedSlice::<u8>::new(&(7, 100)).unwrap()[99], 7);
    });
}

#[test]
fn memory_is_written_before_it_is_a_value() {
    on_both_backings("building::memory_is_written_before_it_is_a_value", || {
        for len in [0, 3, 5000] {
            soil(4 * len);
            let mut room = SharedMut::<[char]>::new_uninit(len).unwrap();
            assert!(room.as_view_mut().len() == len && format!("{room:?}").starts_with("SharedUninit"));
            room.as_view_mut().fill(MaybeUninit::new('x'));
            // SAFETY: all of it has been written.
            let text = unsafe { room.assume_init() };
            assert!(text.iter().all(|&letter| letter == 'x'));
            let copy = SharedMut::<[char]>::new_uninit(len).unwrap().copy_from_slice(&text);
            assert_eq!(copy, text);
            assert_eq!(
                copy.freeze().unwrap().into_token().map(|token| Shared::from_token(&token)).unwrap().unwrap(),
                text
            );
        }
    });
}

#[test]
fn unzeroed_memory_has_what_was_there() {
    on_both_backings("building::unzeroed_memory_has_what_was_there", || {
        soil(8000);
        let mut value = SharedSliceMut::<u64>::unzeroed(1000).unwrap();
        assert!(value.iter().all(|&element| element == 0xaaaa_aaaa_aaaa_aaaa), "warm memory, as it was left");
        value.fill(5);
        assert_eq!(value.iter().sum::<u64>(), 5000);
        assert!(matches!(SharedSliceMut::<u64>::unzeroed(usize::MAX), Err(Error::TooLarge { .. })));
    });
}

#[test]
fn zeros_that_nobody_touches_take_no_memory() {
    on_both_backings("building::zeros_that_nobody_touches_take_no_memory", || {
        let before = touched();
        let mut value = match SharedSliceMut::<u8>::zeroed(1 << 30) {
            Ok(value) => value,
            Err(Error::NoSpace { .. }) => return println!("skipped: there is no GiB here"),
            Err(error) => panic!("{error}"),
        };
        (value[1 << 20], value[1 << 29]) = (1, 1);
        assert_eq!(value[(1 << 20) - 2..][..4], [0, 0, 1, 0]);
        let more = touched() - before;
        assert!(more <= 8 << 20, "{more} bytes have been touched");
    });
}

#[test]
fn a_slice_shrinks_and_grows_again_in_place() {
    on_both_backings("building::a_slice_shrinks_and_grows_again_in_place", || {
        let mut value = SharedSliceMut::<u32>::from_fn(1000, |index| index as u32).unwrap();
        let place = value.as_ptr();
        value.resize(10, 77).unwrap();
        assert!(value.len() == 10 && value[9] == 9);
        value.resize(12, 77).unwrap();
        assert_eq!(value[8..], [8, 9, 77, 77]);
        value.resize(1000, 5).unwrap();
        assert_eq!(value.as_ptr(), place);
        assert_eq!((value[11], value[12], value[999]), (77, 5, 5));
        value.resize(0, 0).unwrap();
        assert!(value.is_empty());
        value.resize(1, 3).unwrap();
        assert_eq!((value.as_ptr(), value[0]), (place, 3));
        assert_eq!((value.counts().handles, stats().blocks), (1, 1));
        let mut empties = SharedSliceMut::<()>::new(&((), 3)).unwrap();
        empties.resize(usize::MAX, ()).unwrap();
        assert_eq!(empties.len(), usize::MAX);
    });
}

#[test]
fn a_slice_grows_beyond_its_memory_into_other_memory() {
    on_both_backings("building::a_slice_grows_beyond_its_memory_into_other_memory", || {
        for (few, many) in [(0, 1), (3, 4), (10, 100_000), (100_000, 1_000_000)] {
            soil(4 * many);
            let mut value = SharedSliceMut::<u32>::from_fn(few, |index| index as u32).unwrap();
            value.resize(many, 7).unwrap();
            assert_eq!(value.len(), many);
            assert!((0..few as u32).zip(&value).all(|(n, element)| *element == n));
            assert!(value[few..].iter().all(|&element| element == 7));
            assert_eq!(stats().blocks, 1, "the memory of before is given back");
        }
    });
}

#[test]
fn a_slice_that_cannot_grow_is_as_it_was() {
    on_both_backings("building::a_slice_that_cannot_grow_is_as_it_was", || {
        let mut value = SharedSliceMut::<u64>::copy_from(&[1, 2, 3]).unwrap();
        let place = value.as_ptr();
        assert!(matches!(value.resize(usize::MAX, 0), Err(Error::TooLarge { .. })));
        assert!(matches!(value.resize(1 << 38, 0), Err(Error::NoSpace { .. })));
        assert_eq!(value, [1, 2, 3]);
        assert_eq!(value.as_ptr(), place);

        let message = postcard::to_stdvec(&value).unwrap();
        let panic = catch_unwind(AssertUnwindSafe(|| value.resize(1, 0))).unwrap_err();
        let panic = panic.downcast_ref::<String>().unwrap();
        assert!(panic.contains("serialized"), "{panic}");
        drop(value);
        assert_eq!(postcard::from_bytes::<SharedSliceMut<u64>>(&message).unwrap(), [1, 2, 3]);
    });
}

#[test]
fn what_was_built_travels_and_grows_in_another_process() {
    const TEST: &str = "building::what_was_built_travels_and_grows_in_another_process";
    let receive = |token: &str| {
        let mut value = SharedSliceMut::<u16>::from_token(token).unwrap();
        assert_eq!(value, [0, 2, 4]);
        let place = value.as_ptr();
        value.resize(100, 1).unwrap();
        assert_eq!((value.as_ptr(), value[2], value[99]), (place, 4, 1));
        assert_eq!(stats().blocks, 0, "in the sender's memory");
        value.resize(101, 1).unwrap();
        assert_eq!((value.len(), value[2], value[100]), (101, 4, 1));
        assert_eq!(stats().blocks, 1, "in its own");
    };
    on_both_backings(TEST, || {
        if let Ok(token) = env::var("TOKEN") {
            return receive(&token);
        }
        let mut value = SharedSliceMut::<u16>::from_fn(100, |index| 2 * index as u16).unwrap();
        value.resize(3, 0).unwrap();
        child(TEST, "receiver").env("TOKEN", &value.into_token().unwrap()).run_to_success();
        commonage::sweep();
        assert_eq!(stats().blocks, 0);
    });
}

#[cfg(feature = "ndarray")]
mod arrays {
    use commonage::{SharedArray, SharedArrayMut};
    use ndarray::{Array2, Array3, Ix0, Ix2, Ix3, IxDyn, Zip, array};

    use super::*;

    #[test]
    fn a_closure_makes_each_element_of_an_array_of_its_index() {
        on_both_backings("building::arrays::a_closure_makes_each_element_of_an_array_of_its_index", || {
            soil(24);
            let table = SharedArray::<u32, Ix2>::from_shape_fn((2, 3), |(row, column)| (10 * row + column) as u32);
            assert_eq!(table.unwrap().as_view(), array![[0, 1, 2], [10, 11, 12]]);
            let table = SharedArrayMut::<u8, IxDyn>::from_shape_fn(IxDyn(&[2, 2]), |index| index[1] as u8).unwrap();
            assert_eq!(table.as_view(), array![[0, 1], [0, 1]].into_dyn());
            assert_eq!(SharedArray::<u8, Ix0>::from_shape_fn((), |()| 7).unwrap().as_view().into_scalar(), &7);
            assert!(SharedArray::<u8, Ix2>::from_shape_fn((3, 0), |_| 7).unwrap().as_view().is_empty());
            let error = SharedArray::<u64, Ix2>::from_shape_fn((usize::MAX, 2), |_| 7).unwrap_err();
            assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
            assert!(catch_unwind(|| SharedArray::<u8, Ix2>::from_shape_fn((2, 2), |(_, _)| panic!())).is_err());
            assert_eq!(stats().blocks, 1, "that of `table`");
        });
    }

    #[test]
    fn zip_writes_into_memory_that_is_no_array_yet() {
        on_both_backings("building::arrays::zip_writes_into_memory_that_is_no_array_yet", || {
            let source = Array3::from_shape_fn((40, 50, 60), |(x, y, z)| (x + 100 * y + 10_000 * z) as i64);
            soil(8 * source.len());
            let mut room = SharedArrayMut::<i64, Ix3>::new_uninit(source.dim()).unwrap();
            Zip::from(&source).map_assign_into(room.as_view_mut(), |element| -element);
            // SAFETY: all of it has been assigned to.
            let negative = unsafe { room.assume_init() };
            assert_eq!(negative.as_view(), -&source);

            let mut room = SharedArrayMut::<i64, Ix3>::new_uninit(source.dim()).unwrap();
            Zip::from(&source).and(negative.as_view()).par_map_assign_into(room.as_view_mut(), |a, b| 2 * a + b);
            // SAFETY: all of it has been assigned to.
            let same = unsafe { room.assume_init() }.freeze().unwrap();
            let received = SharedArray::<i64, Ix3>::from_token(&same.into_token().unwrap()).unwrap();
            assert_eq!(received.as_view(), source);

            let mut numbers = 0..;
            let counted = SharedArrayMut::<u32, Ix2>::new_uninit((2, 3)).unwrap().fill_with(|| numbers.next().unwrap());
            assert_eq!(counted.as_view(), array![[0, 1, 2], [3, 4, 5]]);
            assert!(SharedArrayMut::<u32, IxDyn>::new_uninit(IxDyn(&[3, 0])).unwrap().as_view_mut().is_empty());
            assert_eq!(SharedArrayMut::<(), Ix2>::new_uninit((3, 2)).unwrap().as_view_mut().len(), 6);
            assert!(matches!(SharedArrayMut::<u32, Ix2>::new_uninit((usize::MAX, 2)), Err(Error::TooLarge { .. })));
        });
    }

    #[test]
    fn zip_writes_into_unzeroed_arrays() {
        on_both_backings("building::arrays::zip_writes_into_unzeroed_arrays", || {
            let source = Array2::from_shape_fn((300, 400), |(row, column)| (row * column) as f32);
            soil(4 * source.len());
            let mut halves: SharedArrayMut<f32, Ix2> = SharedArrayMut::unzeroed(source.dim()).unwrap();
            Zip::from(halves.as_view_mut()).and(&source).par_for_each(|to, from| *to = from / 2.0);
            assert_eq!(halves.as_view(), &source / 2.0);
        });
    }
}

#[test]
fn a_slice_is_built_in_memory_that_was_used_before_and_is_shared_at_once() {
    on_both_backings("building::a_slice_is_built_in_memory_that_was_used_before_and_is_shared_at_once", || {
        for len in [0, 1, 1000, 100_000] {
            drop(SharedSlice::copy_from(&vec![u32::MAX; len]).unwrap());
            let built = SharedSlice::<u32>::build(len, |elements| {
                assert_eq!(elements.len(), len);
                elements.iter_mut().zip(0..).for_each(|(element, n)| *element = n);
            })
            .unwrap();
            assert!(built.iter().copied().eq(0..len as u32));
            let token = built.clone().into_token().unwrap();
            assert_eq!(SharedSlice::<u32>::from_token(&token).unwrap(), built);
        }
        let before = stats().blocks;
        let panicked = catch_unwind(|| SharedSlice::<u8>::build(10, |_| panic!("no")));
        assert!(panicked.is_err());
        assert_eq!(stats().blocks, before);
        assert_eq!(SharedSlice::<()>::build(7, |units| assert_eq!(units.len(), 7)).unwrap().len(), 7);
    });
}

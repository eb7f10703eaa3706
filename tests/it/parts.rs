//! Parts of one block: cut, sent, filled and put together in any order, by slices; what becomes of those that are lost.

#![allow(clippy::single_range_in_vec_init)] // One range is missing.

use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
};

use commonage::{Counts, Error, Shared, SharedMut, SharedSlice, SharedSliceMut, stats, trim};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::support::on_both_backings;

/// 0, 1, 2, ...
fn counting(len: usize) -> SharedSliceMut<u32> {
    let mut slice = SharedSliceMut::zeroed(len).unwrap();
    slice.iter_mut().zip(0..).for_each(|(element, n)| *element = n);
    slice
}

fn is_counting(slice: &[u32], from: u32) -> bool {
    slice.iter().zip(from..).all(|(element, n)| *element == n)
}

#[track_caller]
fn panic_of<R>(body: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(body)) else { panic!("it did not panic") };
    panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into())).unwrap()
}

/// What `unsplit_all` says that is missing, and the parts that it gives back.
#[track_caller]
fn missing(parts: Vec<SharedSliceMut<u32>>) -> (Vec<Range<usize>>, usize, Vec<SharedSliceMut<u32>>) {
    let refused = SharedSliceMut::unsplit_all(parts).unwrap_err();
    match refused.reason {
        Error::Missing { missing, length } => (missing, length, refused.handle),
        reason => panic!("{reason}"),
    }
}

#[test]
fn a_slice_that_is_cut_and_put_together_is_as_it_was_in_either_order() {
    on_both_backings("parts::a_slice_that_is_cut_and_put_together_is_as_it_was_in_either_order", || {
        for at in [0, 1, 400, 999, 1000] {
            for turned in [false, true] {
                let mut left = counting(1000);
                let start = left.as_ptr();
                let right = left.split_off(at);
                assert_eq!((left.len(), right.len()), (at, 1000 - at));
                assert!(is_counting(&left, 0) && is_counting(&right, at as u32));
                assert_eq!(left.counts(), Counts { handles: 2, holders: 1, in_flight: 0 });
                let whole = if turned { right.unsplit(left) } else { left.unsplit(right) }.unwrap();
                assert!(whole.len() == 1000 && is_counting(&whole, 0));
                assert_eq!(whole.as_ptr(), start, "nothing was copied");
                assert_eq!(whole.counts(), Counts { handles: 1, holders: 1, in_flight: 0 });
                assert!(is_counting(&whole.freeze().unwrap(), 0));
            }
        }
        assert_eq!(stats().blocks, 0);
    });
}

#[test]
fn what_is_written_to_the_parts_by_several_threads_is_in_the_whole() {
    on_both_backings("parts::what_is_written_to_the_parts_by_several_threads_is_in_the_whole", || {
        let parts = SharedSliceMut::<u32>::zeroed(100_003).unwrap().split_into(8);
        let parts = std::thread::scope(|scope| {
            let fill = |(number, mut part): (u32, SharedSliceMut<u32>)| {
                scope.spawn(move || {
                    part.fill(number);
                    part
                })
            };
            let threads: Vec<_> = (0..).zip(parts).map(fill).collect();
            threads.into_iter().rev().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let whole = SharedSliceMut::unsplit_all(parts).unwrap().freeze().unwrap();
        // 100,003 is 8 times 12,500 and 3 more.
        let expected = (0..8).flat_map(|part| vec![part; if part < 3 { 12_501 } else { 12_500 }]);
        assert!(whole.iter().copied().eq(expected));
    });
}

#[test]
fn a_value_can_be_cut_into_more_parts_than_it_has_elements() {
    on_both_backings("parts::a_value_can_be_cut_into_more_parts_than_it_has_elements", || {
        for (len, parts) in [(0, 1), (0, 3), (2, 5), (5, 5), (1, 1)] {
            let mut cut = counting(len).split_into(parts);
            assert_eq!(cut.len(), parts);
            assert!(
                cut.iter()
                    .map(|part| part.len())
                    .eq((0..parts).map(|part| usize::from(part < len % parts) + len / parts))
            );
            cut.reverse();
            let whole = SharedSliceMut::unsplit_all(cut).unwrap();
            assert!(whole.len() == len && is_counting(&whole, 0));
        }
    });
}

#[test]
fn parts_without_elements_are_parts_wherever_they_were_cut() {
    on_both_backings("parts::parts_without_elements_are_parts_wherever_they_were_cut", || {
        let mut whole = counting(10);
        let end = whole.split_off(10);
        let mut right = whole.split_off(4);
        let rest = right.split_off(0);
        assert_eq!((end.len(), whole.len(), right.len(), rest.len()), (0, 4, 0, 6));
        // `right` lies between the two; put together without it, within.
        let whole = rest.unsplit(whole).unwrap();
        let whole = right.unsplit(whole).unwrap().unsplit(end).unwrap();
        assert!(whole.len() == 10 && is_counting(&whole, 0));

        let mut nothing = SharedSliceMut::<u32>::zeroed(0).unwrap();
        let more = nothing.split_off(0);
        let by_token = SharedSliceMut::from_token(&more.into_token().unwrap()).unwrap();
        assert!(SharedSliceMut::unsplit_all([by_token, nothing]).unwrap().freeze().unwrap().is_empty());

        let mut units: SharedMut<[[u8; 0]]> = SharedMut::new(&([], 9)).unwrap();
        let others = units.split_off(5);
        assert_eq!((units.len(), others.len()), (5, 4));
        assert_eq!(others.unsplit(units).unwrap().len(), 9);
    });
}

#[test]
fn an_index_beyond_the_end_and_no_parts_panic_and_leave_the_value() {
    on_both_backings("parts::an_index_beyond_the_end_and_no_parts_panic_and_leave_the_value", || {
        let mut whole = counting(10);
        assert_eq!(panic_of(|| whole.split_off(11)), "a split at 11 of a length of 10");
        assert!(whole.len() == 10 && is_counting(&whole, 0));
        assert!(panic_of(|| counting(3).split_into(0)).contains("no parts"));
        assert!(matches!(SharedSliceMut::<u32>::unsplit_all([]).unwrap_err().reason, Error::NoParts));
    });
}

#[test]
fn what_has_been_serialized_is_neither_cut_nor_put_together() {
    on_both_backings("parts::what_has_been_serialized_is_neither_cut_nor_put_together", || {
        let mut left = counting(10);
        let right = left.split_off(5);
        let message = postcard::to_stdvec(&left).unwrap();
        assert!(panic_of(|| left.split_off(1)).contains("has been serialized"));
        let refused = left.unsplit(right).unwrap_err();
        assert!(matches!(refused.reason, Error::Serialized));
        let (left, right) = refused.handle;
        let refused = SharedSliceMut::unsplit_all([right, left]).unwrap_err();
        assert!(matches!(refused.reason, Error::Serialized));
        let [right, left] = refused.handle.try_into().unwrap();
        assert!(is_counting(&right, 5), "the other part is as it was");
        drop(left);
        let left: SharedSliceMut<u32> = postcard::from_bytes(&message).unwrap();
        assert!(is_counting(&left.unsplit(right).unwrap(), 0));
        let mut message = Vec::new();
        let panic = panic_of(|| {
            let whole = counting(10);
            message = postcard::to_stdvec(&whole).unwrap();
            whole.split_into(2)
        });
        assert!(panic.contains("has been serialized"), "{panic}");
        assert!(is_counting(&postcard::from_bytes::<SharedSliceMut<u32>>(&message).unwrap(), 0));
    });
}

#[test]
fn parts_that_are_not_neighbours_are_given_back() {
    on_both_backings("parts::parts_that_are_not_neighbours_are_given_back", || {
        let [a, b, c] = counting(30).split_into(3).try_into().unwrap();
        let refused = c.unsplit(a).unwrap_err();
        assert!(matches!(&refused.reason, Error::Apart { first, second } if (first, second) == (&(0..10), &(20..30))));
        assert!(format!("{refused:?}").contains("Apart"));
        let (c, a) = refused.handle;
        assert!(is_counting(&a, 0) && is_counting(&c, 20));

        let stranger = counting(10);
        let refused = a.unsplit(stranger).unwrap_err();
        assert!(matches!(refused.reason, Error::OtherBlock { .. }), "{refused}");
        let (a, stranger) = refused.handle;
        let refused = SharedSliceMut::unsplit_all([c, stranger, b, a]).unwrap_err();
        assert!(matches!(refused.reason, Error::OtherBlock { .. }), "{refused}");
        let [c, stranger, b, a] = refused.handle.try_into().unwrap();
        assert!(is_counting(&stranger, 0));
        assert!(is_counting(&SharedSliceMut::unsplit_all([c, b, a]).unwrap(), 0));
    });
}

#[test]
fn what_is_missing_is_said_and_the_parts_that_are_there_are_given_back_in_their_order() {
    on_both_backings(
        "parts::what_is_missing_is_said_and_the_parts_that_are_there_are_given_back_in_their_order",
        || {
            let mut parts = counting(100).split_into(10);
            drop(parts.remove(9));
            drop(parts.remove(4));
            drop(parts.remove(3));
            drop(parts.remove(0));
            parts.swap(0, 5);
            let before: Vec<u32> = parts.iter().map(|part| part[0]).collect();
            let (gaps, length, parts) = missing(parts);
            assert_eq!((gaps, length), (vec![0..10, 30..50, 90..100], 100));
            assert_eq!(parts.iter().map(|part| part[0]).collect::<Vec<_>>(), before);
            assert_eq!(
                SharedSliceMut::unsplit_all(parts).unwrap_err().reason.to_string(),
                "these are not all parts: of 100 elements or rows 0..10, 30..50, 90..100 are missing"
            );

            let (gaps, ..) = missing(vec![counting(8).split_off(8)]);
            assert_eq!(gaps, [0..8]);
        },
    );
}

#[test]
fn a_value_from_a_slice_of_a_shared_value_is_a_part_of_its_block() {
    on_both_backings("parts::a_value_from_a_slice_of_a_shared_value_is_a_part_of_its_block", || {
        let all = counting(10).freeze().unwrap();
        let some = all.slice(2..7);
        drop(all);
        let mut left = some.try_into_mut().unwrap();
        let right = left.split_off(2);
        let (gaps, length, parts) = missing(vec![right, left]);
        assert_eq!((gaps, length), (vec![0..2, 7..10], 10));
        let [right, left] = parts.try_into().unwrap();
        assert!(is_counting(&left.unsplit(right).unwrap(), 2));
    });
}

#[test]
fn a_slice_that_was_made_shorter_by_its_metadata_is_not_put_together() {
    #![allow(unsafe_code)]
    on_both_backings("parts::a_slice_that_was_made_shorter_by_its_metadata_is_not_put_together", || {
        let mut left = counting(10);
        let right = left.split_off(5);
        // SAFETY: fewer elements than there are.
        unsafe { *left.metadata_mut() = 4 };
        let refused = left.unsplit(right).unwrap_err();
        assert!(matches!(refused.reason, Error::Metadata { .. }), "{refused}");
        let (mut left, right) = refused.handle;
        // SAFETY: as many as there are.
        unsafe { *left.metadata_mut() = 5 };
        assert!(is_counting(&left.unsplit(right).unwrap(), 0));
    });
}

#[test]
fn the_whole_is_frozen_only_when_no_other_part_lives_anywhere() {
    on_both_backings("parts::the_whole_is_frozen_only_when_no_other_part_lives_anywhere", || {
        let mut left = counting(10);
        let right = left.split_off(5);
        let refused = left.freeze().unwrap_err();
        assert!(matches!(refused.reason, Error::NotAlone(Counts { handles: 2, holders: 1, in_flight: 0 })));
        let left = refused.handle;
        let token = right.into_token().unwrap();
        let refused = left.freeze().unwrap_err();
        assert!(matches!(refused.reason, Error::NotAlone(Counts { handles: 1, holders: 1, in_flight: 1 })));
        let (left, right) = (refused.handle, SharedSliceMut::<u32>::from_token(&token).unwrap());
        let refused = right.freeze().unwrap_err();
        assert!(matches!(refused.reason, Error::NotAlone(_)));
        drop(refused);
        let left: SharedSlice<u32> = left.freeze().unwrap();
        assert!(left.len() == 5 && is_counting(&left, 0), "what is left can be frozen by itself");
        assert!(Shared::try_into_mut(left).is_ok());
    });
}

#[test]
fn each_part_is_sent_taken_back_and_dropped_by_itself() {
    on_both_backings("parts::each_part_is_sent_taken_back_and_dropped_by_itself", || {
        let [a, b, c, d] = counting(4000).split_into(4).try_into().unwrap();
        let (a, c) = (a.into_token().unwrap(), c.into_ticket().unwrap());
        let message = postcard::to_stdvec(&d).unwrap();
        assert_eq!(b.counts(), Counts { handles: 2, holders: 1, in_flight: 3 });
        drop(d);
        assert_eq!(b.counts(), Counts { handles: 1, holders: 1, in_flight: 3 });
        drop(b);
        assert_eq!(stats().blocks, 1, "what is on its way keeps the block");
        let d: SharedSliceMut<u32> = postcard::from_bytes(&message).unwrap();
        assert!(matches!(SharedSlice::<u32>::from_token(&a), Err(Error::WrongKind { .. })));
        let a = SharedSliceMut::from_token(&a).unwrap();
        assert!(c.revoke().unwrap());
        let (gaps, _, parts) = missing(vec![a, d]);
        assert_eq!(gaps, [1000..3000]);
        trim();
        assert!(is_counting(&parts[0], 0) && is_counting(&parts[1], 3000), "the block is as it was");
        drop(parts);
        assert_eq!((stats().blocks, stats().tickets), (0, 0));
    });
}

proptest! {
    /// Cut anywhere, sent or kept, and put together in any order, by pairs or at once.
    #[test]
    fn parts_make_the_whole_again_in_any_order(
        len in 0usize..300,
        cuts in vec((any::<Index>(), any::<Index>(), any::<bool>()), 0..12),
        joins in vec((any::<Index>(), any::<Index>()), 0..30),
    ) {
        let mut parts = vec![counting(len)];
        for (which, at, sent) in cuts {
            let which = which.index(parts.len());
            let at = at.index(parts[which].len() + 1);
            let mut part = parts[which].split_off(at);
            if sent {
                part = SharedSliceMut::from_token(&part.into_token().unwrap()).unwrap();
            }
            parts.push(part);
        }
        for (one, other) in joins {
            if parts.len() < 2 {
                break;
            }
            let one = parts.swap_remove(one.index(parts.len()));
            let other = parts.swap_remove(other.index(parts.len()));
            let (first, second) = (one.as_ptr_range(), other.as_ptr_range());
            let neighbours = first.start == second.end || second.start == first.end;
            // Where a part without elements is can't be seen.
            let seen = !one.is_empty() && !other.is_empty();
            match one.unsplit(other) {
                Ok(both) => {
                    prop_assert!(neighbours || !seen);
                    parts.push(both);
                }
                Err(refused) => {
                    prop_assert!(!(neighbours && seen) && matches!(refused.reason, Error::Apart { .. }), "{}", refused);
                    parts.extend(<[_; 2]>::from(refused.handle));
                }
            }
        }
        let whole = SharedSliceMut::unsplit_all(parts).unwrap().freeze().unwrap();
        prop_assert!(whole.len() == len && is_counting(&whole, 0));
    }
}

#[test]
fn a_slice_that_has_become_shorter_is_cut_and_put_together() {
    on_both_backings("parts::a_slice_that_has_become_shorter_is_cut_and_put_together", || {
        let mut whole: SharedSliceMut<u32> = SharedSliceMut::zeroed(1000).unwrap();
        whole.resize(600, 0).unwrap();
        let mut tail = whole.split_off(200);
        assert_eq!((whole.len(), tail.len()), (200, 400));
        tail.fill(2);
        whole.fill(1);
        let token = tail.into_token().unwrap();
        let tail = SharedSliceMut::from_token(&token).unwrap();
        let mut whole = SharedSliceMut::unsplit_all([tail, whole]).unwrap();
        assert!(whole[..200].iter().all(|one| *one == 1) && whole[200..].iter().all(|two| *two == 2));
        // Grown again it is another block.
        whole.resize(900, 3).unwrap();
        assert_eq!((whole[199], whole[599], whole[899]), (1, 2, 3));
        let parts = whole.split_into(7);
        let frozen = SharedSliceMut::unsplit_all(parts.into_iter().rev()).unwrap().freeze().unwrap();
        assert_eq!((frozen.len(), frozen[200]), (900, 2));

        // The last part may have become shorter, and grows again as a whole; any other stands in the way.
        let mut parts = counting(1000).split_into(2);
        parts[1].resize(100, 0).unwrap();
        let mut whole = SharedSliceMut::unsplit_all(parts).unwrap();
        assert!(whole.len() == 600 && is_counting(&whole, 0));
        let start = whole.as_ptr();
        whole.resize(1000, 7).unwrap();
        assert_eq!((whole.as_ptr(), whole[599], whole[999]), (start, 599, 7));
        let right = whole.split_off(500);
        whole.resize(100, 0).unwrap();
        let refused = whole.unsplit(right).unwrap_err();
        assert!(matches!(refused.reason, Error::Metadata { .. }), "{refused}");
    });
}

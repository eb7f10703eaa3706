//! Making, looking, sharing, changing kind: one process, both backings.

use commonage::{Counts, Error, Shared, SharedMut, SharedSlice, SharedSliceMut, SharedStr, SharedStrMut, Value};

use crate::support::on_both_backings;

fn alone() -> Counts {
    Counts { handles: 1, holders: 1, in_flight: 0 }
}

#[test]
fn a_value_is_what_it_was_made_from() {
    on_both_backings("handles::a_value_is_what_it_was_made_from", || {
        let numbers: Vec<u64> = (0..100_000).collect();
        let shared = Shared::copy_from(&numbers[..]).unwrap();
        assert_eq!(shared.as_view(), &numbers[..]);
        assert_eq!(*shared, numbers[..]);
        assert_eq!(Shared::new_from_inner(&numbers[..]).unwrap(), shared);
        assert_eq!(Shared::from(&numbers[..]), shared);
        let text: SharedStr = Shared::new("grüße").unwrap();
        assert_eq!(&*text, "grüße");
        assert_eq!(text.to_string(), "grüße");
        let filled: SharedSlice<u16> = Shared::new(&(7, 1000)).unwrap();
        assert!(filled.iter().all(|x| *x == 7));
        let one: Shared<Value<f64>> = Shared::new(&2.5).unwrap();
        assert_eq!(*one.as_view(), 2.5);
        assert_eq!(shared.counts(), alone());
    });
}

#[test]
fn values_of_length_zero_are_values() {
    on_both_backings("handles::values_of_length_zero_are_values", || {
        let slice: SharedSlice<u64> = Shared::copy_from(&[][..]).unwrap();
        assert_eq!(slice.len(), 0);
        let text: SharedStrMut = SharedMut::new("").unwrap();
        assert_eq!(&*text, "");
        let nothing: SharedSlice<[u8; 0]> = Shared::new(&([], 5)).unwrap();
        assert_eq!(nothing.len(), 5);
        let back = SharedSlice::<u64>::from_token(&slice.into_token().unwrap()).unwrap();
        assert!(back.is_empty());
        let back = SharedStrMut::from_token(&text.into_token().unwrap()).unwrap();
        assert!(back.is_empty());
        let back = SharedSlice::<[u8; 0]>::from_token(&nothing.into_token().unwrap()).unwrap();
        assert_eq!(back.len(), 5);
    });
}

#[test]
fn sizes_on_both_sides_of_every_class_and_page_hold_their_values() {
    on_both_backings("handles::sizes_on_both_sides_of_every_class_and_page_hold_their_values", || {
        let mut kept = Vec::new();
        for size in [1, 127, 128, 129, 640, 3071, 3072, 3073, 4095, 4096, 4097, 65_536, 1 << 20, (1 << 20) + 1, 9 << 20]
        {
            let mut value: SharedSliceMut<u8> = SharedMut::new(&(0, size)).unwrap();
            value.iter_mut().enumerate().for_each(|(i, b)| *b = (i % 251) as u8 ^ size as u8);
            kept.push((size, value.freeze().unwrap()));
        }
        for (size, value) in &kept {
            assert_eq!(value.len(), *size);
            let right = value.iter().enumerate().all(|(i, b)| *b == (i % 251) as u8 ^ *size as u8);
            assert!(right, "a value of {size} bytes was overwritten");
        }
    });
}

#[test]
fn recycled_memory_is_zero_where_zero_was_asked_for() {
    on_both_backings("handles::recycled_memory_is_zero_where_zero_was_asked_for", || {
        for size in [64, 5000, 3 << 20] {
            drop(SharedSliceMut::<u8>::new(&(0xff, size)).unwrap());
            let zeroed: SharedSliceMut<u8> = SharedSliceMut::zeroed(size).unwrap();
            assert!(zeroed.iter().all(|b| *b == 0), "{size} bytes");
        }
    });
}

#[test]
fn clones_and_slices_are_handles_on_the_same_memory() {
    on_both_backings("handles::clones_and_slices_are_handles_on_the_same_memory", || {
        let shared: SharedSlice<u32> = Shared::copy_from(&[1, 2, 3, 4, 5][..]).unwrap();
        let clone = shared.clone();
        let part = shared.slice(1..4);
        assert!(shared.ptr_eq(&clone));
        assert!(!shared.ptr_eq(&part));
        assert_eq!(*part, [2, 3, 4]);
        assert_eq!(part.as_ptr(), shared[1..].as_ptr());
        assert_eq!(shared.counts(), Counts { handles: 3, holders: 1, in_flight: 0 });
        drop((shared, clone));
        assert_eq!(*part.slice(2..), [4]);
        assert_eq!(part.counts(), alone());
        let text: SharedStr = Shared::new("añb").unwrap();
        assert_eq!(&*text.slice(1..3), "ñ");
    });
}

#[test]
fn a_part_travels_as_a_part() {
    on_both_backings("handles::a_part_travels_as_a_part", || {
        let shared: SharedSlice<u32> = Shared::copy_from(&[1, 2, 3, 4, 5][..]).unwrap();
        let part = SharedSlice::<u32>::from_token(&shared.slice(3..).into_token().unwrap()).unwrap();
        assert_eq!(*part, [4, 5]);
    });
}

#[test]
fn kind_changes_only_for_the_only_handle() {
    on_both_backings("handles::kind_changes_only_for_the_only_handle", || {
        let mut exclusive: SharedSliceMut<u8> = SharedMut::new(&(1, 10)).unwrap();
        exclusive[3] = 9;
        let shared = exclusive.freeze().unwrap();
        let clone = shared.clone();
        let refused = shared.try_into_mut().unwrap_err();
        assert!(matches!(refused.reason, Error::NotAlone(Counts { handles: 2, .. })), "{refused:?}");
        drop(clone);
        let ticket = refused.handle.ticket().unwrap();
        let refused = refused.handle.try_into_mut().unwrap_err();
        assert!(matches!(refused.reason, Error::NotAlone(Counts { in_flight: 1, .. })), "{refused:?}");
        drop(ticket);
        let mut exclusive = refused.handle.try_into_mut().unwrap();
        exclusive[4] = 8;
        assert_eq!(exclusive[3..5], [9, 8]);
        let shared: SharedSlice<u8> = exclusive.try_into().unwrap();
        assert_eq!(shared.counts(), alone());
    });
}

#[test]
fn a_slice_of_a_shared_value_can_become_exclusive_when_it_is_the_last() {
    on_both_backings("handles::a_slice_of_a_shared_value_can_become_exclusive_when_it_is_the_last", || {
        let shared: SharedSlice<u8> = Shared::copy_from(&[1, 2, 3][..]).unwrap();
        let part = shared.slice(1..);
        drop(shared);
        let mut part = part.try_into_mut().unwrap();
        part[0] = 7;
        assert_eq!(*part, [7, 3]);
    });
}

#[test]
fn dropped_memory_is_used_again() {
    on_both_backings("handles::dropped_memory_is_used_again", || {
        for size in [64, 3000, 4096, 100_000, 4 << 20] {
            let source = vec![1; size];
            let mut places = std::collections::HashSet::new();
            for _ in 0..200 {
                let value: SharedSlice<u8> = Shared::copy_from(&source[..]).unwrap();
                places.insert(value.as_ptr() as usize);
            }
            assert!(places.len() < 40, "{size} bytes: {} places for values that never lived together", places.len());
        }
    });
}

#[test]
fn many_threads_make_share_and_drop_without_mixing_values() {
    on_both_backings("handles::many_threads_make_share_and_drop_without_mixing_values", || {
        let common: SharedSlice<u64> = Shared::copy_from(&[42; 100][..]).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8u64 {
                let common = common.clone();
                scope.spawn(move || {
                    let mut kept: Vec<(u64, SharedSlice<u64>)> = Vec::new();
                    for round in 0..2000u64 {
                        let mark = thread << 32 | round;
                        let size = [1, 10, 100, 600][round as usize % 4];
                        kept.push((mark, Shared::new(&(mark, size)).unwrap()));
                        let token = kept[kept.len() / 2].1.clone().into_token().unwrap();
                        let other = SharedSlice::<u64>::from_token(&token).unwrap();
                        assert!(other.iter().all(|x| *x == kept[kept.len() / 2].0));
                        if kept.len() > 20 {
                            let (mark, value) = kept.swap_remove(round as usize % 20);
                            assert!(value.iter().all(|x| *x == mark));
                        }
                        assert_eq!(common.clone()[7], 42);
                    }
                });
            }
        });
        assert_eq!(common.counts(), alone());
    });
}

/// Values are right in any case; that nothing but luck makes them so, the thread sanitizer would say.
#[test]
fn what_a_thread_has_read_through_a_dropped_clone_comes_before_what_the_next_writes() {
    on_both_backings(
        "handles::what_a_thread_has_read_through_a_dropped_clone_comes_before_what_the_next_writes",
        || {
            for n in 0..200 {
                let mut shared: SharedSlice<u64> = Shared::new(&(n, 8)).unwrap();
                let clone = shared.clone();
                let reader = std::thread::spawn(move || assert_eq!(clone.iter().sum::<u64>(), 8 * n));
                let mut exclusive = loop {
                    match shared.try_into_mut() {
                        Ok(exclusive) => break exclusive,
                        Err(refused) => shared = refused.handle,
                    }
                };
                exclusive.fill(77);
                reader.join().unwrap();
            }
        },
    );
}

#[test]
#[allow(clippy::mutable_key_type)] // What changes behind a handle is how it is counted, not its text.
fn handles_compare_and_hash_as_what_they_hold() {
    use std::collections::HashMap;
    let mut by_name: HashMap<SharedStr, u32> = HashMap::new();
    by_name.insert(Shared::new("one").unwrap(), 1);
    assert_eq!(by_name.get("one"), Some(&1));
    let a: SharedSlice<i32> = Shared::copy_from(&[1, 2][..]).unwrap();
    let b: SharedSlice<i32> = Shared::copy_from(&[1, 3][..]).unwrap();
    assert!(a < b);
    assert_eq!((&a).into_iter().sum::<i32>(), 3);
    assert!(format!("{a:?}").contains("[i32]"));
}

//! What sharify documents as hazards, turned round.

use super::*;

/// `tests/serialization_count.rs`, which documents that sharify frees `slice_b` too early, turned round.
#[test]
fn bytes_deserialized_twice_free_nothing_that_another_receiver_waits_for() {
    on_both_backings("sharify::hazards::bytes_deserialized_twice_free_nothing_that_another_receiver_waits_for", || {
        // Create two slices backed by the same shared memory.
        let slice_a: Shared<[u64]> = Shared::new(&(0, 1_000_000)).unwrap();
        let slice_b = slice_a.clone();

        // Serialize both
        let bytes_a = serialize_shared(slice_a);
        let bytes_b = serialize_shared(slice_b);

        // Deserialize one of them TWICE and drop the `Shared`s
        for _ in 0..2 {
            deserialize::<Shared<[u64]>>(&bytes_a).unwrap();
        }

        // The second message is still in flight: it keeps the memory alive.
        let slice_b: Shared<[u64]> = deserialize(&bytes_b).unwrap();
        assert!(slice_b.len() == 1_000_000 && slice_b.iter().all(|&x| x == 0));
        assert_eq!(slice_b.counts(), counts([1, 0]));
    });
}

#[test]
fn bytes_deserialized_by_many_threads_at_once_free_nothing_either() {
    on_both_backings("sharify::hazards::bytes_deserialized_by_many_threads_at_once_free_nothing_either", || {
        for round in 0..200_u64 {
            let slice: Shared<[u64]> = Shared::new(&(round, 100)).unwrap();
            let replayed = serialize_shared(slice.clone());
            let waiting = serialize_shared(slice);
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| deserialize::<Shared<[u64]>>(&replayed).map(|slice| assert_eq!(slice[99], round)));
                }
            });
            let slice: Shared<[u64]> = deserialize(&waiting).unwrap();
            assert_eq!(slice[99], round);
            assert_eq!(slice.counts(), counts([1, 0]));
        }
    });
}

#[test]
fn messages_that_nobody_deserializes_leak_nothing_once_revoked() {
    on_both_backings("sharify::hazards::messages_that_nobody_deserializes_leak_nothing_once_revoked", || {
        let shared: Shared<[u8]> = Shared::new(&(1, 10)).unwrap();
        let messages: Vec<Vec<u8>> = (0..100).map(|_| postcard::to_stdvec(&shared).unwrap()).collect();
        assert_eq!(shared.counts(), counts([1, 100]));
        for message in &messages {
            assert!(deserialize::<Ticket<[u8]>>(message).unwrap().revoke().unwrap());
        }
        assert_eq!(shared.counts(), counts([1, 0]));
        assert!(shared.try_into_mut().is_ok());
    });
}

#[test]
fn a_view_made_before_serialize_never_shows_what_a_receiver_writes() {
    on_both_backings("sharify::hazards::a_view_made_before_serialize_never_shows_what_a_receiver_writes", || {
        let m: SharedSliceMut<u64> = SharedMut::new(&(1, 1000)).unwrap();
        let v = m.as_view();
        let ticket: Ticket<[u64]> = deserialize(&postcard::to_stdvec(&m).unwrap()).unwrap();
        let refused = AtomicBool::new(false);
        thread::scope(|scope| {
            let receiver = scope.spawn(|| {
                let claimed = ticket.claim_mut().map(|mut received| received.fill(2));
                refused.store(true, Ordering::SeqCst);
                claimed
            });
            while !refused.load(Ordering::SeqCst) {
                assert!(v.iter().all(|&x| x == 1));
            }
            let error = receiver.join().unwrap().unwrap_err();
            assert!(matches!(error, Error::StillHeld { .. }), "{error:?}");
        });
        assert!(v.iter().all(|&x| x == 1));
        drop(m);
        let mut received = ticket.claim_mut().unwrap();
        assert!(received.iter().all(|&x| x == 1));
        received.fill(2);
    });
}

#[test]
fn a_receiver_waits_until_the_sender_has_dropped_its_handle() {
    on_both_backings("sharify::hazards::a_receiver_waits_until_the_sender_has_dropped_its_handle", || {
        for round in 0..50_u64 {
            let m: SharedSliceMut<u64> = SharedMut::new(&(1, 1000)).unwrap();
            let dropping = AtomicBool::new(false);
            thread::scope(|scope| {
                let dropping = &dropping;
                let v = m.as_view();
                let bytes = postcard::to_stdvec(&m).unwrap();
                scope.spawn(move || {
                    let mut received: SharedSliceMut<u64> = deserialize(&bytes).unwrap();
                    assert!(dropping.load(Ordering::SeqCst), "received while the sender still had its view");
                    assert!(received.iter().all(|&x| x == 1));
                    received.fill(2);
                });
                for _ in 0..(round % 10) * 20 {
                    assert!(v.iter().all(|&x| x == 1));
                }
                dropping.store(true, Ordering::SeqCst);
                drop(m);
            });
        }
    });
}

//! A handle that is serialized more than once, first to learn the size or by several threads.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
};

use bincode::serde::Compat;
use commonage::{Counts, Error, Shared, SharedMut, SharedSlice, SharedSliceMut};
use postcard::ser_flavors::StdVec;

use super::Recording;
use crate::support::on_both_backings;

/// Two handles, and what comes behind them.
type Both = (SharedSlice<u8>, Shared<Recording>, String);

#[test]
fn a_pass_that_only_measures_leaves_nothing_in_flight_and_measures_right() {
    on_both_backings("formats::passes::a_pass_that_only_measures_leaves_nothing_in_flight_and_measures_right", || {
        let shared: SharedSlice<u8> = Shared::copy_from(&[1, 2][..]).unwrap();
        let recording = Shared::copy_from(&Recording::example()).unwrap();
        let both = (shared.clone(), recording.clone(), "end");
        for _ in 0..3 {
            let size = postcard::experimental::serialized_size(&both).unwrap();
            assert_eq!((shared.counts().in_flight, recording.counts().in_flight), (0, 0));
            let message = postcard::to_stdvec(&both).unwrap();
            assert_eq!(message.len(), size);
            assert_eq!((shared.counts().in_flight, recording.counts().in_flight), (1, 1));
            let (a, b, _): Both = postcard::from_bytes(&message).unwrap();
            assert!(a.ptr_eq(&shared) && b.ptr_eq(&recording));
            assert_eq!((shared.counts().in_flight, recording.counts().in_flight), (0, 0));
        }

        // bincode 2 measures first, by itself.
        let standard = bincode::config::standard();
        let message = bincode::encode_to_vec(Compat(&both), standard).unwrap();
        assert_eq!((shared.counts().in_flight, recording.counts().in_flight), (1, 1));
        let (Compat((a, b, _)), _): (Compat<Both>, usize) = bincode::decode_from_slice(&message, standard).unwrap();
        assert!(a.ptr_eq(&shared) && b.ptr_eq(&recording));
        assert_eq!((shared.counts().in_flight, recording.counts().in_flight), (0, 0));
    });
}

#[test]
fn an_exclusive_value_is_the_same_ticket_in_every_pass() {
    on_both_backings("formats::passes::an_exclusive_value_is_the_same_ticket_in_every_pass", || {
        let exclusive: SharedSliceMut<u8> = SharedMut::copy_from(&[1, 2][..]).unwrap();
        let size = postcard::experimental::serialized_size(&exclusive).unwrap();
        let first = postcard::to_stdvec(&exclusive).unwrap();
        assert_eq!(first.len(), size);
        assert_eq!(postcard::experimental::serialized_size(&exclusive).unwrap(), size);
        assert_eq!(postcard::to_stdvec(&exclusive).unwrap(), first);
        let mut slice = [0; 500];
        assert_eq!(postcard::to_slice(&exclusive, &mut slice).unwrap(), first);
        assert_eq!(serde_json::to_string(&exclusive).unwrap(), serde_json::to_string(&exclusive).unwrap());
        drop(exclusive);
        assert_eq!(*postcard::from_bytes::<SharedSliceMut<u8>>(&first).unwrap(), [1, 2]);
        assert!(postcard::from_bytes::<SharedSliceMut<u8>>(slice.as_slice()).is_err(), "claimed once");

        let standard = bincode::config::standard();
        let exclusive = SharedMut::copy_from(&Recording::example()).unwrap();
        let message = bincode::encode_to_vec(Compat(&exclusive), standard).unwrap();
        drop(exclusive);
        let (received, _): (Compat<SharedMut<Recording>>, usize) =
            bincode::decode_from_slice(&message, standard).unwrap();
        assert_eq!(received.0.as_view().0, &Recording::example().label);
    });
}

#[test]
fn an_exclusive_value_that_was_only_measured_is_given_back_when_it_is_dropped() {
    on_both_backings(
        "formats::passes::an_exclusive_value_that_was_only_measured_is_given_back_when_it_is_dropped",
        || {
            let mut places = HashSet::new();
            for _ in 0..300 {
                let value: SharedSliceMut<u8> = SharedMut::new(&(1, 1 << 17)).unwrap();
                places.insert(value.as_ptr() as usize);
                postcard::experimental::serialized_size(&value).unwrap();
                assert_eq!(value[0], 1, "it has not been serialized");
            }
            assert!(places.len() < 40, "{} places for values that never lived together", places.len());
        },
    );
}

#[test]
fn threads_that_serialize_one_exclusive_value_emit_one_ticket() {
    on_both_backings("formats::passes::threads_that_serialize_one_exclusive_value_emit_one_ticket", || {
        for round in 0..200 {
            let exclusive: SharedSliceMut<u64> = SharedMut::copy_from(&[round][..]).unwrap();
            let messages: HashSet<Vec<u8>> = std::thread::scope(|scope| {
                let writers: Vec<_> =
                    (0..4).map(|_| scope.spawn(|| postcard::to_stdvec(&exclusive).unwrap())).collect();
                writers.into_iter().map(|writer| writer.join().unwrap()).collect()
            });
            drop(exclusive);
            assert_eq!(messages.len(), 1, "round {round}");
            for message in messages {
                assert_eq!(*postcard::from_bytes::<SharedSliceMut<u64>>(&message).unwrap(), [round]);
                assert!(postcard::from_bytes::<SharedSliceMut<u64>>(&message).is_err());
            }
        }
    });
}

#[test]
fn a_serialized_exclusive_value_is_refused_everywhere_and_still_arrives() {
    on_both_backings("formats::passes::a_serialized_exclusive_value_is_refused_everywhere_and_still_arrives", || {
        let serialized = |n: u8| -> (SharedSliceMut<u8>, Vec<u8>) {
            let exclusive = SharedMut::copy_from(&[n][..]).unwrap();
            let message = postcard::to_stdvec(&exclusive).unwrap();
            (exclusive, message)
        };
        let arrives = |n: u8, message: &[u8]| {
            assert_eq!(*postcard::from_bytes::<SharedSliceMut<u8>>(message).unwrap(), [n]);
        };

        let (exclusive, message) = serialized(1);
        let refused = exclusive.freeze().unwrap_err();
        assert!(matches!(refused.reason, Error::Serialized), "{refused:?}");
        let refused = refused.handle.into_ticket().unwrap_err();
        assert!(matches!(refused.reason, Error::Serialized), "{refused:?}");
        let refused = SharedSlice::try_from(refused.handle).unwrap_err();
        drop(refused);
        arrives(1, &message);

        let (exclusive, message) = serialized(2);
        assert!(matches!(exclusive.into_token(), Err(Error::Serialized)));
        arrives(2, &message);

        let (exclusive, message) = serialized(3);
        let mut serializer = postcard::Serializer { output: StdVec::new() };
        assert!(catch_unwind(AssertUnwindSafe(|| exclusive.into_serialized(&mut serializer).is_ok())).is_err());
        arrives(3, &message);

        let (mut exclusive, message) = serialized(4);
        assert!(catch_unwind(AssertUnwindSafe(|| exclusive[0] = 5)).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| exclusive == [4])).is_err());
        assert_eq!(exclusive.counts(), Counts { handles: 1, holders: 1, in_flight: 1 });
        drop(exclusive);
        arrives(4, &message);
    });
}

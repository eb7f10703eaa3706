//! Serializers, metadata and fields that fail half-way: an error, and nothing leaks.

use std::{
    collections::{BTreeSet, HashSet},
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use commonage::{Counts, Error, Shared, SharedMut, SharedSlice, SharedSliceMut, ShmemBacked, ShmemView, Ticket};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Format;
use crate::support::on_both_backings;

static WRITABLE: AtomicBool = AtomicBool::new(true);
static READABLE: AtomicBool = AtomicBool::new(true);
static PANICS: AtomicBool = AtomicBool::new(false);
static PLACES: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

/// Metadata that can't be written or read at times.
#[derive(Clone, PartialEq, Debug)]
struct Moody(u32);

impl Serialize for Moody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !WRITABLE.load(Ordering::SeqCst) {
            return Err(serde::ser::Error::custom("not now"));
        }
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Moody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        assert!(!PANICS.load(Ordering::SeqCst), "the metadata panic");
        if !READABLE.load(Ordering::SeqCst) {
            return Err(serde::de::Error::custom("not now"));
        }
        u32::deserialize(deserializer).map(Moody)
    }
}

struct Mood;

// SAFETY: the views are sound whatever the bytes and the metadata are.
unsafe impl ShmemBacked for Mood {
    type NewArg = u32;
    type MetaData = Moody;
    fn required_memory_arg(_: &u32) -> usize {
        64
    }
    fn required_memory_src(_: &Self) -> usize {
        64
    }
    fn new(data: &mut [u8], arg: &u32) -> Moody {
        PLACES.lock().unwrap().insert(data.as_ptr() as usize);
        assert!(!PANICS.load(Ordering::SeqCst), "the maker panics");
        Moody(*arg)
    }
    fn new_from_src(_: &mut [u8], _: &Self) -> Moody {
        Moody(0)
    }
}

impl<'a> ShmemView<'a> for Mood {
    type View = (u32, &'a [u8]);
    fn view(data: &'a [u8], moody: &'a Moody) -> Self::View {
        (moody.0, data)
    }
}

#[test]
fn metadata_that_cannot_be_written_are_an_error_and_nothing_is_sent() {
    on_both_backings("formats::failing::metadata_that_cannot_be_written_are_an_error_and_nothing_is_sent", || {
        let shared: Shared<Mood> = Shared::new(&5).unwrap();
        let exclusive: SharedMut<Mood> = SharedMut::new(&6).unwrap();
        WRITABLE.store(false, Ordering::SeqCst);
        assert!(matches!(shared.ticket(), Err(Error::Metadata { .. })));
        assert!(matches!(shared.clone().into_token(), Err(Error::Metadata { .. })));
        assert!(postcard::to_stdvec(&shared).is_err());
        let error = serde_json::to_string(&shared).unwrap_err().to_string();
        assert!(error.contains("metadata"), "{error}");
        assert!(postcard::to_stdvec(&exclusive).is_err());
        assert_eq!(exclusive.as_view().0, 6, "nothing was sent, so nothing is lost");
        WRITABLE.store(true, Ordering::SeqCst);
        assert_eq!(shared.counts(), Counts { handles: 1, holders: 1, in_flight: 0 });
        assert_eq!(Format::Json.send(shared).as_view().0, 5);
        assert_eq!(Format::Postcard.send(exclusive).as_view().0, 6);
    });
}

#[test]
fn metadata_that_cannot_be_read_are_an_error_and_the_value_waits() {
    on_both_backings("formats::failing::metadata_that_cannot_be_read_are_an_error_and_the_value_waits", || {
        let shared = Shared::<Mood>::new(&5).unwrap().into_token().unwrap();
        let exclusive = SharedMut::<Mood>::new(&6).unwrap().into_token().unwrap();
        READABLE.store(false, Ordering::SeqCst);
        assert!(matches!(Shared::<Mood>::from_token(&shared), Err(Error::Metadata { .. })));
        assert!(matches!(SharedMut::<Mood>::from_token(&exclusive), Err(Error::Metadata { .. })));
        assert!(Ticket::<Mood>::from_token(&shared).is_ok(), "a ticket looks at nothing");
        READABLE.store(true, Ordering::SeqCst);
        assert_eq!(Shared::<Mood>::from_token(&shared).unwrap().as_view().0, 5);
        assert_eq!(SharedMut::<Mood>::from_token(&exclusive).unwrap().as_view().0, 6);
    });
}

#[test]
fn a_type_that_panics_leaks_nothing_and_loses_nothing() {
    on_both_backings("formats::failing::a_type_that_panics_leaks_nothing_and_loses_nothing", || {
        let token = SharedMut::<Mood>::new(&6).unwrap().into_token().unwrap();
        PANICS.store(true, Ordering::SeqCst);
        for _ in 0..500 {
            assert!(catch_unwind(|| Shared::<Mood>::new(&5).is_ok()).is_err());
        }
        assert!(catch_unwind(|| SharedMut::<Mood>::from_token(&token).is_ok()).is_err());
        PANICS.store(false, Ordering::SeqCst);
        let places = PLACES.lock().unwrap().len();
        assert!(places < 50, "{places} places for values that never were");
        assert_eq!(SharedMut::<Mood>::from_token(&token).unwrap().as_view().0, 6);
    });
}

/// A writer that takes so many bytes and then fails, or panics.
struct Broken {
    room: usize,
    panics: bool,
}

impl Write for Broken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 && self.panics {
            panic!("the writer panics");
        }
        if self.room == 0 {
            return Err(io::Error::other("the pipe is broken"));
        }
        let taken = self.room.min(bytes.len());
        self.room -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes `value` where there is room for fewer bytes than it needs, in every format, with every number of bytes.
fn into_too_little_room<T: Serialize>(value: &T, mut failed: impl FnMut(&str)) {
    let whole = |format: Format| {
        let bytes = format.write(&SharedSlice::<u8>::copy_from(&[1][..]).unwrap());
        format.read::<SharedSlice<u8>>(&bytes);
        bytes.len()
    };
    let mut buffer = [0; 1000];
    for room in 0..whole(Format::Postcard) {
        assert!(postcard::to_slice(value, &mut buffer[..room]).is_err());
        failed("postcard");
    }
    for room in 0..whole(Format::Bincode) {
        let standard = bincode::config::standard();
        assert!(bincode::serde::encode_into_slice(value, &mut buffer[..room], standard).is_err());
        failed("bincode");
    }
    for room in 0..whole(Format::Json) {
        assert!(serde_json::to_writer(Broken { room, panics: false }, value).is_err());
        failed("json");
    }
}

#[test]
fn a_shared_value_that_could_not_be_written_is_not_in_flight() {
    on_both_backings("formats::failing::a_shared_value_that_could_not_be_written_is_not_in_flight", || {
        let shared: SharedSlice<u8> = Shared::copy_from(&[1][..]).unwrap();
        let alone = Counts { handles: 1, holders: 1, in_flight: 0 };
        into_too_little_room(&shared, |format| assert_eq!(shared.counts(), alone, "{format}"));
        // More often than there are tickets.
        for _ in 0..100_000 {
            assert!(postcard::to_slice(&shared, &mut [0; 20]).is_err());
        }
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _ = serde_json::to_writer(Broken { room: 10, panics: true }, &shared);
        }));
        assert!(panicked.is_err());
        assert_eq!(shared.counts(), alone);
        assert_eq!(*Format::Postcard.send(shared), [1]);
    });
}

#[test]
fn a_shared_value_turned_into_a_message_that_could_not_be_written_is_given_back() {
    on_both_backings(
        "formats::failing::a_shared_value_turned_into_a_message_that_could_not_be_written_is_given_back",
        || {
            let mut places = HashSet::new();
            for round in 0..300 {
                let value: SharedSlice<u8> = Shared::new(&(1, 1 << 17)).unwrap();
                places.insert(value.as_ptr() as usize);
                let broken = Broken { room: round % 100, panics: false };
                assert!(value.into_serialized(&mut serde_json::Serializer::new(broken)).is_err());
                let value: SharedSliceMut<u8> = SharedMut::new(&(1, 1 << 17)).unwrap();
                places.insert(value.as_ptr() as usize);
                let broken = Broken { room: round % 100, panics: false };
                assert!(value.into_serialized(&mut serde_json::Serializer::new(broken)).is_err());
            }
            assert!(places.len() < 40, "{} places for values that never lived together", places.len());
            let shared: SharedSlice<u8> = Shared::new(&(1, 10)).unwrap();
            for _ in 0..100_000 {
                let broken = Broken { room: 50, panics: false };
                assert!(shared.clone().into_serialized(&mut serde_json::Serializer::new(broken)).is_err());
            }
            assert_eq!(shared.counts(), Counts { handles: 1, holders: 1, in_flight: 0 });
        },
    );
}

/// Whether using it panics, and says that it has been serialized.
fn is_invalid(exclusive: &SharedSliceMut<u8>) -> bool {
    match catch_unwind(AssertUnwindSafe(|| exclusive.as_view().len())) {
        Ok(_) => false,
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map(|text| &text[..]);
            let text = text.or(payload.downcast_ref::<&str>().copied()).unwrap();
            assert!(text.contains("has been serialized"), "{text}");
            assert!(!format!("{exclusive:?}").is_empty(), "`Debug` does not panic");
            true
        }
    }
}

#[test]
fn an_exclusive_value_that_could_not_be_written_is_invalid_and_its_drop_gives_the_memory_back() {
    on_both_backings(
        "formats::failing::an_exclusive_value_that_could_not_be_written_is_invalid_and_its_drop_gives_the_memory_back",
        || {
            let exclusive: SharedSliceMut<u8> = SharedMut::copy_from(&[1][..]).unwrap();
            into_too_little_room(&exclusive, |format| assert!(is_invalid(&exclusive), "{format}"));
            drop(exclusive);

            let mut places = HashSet::new();
            for round in 0..300 {
                let value: SharedSliceMut<u8> = SharedMut::new(&(1, 1 << 17)).unwrap();
                places.insert(value.as_ptr() as usize);
                assert!(postcard::to_slice(&value, &mut [0; 100][..round % 80]).is_err());
                assert!(is_invalid(&value));
            }
            assert!(places.len() < 40, "{} places for values that never lived together", places.len());

            // More often than there are tickets.
            for _ in 0..100_000 {
                let value: SharedSliceMut<u8> = SharedMut::new(&(1, 10)).unwrap();
                assert!(postcard::to_slice(&value, &mut [0; 20]).is_err());
            }
        },
    );
}

#[test]
fn an_exclusive_value_whose_first_writer_was_full_can_be_sent_by_another() {
    on_both_backings("formats::failing::an_exclusive_value_whose_first_writer_was_full_can_be_sent_by_another", || {
        let exclusive: SharedSliceMut<u8> = SharedMut::copy_from(&[1, 2][..]).unwrap();
        assert!(postcard::to_slice(&exclusive, &mut [0; 20]).is_err());
        let message = postcard::to_stdvec(&exclusive).unwrap();
        assert!(postcard::to_slice(&exclusive, &mut [0; 20]).is_err());
        drop(exclusive);
        assert_eq!(*postcard::from_bytes::<SharedSliceMut<u8>>(&message).unwrap(), [1, 2]);
    });
}

/// A field that can't be serialized.
struct Refuses;

impl Serialize for Refuses {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("this field refuses"))
    }
}

#[test]
fn handles_behind_a_field_that_fails_are_as_they_were() {
    on_both_backings("formats::failing::handles_behind_a_field_that_fails_are_as_they_were", || {
        let shared: SharedSlice<u8> = Shared::copy_from(&[1][..]).unwrap();
        let exclusive: SharedSliceMut<u8> = SharedMut::copy_from(&[2][..]).unwrap();
        assert!(postcard::to_stdvec(&(Refuses, &shared, &exclusive)).is_err());
        assert!(serde_json::to_string(&(Refuses, &shared, &exclusive)).is_err());
        assert_eq!(shared.counts().in_flight, 0);
        assert!(!is_invalid(&exclusive));
        assert_eq!(*exclusive, [2]);
    });
}

/// A handle can't know what becomes of a message after its token has been written: the bytes may have left. So the token
/// can be claimed, if the bytes are still there, and whoever has the bytes can take it back.
#[test]
fn tokens_written_before_a_field_that_fails_can_be_claimed_or_revoked() {
    on_both_backings("formats::failing::tokens_written_before_a_field_that_fails_can_be_claimed_or_revoked", || {
        /// The bytes of `value` that were written before it failed.
        fn written(value: &impl Serialize) -> Vec<u8> {
            let mut bytes = Vec::new();
            bincode::serde::encode_into_std_write((value, Refuses), &mut bytes, bincode::config::standard())
                .unwrap_err();
            bytes
        }

        let shared: SharedSlice<u8> = Shared::copy_from(&[1][..]).unwrap();
        let message = written(&shared);
        assert_eq!(shared.counts().in_flight, 1);
        assert_eq!(*Format::Bincode.read::<SharedSlice<u8>>(&message), [1]);
        assert_eq!(shared.counts().in_flight, 0);
        let message = written(&shared);
        assert!(Format::Bincode.read::<Ticket<[u8]>>(&message).revoke().unwrap());
        assert_eq!(shared.counts().in_flight, 0);

        let exclusive: SharedSliceMut<u8> = SharedMut::copy_from(&[2][..]).unwrap();
        let message = written(&exclusive);
        assert!(is_invalid(&exclusive));
        drop(exclusive);
        assert_eq!(*Format::Bincode.read::<SharedSliceMut<u8>>(&message), [2]);

        // Whoever keeps the ticket needs no bytes.
        let ticket = shared.ticket().unwrap();
        assert!(postcard::to_stdvec(&(&ticket, Refuses)).is_err());
        assert_eq!(shared.counts().in_flight, 1);
        assert!(ticket.revoke().unwrap());
        assert_eq!(shared.counts().in_flight, 0);
        let ticket = SharedSliceMut::<u8>::copy_from(&[3][..]).unwrap().into_ticket().unwrap();
        assert!(postcard::to_stdvec(&(&ticket, Refuses)).is_err());
        assert_eq!(*ticket.claim_mut().unwrap(), [3]);
    });
}

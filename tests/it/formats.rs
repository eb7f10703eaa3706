//! What travels: every kind of handle in every format.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Debug,
};

use commonage::{
    Counts, Shared, SharedMut, SharedSlice, SharedSliceMut, SharedStr, SharedStrMut, ShmemBacked, ShmemView,
    ShmemViewMut, Ticket, Value,
};
use postcard::ser_flavors::{Flavor, StdVec};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, value},
};

use crate::support::on_both_backings;

mod failing;
mod passes;
mod tickets;

#[derive(Clone, Copy, Debug)]
enum Format {
    Postcard,
    Bincode,
    BincodeStream,
    Json,
    JsonTree,
}

impl Format {
    const ALL: [Format; 5] = [Format::Postcard, Format::Bincode, Format::BincodeStream, Format::Json, Format::JsonTree];

    fn write<T: Serialize>(self, value: &T) -> Vec<u8> {
        match self {
            Format::Postcard => postcard::to_stdvec(value).unwrap(),
            Format::Bincode => bincode::serde::encode_to_vec(value, bincode::config::standard()).unwrap(),
            Format::BincodeStream => {
                let mut bytes = Vec::new();
                bincode::serde::encode_into_std_write(value, &mut bytes, bincode::config::legacy()).unwrap();
                bytes
            }
            Format::Json => serde_json::to_vec(value).unwrap(),
            Format::JsonTree => serde_json::to_value(value).unwrap().to_string().into_bytes(),
        }
    }

    fn try_read<T: DeserializeOwned>(self, mut bytes: &[u8]) -> Result<T, String> {
        match self {
            Format::Postcard => postcard::from_bytes(bytes).map_err(|error| error.to_string()),
            Format::Bincode => bincode::serde::decode_from_slice(bytes, bincode::config::standard())
                .map(|(value, _)| value)
                .map_err(|error| error.to_string()),
            Format::BincodeStream => bincode::serde::decode_from_std_read(&mut bytes, bincode::config::legacy())
                .map_err(|error| error.to_string()),
            Format::Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
            Format::JsonTree => {
                let tree: serde_json::Value = serde_json::from_slice(bytes).unwrap();
                serde_json::from_value(tree).map_err(|error| error.to_string())
            }
        }
    }

    #[track_caller]
    fn read<T: DeserializeOwned>(self, bytes: &[u8]) -> T {
        self.try_read(bytes).unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    /// There and back; what is sent is dropped before it is received.
    #[track_caller]
    fn send<T: Serialize + DeserializeOwned>(self, value: T) -> T {
        let bytes = self.write(&value);
        drop(value);
        self.read(&bytes)
    }
}

/// A type with metadata that not every format can write.
#[derive(Clone, PartialEq, Debug)]
struct Recording {
    label: Label,
    samples: Vec<u8>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Label {
    station: String,
    gains: BTreeMap<String, f64>,
    range: (f32, f32),
    notes: Vec<Option<String>>,
    by_number: BTreeMap<(u8, i64), char>,
}

/// Bit for bit, so that a NaN is what it was.
impl PartialEq for Label {
    fn eq(&self, other: &Label) -> bool {
        fn bits(label: &Label) -> (Vec<(&String, u64)>, [u32; 2]) {
            let gains = label.gains.iter().map(|(name, gain)| (name, gain.to_bits())).collect();
            (gains, [label.range.0.to_bits(), label.range.1.to_bits()])
        }
        bits(self) == bits(other)
            && (&self.station, &self.notes, &self.by_number) == (&other.station, &other.notes, &other.by_number)
    }
}

impl Recording {
    fn example() -> Self {
        let gains = [("nan", f64::NAN), ("all", f64::INFINITY), ("less", f64::NEG_INFINITY), ("", -0.0), ("ü", 0.1)];
        Recording {
            label: Label {
                station: "Kīlauea, \"north\"\n\0".to_owned(),
                gains: gains.into_iter().map(|(name, gain)| (name.to_owned(), gain)).collect(),
                range: (f32::from_bits(0x7fc0_1234), f32::MIN_POSITIVE / 2.0),
                notes: vec![None, Some(String::new()), Some("🦀".repeat(3))],
                by_number: BTreeMap::from([((1, i64::MIN), 'a'), ((255, i64::MAX), char::MAX)]),
            },
            samples: (0..5000).map(|n| (n % 251) as u8).collect(),
        }
    }
}

// SAFETY: the views are sound whatever the bytes and the metadata are.
unsafe impl ShmemBacked for Recording {
    type NewArg = (Label, usize);
    type MetaData = Label;

    fn required_memory_arg((_, samples): &Self::NewArg) -> usize {
        *samples
    }
    fn required_memory_src(src: &Self) -> usize {
        src.samples.len()
    }
    fn new(data: &mut [u8], (label, _): &Self::NewArg) -> Label {
        assert!(data.iter().all(|byte| *byte == 0), "it has not opted out of zeros");
        label.clone()
    }
    fn new_from_src(data: &mut [u8], src: &Self) -> Label {
        data.copy_from_slice(&src.samples);
        src.label.clone()
    }
}

impl<'a> ShmemView<'a> for Recording {
    type View = (&'a Label, &'a [u8]);
    fn view(data: &'a [u8], label: &'a Label) -> Self::View {
        (label, data)
    }
}

impl<'a> ShmemViewMut<'a> for Recording {
    type View = (&'a mut Label, &'a mut [u8]);
    fn view_mut(data: &'a mut [u8], label: &'a mut Label) -> Self::View {
        (label, data)
    }
}

#[test]
fn every_kind_of_handle_travels_in_every_format() {
    on_both_backings("formats::every_kind_of_handle_travels_in_every_format", || {
        for format in Format::ALL {
            let slice = format.send(SharedSlice::<u32>::copy_from(&[1, 2, 3][..]).unwrap());
            assert_eq!(*slice, [1, 2, 3], "{format:?}");
            let mut slice = format.send(SharedSliceMut::<u32>::copy_from(&[1, 2, 3][..]).unwrap());
            slice[0] = 7;
            assert_eq!(*format.send(slice), [7, 2, 3], "{format:?}");
            assert_eq!(*format.send(SharedSlice::<bool>::copy_from(&[true, false][..]).unwrap()), [true, false]);
            assert!(format.send(SharedSlice::<u64>::copy_from(&[][..]).unwrap()).is_empty());

            assert_eq!(&*format.send(SharedStr::copy_from("grüße \"\\\n").unwrap()), "grüße \"\\\n", "{format:?}");
            let mut text = format.send(SharedStrMut::copy_from("abc").unwrap());
            text.make_ascii_uppercase();
            assert_eq!(&*format.send(text), "ABC", "{format:?}");

            let one: Shared<Value<f64>> = Shared::new(&2.5).unwrap();
            assert_eq!(*format.send(one).as_view(), 2.5, "{format:?}");
            let mut one: SharedMut<Value<f64>> = SharedMut::new(&2.5).unwrap();
            *one.as_view_mut() = 3.5;
            assert_eq!(*format.send(one).as_view(), 3.5, "{format:?}");

            let recording = Recording::example();
            let shared = format.send(Shared::copy_from(&recording).unwrap());
            assert_eq!(shared.as_view(), (&recording.label, &recording.samples[..]), "{format:?}");
            let exclusive = format.send(SharedMut::copy_from(&recording).unwrap());
            assert_eq!(exclusive.as_view(), (&recording.label, &recording.samples[..]), "{format:?}");

            let shared: SharedSlice<u8> = Shared::copy_from(&[9][..]).unwrap();
            let ticket = format.send(shared.ticket().unwrap());
            assert_eq!(*ticket.claim().unwrap(), [9], "{format:?}");
            assert_eq!(shared.counts(), Counts { handles: 1, holders: 1, in_flight: 0 });
            let exclusive: SharedSliceMut<u8> = SharedMut::copy_from(&[9][..]).unwrap();
            let ticket = format.send(exclusive.into_ticket().unwrap());
            assert_eq!(*ticket.claim_mut().unwrap(), [9], "{format:?}");
        }
    });
}

#[cfg(feature = "ndarray")]
#[test]
fn arrays_travel_in_every_format() {
    use commonage::{SharedArray, SharedArrayMut};
    use ndarray::{Array, Ix2, IxDyn};
    on_both_backings("formats::arrays_travel_in_every_format", || {
        for format in Format::ALL {
            let array = Array::from_shape_fn((30, 40), |(i, j)| (i * 100 + j) as f32);
            let shared: SharedArray<f32, Ix2> = format.send(Shared::copy_from(&array).unwrap());
            assert_eq!(shared.as_view(), array, "{format:?}");
            let many = Array::<u8, _>::from_elem(IxDyn(&[1; 20]), 3);
            let exclusive: SharedArrayMut<u8, IxDyn> = format.send(SharedMut::copy_from(&many).unwrap());
            assert_eq!(exclusive.as_view(), many, "{format:?}");
        }
    });
}

#[derive(Serialize, Deserialize)]
struct Message {
    id: u32,
    title: SharedStr,
    parts: Vec<SharedSlice<u16>>,
    nothing: Option<SharedSlice<u8>>,
    something: Option<SharedSliceMut<u8>>,
    orders: Vec<Order>,
    by_name: BTreeMap<String, SharedSlice<f64>>,
    pair: (Box<SharedStr>, Wrapped),
    outcomes: [Result<SharedStr, String>; 2],
    ticket: Ticket<[u8]>,
    last: String,
}

#[derive(Serialize, Deserialize)]
enum Order {
    Nothing,
    Fill(SharedSliceMut<u32>, u32),
    Show { image: SharedSlice<u8>, title: SharedStr },
    Wrapped(Wrapped),
}

#[derive(Serialize, Deserialize)]
struct Wrapped(Shared<Recording>);

#[test]
fn handles_travel_inside_structs_enums_maps_and_options() {
    on_both_backings("formats::handles_travel_inside_structs_enums_maps_and_options", || {
        for format in Format::ALL {
            let title = SharedStr::copy_from("title").unwrap();
            let recording = Shared::copy_from(&Recording::example()).unwrap();
            let message = Message {
                id: 17,
                title: title.clone(),
                parts: (0..10).map(|n| Shared::new(&(n, n as usize)).unwrap()).collect(),
                nothing: None,
                something: Some(SharedMut::new(&(5, 6)).unwrap()),
                orders: vec![
                    Order::Nothing,
                    Order::Fill(SharedMut::new(&(0, 100)).unwrap(), 8),
                    Order::Show { image: Shared::new(&(3, 3)).unwrap(), title: title.clone() },
                    Order::Wrapped(Wrapped(recording.clone())),
                ],
                by_name: [("one", 1.0), ("two", 2.0)]
                    .map(|(name, x)| (name.to_owned(), Shared::new(&(x, 2)).unwrap()))
                    .into(),
                pair: (Box::new(title.clone()), Wrapped(recording.clone())),
                outcomes: [Ok(title.clone()), Err("no".to_owned())],
                ticket: SharedMut::copy_from(&[1, 2][..]).unwrap().into_ticket().unwrap(),
                last: "end".to_owned(),
            };
            let message: Message = format.send(message);
            assert_eq!((message.id, &*message.title, &message.last[..]), (17, "title", "end"), "{format:?}");
            assert!(message.parts.iter().enumerate().all(|(n, part)| **part == vec![n as u16; n]));
            assert!(message.nothing.is_none());
            assert_eq!(*message.something.unwrap(), [5; 6]);
            for order in message.orders {
                match order {
                    Order::Nothing => {}
                    Order::Fill(mut slice, value) => {
                        slice.fill(value);
                        assert_eq!(*slice, [8; 100]);
                    }
                    Order::Show { image, title: other } => {
                        assert_eq!(*image, [3; 3]);
                        assert!(title.ptr_eq(&other));
                    }
                    Order::Wrapped(Wrapped(other)) => assert!(recording.ptr_eq(&other)),
                }
            }
            assert_eq!(*message.by_name["two"], [2.0, 2.0]);
            assert!(title.ptr_eq(&message.pair.0) && recording.ptr_eq(&message.pair.1.0));
            assert_eq!(message.outcomes[0].as_ref().unwrap(), &title);
            assert_eq!(message.outcomes[1].as_ref().unwrap_err(), "no");
            assert_eq!(*message.ticket.claim_mut().unwrap(), [1, 2]);
            assert_eq!(title.counts().in_flight, 0, "{format:?}");
        }
    });
}

#[test]
#[allow(clippy::mutable_key_type)] // What a `Shared` holds does not change.
fn handles_are_keys_of_maps() {
    on_both_backings("formats::handles_are_keys_of_maps", || {
        for format in Format::ALL {
            let map: BTreeMap<SharedStr, SharedSlice<u8>> = ["a", "b", "c"]
                .iter()
                .zip(1..)
                .map(|(name, n)| (SharedStr::copy_from(name).unwrap(), Shared::new(&(n, 4)).unwrap()))
                .collect();
            let map = format.send(map);
            assert_eq!(map.keys().map(|key| &**key).collect::<Vec<_>>(), ["a", "b", "c"], "{format:?}");
            assert_eq!(*map["b"], [2; 4]);
        }
    });
}

#[test]
fn a_text_token_passes_through_a_shell_and_is_what_json_carries() {
    on_both_backings("formats::a_text_token_passes_through_a_shell_and_is_what_json_carries", || {
        #[track_caller]
        fn plain(token: &str) {
            assert!(token.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_'), "{token}");
            assert!(!token.starts_with('-'), "it would be taken for an option: {token}");
        }

        // The tokens differ in every field, so that every letter comes.
        let mut letters = HashSet::new();
        for n in 0..200 {
            let shared: SharedSlice<u8> = Shared::new(&(7, n)).unwrap();
            let token = shared.clone().into_token().unwrap();
            plain(&token);
            letters.extend(token.bytes());
            assert!(SharedSlice::<u8>::from_token(&token).unwrap().ptr_eq(&shared));
        }
        assert_eq!(letters.len(), 64);

        let token = SharedMut::copy_from(&Recording::example()).unwrap().into_token().unwrap();
        plain(&token);
        let received: SharedMut<Recording> = SharedMut::from_token(&format!(" {token}\r\n")).unwrap();
        assert_eq!(received.as_view().0, &Recording::example().label);

        let shared: SharedStr = Shared::copy_from("text").unwrap();
        let json = serde_json::to_string(&shared).unwrap();
        let token = json.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
        plain(token);
        assert_eq!(SharedStr::from_token(token).unwrap(), shared);
        let token = shared.clone().into_token().unwrap();
        assert_eq!(serde_json::from_str::<SharedStr>(&format!("\"{token}\"")).unwrap(), shared);
        let token = shared.ticket().unwrap().into_token();
        assert_eq!(*Ticket::<str>::from_token(&token).unwrap().claim().unwrap(), *shared);
        assert_eq!(shared.counts().in_flight, 0);
    });
}

#[test]
fn bytes_of_a_token_are_read_from_text_bytes_and_sequences() {
    on_both_backings("formats::bytes_of_a_token_are_read_from_text_bytes_and_sequences", || {
        let shared: SharedSlice<u16> = Shared::copy_from(&[1, 2, 3][..]).unwrap();
        let message = postcard::to_stdvec(&shared).unwrap();
        let bytes: &[u8] = postcard::from_bytes(&message).unwrap();
        assert_eq!(message.len(), bytes.len() + 1, "a length, and the token");
        let text: String = serde_json::from_str(&serde_json::to_string(&shared).unwrap()).unwrap();

        fn read<'de, D: Deserializer<'de>>(from: D) -> Result<SharedSlice<u16>, D::Error>
        where
            D::Error: Debug,
        {
            let handle = SharedSlice::<u16>::deserialize(from)?;
            assert_eq!(*handle, [1, 2, 3]);
            Ok(handle)
        }
        type Fault = value::Error;
        read(value::BytesDeserializer::<Fault>::new(bytes)).unwrap();
        read(value::BorrowedBytesDeserializer::<Fault>::new(bytes)).unwrap();
        read(value::SeqDeserializer::<_, Fault>::new(bytes.iter().copied())).unwrap();
        read(value::StrDeserializer::<Fault>::new(&text)).unwrap();
        read(value::BorrowedStrDeserializer::<Fault>::new(&text)).unwrap();
        read(value::StringDeserializer::<Fault>::new(text.clone())).unwrap();
        Ticket::<[u16]>::deserialize(value::SeqDeserializer::<_, Fault>::new(bytes.iter().copied()))
            .unwrap()
            .claim()
            .unwrap();
        assert_eq!(shared.counts(), Counts { handles: 1, holders: 1, in_flight: 0 });

        assert!(read(value::BytesDeserializer::<Fault>::new(&bytes[1..])).is_err());
        assert!(read(value::SeqDeserializer::<_, Fault>::new(bytes[1..].iter().copied())).is_err());
        assert!(read(value::SeqDeserializer::<_, Fault>::new([300u16, 1].into_iter())).is_err());
        assert!(read(value::SeqDeserializer::<_, Fault>::new(std::iter::empty::<u8>())).is_err());
        assert!(read(value::StrDeserializer::<Fault>::new(&text[1..])).is_err());
        assert!(read(value::U64Deserializer::<Fault>::new(7)).is_err());
        assert!(read(value::UnitDeserializer::<Fault>::new()).is_err());
        assert!(serde_json::from_str::<SharedSlice<u16>>("[1,2,3]").is_err());
        assert!(serde_json::from_str::<SharedSlice<u16>>("null").is_err());
        assert!(serde_json::from_str::<SharedSlice<u16>>("{}").is_err());
    });
}

#[test]
fn metadata_with_maps_floats_and_strings_arrive_bit_for_bit() {
    on_both_backings("formats::metadata_with_maps_floats_and_strings_arrive_bit_for_bit", || {
        let mut recording = Recording::example();
        for format in Format::ALL {
            let mut exclusive: SharedMut<Recording> =
                format.send(SharedMut::new(&(recording.label.clone(), 5000)).unwrap());
            let (label, samples) = exclusive.as_view_mut();
            samples.copy_from_slice(&recording.samples);
            let name = format!("channel {}", label.gains.len());
            label.gains.insert(name.clone(), f64::from_bits(0x7ff8_0000_dead_beef));
            label.station.push_str(&"x".repeat(label.station.len()));
            recording.label = label.clone();
            let exclusive = format.send(exclusive);
            assert_eq!(exclusive.as_view(), (&recording.label, &recording.samples[..]), "{format:?}");
            let shared = format.send(exclusive.freeze().unwrap());
            assert_eq!(shared.as_view(), (&recording.label, &recording.samples[..]), "{format:?}");
            assert_eq!(shared.clone().as_view().0.gains[&name].to_bits(), 0x7ff8_0000_dead_beef);
        }
        // Metadata that are long.
        recording.label.notes = (0..5000).map(|n| (n % 3 != 0).then(|| format!("note {n}"))).collect();
        for format in Format::ALL {
            let shared = format.send(Shared::copy_from(&recording).unwrap());
            assert_eq!(shared.as_view().0, &recording.label, "{format:?}");
            let ticket = format.send(shared.ticket().unwrap());
            assert_eq!(ticket.claim().unwrap().as_view().0, &recording.label, "{format:?}");
        }
    });
}

#[test]
fn a_handle_is_consumed_by_every_format() {
    on_both_backings("formats::a_handle_is_consumed_by_every_format", || {
        let value = || -> SharedSlice<u8> { Shared::copy_from(&[4, 5][..]).unwrap() };
        let alone = Counts { handles: 1, holders: 1, in_flight: 0 };
        let shared = value();
        let mut serializer = postcard::Serializer { output: StdVec::new() };
        shared.into_serialized(&mut serializer).unwrap();
        let message = serializer.output.finalize().unwrap();
        let shared: SharedSlice<u8> = postcard::from_bytes(&message).unwrap();
        assert_eq!(shared.counts(), alone);
        let mut bytes = Vec::new();
        shared.into_serialized(&mut serde_json::Serializer::new(&mut bytes)).unwrap();
        let shared: SharedSlice<u8> = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(shared.counts(), alone);
        let tree = shared.into_serialized(serde_json::value::Serializer).unwrap();
        let shared: SharedSlice<u8> = serde_json::from_value(tree).unwrap();
        assert_eq!(shared.counts(), alone);
        let exclusive = shared.try_into_mut().unwrap();
        let tree = exclusive.into_serialized(serde_json::value::Serializer).unwrap();
        let exclusive: SharedSliceMut<u8> = serde_json::from_value(tree).unwrap();
        assert_eq!(*exclusive, [4, 5]);
        assert_eq!(exclusive.counts(), alone);
    });
}

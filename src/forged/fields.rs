//! A right MAC, and wrong fields.

use super::*;

/// A value of sixteen bytes on its way, and its forged twins: those with wrong fields are refused, and take nothing.
struct Honest {
    text: String,
    fields: Fields,
    secret: Secret,
}

const VALUE: [u16; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

impl Honest {
    fn new(kind: Kind) -> Self {
        let text = match kind {
            Kind::Shared => SharedSlice::<u16>::copy_from(&VALUE[..]).unwrap().into_token().unwrap(),
            Kind::SharedMut => SharedSliceMut::<u16>::copy_from(&VALUE[..]).unwrap().into_token().unwrap(),
        };
        let (fields, secret) = taken_apart(&text);
        Honest { text, fields, secret }
    }

    fn twin(&self, change: impl FnOnce(&mut Fields)) -> Token {
        let mut fields = self.fields;
        change(&mut fields);
        forge(&fields, &VALUE.len(), &self.secret)
    }

    fn refused(&self, what: &str, token: &Token) -> Error {
        let what = format!("{what} of a {}", self.fields.kind);
        match self.fields.kind {
            Kind::Shared => refusal(&what, SharedSlice::<u16>::from_token, token),
            Kind::SharedMut => refusal(&what, SharedSliceMut::<u16>::from_token, token),
        }
    }

    /// It can still be claimed as what it is.
    fn claim_after(self, after: &str) {
        let kind = self.fields.kind;
        let value = match kind {
            Kind::Shared => SharedSlice::<u16>::from_token(&self.text).map(|value| value.to_vec()),
            Kind::SharedMut => SharedSliceMut::<u16>::from_token(&self.text).map(|value| value.to_vec()),
        };
        match value {
            Ok(value) => assert_eq!(value, VALUE, "a {kind} after {after}"),
            Err(error) => panic!("a {kind} after {after}: {error}"),
        }
    }
}

pub(super) const KINDS: [Kind; 2] = [Kind::Shared, Kind::SharedMut];

/// Each of these changes of a right token's fields is refused, and the right one claimed afterwards.
fn wrong_fields(what: &str, changes: &[&dyn Fn(&mut Fields)]) {
    for kind in KINDS {
        for change in changes {
            let honest = Honest::new(kind);
            let token = honest.twin(change);
            let error = honest.refused(what, &token);
            assert!(
                matches!(
                    error,
                    Error::Expired { .. }
                        | Error::AlreadyClaimed { .. }
                        | Error::Range { .. }
                        | Error::Corrupt { .. }
                        | Error::NotAToken(_)
                        | Error::Metadata { .. }
                ),
                "{what}: {error:?}"
            );
            honest.claim_after(what);
        }
    }
}

#[test]
fn the_twin_of_an_honest_token_is_the_same() {
    for kind in KINDS {
        let honest = Honest::new(kind);
        assert_eq!(honest.twin(|_| ()).text(), honest.text);
        honest.claim_after("nothing");
    }
}

#[test]
fn a_block_number_that_is_wrong() {
    wrong_fields(
        "another block",
        &[
            &|fields| fields.issued.block += 1,
            &|fields| fields.issued.block += 64,
            &|fields| fields.issued.block = 65_535,
            &|fields| fields.issued.block = 65_536,
            &|fields| fields.issued.block |= 1 << 31,
            &|fields| fields.issued.block = u32::MAX,
        ],
    );
}

#[test]
fn a_ticket_number_that_is_out_of_range_joins_a_shared_value_only_while_it_lives() {
    for kind in KINDS {
        for ticket in [127, 16_383, 16_384, 1 << 31, u32::MAX] {
            let honest = Honest::new(kind);
            let token = honest.twin(|fields| fields.issued.ticket = ticket);
            match kind {
                // Whoever has the block's serial has had a ticket: it is as one that was claimed before.
                Kind::Shared => {
                    let joined = SharedSlice::<u16>::from_token(&token.text()).unwrap();
                    assert_eq!(*joined, VALUE);
                    assert_eq!(joined.counts().in_flight, 1, "nothing was taken");
                }
                Kind::SharedMut => {
                    let error = honest.refused("another ticket", &token);
                    assert!(matches!(error, Error::AlreadyClaimed { .. }), "{error:?}");
                }
            }
            honest.claim_after("another ticket");
        }
    }
}

#[test]
fn an_epoch_that_is_wrong_takes_nothing() {
    for change in [1, u64::MAX, 1 << 48] {
        let honest = Honest::new(Kind::SharedMut);
        let token = honest.twin(|fields| fields.issued.epoch = fields.issued.epoch.wrapping_add(change));
        let error = honest.refused("another epoch", &token);
        assert!(matches!(error, Error::AlreadyClaimed { .. }), "{error:?}");
        honest.claim_after("another epoch");

        let honest = Honest::new(Kind::Shared);
        let token = honest.twin(|fields| fields.issued.epoch = fields.issued.epoch.wrapping_add(change));
        let joined = SharedSlice::<u16>::from_token(&token.text()).unwrap();
        assert_eq!(joined.counts().in_flight, 1, "nothing was taken");
        drop(joined);
        honest.claim_after("another epoch");

        wrong_fields(
            "another epoch, another serial",
            &[&|fields| {
                fields.issued.epoch = fields.issued.epoch.wrapping_add(change);
                fields.issued.serial += 1;
            }],
        );
    }
}

#[test]
fn a_serial_that_is_wrong() {
    wrong_fields(
        "another serial",
        &[
            &|fields| fields.issued.serial += 1,
            &|fields| fields.issued.serial = fields.issued.serial.wrapping_sub(1),
            &|fields| fields.issued.serial = u64::MAX,
        ],
    );
}

#[test]
fn a_range_that_is_not_within_the_block() {
    wrong_fields(
        "another range",
        &[
            &|fields| fields.len += 2,
            &|fields| fields.start += 2,
            &|fields| fields.start = 16,
            &|fields| (fields.start, fields.len) = (17, 0),
            &|fields| fields.start = 1 << 40,
            &|fields| fields.len = isize::MAX.cast_unsigned(),
            &|fields| fields.len = usize::MAX,
            &|fields| fields.start = usize::MAX - 15,
            &|fields| fields.start = usize::MAX - 16,
            &|fields| (fields.start, fields.len) = (usize::MAX, usize::MAX),
        ],
    );
}

#[test]
fn a_range_that_is_too_short_for_its_metadata() {
    wrong_fields(
        "another range",
        &[&|fields| fields.len -= 2, &|fields| fields.len = 0, &|fields| {
            (fields.start, fields.len) = (1, 15);
        }],
    );
}

#[test]
fn a_range_that_is_not_aligned() {
    for kind in KINDS {
        let honest = Honest::new(kind);
        let fields = Fields { start: 1, len: 14, ..honest.fields };
        let error = honest.refused("not aligned", &forge(&fields, &7usize, &honest.secret));
        assert!(matches!(error, Error::Metadata { .. }), "{error:?}");
        honest.claim_after("not aligned");
    }
}

#[test]
fn the_other_kind() {
    for kind in KINDS {
        let honest = Honest::new(kind);
        let error = match kind {
            Kind::Shared => {
                let token = honest.twin(|fields| fields.kind = Kind::SharedMut);
                refusal("a Shared as SharedMut", SharedSliceMut::<u16>::from_token, &token)
            }
            Kind::SharedMut => {
                let token = honest.twin(|fields| fields.kind = Kind::Shared);
                refusal("a SharedMut as Shared", SharedSlice::<u16>::from_token, &token)
            }
        };
        assert!(
            matches!(error, Error::WrongKind { .. } | Error::Expired { .. } | Error::AlreadyClaimed { .. }),
            "{error:?}"
        );
        honest.claim_after("the other kind");
    }
}

#[test]
fn a_shared_value_that_others_hold_is_never_claimed_as_exclusive() {
    let held: SharedSlice<u16> = Shared::copy_from(&VALUE[..]).unwrap();
    let text = held.clone().into_token().unwrap();
    let (fields, secret) = taken_apart(&text);
    let token = forge(&Fields { kind: Kind::SharedMut, ..fields }, &VALUE.len(), &secret);
    refusal("a held Shared as SharedMut", SharedSliceMut::<u16>::from_token, &token);
    assert_eq!(*held, VALUE);
    assert_eq!(*SharedSlice::<u16>::from_token(&text).unwrap(), VALUE);
}

#[test]
fn the_fingerprint_of_another_type() {
    for kind in KINDS {
        let honest = Honest::new(kind);
        for other in [0, u64::MAX, str::fingerprint(), <[u32]>::fingerprint()] {
            let token = honest.twin(|fields| fields.fingerprint = other);
            let error = honest.refused("another type", &token);
            assert!(
                matches!(error, Error::WrongType { found_fingerprint, .. } if found_fingerprint == other),
                "{error:?}"
            );
        }
        honest.claim_after("another type");
    }
}

fn wrong_metadata<M: Serialize>(what: &str, metadata: &M) {
    for kind in KINDS {
        let honest = Honest::new(kind);
        let token = forge(&honest.fields, metadata, &honest.secret);
        let error = honest.refused(what, &token);
        assert!(matches!(error, Error::Metadata { .. }), "{what}: {error:?}");
        honest.claim_after(what);
    }
}

#[test]
fn metadata_of_more_elements_than_the_range_has() {
    for len in [9usize, 16, 1 << 40, usize::MAX / 2 + 5, usize::MAX / 2 + 9, usize::MAX] {
        wrong_metadata("too many elements", &len);
    }
}

#[test]
fn metadata_that_are_noise() {
    wrong_metadata("nothing", &());
    wrong_metadata("too much", &(8usize, 1u8));
    wrong_metadata("text", &"metadata");
    wrong_metadata("an endless number", &[0xffu8; 30]);
    wrong_metadata("very long", &vec![0x80u8; 5000]);
    for seed in 0..32 {
        let mut random = Random::new(seed);
        let noise: [u8; 24] = std::array::from_fn(|_| random.next() as u8);
        wrong_metadata("noise", &noise);
    }
}

#[cfg(feature = "ndarray")]
#[test]
fn metadata_of_arrays_that_lead_outside() {
    use ndarray::{Array2, ArrayD};

    use crate::{SharedArray, SharedArrayMut};

    type Meta = (Vec<usize>, Vec<isize>);
    const WRONG: [(&[usize], &[isize]); 16] = [
        (&[3, 4], &[4, 2]),
        (&[3, 4], &[5, 1]),
        (&[4, 4], &[4, 1]),
        (&[3, 4], &[-5, 1]),
        (&[3, 4], &[4, -2]),
        (&[3, 4], &[0, 1]),
        (&[3, 4], &[1, 1]),
        (&[3, 4], &[isize::MAX, 1]),
        (&[3, 4], &[isize::MIN, isize::MIN]),
        (&[usize::MAX, 2], &[1, 1]),
        (&[1 << 63, 2], &[0, 0]),
        (&[1 << 32, 1 << 32], &[0, 0]),
        (&[usize::MAX, 0], &[isize::MAX, isize::MAX]),
        (&[3], &[1]),
        (&[3, 4], &[4]),
        (&[], &[]),
    ];
    let array = Array2::from_shape_fn((3, 4), |(row, column)| (10 * row + column) as f32);
    for (shape, strides) in WRONG {
        let metadata: Meta = (shape.to_vec(), strides.to_vec());
        let text = SharedArray::copy_from(&array).unwrap().into_token().unwrap();
        let (fields, secret) = taken_apart(&text);
        let token = forge(&fields, &metadata, &secret);
        let error = refusal(&format!("{metadata:?}"), SharedArray::<f32, ndarray::Ix2>::from_token, &token);
        assert!(matches!(error, Error::Metadata { .. }), "{metadata:?}: {error:?}");
        let same = SharedArray::<f32, ndarray::Ix2>::from_token(&text);
        assert_eq!(same.unwrap_or_else(|error| panic!("after {metadata:?}: {error}")).as_view(), array);

        let text = SharedArrayMut::copy_from(&array).unwrap().into_token().unwrap();
        let (fields, secret) = taken_apart(&text);
        let token = forge(&fields, &metadata, &secret);
        let error = refusal(&format!("{metadata:?}"), SharedArrayMut::<f32, ndarray::Ix2>::from_token, &token);
        assert!(matches!(error, Error::Metadata { .. }), "{metadata:?}: {error:?}");
        let same = SharedArrayMut::<f32, ndarray::Ix2>::from_token(&text);
        assert_eq!(same.unwrap_or_else(|error| panic!("after {metadata:?}: {error}")).as_view(), array);
    }
    // Backwards is not outside.
    let (fields, secret) = taken_apart(&SharedArray::copy_from(&array).unwrap().into_token().unwrap());
    let token = forge(&fields, &(vec![3usize, 4], vec![-4isize, -1]), &secret);
    let backwards = SharedArray::<f32, ndarray::Ix2>::from_token(&token.text()).unwrap();
    assert_eq!(backwards.as_view(), array.slice(ndarray::s![..;-1, ..;-1]));
    let array: ArrayD<f32> = array.into_dyn();
    for (shape, strides) in WRONG.into_iter().filter(|(shape, _)| shape.len() > 1) {
        let text = SharedArray::copy_from(&array).unwrap().into_token().unwrap();
        let (fields, secret) = taken_apart(&text);
        let token = forge(&fields, &(shape.to_vec(), strides.to_vec()), &secret);
        let error = refusal(&format!("{shape:?} {strides:?}"), SharedArray::<f32, ndarray::IxDyn>::from_token, &token);
        assert!(matches!(error, Error::Metadata { .. }), "{shape:?} {strides:?}: {error:?}");
        drop(SharedArray::<f32, ndarray::IxDyn>::from_token(&text));
    }
}

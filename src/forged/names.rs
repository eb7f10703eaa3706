//! Locators of segments with a name, in tokens with a right MAC.

use super::{
    noise::{CONTROL, DATA, header},
    *,
};

fn refusals_at(what: &str, id: SegmentId) -> [Error; 2] {
    let token = |kind| {
        let door = Door { pid: std::process::id(), fd: 0 };
        let fields = Fields {
            kind,
            locator: Locator { id, backing: Backing::Named, sender: door, owner: door },
            issued: Issued { block: 0, ticket: 0, serial: 1, epoch: 1 },
            start: 0,
            len: 3,
            fingerprint: <[u8]>::fingerprint(),
        };
        forge(&fields, &3usize, &[7; 16])
    };
    [
        refusal(what, SharedSlice::<u8>::from_token, &token(Kind::Shared)),
        refusal(what, SharedSliceMut::<u8>::from_token, &token(Kind::SharedMut)),
    ]
}

#[test]
fn a_name_that_is_not_there_is_gone() {
    for error in refusals_at("no name", random_id()) {
        assert!(matches!(error, Error::Gone { .. }), "{error:?}");
    }
}

/// A named segment that begins so; its name goes with the test, however it ends.
struct Made(Segment);

impl Made {
    fn new(id: SegmentId, control: usize, data: usize, begins: &[u64; PREFIX / 8]) -> Self {
        let segment = Segment::create(Backing::Named, id, control, data).unwrap();
        segment.reserve(0..control + data).unwrap();
        for (word, value) in noise::control_words(&segment).iter().zip(begins) {
            word.store(*value, Ordering::Relaxed);
        }
        Made(segment)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        self.0.remove_name();
    }
}

#[test]
fn a_named_segment_with_something_wrong_in_its_header() {
    let id = random_id();
    let right = header(id, [7; 16]);
    let mut later = right;
    later[1] += 1;
    let made = Made::new(id, CONTROL, DATA, &later);
    for error in refusals_at("another version", id) {
        assert!(matches!(error, Error::Abi { .. }), "{error:?}");
    }
    drop(made);
    let made = Made::new(id, CONTROL, DATA, &header(random_id(), [7; 16]));
    for error in refusals_at("another segment", id) {
        assert!(matches!(error, Error::NotTheSegment { .. }), "{error:?}");
    }
    drop(made);
    let mut longer = right;
    longer[6] += GRANULE as u64;
    let made = Made::new(id, CONTROL, DATA, &longer);
    for error in refusals_at("too short", id) {
        assert!(matches!(error, Error::Corrupt { found, .. } if found == (CONTROL + DATA) as u64), "{error:?}");
    }
    drop(made);
    for seed in 0..64 {
        let (id, mut random) = (random_id(), Random::new(seed));
        let _made = Made::new(id, CONTROL, DATA, &std::array::from_fn(|_| random.next()));
        for error in refusals_at("noise", id) {
            assert!(matches!(error, Error::NotTheSegment { .. }), "{error:?}");
        }
    }
}

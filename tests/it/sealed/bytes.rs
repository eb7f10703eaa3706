//! Sealed memory whose bytes lie: the numbers of its header, its metadata, its content.

use super::*;

/// Offset and size of each of the header's fields.
const MAGIC: (usize, usize) = (0, 8);
const VERSION: (usize, usize) = (8, 4);
const METADATA_LEN: (usize, usize) = (12, 4);
const FINGERPRINT: (usize, usize) = (16, 8);
const METADATA: (usize, usize) = (24, 8);
const DATA: (usize, usize) = (32, 8);
const DATA_LEN: (usize, usize) = (40, 8);

/// A value's memory with another number in one of its fields.
fn with<T: ShmemChecked + ?Sized>(
    value: &Sealed<T>,
    (at, size): (usize, usize),
    number: u64,
) -> Result<Sealed<T>, Error> {
    let mut image = image_of(value);
    image[at..at + size].copy_from_slice(&number.to_le_bytes()[..size]);
    let before = open_here();
    let taken = Sealed::try_from(memfd(&image, ALL));
    assert_eq!(open_here(), before + usize::from(taken.is_ok()), "what is refused is closed");
    taken
}

fn no_value(what: &'static str, found: u64) -> DescriptorFault {
    DescriptorFault::NotASealedValue { what, found }
}

#[test]
fn each_number_of_the_header_that_lies_is_refused_by_its_name() {
    const TEST: &str = "sealed::bytes::each_number_of_the_header_that_lies_is_refused_by_its_name";
    alone(TEST, || {
        let value = Sealed::<[u32]>::from_fn(992, |at| at as u32).unwrap();
        let size = 4096;
        let (max, half) = (u64::MAX, 1 << 63);
        for wrong in [0, 1, max, u64::from_le_bytes(*b"cmn link")] {
            assert_eq!(fault(with(&value, MAGIC, wrong)), no_value("first number", wrong));
        }
        for wrong in [0, 2, u32::MAX] {
            let version = DescriptorFault::Version { expected: 1, found: wrong };
            assert_eq!(fault(with(&value, VERSION, wrong.into())), version);
        }
        for wrong in [0, max] {
            let refused = with(&value, FINGERPRINT, wrong);
            assert!(
                matches!(&refused, Err(Error::WrongType { found_fingerprint, .. }) if *found_fingerprint == wrong),
                "{refused:?}"
            );
        }
        for wrong in [0, 47] {
            assert_eq!(fault(with(&value, METADATA, wrong)), no_value("beginning of the metadata", wrong));
        }
        for wrong in [0, 64, 129, 132, half + 1, max] {
            assert_eq!(fault(with(&value, DATA, wrong)), no_value("beginning of the data", wrong));
        }
        // Sums that overflow, and such that no process can address.
        for wrong in [max, max - 1, half, max - 47] {
            assert_eq!(fault(with(&value, METADATA, wrong)), no_value("length of the metadata", 2));
        }
        for wrong in [half, max - 127] {
            assert_eq!(fault(with(&value, DATA, wrong)), no_value("length of the data", 3968));
        }
        for wrong in [half, max, max - 127, half - 128] {
            assert_eq!(fault(with(&value, DATA_LEN, wrong)), no_value("length of the data", wrong));
        }
        // What is made of metadata can be many times as large.
        for wrong in [(1 << 20) + 1, u32::MAX.into()] {
            assert_eq!(fault(with(&value, METADATA_LEN, wrong)), no_value("length of the metadata", wrong));
        }
        // Sums that lead behind the end.
        for (field, number, needed) in [
            (METADATA, 4095, 4097),
            (METADATA, 1 << 62, (1 << 62) + 2),
            (METADATA_LEN, 4049, 4097),
            (METADATA_LEN, 1 << 20, 48 + (1 << 20)),
            (DATA, 4096, 8064),
            (DATA, 1 << 62, (1 << 62) + 3968),
            (DATA_LEN, 3969, 4097),
            (DATA_LEN, half - 129, half - 1),
        ] {
            assert_eq!(fault(with(&value, field, number)), DescriptorFault::TooShort { size, needed });
        }
    });
}

#[test]
fn numbers_that_stay_within_the_memory_are_checked_against_each_other() {
    const TEST: &str = "sealed::bytes::numbers_that_stay_within_the_memory_are_checked_against_each_other";
    alone(TEST, || {
        let value = Sealed::<[u32]>::from_fn(1000, |at| at as u32).unwrap();
        // Fewer bytes than elements.
        for wrong in [0, 1, 3996, 3999] {
            let refused = with(&value, DATA_LEN, wrong);
            assert!(
                matches!(&refused, Err(Error::Metadata { reason, .. }) if reason.contains("do not fit")),
                "{refused:?}"
            );
        }
        // Metadata that are cut, too long, or somewhere else.
        for wrong in [0, 1, 3, 80] {
            let refused = with(&value, METADATA_LEN, wrong);
            assert!(matches!(refused, Err(Error::Metadata { .. })), "{wrong}: {refused:?}");
        }
        let refused = with(&value, METADATA, 60);
        assert!(matches!(refused, Err(Error::Metadata { .. })), "{refused:?}");
    });
}

#[test]
fn a_length_in_the_metadata_that_lies_is_refused() {
    const TEST: &str = "sealed::bytes::a_length_in_the_metadata_that_lies_is_refused";
    alone(TEST, || {
        let value = Sealed::<[u32]>::new(&(7, 1000)).unwrap();
        let mut image = image_of(&value);
        for len in [1001, 1 << 30, 1 << 61, (1 << 62) + 1, usize::MAX] {
            let metadata = postcard::to_stdvec(&len).unwrap();
            image[48..48 + metadata.len()].copy_from_slice(&metadata);
            image[12] = metadata.len() as u8;
            let refused = Sealed::<[u32]>::try_from(memfd(&image, ALL));
            assert!(
                matches!(&refused, Err(Error::Metadata { reason, .. }) if reason.contains("do not fit")),
                "{refused:?}"
            );
        }
        // Ten bytes that are a number too large.
        image[48..58].fill(0xff);
        image[12] = 10;
        assert!(matches!(Sealed::<[u32]>::try_from(memfd(&image, ALL)), Err(Error::Metadata { .. })));
    });
}

#[test]
fn a_value_of_another_type_is_refused() {
    let value = Sealed::<[u32]>::new(&(1, 4)).unwrap();
    let as_other = |fd: OwnedFd| {
        let fd = || fd.try_clone().unwrap();
        [
            Sealed::<[i32]>::try_from(fd()).map(drop),
            Sealed::<[f32]>::try_from(fd()).map(drop),
            Sealed::<[u8]>::try_from(fd()).map(drop),
            Sealed::<str>::try_from(fd()).map(drop),
            Sealed::<Value<u32>>::try_from(fd()).map(drop),
        ]
    };
    for refused in as_other(value.into_fd().unwrap()) {
        assert!(matches!(refused, Err(Error::WrongType { .. })), "{refused:?}");
    }
}

/// A value with other bytes in its content.
fn refused<T: ShmemChecked + ?Sized>(value: &Sealed<T>, at: usize, bytes: &[u8]) {
    let mut image = image_of(value);
    image[128 + at..128 + at + bytes.len()].copy_from_slice(bytes);
    let before = open_here();
    let refused = Sealed::<T>::try_from(memfd(&image, ALL));
    assert!(matches!(refused, Err(Error::Content { .. })), "{refused:?}");
    assert_eq!(open_here(), before);
}

#[cfg(feature = "ndarray")]
fn arrays_refused() {
    refused(&Sealed::copy_from(&ndarray::Array2::from_elem((3, 4), true)).unwrap(), 7, &[255]);
}

#[cfg(not(feature = "ndarray"))]
fn arrays_refused() {}

#[test]
fn content_that_is_no_value_of_the_type_is_refused() {
    const TEST: &str = "sealed::bytes::content_that_is_no_value_of_the_type_is_refused";
    alone(TEST, || {
        refused(&Sealed::<[bool]>::new(&(true, 9)).unwrap(), 8, &[2]);
        refused(&Sealed::<[char]>::new(&('x', 9)).unwrap(), 4, &0xd800_u32.to_le_bytes());
        refused(&Sealed::<[char]>::new(&('x', 9)).unwrap(), 32, &0x11_0000_u32.to_le_bytes());
        refused(&Sealed::<[Answer]>::new(&(Answer::Yes, 9)).unwrap(), 3, &[4]);
        refused(&Sealed::<Value<Answer>>::new(&Answer::Yes).unwrap(), 0, &[0]);
        refused(&Sealed::<str>::new("§§§").unwrap(), 1, b"x");
        refused(&Sealed::<str>::new("a long text of letters").unwrap(), 21, &[0xc2]);
        arrays_refused();
    });
}

#[cfg(feature = "ndarray")]
#[test]
fn a_layout_that_leads_out_of_the_data_or_twice_to_one_element_is_refused() {
    const TEST: &str = "sealed::bytes::a_layout_that_leads_out_of_the_data_or_twice_to_one_element_is_refused";
    alone(TEST, || {
        let value = Sealed::copy_from(&ndarray::Array2::from_elem((3, 4), 1u32)).unwrap();
        let layouts: [(Vec<usize>, Vec<isize>); 5] = [
            (vec![3, 5], vec![]),
            (vec![usize::MAX, 4], vec![]),
            (vec![3, 4], vec![1 << 40, 1]),
            (vec![3, 4], vec![0, 1]),
            (vec![3, 4, 1], vec![]),
        ];
        for layout in layouts {
            let mut image = image_of(&value);
            let metadata = postcard::to_stdvec(&layout).unwrap();
            image[48..48 + metadata.len()].copy_from_slice(&metadata);
            image[12] = metadata.len() as u8;
            let before = open_here();
            let refused = Sealed::<ndarray::Array2<u32>>::try_from(memfd(&image, ALL));
            assert!(matches!(refused, Err(Error::Metadata { .. })), "{layout:?}: {refused:?}");
            assert_eq!(open_here(), before);
        }
    });
}

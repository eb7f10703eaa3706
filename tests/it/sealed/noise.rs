//! Any bytes at all.

use proptest::{collection::vec, prelude::*};

use super::*;

/// Mostly a value's memory with a few bytes changed, most of them among the numbers at its beginning.
fn any_bytes(image: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let at = prop_oneof![4 => 8usize..56, 1 => 0usize..8, 2 => 0..image.len()];
    let byte = prop_oneof![Just(0u8), Just(1), Just(0x7f), Just(0x80), Just(0xff), any::<u8>()];
    let changed = (vec((at, byte), 0..6), 0..image.len() * 2).prop_map(move |(changes, len)| {
        let mut bytes = image.clone();
        changes.into_iter().for_each(|(at, byte)| bytes[at] = byte);
        if len < bytes.len() {
            bytes.truncate(len);
        }
        bytes
    });
    prop_oneof![9 => changed, 1 => vec(any::<u8>(), 0..300)]
}

/// Refused, or read as a whole.
fn looked_at<T: ShmemChecked + ?Sized>(bytes: &[u8], read: impl FnOnce(&Sealed<T>)) {
    if let Ok(value) = Sealed::<T>::try_from(memfd(bytes, ALL)) {
        read(&value);
        assert!(value.to_shared().is_ok());
    }
}

fn image<T: ShmemChecked + ?Sized>(value: Sealed<T>) -> Vec<u8> {
    let mut image = image_of(&value);
    image.truncate(400);
    image
}

proptest! {
    #[test]
    fn what_is_taken_is_what_it_says(
        numbers in any_bytes(image(Sealed::<[u32]>::new(&(7, 60)).unwrap())),
        bools in any_bytes(image(Sealed::<[bool]>::new(&(true, 200)).unwrap())),
        text in any_bytes(image(Sealed::<str>::new(&"§".repeat(100)).unwrap())),
    ) {
        looked_at::<[u32]>(&numbers, |value| {
            let inside = value.len() * 4 <= numbers.len();
            assert!(inside && value.iter().fold(0u32, |sum, &number| sum.wrapping_add(number)) < u32::MAX);
        });
        looked_at::<[bool]>(&bools, |value| {
            // SAFETY: as many bytes as bools.
            let bytes = unsafe { std::slice::from_raw_parts(value.as_ptr().cast::<u8>(), value.len()) };
            assert!(value.len() <= bools.len() && bytes.iter().all(|&byte| byte < 2));
        });
        looked_at::<str>(&text, |value| assert!(std::str::from_utf8(value.as_bytes()).is_ok()));
    }
}

#[cfg(feature = "ndarray")]
proptest! {
    #[test]
    fn an_array_that_is_taken_lies_within_its_memory(
        bytes in any_bytes(image(Sealed::copy_from(&ndarray::Array2::from_elem((6, 9), 1.5f32)).unwrap())),
    ) {
        looked_at::<ndarray::Array2<f32>>(&bytes, |value| {
            let view = value.as_view();
            assert_eq!(view.iter().count(), view.len());
        });
    }
}

//! `Bytes` that own a handle.

use std::{path::Path, thread};

use ::bytes::Bytes;
use commonage::{Error, FileFault, Shared, SharedSlice, SharedStr, file, stats};

use super::from_one_to_another;
use crate::support::{Directory, on_both_backings};

#[test]
fn the_bytes_lie_where_the_slice_lies() {
    on_both_backings("bridges::bytes::the_bytes_lie_where_the_slice_lies", || {
        let slice: SharedSlice<u8> = Shared::copy_from(&[1, 2, 3, 4, 5][..]).unwrap();
        let at = slice.as_ptr();
        let part = Bytes::from(slice.slice(1..4));
        assert_eq!(part.as_ptr(), at.wrapping_add(1));
        assert_eq!(part[..], [2, 3, 4]);
        let all = Bytes::from(slice);
        assert_eq!(all.as_ptr(), at);
        assert_eq!(all[..], [1, 2, 3, 4, 5]);

        let text = SharedStr::copy_from("grüße").unwrap();
        let at = text.as_ptr();
        let bytes = Bytes::from(text);
        assert_eq!((bytes.as_ptr(), &bytes[..]), (at, "grüße".as_bytes()));

        let numbers: SharedSlice<u32> = Shared::copy_from(&[0x0102_0304, u32::MAX][..]).unwrap();
        let at = numbers.as_ptr();
        let bytes = numbers.into_bytes();
        assert_eq!((bytes.as_ptr(), bytes.len()), (at.cast(), 8));
        assert_eq!(bytes[..4], 0x0102_0304_u32.to_ne_bytes());
    });
}

#[test]
fn nothing_is_no_bytes() {
    let none: [u64; 0] = [];
    assert!(SharedSlice::copy_from(&none[..]).unwrap().into_bytes().is_empty());
    assert!(Bytes::from(SharedStr::copy_from("").unwrap()).is_empty());
    assert!(SharedSlice::copy_from(&[(), ()][..]).unwrap().into_bytes().is_empty());
}

#[test]
fn the_bytes_of_what_is_received_lie_where_it_lies() {
    from_one_to_another(
        "bridges::bytes::the_bytes_of_what_is_received_lie_where_it_lies",
        || Shared::from_fn(100_000, |index| index as u64).unwrap(),
        |received: SharedSlice<u64>| {
            let at = received.as_ptr();
            let bytes = received.clone().into_bytes();
            assert_eq!((bytes.as_ptr(), bytes.len()), (at.cast(), 800_000));
            assert_eq!(bytemuck::cast_slice::<u8, u64>(&bytes), &received[..]);
            // As many handles as before, and the value goes back with the last of these.
            drop(received);
            let tail = bytes.slice(799_992..);
            drop(bytes);
            assert_eq!(tail[..], 99_999_u64.to_ne_bytes());
        },
    );
}

#[test]
fn the_value_goes_when_the_last_bytes_go() {
    on_both_backings("bridges::bytes::the_value_goes_when_the_last_bytes_go", || {
        let before = stats().blocks;
        let slice: SharedSlice<u16> = Shared::new(&(7, 50_000)).unwrap();
        let bytes = slice.clone().into_bytes();
        assert_eq!(slice.counts().handles, 2);
        let (copy, part) = (bytes.clone(), bytes.slice(10..20));
        assert_eq!(slice.counts().handles, 2, "`Bytes` count among themselves");
        drop((bytes, copy));
        assert_eq!(slice.counts().handles, 2);
        drop(slice);
        assert_eq!(stats().blocks, before + 1);
        assert_eq!(part[..2], 7_u16.to_ne_bytes());
        // In whatever thread that is.
        thread::spawn(move || drop(part)).join().unwrap();
        assert_eq!(stats().blocks, before);
    });
}

#[test]
fn the_bytes_of_a_file_keep_it_open() {
    let directory = Directory::new();
    let path = Path::new(&directory.0).join("numbers");
    file::write(&path, &[1_u32, 2, 3][..]).unwrap();
    // SAFETY: nobody else has the directory.
    let mapped: SharedSlice<u32> = unsafe { file::open(&path) }.unwrap();
    let at = mapped.as_ptr();
    let part = mapped.into_bytes().slice(4..8);
    assert_eq!((part.as_ptr(), &part[..]), (at.wrapping_add(1).cast(), &2_u32.to_ne_bytes()[..]));
    // SAFETY: as above.
    let to_write = || unsafe { file::open_mut::<[u32]>(&path) };
    let locked = to_write().unwrap_err();
    assert!(matches!(locked, Error::File { fault: FileFault::Locked { .. }, .. }), "{locked}");
    drop(part);
    assert!(to_write().is_ok());
}

#[test]
fn nobody_can_write_to_the_bytes() {
    let slice: SharedSlice<u8> = Shared::new(&(1, 100)).unwrap();
    let bytes = Bytes::from(slice);
    assert!(!bytes.is_unique(), "or it would be had as one that can be written to");
    assert!(bytes.try_into_mut().is_err());
}

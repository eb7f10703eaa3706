//! Sealed memory of an enemy's: any bytes, most of them with a header that could be a value's. What is taken is read as a
//! whole, and is what it says. On Linux only.
#![no_main]

use std::{fs::File, os::fd::OwnedFd, os::unix::fs::FileExt};

use arbitrary::Arbitrary;
use commonage::{Sealed, ShmemBacked, ShmemChecked};
use libfuzzer_sys::fuzz_target;
use ndarray::Array2;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Type {
    Numbers,
    Text,
    Bools,
    Array,
}

/// One of the header's numbers.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Number {
    Right,
    Near(i8),
    Any(u64),
}

impl Number {
    fn near(self, right: u64) -> u64 {
        match self {
            Number::Right => right,
            Number::Near(by) => right.wrapping_add_signed(by.into()),
            Number::Any(number) => number,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Input {
    of: Type,
    /// Not as they are.
    header: Option<Header>,
    bytes: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
struct Header {
    metadata: Vec<u8>,
    metadata_len: Number,
    metadata_at: Number,
    data_at: Number,
    data_len: Number,
}

impl Input {
    fn image(&self) -> Vec<u8> {
        let Some(header) = &self.header else { return self.bytes.clone() };
        let fingerprint = match self.of {
            Type::Numbers => <[u32]>::fingerprint(),
            Type::Text => str::fingerprint(),
            Type::Bools => <[bool]>::fingerprint(),
            Type::Array => Array2::<f32>::fingerprint(),
        };
        let metadata = &header.metadata[..header.metadata.len().min(80)];
        let mut image = Vec::new();
        image.extend(b"cmn seal");
        image.extend(1u32.to_le_bytes());
        image.extend((header.metadata_len.near(metadata.len() as u64) as u32).to_le_bytes());
        image.extend(fingerprint.to_le_bytes());
        image.extend(header.metadata_at.near(48).to_le_bytes());
        image.extend(header.data_at.near(128).to_le_bytes());
        image.extend(header.data_len.near(self.bytes.len() as u64).to_le_bytes());
        image.extend(metadata);
        image.resize(128, 0);
        image.extend(&self.bytes);
        image
    }
}

fn memfd(image: &[u8]) -> OwnedFd {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = File::from(memfd_create("fuzzed", flags).expect("a memfd"));
    file.write_all_at(image, 0).expect("memory for it");
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK).expect("nobody has it mapped");
    file.into()
}

fn taken<T: ShmemChecked + ?Sized>(image: &[u8], read: impl FnOnce(&Sealed<T>)) {
    if let Ok(value) = Sealed::<T>::try_from(memfd(image)) {
        read(&value);
        let copy = Sealed::<T>::try_from(value.clone().into_fd().expect("a descriptor")).expect("as before");
        read_again(&value, &copy);
    }
}

/// What was taken once is taken again.
fn read_again<T: ShmemChecked + ?Sized>(value: &Sealed<T>, copy: &Sealed<T>) {
    assert_eq!(format!("{value:?}").split("bytes").last(), format!("{copy:?}").split("bytes").last());
}

fuzz_target!(|input: Input| {
    let image = input.image();
    match input.of {
        Type::Numbers => taken::<[u32]>(&image, |value| {
            assert!(value.len() * 4 <= image.len());
            std::hint::black_box(value.iter().fold(0u32, |sum, &number| sum.wrapping_add(number)));
        }),
        Type::Text => taken::<str>(&image, |value| {
            assert!(value.len() <= image.len() && std::str::from_utf8(value.as_bytes()).is_ok());
        }),
        Type::Bools => taken::<[bool]>(&image, |value| {
            let bytes: &[u8] = commonage::bytemuck::cast_slice(value);
            assert!(bytes.len() <= image.len() && bytes.iter().all(|&byte| byte < 2));
        }),
        Type::Array => taken::<Array2<f32>>(&image, |value| {
            let view = value.as_view();
            assert_eq!(view.iter().count(), view.len());
            assert!(view.len() * 4 <= image.len());
            std::hint::black_box(view.sum());
        }),
    }
});

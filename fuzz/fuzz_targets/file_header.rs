//! Files of an enemy's: any bytes, most of them with a header that could be a value's, and with a right checksum. What is
//! taken is what the file says, in any way in which it is taken, and lies within the file.
#![no_main]

use std::{fs, path::PathBuf, process, sync::OnceLock};

use arbitrary::Arbitrary;
use commonage::{
    ShmemBacked, file,
    fuzzing::{FileSaid, taken},
};
use libfuzzer_sys::fuzz_target;
use ndarray::Array2;

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

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Type {
    Numbers,
    Text,
    Bools,
    Array,
}

#[derive(Arbitrary, Debug)]
struct Input {
    of: Type,
    /// Not as they are.
    header: Option<Header>,
    bytes: Vec<u8>,
    /// A bit of the file that is another in the end.
    flipped: Option<u16>,
}

#[derive(Arbitrary, Debug)]
struct Header {
    metadata: Vec<u8>,
    metadata_behind: bool,
    metadata_len: Number,
    metadata_at: Number,
    data_at: Number,
    data_len: Number,
    generation: u64,
    state: Number,
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
        let behind = 4096 + self.bytes.len() as u64;
        let said = FileSaid {
            metadata_len: header.metadata_len.near(metadata.len() as u64) as u32,
            fingerprint,
            metadata: header.metadata_at.near(if header.metadata_behind { behind } else { 96 }),
            data: header.data_at.near(4096),
            data_len: header.data_len.near(self.bytes.len() as u64),
            id: 1,
            generation: header.generation,
            state: header.state.near(0) as u32,
            writer: 1,
        };
        let mut image = said.bytes(metadata);
        if !header.metadata_behind {
            image.extend(metadata);
        }
        image.resize(4096, 0);
        image.extend(&self.bytes);
        if header.metadata_behind {
            image.extend(metadata);
        }
        if let Some(bit) = self.flipped {
            let at = usize::from(bit / 8) % image.len();
            image[at] ^= 1 << (bit % 8);
        }
        image
    }
}

fn path() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| PathBuf::from(format!("/dev/shm/commonage-fuzzed-{}", process::id())))
}

fuzz_target!(|input: Input| {
    let image = input.image();
    let path = path();
    fs::write(path, &image).expect("room for it");
    if let Ok((value, metadata)) = taken(path) {
        assert!(value.len() + metadata.len() + 96 <= image.len());
    }
    match input.of {
        Type::Numbers => {
            if let Ok(value) = file::read::<[u32]>(path) {
                assert!(value.len() * 4 <= image.len());
            }
        }
        Type::Text => {
            if let Ok(value) = file::read::<str>(path) {
                assert!(value.len() <= image.len() && std::str::from_utf8(value.as_bytes()).is_ok());
            }
        }
        Type::Bools => {
            if let Ok(value) = file::read::<[bool]>(path) {
                let bytes: &[u8] = commonage::bytemuck::cast_slice(&value);
                assert!(bytes.len() <= image.len() && bytes.iter().all(|&byte| byte < 2));
            }
        }
        Type::Array => {
            if let Ok(value) = file::read::<Array2<f32>>(path) {
                let view = value.as_view();
                assert_eq!(view.iter().count(), view.len());
                assert!(view.len() * 4 <= image.len());
            }
        }
    }
    let _ = fs::remove_file(path);
});

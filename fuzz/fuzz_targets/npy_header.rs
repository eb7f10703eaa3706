//! The beginning of an `.npy` file of an enemy's: any bytes, and texts of the right kind behind a right beginning. What is
//! read is written again, and then reads the same.
#![no_main]

use arbitrary::Arbitrary;
use commonage::{file::npy::Header, fuzzing};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Input {
    Bytes(Vec<u8>),
    /// Behind a beginning with its length.
    Text {
        version: u8,
        text: Vec<u8>,
    },
    Pieces {
        version: u8,
        pieces: Vec<Piece>,
    },
}

/// What such a text is made of.
#[derive(Arbitrary, Debug)]
enum Piece {
    Word(u8),
    Number(u64),
    Byte(u8),
    Any(String),
}

const WORDS: [&str; 20] = [
    "{",
    "}",
    "(",
    ")",
    ",",
    ":",
    " ",
    "\n",
    "L",
    "True",
    "False",
    "'",
    "\"",
    "'descr': ",
    "'<f8', ",
    "\"|u1\",",
    "'fortran_order': ",
    "False, ",
    "'shape': (",
    ", ), }",
];

impl Piece {
    fn append(&self, text: &mut Vec<u8>) {
        match self {
            Piece::Word(word) => text.extend(WORDS[usize::from(*word) % WORDS.len()].as_bytes()),
            Piece::Number(number) => text.extend(number.to_string().as_bytes()),
            Piece::Byte(byte) => text.push(*byte),
            Piece::Any(any) => text.extend(any.as_bytes()),
        }
    }
}

fn file(version: u8, text: &[u8]) -> Vec<u8> {
    let version = version % 4;
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    match version {
        1 => bytes.extend((text.len() as u16).to_le_bytes()),
        _ => bytes.extend((text.len() as u32).to_le_bytes()),
    }
    bytes.extend(text);
    bytes
}

fn check(bytes: &[u8]) {
    let Ok(header) = fuzzing::npy_header(bytes) else { return };
    assert!(header.data_offset <= bytes.len() as u64, "it is no longer than what there is");
    let written = fuzzing::npy_header_bytes(&header);
    assert!(written.len().is_multiple_of(128) && written.len() < 1 << 16);
    let again = fuzzing::npy_header(&written).expect("what is written is read");
    assert_eq!(again.data_offset, written.len() as u64);
    let of = |header: &Header| (header.dtype.clone(), header.fortran_order, header.shape.clone());
    assert_eq!(of(&again), of(&header));
    assert_eq!(fuzzing::npy_header_bytes(&again), written);
}

fuzz_target!(|input: Input| {
    match input {
        Input::Bytes(bytes) => check(&bytes),
        Input::Text { version, text } => check(&file(version, &text)),
        Input::Pieces { version, pieces } => {
            let mut text = Vec::new();
            pieces.iter().for_each(|piece| piece.append(&mut text));
            check(&file(version, &text));
        }
    }
});

//! Files with any header, and a right checksum if it is to be.

use std::{fs, path::Path};

use crate::{
    Error,
    mapped::{self, Access, How, Reading},
};

/// What a header says, to be changed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are those of the drawing in `mapped/header.rs`")]
pub struct FileSaid {
    pub metadata_len: u32,
    pub fingerprint: u64,
    pub metadata: u64,
    pub data: u64,
    pub data_len: u64,
    pub id: u64,
    pub generation: u64,
    pub state: u32,
    pub writer: u32,
}

impl FileSaid {
    /// The header of a file that says this, with a right checksum for these metadata.
    pub fn bytes(&self, metadata: &[u8]) -> Vec<u8> {
        mapped::forged(self, metadata).to_vec()
    }
}

/// What a process takes a file for: its value, and its metadata, mapped to be read. Read without a mapping, and mapped as a
/// copy of one's own, it is the same, or the same error.
///
/// # Errors
///
/// Those of opening.
///
/// # Panics
///
/// If it is not the same.
pub fn taken(path: &Path) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let mapped = |access| {
        let opened = mapped::open(path, &How::new(access))?;
        let metadata = opened.metadata().to_vec();
        // SAFETY: nobody else knows of the file.
        let value = unsafe { opened.part().bytes() }.to_vec();
        Ok::<_, Error>((value, metadata))
    };
    let read = Reading::open(path, &How::new(Access::Read)).and_then(|reading| {
        let mut value = vec![0; reading.len()];
        reading.read_at(0, &mut value)?;
        Ok((value, reading.metadata().to_vec()))
    });
    let [read, copied] = [read, mapped(Access::Private)];
    let taken = mapped(Access::Read);
    assert_eq!(said(&read), said(&taken));
    assert_eq!(said(&copied), said(&taken));
    let before = fs::read(path).ok();
    // One who opens it to write it, and does not, leaves it as it is.
    let _ = mapped(Access::Write);
    assert_eq!(fs::read(path).ok(), before);
    taken
}

fn said(taken: &Result<(Vec<u8>, Vec<u8>), Error>) -> String {
    format!("{taken:?}")
}

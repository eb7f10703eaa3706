//! Files with any header, and a right checksum if it is to be; and tokens of files that say anything, with a right MAC.

use std::{fs, ops::Range, path::Path};

use crate::{
    Error, Kind, TokenFault,
    mapped::{self, Access, How, Identity, Layout, Reading},
    wire::{OfFile, Unverified},
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

/// What a token of a file says of the value there, to be changed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are those of the token, in its order")]
pub struct FileTokenSaid {
    pub exclusive: bool,
    pub offset: u64,
    pub whole: u64,
    pub start: usize,
    pub len: usize,
    pub fingerprint: u64,
    pub metadata: Vec<u8>,
}

impl FileTokenSaid {
    /// What any token of a file says, sealed or not.
    ///
    /// # Errors
    ///
    /// [`Error::NotAToken`].
    pub fn of(token: &[u8]) -> Result<Self, Error> {
        let token = of_file(token)?;
        let fields = *token.fields();
        Ok(FileTokenSaid {
            exclusive: fields.kind == Kind::SharedMut,
            offset: fields.offset,
            whole: fields.whole,
            start: fields.start,
            len: fields.len,
            fingerprint: fields.fingerprint,
            metadata: token.unverified_metadata().to_vec(),
        })
    }

    /// Where in the file the bytes are.
    pub fn range(&self) -> Range<usize> {
        let start = self.offset as usize + self.start;
        start..start + self.len
    }

    /// A token that says this of the same file as another one, yet to be sealed.
    ///
    /// # Errors
    ///
    /// [`Error::NotAToken`] if the other is none.
    pub fn put_together(&self, like: &[u8]) -> Result<Vec<u8>, Error> {
        let token = of_file(like)?;
        let mut fields = *token.fields();
        fields.kind = if self.exclusive { Kind::SharedMut } else { Kind::Shared };
        (fields.offset, fields.whole) = (self.offset, self.whole);
        (fields.start, fields.len, fields.fingerprint) = (self.start, self.len, self.fingerprint);
        Ok(token.saying(&fields, &self.metadata))
    }
}

/// These bytes with a right length; and with a right MAC, if they lead to a file that can be read now.
pub fn resealed(mut token: Vec<u8>) -> Vec<u8> {
    OfFile::measure(&mut token);
    if let Ok(key) = file_key(&token) {
        OfFile::seal(&mut token, &key);
    }
    token
}

/// That of the file which is there, whatever the token says of it besides where its value is.
fn file_key(token: &[u8]) -> Result<[u8; 16], Error> {
    let token = of_file(token)?;
    let fields = token.fields();
    let layout = match fields.identity {
        Identity::Headed { .. } => Layout::Headed,
        Identity::Foreign { .. } => {
            Layout::Foreign { offset: fields.offset, len: Some(fields.whole), fingerprint: fields.fingerprint }
        }
    };
    // What is handed over has not been finished.
    let how = How { layout, unfinished: true, ..How::new(Access::Read) };
    let (_, key) = mapped::open(token.path(), &how)?.part().origin(Kind::Shared)?;
    Ok(key)
}

fn of_file(token: &[u8]) -> Result<OfFile<'_>, Error> {
    match Unverified::parse(token)? {
        Unverified::File(token) => Ok(token),
        Unverified::Block(_) => Err(Error::NotAToken(TokenFault::Field("magic"))),
    }
}

//! The keys of the MACs of tokens that lead to files.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

use super::{Access, FileKind, Mapped, Reading, opening::copy};
use crate::Error;

/// Bytes at a value's beginning that the key of a file without a header is made of: a page.
const LOOKED_AT: usize = 4096;
/// Other than those of all else that is hashed here.
const KEYS: (u64, u64) = (u64::from_le_bytes(*b"commonag"), u64::from_le_bytes(*b"e:files1"));

impl Mapped {
    /// The key of its tokens' MACs. That of a file without a header is made of what is in it: who can't read the file can't
    /// make a token that leads there.
    pub(super) fn secret(&self) -> [u8; 16] {
        match &self.kind {
            FileKind::Headed { secret, .. } => *secret,
            // What was frozen can be thawed, and written to.
            FileKind::Foreign { size, .. } if self.access == Access::Write => self.digest(*size),
            FileKind::Foreign { size, secret, .. } => *secret.get_or_init(|| self.digest(*size)),
        }
    }

    fn digest(&self, size: u64) -> [u8; 16] {
        let mut bytes = [0; LOOKED_AT];
        let beginning = &mut bytes[..LOOKED_AT.min(self.len)];
        copy(self, self.start, beginning);
        digest(size, beginning)
    }
}

impl Reading {
    /// As of the same file when it is mapped.
    ///
    /// # Errors
    ///
    /// Those of reading it.
    pub(super) fn secret(&self) -> Result<[u8; 16], Error> {
        if let Some(secret) = self.secret {
            return Ok(secret);
        }
        let mut bytes = [0; LOOKED_AT];
        let beginning = &mut bytes[..LOOKED_AT.min(self.len)];
        self.read_at(0, beginning)?;
        Ok(digest(self.size, beginning))
    }
}

/// Of the value's first bytes, and of the size of the file.
fn digest(size: u64, beginning: &[u8]) -> [u8; 16] {
    let mut hasher = SipHasher13::new_with_keys(KEYS.0, KEYS.1);
    hasher.write(&size.to_le_bytes());
    hasher.write(beginning);
    hasher.finish128().as_bytes()
}

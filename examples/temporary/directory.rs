//! A directory of an example's own.

use std::{
    env, fs,
    io::{self, ErrorKind},
    path::PathBuf,
    process,
};

/// A new directory, below the one for temporary files; removed, with what is in it, when this is dropped.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new(example: &str) -> io::Result<Self> {
        for number in 0_u64.. {
            let path = env::temp_dir().join(format!("commonage-{example}-{}-{number}", process::id()));
            match fs::create_dir(&path) {
                // Of a process that was killed, and had the number that this one has.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Directory(path)),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} is left: {error}", self.0.display());
        }
    }
}

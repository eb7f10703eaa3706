//! `memmap2` on a file in the directory of POSIX shared memory.
#![allow(unsafe_code)] // a map of a file is unsafe: who else has the file could cut it short

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use memmap2::{Mmap, MmapMut};

use super::{Peer, Place};
use crate::Outcome;

pub(crate) struct MappedFile;

/// A file that has been written, removed when this is dropped.
pub(crate) struct Written {
    map: MmapMut,
    path: PathBuf,
}

impl Drop for Written {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            eprintln!("peers: {}: {error}", self.path.display());
        }
    }
}

/// A file that is read.
pub(crate) struct Opened {
    map: Mmap,
    path: PathBuf,
}

impl Peer for MappedFile {
    const NAME: &'static str = "memmap2";
    type Value = Written;
    type Message = PathBuf;
    type Kept = Written;
    type Received = Opened;

    fn new(_: Place) -> Outcome<Self> {
        Ok(MappedFile)
    }

    fn make(&self, source: &[u64]) -> Outcome<Self::Value> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = Path::new("/dev/shm").join(format!("peers-{}-{number}", process::id()));
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        file.set_len(size_of_val(source) as u64)?;
        // SAFETY: the file is this process's own, and nobody cuts it short.
        let map = unsafe { MmapMut::map_mut(&file)? };
        let mut written = Written { map, path };
        written.map.copy_from_slice(bytemuck::cast_slice(source));
        Ok(written)
    }

    fn made(value: &Self::Value) -> &[u64] {
        bytemuck::cast_slice(&value.map)
    }

    fn message(&self, value: Self::Value) -> Outcome<(Self::Message, Written)> {
        Ok((value.path.clone(), value))
    }

    fn open(&self, path: Self::Message) -> Outcome<Self::Received> {
        // SAFETY: the file's maker neither writes to it nor cuts it short once it has sent the path.
        let map = unsafe { Mmap::map(&File::open(&path)?)? };
        Ok(Opened { map, path })
    }

    fn received(value: &Self::Received) -> &[u64] {
        bytemuck::cast_slice(&value.map)
    }

    fn forward(&self, value: Self::Received) -> Outcome<Self::Message> {
        Ok(value.path)
    }
}

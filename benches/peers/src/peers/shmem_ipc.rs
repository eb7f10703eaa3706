//! `shmem-ipc`: memory that is written once, sealed, and received as a file descriptor.

use std::{cell::OnceCell, fs::File};

use shmem_ipc::mem::{mfd::Memfd, mmap::Mmap, read_memfd, write_once};

use super::{Peer, Place};
use crate::Outcome;

pub(crate) struct WriteOnce;

/// Sealed memory that this process has made; it maps it again only when it looks.
pub(crate) struct Written {
    file: Memfd,
    view: OnceCell<Mmap>,
}

/// Sealed memory, and this process's view of it.
pub(crate) struct Sealed {
    file: Memfd,
    view: Mmap,
}

impl Peer for WriteOnce {
    const NAME: &'static str = "shmem-ipc";
    type Value = Written;
    type Message = File;
    type Kept = ();
    type Received = Sealed;

    fn new(_: Place) -> Outcome<Self> {
        Ok(WriteOnce)
    }

    fn make(&self, source: &[u64]) -> Outcome<Self::Value> {
        let source: &[u8] = bytemuck::cast_slice(source);
        let file = write_once(source.len() as u64, "peers", |memory| memory.copy_from_slice(source))?;
        Ok(Written { file, view: OnceCell::new() })
    }

    fn made(value: &Self::Value) -> &[u64] {
        let view = value.view.get_or_init(|| read_memfd(&value.file).expect("sealed memory can be mapped"));
        bytemuck::cast_slice(view)
    }

    fn message(&self, value: Self::Value) -> Outcome<(Self::Message, ())> {
        Ok((value.file.into_file(), ()))
    }

    fn open(&self, file: Self::Message) -> Outcome<Self::Received> {
        let file = Memfd::try_from_file(file).map_err(|_| "what was received is no memfd")?;
        let view = read_memfd(&file)?;
        Ok(Sealed { file, view })
    }

    fn received(value: &Self::Received) -> &[u64] {
        bytemuck::cast_slice(&value.view)
    }

    fn forward(&self, value: Self::Received) -> Outcome<Self::Message> {
        Ok(value.file.into_file())
    }
}

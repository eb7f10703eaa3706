//! `memmap2`, with what its user has to do besides.
#![allow(unsafe_code)] // a map of a file is unsafe: who else has the file could cut it short

use std::{
    fs::{self, File},
    path::Path,
};

use memmap2::{Mmap, MmapMut, MmapOptions};

use super::{Filed, Written, directory::sync_directory_of, gather, offset};
use crate::{
    Outcome,
    peers::{MappedFile, Peer, sum},
};

pub(crate) struct Mapped;

/// A map of a whole file.
pub(crate) enum Opened {
    ToRead { map: Mmap, offset: usize },
    ToWrite { map: MmapMut, offset: usize },
}

impl Opened {
    fn numbers(&self) -> &[u64] {
        bytemuck::cast_slice(match self {
            Opened::ToRead { map, offset } => &map[*offset..],
            Opened::ToWrite { map, offset } => &map[*offset..],
        })
    }
}

impl Filed for Mapped {
    const NAME: &'static str = MappedFile::NAME;
    type Opened = Opened;

    fn open(path: &Path, size: usize) -> Outcome<Opened> {
        // SAFETY: the file is in a directory of this process's own, and nobody writes to it or cuts it short.
        let map = unsafe { Mmap::map(&File::open(path)?)? };
        Ok(Opened::ToRead { offset: offset(map.len() as u64, size)?, map })
    }

    fn open_to_write(path: &Path, size: usize) -> Outcome<Opened> {
        let file = File::options().read(true).write(true).open(path)?;
        // SAFETY: as above; nor does anybody else have it mapped.
        let map = unsafe { MmapMut::map_mut(&file)? };
        Ok(Opened::ToWrite { offset: offset(map.len() as u64, size)?, map })
    }

    fn at(opened: &mut Opened, index: usize) -> Outcome<u64> {
        Ok(opened.numbers()[index])
    }

    fn sum(opened: &mut Opened) -> Outcome<u64> {
        Ok(sum(opened.numbers()))
    }

    fn gather(opened: &mut Opened, seed: u64, times: u64) -> Outcome<u64> {
        Ok(gather(opened.numbers(), seed, times))
    }
}

impl Written for Mapped {
    const NAME: &'static str = MappedFile::NAME;

    fn write(path: &Path, source: &[u64], durable: bool) -> Outcome {
        let draft = path.with_extension("draft");
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&draft)?;
        file.set_len(size_of_val(source) as u64)?;
        // SAFETY: as above.
        let mut map = unsafe { MmapOptions::new().map_mut(&file)? };
        map.copy_from_slice(bytemuck::cast_slice(source));
        if durable {
            map.flush()?;
        }
        drop(map);
        fs::rename(draft, path)?;
        if durable { sync_directory_of(path) } else { Ok(()) }
    }
}

//! Files as `std` has them: nothing is mapped.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::Path,
};

use super::{Filed, Written, directory::sync_directory_of, next, offset};
use crate::{
    Outcome,
    peers::{STD_FS, sum},
};

/// Numbers that are read at once: as many as stay in the caches.
const BUFFER: usize = (1 << 20) / 8;

pub(crate) struct Plain;

pub(crate) struct Opened {
    file: File,
    offset: usize,
    count: usize,
    buffer: Vec<u64>,
}

impl Opened {
    fn new(file: File, size: usize) -> Outcome<Self> {
        Ok(Opened { offset: offset(file.metadata()?.len(), size)?, file, count: size / 8, buffer: Vec::new() })
    }
}

impl Filed for Plain {
    const NAME: &'static str = STD_FS;
    type Opened = Opened;

    fn open(path: &Path, size: usize) -> Outcome<Opened> {
        Opened::new(File::open(path)?, size)
    }

    fn open_to_write(path: &Path, size: usize) -> Outcome<Opened> {
        Opened::new(File::options().read(true).write(true).open(path)?, size)
    }

    fn at(opened: &mut Opened, index: usize) -> Outcome<u64> {
        let mut number = [0; 8];
        opened.file.read_exact_at(&mut number, (opened.offset + 8 * index) as u64)?;
        Ok(u64::from_ne_bytes(number))
    }

    fn sum(opened: &mut Opened) -> Outcome<u64> {
        opened.buffer.resize(BUFFER, 0);
        opened.file.seek(SeekFrom::Start(opened.offset as u64))?;
        let (mut left, mut total) = (opened.count, 0_u64);
        while left > 0 {
            let part = &mut opened.buffer[..left.min(BUFFER)];
            opened.file.read_exact(bytemuck::cast_slice_mut(part))?;
            total = total.wrapping_add(sum(part));
            left -= part.len();
        }
        Ok(total)
    }

    fn gather(opened: &mut Opened, seed: u64, times: u64) -> Outcome<u64> {
        let (mut state, count) = (seed, opened.count);
        (0..times).try_fold(0, |sum: u64, _| Ok(sum.wrapping_add(Self::at(opened, next(&mut state, count))?)))
    }
}

impl Written for Plain {
    const NAME: &'static str = STD_FS;

    fn write(path: &Path, source: &[u64], durable: bool) -> Outcome {
        let draft = path.with_extension("draft");
        let mut file = File::create(&draft)?;
        file.write_all(bytemuck::cast_slice(source))?;
        if durable {
            file.sync_all()?;
        }
        fs::rename(draft, path)?;
        if durable { sync_directory_of(path) } else { Ok(()) }
    }
}

//! This crate.
#![allow(unsafe_code)] // a map of a file is unsafe: who else has the file could cut it short

use std::path::Path;

use commonage::{Shared, SharedMut, file};

use super::{Filed, Written, gather};
use crate::{
    Outcome,
    peers::{COMMONAGE, IN_PLACE, sum},
};

/// From a slice.
pub(crate) struct Ours;

/// In a draft's map.
pub(crate) struct OursInPlace;

pub(crate) enum Opened {
    ToRead(Shared<[u64]>),
    ToWrite(SharedMut<[u64]>),
}

impl Opened {
    fn numbers(&self) -> &[u64] {
        match self {
            Opened::ToRead(numbers) => numbers,
            Opened::ToWrite(numbers) => numbers,
        }
    }
}

impl Filed for Ours {
    const NAME: &'static str = COMMONAGE;
    type Opened = Opened;

    fn open(path: &Path, _: usize) -> Outcome<Opened> {
        // SAFETY: the file is in a directory of this process's own, and nobody writes to it or cuts it short.
        Ok(Opened::ToRead(unsafe { file::open(path)? }))
    }

    fn open_to_write(path: &Path, _: usize) -> Outcome<Opened> {
        // SAFETY: as above.
        Ok(Opened::ToWrite(unsafe { file::open_mut(path)? }))
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

impl Written for Ours {
    const NAME: &'static str = COMMONAGE;

    fn write(path: &Path, source: &[u64], durable: bool) -> Outcome {
        Ok(file::options().durable(durable).write(path, source)?)
    }
}

impl Written for OursInPlace {
    const NAME: &'static str = IN_PLACE;

    fn write(path: &Path, source: &[u64], durable: bool) -> Outcome {
        let mut draft = file::options::<[u64]>().durable(durable).draft_zeroed(path, source.len())?;
        draft.as_view_mut().copy_from_slice(source);
        Ok(draft.publish()?)
    }
}

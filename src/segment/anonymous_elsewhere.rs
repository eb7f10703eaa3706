//! There are no segments without a name here.

use std::{convert::Infallible, io};

use super::{Check, Liveness, Locator, Mapped, Sizes};
use crate::{
    Error,
    sys::{Object, Whereabouts},
};

/// No value has this type.
pub(super) struct Anonymous(Infallible);

impl Anonymous {
    pub(super) fn object(&self) -> &Object {
        match self.0 {}
    }

    pub(super) fn number(&self) -> u32 {
        match self.0 {}
    }

    pub(super) fn whereabouts(&self, _pid: u32) -> Whereabouts {
        match self.0 {}
    }

    pub(super) fn lock(&self, _slot: u32) -> Result<bool, Error> {
        match self.0 {}
    }

    pub(super) fn unlock(&self, _slot: u32) {
        match self.0 {}
    }

    pub(super) fn liveness(&self, _slot: u32) -> Liveness {
        match self.0 {}
    }
}

pub(super) fn create(_sizes: Sizes, _len: usize) -> Result<(Mapped, u32), Error> {
    Err(unsupported())
}

pub(super) fn attach(_locator: &Locator, _check: Check<'_>) -> Result<Mapped, Error> {
    Err(unsupported())
}

pub(super) fn marked(random: u64) -> u64 {
    random
}

fn unsupported() -> Error {
    Error::os("memory without a name (choose `Backing::Named`)", io::ErrorKind::Unsupported)
}

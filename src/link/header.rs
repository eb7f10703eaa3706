//! What stands in front of a link's value: whose it is, and whether it is there yet.
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 8 | magic | zero until the fields from 16 on are written |
//! | 8 | 4 | ABI version | |
//! | 12 | 4 | state | see [`Header::state`] |
//! | 16 | 4 | process id of the maker | |
//! | 20 | 4 | zero | |
//! | 24 | 8 | fingerprint of the type | |
//! | 32 | 8 | size of the type | in bytes |
//! | 40 | 8 | bytes from the value on | at least the size |
//! | 48 | 8 | number | random: no two links have the same |
//! | 56 | 72 | zero | |
//! | 128 | | the value | or later, if its alignment is more |
//!
//! All numbers are in the byte order of the machine: the memory is its own, and a file from another machine has another
//! magic.

use std::{
    any::type_name,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use super::builder::header_of;
use crate::{
    LinkFault, Shareable,
    sys::{self, Address, Place, PlaceError},
};

/// Bytes of a header.
pub(super) const HEADER: usize = 128;
/// "cmn link", in the byte order of the machine.
const MAGIC: u64 = u64::from_ne_bytes(*b"cmn link");
/// Changes with the layout of the header, or of a type of `sync`.
const ABI: u32 = 1;

const MAKING: u32 = 0;
const READY: u32 = 1;
const OVER: u32 = 2;

/// The first bytes of a link. Whoever can write to it can write anything: each field is loaded once.
#[repr(C)]
pub(super) struct Header {
    magic: AtomicU64,
    abi: AtomicU32,
    /// | value | the value is | who stores it |
    /// |---|---|---|
    /// | 0 | being made: only its maker touches it | nobody: new memory is zero |
    /// | 1 | ready | its maker |
    /// | 2 | over: an owner has run its `Drop`, if its type has one | the first owner to be dropped (Relaxed) |
    state: AtomicU32,
    maker: AtomicU32,
    _zero: u32,
    fingerprint: AtomicU64,
    size: AtomicU64,
    bytes: AtomicU64,
    number: AtomicU64,
    _rest: [u64; 9],
}

const _: () = assert!(size_of::<Header>() == HEADER && align_of::<Header>() == 8);

/// What a header says.
pub(super) enum Found {
    /// The value is ready, of the type that was asked for, and has so many bytes from its start on.
    Ready { bytes: u64 },
    /// It is being made by this process; zero if it has not said yet.
    Making { process: u32 },
}

impl Header {
    /// Says what the value will be. It is not ready yet.
    pub(super) fn announce<T: Shareable>(&self, bytes: u64) {
        self.maker.store(sys::process_id(), Ordering::Relaxed);
        self.abi.store(ABI, Ordering::Relaxed);
        self.fingerprint.store(T::FINGERPRINT, Ordering::Relaxed);
        self.size.store(size_of::<T>() as u64, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.number.store(sys::random_u64().unwrap_or_else(|_| sys::boot_time()), Ordering::Relaxed);
        // Release: with `look`, which reads the rest only after the magic.
        self.magic.store(MAGIC, Ordering::Release);
    }

    /// Says that the value is ready.
    pub(super) fn ready(&self) {
        // Release: with `look`; who finds it ready finds the value whole.
        self.state.store(READY, Ordering::Release);
        sys::wake_all(&self.state);
    }

    /// Is this the header of the link that now has the name? Not if nothing has it; and if what has it may not be looked at,
    /// it is taken to be.
    pub(super) fn is_at(&self, address: &Address) -> bool {
        let place = match Place::open(address, false) {
            Ok(place) => place,
            Err(error) => return !matches!(error, PlaceError::Absent),
        };
        if place.size() < HEADER as u64 {
            return false;
        }
        let Ok(mapping) = place.map(HEADER, false) else { return true };
        let there = header_of(&mapping);
        let same = |one: &AtomicU64, other: &AtomicU64| one.load(Ordering::Relaxed) == other.load(Ordering::Relaxed);
        same(&self.magic, &there.magic) && same(&self.number, &there.number)
    }

    /// Says that the value is over. Of all who say so, one is the first.
    pub(super) fn end(&self) -> bool {
        self.state.compare_exchange(READY, OVER, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Waits until the value is ready, at most for a moment.
    pub(super) fn wait(&self) {
        sys::wait(&self.state, MAKING, super::MOMENT);
    }

    /// What is there, if it is for a `T`; `unready` if a header of zeroes is one that is being written. Only loads: the
    /// memory may be mapped read-only, where no others are certain not to trap than relaxed ones.
    pub(super) fn look<T: Shareable>(&self, unready: bool) -> Result<Found, LinkFault> {
        let magic = self.magic.load(Ordering::Relaxed);
        if magic == 0 && unready {
            return Ok(Found::Making { process: 0 });
        }
        if magic != MAGIC {
            return Err(LinkFault::NoHeader { found: magic });
        }
        // With the release in `announce`.
        std::sync::atomic::fence(Ordering::Acquire);
        let abi = self.abi.load(Ordering::Relaxed);
        if abi != ABI {
            return Err(LinkFault::Abi { expected: ABI, found: abi });
        }
        let type_name = type_name::<T>();
        let (expected, found) = (size_of::<T>() as u64, self.size.load(Ordering::Relaxed));
        if found != expected {
            return Err(LinkFault::Size { type_name, expected, found });
        }
        let (expected, found) = (T::FINGERPRINT, self.fingerprint.load(Ordering::Relaxed));
        if found != expected {
            return Err(LinkFault::Type { type_name, expected, found });
        }
        let bytes = self.bytes.load(Ordering::Relaxed);
        match self.state.load(Ordering::Relaxed) {
            READY => {}
            OVER => return Err(LinkFault::Over),
            _ => return Ok(Found::Making { process: self.maker.load(Ordering::Relaxed) }),
        }
        // With the release in `ready`.
        std::sync::atomic::fence(Ordering::Acquire);
        Ok(Found::Ready { bytes })
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::PathBuf};

    use super::*;
    use crate::{Link, link::ReadWrite};

    /// A path that nothing has, nor will when the test is over.
    struct Unused(PathBuf);

    impl Drop for Unused {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn a_header_tells_its_link_from_another_that_has_the_name() {
        let unused = Unused(env::temp_dir().join(format!("commonage-test-header-{:016x}", sys::random_u64().unwrap())));
        let path = &unused.0;
        let make = || Link::<u64, ReadWrite>::at_path(path).create().unwrap();
        let is_there = |link: &Link<u64, ReadWrite>| {
            header_of(&link.object.as_ref().unwrap().mapping).is_at(&Address::path(path).unwrap())
        };
        let first = Link::leak(make());
        assert!(is_there(&first));
        sys::remove_file(path).unwrap();
        assert!(!is_there(&first), "nothing has the name");
        fs::write(path, b"short").unwrap();
        assert!(!is_there(&first), "no link has it");
        sys::remove_file(path).unwrap();
        let second = Link::leak(make());
        assert!(is_there(&second));
        assert!(!is_there(&first), "of the same type, and made by the same process");
    }
}

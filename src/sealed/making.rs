//! How a value gets into a memfd, and out of one.

use std::{
    marker::PhantomData,
    ops::Range,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::Arc,
};

use super::{
    Inner, Options, Sealed,
    header::{HEADER, Header, start_of_data},
};
use crate::{
    DescriptorFault, Error, ShmemChecked, metadata,
    passing::{self, What},
    pool,
    sys::{ReadOnlyMapping, SealedMemfd, UnsealedMemfd},
    title::Title,
};

/// From so many bytes on the system writes them, which clears no page first.
const LARGE: usize = 64 << 10;

/// A value of `len` bytes that `fill` writes where it stays.
pub(super) fn make<T: ShmemChecked + ?Sized>(
    options: &Options<T>,
    len: usize,
    fill: impl FnOnce(&mut [u8]) -> T::MetaData,
) -> Result<Sealed<T>, Error> {
    let start = start_for(options)?;
    let mut memfd = new_memfd(options, start.saturating_add(len))?;
    let mut writable = memfd.map()?;
    let metadata = fill(&mut writable.bytes_mut()[start..start + len]);
    writable.fill_holes();
    drop(writable);
    finish(options, memfd, start, len, &metadata)
}

/// A copy of `src`.
pub(super) fn copy<T: ShmemChecked + ?Sized>(options: &Options<T>, src: &T) -> Result<Sealed<T>, Error> {
    let len = T::required_memory_src(src);
    match T::plain_bytes(src).filter(|(bytes, _)| bytes.len() == len && len >= LARGE) {
        Some((bytes, metadata)) => copy_bytes(options, bytes, &metadata),
        None => make(options, len, |data| T::new_from_src(data, src)),
    }
}

/// The value that has these bytes and metadata.
pub(super) fn copy_bytes<T: ShmemChecked + ?Sized>(
    options: &Options<T>,
    bytes: &[u8],
    metadata: &T::MetaData,
) -> Result<Sealed<T>, Error> {
    let start = start_for(options)?;
    let mut memfd = new_memfd(options, start.saturating_add(bytes.len()))?;
    memfd.write_at(start, bytes)?;
    finish(options, memfd, start, bytes.len(), metadata)
}

/// Where the data begin.
fn start_for<T: ShmemChecked + ?Sized>(options: &Options<T>) -> Result<usize, Error> {
    let start = start_of_data::<T>()?;
    Ok(if options.raw.is_some() { 0 } else { start })
}

fn new_memfd<T: ShmemChecked + ?Sized>(options: &Options<T>, len: usize) -> Result<UnsealedMemfd, Error> {
    let mut memfd = UnsealedMemfd::create(&options.name, options.huge_pages, pool::leave_to_have)?;
    match options.raw {
        Some(_) => memfd.set_len(len)?,
        None => memfd.extend(len)?,
    }
    Ok(memfd)
}

/// Writes what the memory says of itself, and seals it. What comes of it is looked at as if it were somebody else's: what its
/// maker has, a receiver has.
fn finish<T: ShmemChecked + ?Sized>(
    options: &Options<T>,
    mut memfd: UnsealedMemfd,
    start: usize,
    len: usize,
    metadata: &T::MetaData,
) -> Result<Sealed<T>, Error> {
    if let Some(raw) = &options.raw {
        // Fewer may have been written than were promised.
        memfd.set_len(raw.bytes(metadata))?;
        return value_in(options, memfd.seal(options.seals.flags())?);
    }
    let bytes = metadata::encode::<T>(metadata)?;
    let mut at = HEADER;
    if bytes.len() > start - HEADER {
        at = start + len;
        memfd.extend(at.saturating_add(bytes.len()))?;
    }
    let header = Header(Title {
        metadata_len: bytes.len() as u32,
        fingerprint: T::fingerprint(),
        metadata: at as u64,
        data: start as u64,
        data_len: len as u64,
    });
    memfd.write_at(at, &bytes)?;
    memfd.write_at(0, &header.bytes())?;
    value_in(options, memfd.seal(options.seals.flags())?)
}

/// What a frame brings.
pub(super) fn receive(stream: &UnixStream) -> Result<OwnedFd, Error> {
    let [fd] = passing::receive(stream, What::SealedValue)?;
    Ok(fd)
}

pub(super) fn send(stream: &UnixStream, fd: impl AsFd) -> Result<(), Error> {
    passing::send(stream, What::SealedValue, &[fd.as_fd()])
}

/// The value in a descriptor of anybody's.
pub(super) fn open<T: ShmemChecked + ?Sized>(options: &Options<T>, fd: OwnedFd) -> Result<Sealed<T>, Error> {
    value_in(options, SealedMemfd::new(fd, options.huge_pages.is_some())?)
}

/// As [`open`], of what may not be sealed yet.
pub(super) fn seal<T: ShmemChecked + ?Sized>(options: &Options<T>, fd: OwnedFd) -> Result<Sealed<T>, Error> {
    value_in(options, SealedMemfd::seal(fd, options.seals.flags(), options.huge_pages.is_some())?)
}

fn value_in<T: ShmemChecked + ?Sized>(options: &Options<T>, memfd: SealedMemfd) -> Result<Sealed<T>, Error> {
    let (mapping, data, metadata) = match &options.raw {
        Some(raw) => {
            let fault = DescriptorFault::NotWholeElements { size: memfd.size(), element: raw.element() };
            let metadata = raw.metadata(memfd.size()).ok_or(Error::Descriptor(fault))?;
            let mapping = memfd.map(memfd.size())?;
            let data = 0..mapping.bytes().len();
            (mapping, data, metadata)
        }
        None => described::<T>(&memfd)?,
    };
    T::check(&mapping.bytes()[data.clone()], &metadata).map_err(|error| error.into_error::<T>())?;
    Ok(Sealed { inner: Arc::new(Inner { fd: memfd.into_fd(), mapping, data, metadata }), of: PhantomData })
}

/// Where the value is, and its metadata, as the memory says.
fn described<T: ShmemChecked + ?Sized>(
    memfd: &SealedMemfd,
) -> Result<(ReadOnlyMapping, Range<usize>, T::MetaData), Error> {
    let header = Header::parse(&memfd.first()?)?;
    let parts = header.parts::<T>()?;
    memfd.must_have(parts.end)?;
    let mapping = memfd.map(parts.end)?;
    let metadata = metadata::decode::<T>(&mapping.bytes()[parts.metadata])?;
    Ok((mapping, parts.data, metadata))
}

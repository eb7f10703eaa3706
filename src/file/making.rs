//! How a value gets into a file, and out of one: what is checked once its type is known.

#![allow(unsafe_code)] // Bytes of a file that nobody writes meanwhile are looked at once, before there is a handle.

use std::{any::type_name, path::Path, process};

use super::{Advice, Draft, Options, raw::Foreign};
use crate::{
    Error, FileAccess, FileFault, Kind, Shared, SharedMut, ShmemBacked, ShmemChecked,
    mapped::{self, Access, How, Layout, Making, NewLayout, Reading},
    metadata,
    part::Part,
    shared,
};

/// Where data begin is a multiple of this, and of no more.
const PAGE: usize = 4096;

pub(super) fn fault(path: &Path, fault: FileFault) -> Error {
    Error::File { path: path.to_owned(), fault }
}

/// Of a file that need not be new: what is there does not bother, but that others have it, where the platform lets
/// nobody replace it then, or are making it, where one process at a time can.
pub(super) fn in_the_way(must_be_new: bool, error: Error) -> Error {
    match error {
        Error::File { path, fault: FileFault::Exists } if !must_be_new => {
            let fault = FileFault::Locked { wanted: FileAccess::Write, process: process::id(), by: None };
            Error::File { path, fault }
        }
        error => error,
    }
}

impl<T: ShmemBacked + ?Sized> Options<T> {
    pub(super) fn how(&self, access: Access, guarded: bool) -> How {
        let layout = match &self.foreign {
            None => Layout::Headed,
            Some(foreign) => Layout::Foreign { offset: self.offset, len: foreign.len(), fingerprint: T::fingerprint() },
        };
        How {
            layout,
            populate: self.populate,
            advice: self.advice,
            lock_in_memory: self.lock_in_memory,
            lock_timeout: self.lock_timeout,
            unfinished: self.unfinished,
            guarded,
            ..How::new(access)
        }
    }

    pub(super) fn making(&self) -> Result<Making, Error> {
        // Also of a file without a header: what is made is looked at where it is mapped, at a multiple of a page.
        let alignment = self.alignment()?;
        let layout = match self.foreign {
            None => NewLayout::Headed { alignment },
            Some(_) => NewLayout::Foreign { prefix: Vec::new() },
        };
        Ok(Making {
            layout,
            mode: self.mode,
            must_be_new: self.must_be_new,
            populate: self.populate,
            advice: self.advice,
            lock_in_memory: self.lock_in_memory,
        })
    }

    /// As [`making`](Self::making), for what is written and then not looked at any more.
    pub(super) fn writing(&self) -> Result<Making, Error> {
        Ok(Making { populate: false, advice: Advice::Normal, lock_in_memory: false, ..self.making()? })
    }

    /// The metadata of a value of `len` bytes, of which the file says this.
    fn described(&self, path: &Path, fingerprint: u64, metadata: &[u8], len: u64) -> Result<T::MetaData, Error> {
        match &self.foreign {
            None => {
                same_type::<T>(path, fingerprint)?;
                metadata::decode::<T>(metadata)
            }
            Some(Foreign::Value { metadata, .. }) => Ok(metadata.clone()),
            Some(Foreign::Elements { raw, .. }) => {
                let not_whole = FileFault::NotWholeElements { size: len, element: raw.element() };
                raw.metadata(len).ok_or_else(|| fault(path, not_whole))
            }
        }
    }

    /// What the address of a value in a file has to be a multiple of.
    fn alignment(&self) -> Result<usize, Error> {
        match &self.foreign {
            // Views of elements need no more than these do.
            Some(Foreign::Elements { alignment, .. }) if *alignment <= PAGE => Ok(*alignment),
            _ => alignment::<T>(),
        }
    }
}

/// The alignment of a `T`'s data.
fn alignment<T: ShmemBacked + ?Sized>() -> Result<usize, Error> {
    let requested = T::ALIGNMENT;
    if !requested.is_power_of_two() || requested > PAGE {
        return Err(Error::Alignment { requested, limit: PAGE });
    }
    Ok(requested)
}

fn same_type<T: ShmemBacked + ?Sized>(path: &Path, found: u64) -> Result<(), Error> {
    let expected = T::fingerprint();
    if found != expected {
        return Err(fault(path, FileFault::Type { type_name: type_name::<T>(), expected, found }));
    }
    Ok(())
}

/// # Safety
///
/// As for [`open`](super::open).
pub(super) unsafe fn open<T: ShmemBacked + ?Sized>(
    options: &Options<T>,
    path: &Path,
    access: Access,
) -> Result<(Part, T::MetaData), Error> {
    // SAFETY: as the caller promises.
    unsafe { opened(options, path, options.how(access, false)) }
}

pub(super) fn open_guarded<T: ShmemChecked + ?Sized>(
    options: &Options<T>,
    path: &Path,
) -> Result<(Part, T::MetaData), Error> {
    // SAFETY: the system keeps everybody from changing it, or else it is not opened; and the type's check is complete.
    unsafe { opened(options, path, options.how(Access::Read, true)) }
}

/// # Safety
///
/// Nobody writes or cuts the file as long as what is made of it lives, but through handles; and what passes `T`'s check
/// there is a `T`.
unsafe fn opened<T: ShmemBacked + ?Sized>(
    options: &Options<T>,
    path: &Path,
    how: How,
) -> Result<(Part, T::MetaData), Error> {
    let alignment = options.alignment()?;
    let misaligned = |offset| {
        fault(path, FileFault::Misaligned { type_name: type_name::<T>(), offset, alignment: alignment as u64 })
    };
    if options.foreign.is_some() && !options.offset.is_multiple_of(alignment as u64) {
        return Err(misaligned(options.offset));
    }
    let opened = mapped::open(path, &how)?;
    let part = opened.part();
    let metadata = options.described(path, opened.fingerprint(), opened.metadata(), part.len() as u64)?;
    // SAFETY: nobody writes them, by the caller and by the lock.
    let bytes = unsafe { part.bytes() };
    let address = bytes.as_ptr().addr();
    if !address.is_multiple_of(alignment) {
        return Err(misaligned((address % PAGE) as u64));
    }
    T::check(bytes, &metadata).map_err(|error| error.into_error::<T>())?;
    Ok((Part::File(opened.begin()), metadata))
}

pub(super) fn read<T: ShmemChecked + ?Sized>(options: &Options<T>, path: &Path) -> Result<Shared<T>, Error> {
    let file = Reading::open(path, &options.how(Access::Read, false))?;
    let described = options.described(path, file.fingerprint(), file.metadata(), file.len() as u64)?;
    let mut read = Ok(());
    let (part, metadata) = shared::make::<T>(Kind::Shared, file.len(), false, |data| {
        // What counts is what has been copied, whoever writes to the file meanwhile.
        read = file.read_at(0, data);
        if read.is_ok() {
            read = T::check(data, &described).map_err(|error| error.into_error::<T>());
        }
        described
    })?;
    read?;
    Ok(Shared::from_parts(part, metadata))
}

/// A draft of `len` bytes that `fill` writes.
pub(super) fn draft<T: ShmemBacked + ?Sized>(
    options: &Options<T>,
    path: &Path,
    len: usize,
    fill: impl FnOnce(&mut [u8]) -> T::MetaData,
) -> Result<Draft<T>, Error> {
    filled(options, path, len, options.making()?, |file| Ok(fill(file.bytes_mut())))
}

/// A draft of a copy of `src`.
pub(super) fn copy<T: ShmemBacked + ?Sized>(
    options: &Options<T>,
    path: &Path,
    src: &T,
    making: Making,
) -> Result<Draft<T>, Error> {
    let len = T::required_memory_src(src);
    match T::plain_bytes(src).filter(|(bytes, _)| bytes.len() == len) {
        Some((bytes, metadata)) => copy_bytes(options, path, bytes, metadata, making),
        None => filled(options, path, len, making, |file| Ok(T::new_from_src(file.bytes_mut(), src))),
    }
}

/// A draft of the value that has these bytes and metadata. The system writes them: no page is cleared first.
pub(super) fn copy_bytes<T: ShmemBacked + ?Sized>(
    options: &Options<T>,
    path: &Path,
    bytes: &[u8],
    metadata: T::MetaData,
    making: Making,
) -> Result<Draft<T>, Error> {
    let len = match &options.foreign {
        // A handle can have room behind its last element.
        Some(Foreign::Elements { raw, .. }) => raw.bytes(&metadata).min(bytes.len()),
        _ => bytes.len(),
    };
    filled(options, path, len, making, |file| file.write_at(0, &bytes[..len]).map(|()| metadata))
}

pub(super) fn filled<T: ShmemBacked + ?Sized>(
    options: &Options<T>,
    path: &Path,
    len: usize,
    making: Making,
    fill: impl FnOnce(&mut mapped::Draft) -> Result<T::MetaData, Error>,
) -> Result<Draft<T>, Error> {
    let file = mapped::Draft::new(path, len, &making);
    let mut file = file.map_err(|error| in_the_way(making.must_be_new, error))?;
    let metadata = fill(&mut file)?;
    Ok(Draft::new(options, file, metadata))
}

pub(super) fn anonymous<T: ShmemBacked + ?Sized>(options: &Options<T>, arg: &T::NewArg) -> Result<SharedMut<T>, Error> {
    alignment::<T>()?;
    let how = options.how(Access::Write, false);
    let mut part = mapped::anonymous(T::required_memory_arg(arg), T::fingerprint(), &how)?;
    // SAFETY: it is new memory of this process alone, and writable; this part is its only handle.
    let metadata = T::new(unsafe { part.bytes_mut() }, arg);
    Ok(SharedMut::from_parts(Part::File(part), metadata))
}

//! How an array gets into an `.npy` file, and out of one.

#![allow(unsafe_code)] // Bytes of a file that nobody writes meanwhile are looked at once, before there is a handle.

use std::{
    any::type_name,
    io::{self, Read},
    ops::Range,
    path::Path,
};

use bytemuck::Zeroable;
use ndarray::{Array, ArrayRef, Dimension, IntoDimension, IxDyn};

use super::{Header, NumPyElement, Order};
use crate::{
    Error, FileFault, Kind, Shared, SharedArray, SharedArrayMut, SharedMut, ShmemBacked,
    backed::{ArrayLayout, plain_array, required_memory_for, required_memory_of, write_array},
    file::{Draft, Options, making},
    mapped::{self, Access, How, Layout, Making, NewLayout, Reading},
    part::Part,
    shared,
};

impl<A, D> Options<Array<A, D>>
where
    A: NumPyElement,
    D: Dimension,
{
    /// [`npy::open`](super::open) with these options.
    ///
    /// # Errors
    ///
    /// As [`npy::open`](super::open).
    ///
    /// # Safety
    ///
    /// As for [`npy::open`](super::open).
    pub unsafe fn open_npy(&self, path: impl AsRef<Path>) -> Result<SharedArray<A, D>, Error> {
        // SAFETY: as the caller promises.
        let (part, layout) = unsafe { self.opened_npy(path.as_ref(), Access::Read) }?;
        Ok(Shared::from_parts(part, layout))
    }

    /// [`npy::open_mut`](super::open_mut) with these options.
    ///
    /// # Errors
    ///
    /// As [`npy::open`](super::open).
    ///
    /// # Safety
    ///
    /// As for [`npy::open`](super::open).
    pub unsafe fn open_npy_mut(&self, path: impl AsRef<Path>) -> Result<SharedArrayMut<A, D>, Error> {
        // SAFETY: as the caller promises.
        let (part, layout) = unsafe { self.opened_npy(path.as_ref(), Access::Write) }?;
        Ok(SharedMut::from_parts(part, layout))
    }

    /// Maps the array in an `.npy` file as [`open_private`](Self::open_private) maps a value: what is written reaches neither
    /// the file nor anybody else.
    ///
    /// # Errors
    ///
    /// As [`npy::open`](super::open).
    ///
    /// # Safety
    ///
    /// As for [`npy::open`](super::open).
    pub unsafe fn open_npy_private(&self, path: impl AsRef<Path>) -> Result<SharedArrayMut<A, D>, Error> {
        // SAFETY: as the caller promises.
        let (part, layout) = unsafe { self.opened_npy(path.as_ref(), Access::Private) }?;
        Ok(SharedMut::from_parts(part, layout))
    }

    /// [`npy::read`](super::read) with these options.
    ///
    /// # Errors
    ///
    /// As [`npy::read`](super::read).
    pub fn read_npy(&self, path: impl AsRef<Path>) -> Result<SharedArray<A, D>, Error> {
        let path = path.as_ref();
        let file = Reading::open(path, &self.how_npy(Access::Read))?;
        let (data, layout) = described::<A, D>(&mut Stream::of(&file)).map_err(|fault| making::fault(path, fault))?;
        let whole = file.len() as u64;
        if data.end > whole {
            return Err(making::fault(path, FileFault::TooShort { expected: data.end, found: whole }));
        }
        let mut read = Ok(());
        // Within the length, which is a `usize`.
        let (start, len) = (data.start as usize, (data.end - data.start) as usize);
        let (part, layout) = shared::make::<Array<A, D>>(Kind::Shared, len, false, |bytes| {
            // What counts is what has been copied, whoever writes to the file meanwhile.
            read = file.read_at(start, bytes).and_then(|()| check::<A, D>(bytes, &layout));
            layout
        })?;
        read?;
        Ok(Shared::from_parts(part, layout))
    }

    /// [`npy::write`](super::write) with these options.
    ///
    /// # Errors
    ///
    /// As [`npy::write`](super::write).
    pub fn write_npy(&self, path: impl AsRef<Path>, array: &ArrayRef<A, D>) -> Result<(), Error> {
        let path = path.as_ref();
        let written = match plain_array(array) {
            Some((bytes, layout)) => {
                let order = if layout == ArrayLayout::contiguous(array.raw_dim(), Order::C) {
                    Order::C
                } else {
                    Order::Fortran
                };
                let (options, prefix) = self.npy(path, layout.clone(), bytes.len(), order)?;
                let making = Making { layout: prefix, ..self.writing()? };
                making::copy_bytes(&options, path, bytes, layout, making)?
            }
            None => {
                let len = required_memory_of(array);
                let layout = ArrayLayout::contiguous(array.raw_dim(), Order::C);
                let (options, prefix) = self.npy(path, layout, len, Order::C)?;
                let making = Making { layout: prefix, ..self.writing()? };
                making::filled(&options, path, len, making, |file| Ok(write_array(file.bytes_mut(), array)))?
            }
        };
        Ok(written.publish()?)
    }

    /// [`npy::draft`](super::draft) with these options.
    ///
    /// # Errors
    ///
    /// As [`npy::write`](super::write).
    pub fn draft_npy(
        &self,
        path: impl AsRef<Path>,
        shape: impl IntoDimension<Dim = D>,
        order: Order,
    ) -> Result<Draft<Array<A, D>>, Error>
    where
        A: Zeroable,
    {
        let (path, dim) = (path.as_ref(), shape.into_dimension());
        let (len, layout) = (required_memory_for::<A, D>(&dim), ArrayLayout::contiguous(dim.clone(), order));
        let (options, prefix) = self.npy(path, layout.clone(), len, order)?;
        let making = Making { layout: prefix, ..self.making()? };
        // Zeroes are valid elements: that is `Zeroable`.
        making::filled(&options, path, len, making, |_| Ok(layout))
    }

    /// These options, for a file that says nothing of the value but what stands before it; and that.
    fn npy(&self, path: &Path, layout: ArrayLayout<D>, len: usize, order: Order) -> Result<(Self, NewLayout), Error> {
        let header =
            Header::of::<A>(layout.shape(), order == Order::Fortran).map_err(|fault| making::fault(path, fault))?;
        Ok((self.clone().raw_as(layout, len as u64), NewLayout::Foreign { prefix: header.format() }))
    }

    /// All of a file.
    fn how_npy(&self, access: Access) -> How {
        let layout = Layout::Foreign { offset: 0, len: None, fingerprint: Array::<A, D>::fingerprint() };
        How { layout, ..self.how(access, false) }
    }

    /// # Safety
    ///
    /// As for [`npy::open`](super::open).
    unsafe fn opened_npy(&self, path: &Path, access: Access) -> Result<(Part, ArrayLayout<D>), Error> {
        let mut opened = mapped::open(path, &self.how_npy(access))?;
        // SAFETY: nobody writes them, by the caller and by the lock.
        let mut bytes = unsafe { opened.part().bytes() };
        let (data, layout) = described::<A, D>(&mut bytes).map_err(|fault| making::fault(path, fault))?;
        let (offset, alignment) = (data.start, align_of::<A>() as u64);
        if !offset.is_multiple_of(alignment) {
            let type_name = type_name::<Array<A, D>>();
            return Err(making::fault(path, FileFault::Misaligned { type_name, offset, alignment }));
        }
        opened.narrow(data)?;
        // SAFETY: as above.
        check::<A, D>(unsafe { opened.part().bytes() }, &layout)?;
        Ok((Part::File(opened.begin()), layout))
    }
}

fn check<A: NumPyElement, D: Dimension>(bytes: &[u8], layout: &ArrayLayout<D>) -> Result<(), Error> {
    Array::<A, D>::check(bytes, layout).map_err(|error| error.into_error::<Array<A, D>>())
}

/// See [`npy::header`](super::header).
pub(super) fn header(path: &Path) -> Result<Header, Error> {
    let layout = Layout::Foreign { offset: 0, len: None, fingerprint: 0 };
    let file = Reading::open(path, &How { layout, ..How::new(Access::Read) })?;
    Header::read(&mut Stream::of(&file)).map_err(|fault| making::fault(path, fault))
}

/// Where a file has its elements, and how they lie, if they are `A`s along as many axes as `D` has.
fn described<A: NumPyElement, D: Dimension>(from: &mut impl Read) -> Result<(Range<u64>, ArrayLayout<D>), FileFault> {
    let header = Header::read(from)?;
    header.expect::<A>()?;
    let fault = |what, expected: String, found| FileFault::Npy { what, expected, found };
    let axes = header.shape.len();
    let dim = D::from_dimension(&IxDyn(&header.shape)).ok_or_else(|| {
        fault("the number of its axes", D::NDIM.unwrap_or(axes).to_string(), format!("{axes}, of {:?}", header.shape))
    })?;
    let len = header
        .data_len(size_of::<A>())
        .ok_or_else(|| fault("its shape", "one that memory has room for".to_owned(), format!("{:?}", header.shape)))?;
    let order = if header.fortran_order { Order::Fortran } else { Order::C };
    // No header is as long that this could be too much.
    Ok((header.data_offset..header.data_offset + len as u64, ArrayLayout::contiguous(dim, order)))
}

/// A file that is read from its beginning on.
struct Stream<'a> {
    file: &'a Reading,
    at: usize,
}

impl<'a> Stream<'a> {
    fn of(file: &'a Reading) -> Self {
        Stream { file, at: 0 }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = into.len().min(self.file.len() - self.at);
        self.file.read_at(self.at, &mut into[..len]).map_err(io::Error::other)?;
        self.at += len;
        Ok(len)
    }
}

//! A value in a file that nobody sees yet.

#![allow(unsafe_code)] // The bytes become a view here; and who maps a file in view answers for its strangers.

use std::{
    any::type_name,
    fmt, io,
    marker::PhantomData,
    path::{Path, PathBuf},
};

use super::{
    Options,
    making::{fault, in_the_way},
};
#[cfg(doc)]
use crate::Error;
use crate::{
    FileFault, Refused, Shared, SharedMut, ShmemBacked, ShmemView, ShmemViewMut,
    mapped::{self, Description, Then},
    metadata,
    part::Part,
};

/// A value in a file that nobody sees yet: made by [`draft`](super::draft), written through
/// [`as_view_mut`](Self::as_view_mut), and brought into view, whole, by [`publish`](Self::publish). Dropped before
/// that, it leaves nothing; and so does a process that is killed (see [what a crash
/// leaves](super#what-a-crash-leaves)).
///
/// ```
/// use commonage::file;
/// # let directory = std::env::temp_dir().join(format!("commonage-docs-draft-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("squares");
///
/// let mut squares = file::draft::<[u64]>(&path, &(0, 1000))?;
/// for (number, square) in (0..).zip(squares.as_view_mut()) {
///     *square = number * number;
/// }
/// assert!(!path.exists());
/// squares.publish()?;
/// assert_eq!(file::read::<[u64]>(&path)?[30], 900);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a draft that is dropped leaves no file"]
pub struct Draft<T: ShmemBacked + ?Sized> {
    /// Where it is; only where it was to be, once it has come into view, and then something failed.
    file: Result<mapped::Draft, PathBuf>,
    /// Made by `T` for the file's bytes, or by its views.
    metadata: T::MetaData,
    durable: bool,
    must_be_new: bool,
    /// The file says of itself what is in it.
    headed: bool,
    /// Like a `Box`, it gives out `&T`s and `&mut T`s (as views), never both.
    of: PhantomData<Box<T>>,
}

impl<T: ShmemBacked + ?Sized> Draft<T> {
    pub(super) fn new(options: &Options<T>, file: mapped::Draft, metadata: T::MetaData) -> Self {
        let Options { durable, must_be_new, .. } = *options;
        let headed = options.foreign.is_none();
        Draft { file: Ok(file), metadata, durable, must_be_new, headed, of: PhantomData }
    }

    /// Where the file will be: absolute.
    pub fn path(&self) -> &Path {
        match &self.file {
            Ok(file) => file.path(),
            Err(path) => path,
        }
    }

    fn file(&self) -> &mapped::Draft {
        match &self.file {
            Ok(file) => file,
            Err(path) => in_view(path),
        }
    }

    /// A view of the value: for slices `&[E]`, for strings `&str`, for arrays an `ArrayView`.
    ///
    /// # Panics
    ///
    /// If it has come into view: see [`publish`](Self::publish).
    #[inline]
    #[track_caller]
    pub fn as_view<'a>(&'a self) -> <T as ShmemView<'a>>::View
    where
        T: ShmemView<'a>,
    {
        // SAFETY: made by `T`, and since then written only through its views.
        unsafe { T::view_unchecked(self.file().bytes(), &self.metadata) }
    }

    /// A view of the value to write through: for slices `&mut [E]`, for strings `&mut str`, for arrays an
    /// `ArrayViewMut`.
    ///
    /// # Panics
    ///
    /// If it has come into view: see [`publish`](Self::publish).
    #[inline]
    #[track_caller]
    pub fn as_view_mut<'a>(&'a mut self) -> <T as ShmemViewMut<'a>>::View
    where
        T: ShmemViewMut<'a>,
    {
        let file = match &mut self.file {
            Ok(file) => file,
            Err(path) => in_view(path),
        };
        // SAFETY: as in `as_view`.
        unsafe { T::view_mut_unchecked(file.bytes_mut(), &mut self.metadata) }
    }

    /// Brings the file into view, whole: to the disk, under its name, in place of what had that name. Who has the old
    /// file open keeps it.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the draft as it was, and as the reason [`Error::File`] ([`FileFault::Exists`] if it [must be
    /// new](Options::must_be_new), [`FileFault::Denied`], [`FileFault::NotAFile`], [`FileFault::Locked`] as for
    /// [`write`](super::write), [`FileFault::Failed`]), [`Error::NoSpace`], [`Error::Inherited`], [`Error::Metadata`].
    /// If what fails is the last step, which brings the directory to the disk, then the file is in view, and the draft
    /// that comes back has only its [`path`](Self::path).
    pub fn publish(self) -> Result<(), Refused<Self>> {
        self.into_view(Then::Close).map(drop)
    }

    /// As [`publish`](Self::publish), and the value can be changed on: no other process gets hold of the file in
    /// between. What is written after this is in a file that is in view.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    ///
    /// # Safety
    ///
    /// As for [`create`](super::create).
    pub unsafe fn publish_mut(self) -> Result<SharedMut<T>, Refused<Self>> {
        let (part, metadata) = self.into_view(Then::Write).map(mapped)?;
        Ok(SharedMut::from_parts(Part::File(part), metadata))
    }

    /// As [`publish`](Self::publish), and the value stays here to be read: no other process gets to write the file in
    /// between.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    ///
    /// # Safety
    ///
    /// As for [`create`](super::create).
    pub unsafe fn publish_shared(self) -> Result<Shared<T>, Refused<Self>> {
        let (part, metadata) = self.into_view(Then::Read).map(mapped)?;
        Ok(Shared::from_parts(Part::File(part), metadata))
    }

    /// Brings it into view; the part, unless it is closed, and the metadata.
    fn into_view(self, then: Then) -> Result<(Option<mapped::Part>, T::MetaData), Refused<Self>> {
        let described = if self.headed { metadata::encode::<T>(&self.metadata) } else { Ok(Vec::new()) };
        let bytes = match described {
            Ok(bytes) => bytes,
            Err(reason) => return Err(Refused { handle: self, reason }),
        };
        let Draft { file, metadata, durable, must_be_new, headed, of } = self;
        let file = match file {
            Ok(file) => file,
            Err(path) => {
                let source = io::Error::other("the draft has come into view before");
                let reason = fault(&path, FileFault::Failed { operation: "publish", source });
                let handle = Draft { file: Err(path), metadata, durable, must_be_new, headed, of };
                return Err(Refused { handle, reason });
            }
        };
        let path = file.path().to_owned();
        match file.publish(Description { fingerprint: T::fingerprint(), metadata: &bytes }, durable, then) {
            Ok(part) => Ok((part, metadata)),
            Err((file, reason)) => {
                let handle = Draft { file: file.ok_or(path), metadata, durable, must_be_new, headed, of };
                Err(Refused { handle, reason: in_the_way(must_be_new, reason) })
            }
        }
    }
}

#[cold]
#[track_caller]
fn in_view(path: &Path) -> ! {
    panic!("this draft has come into view as {}, and is none any more", path.display())
}

/// What was not closed has a part.
fn mapped<M>((part, metadata): (Option<mapped::Part>, M)) -> (mapped::Part, M) {
    match part {
        Some(part) => (part, metadata),
        None => unreachable!("what is not closed has a part"),
    }
}

/// The type and where the value will be, not what: that needs no bound on `T`.
impl<T: ShmemBacked + ?Sized> fmt::Debug for Draft<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("type", &format_args!("{}", type_name::<T>()))
            .field("path", &self.path())
            .field("bytes", &self.file.as_ref().map_or(0, |file| file.bytes().len()))
            .finish()
    }
}

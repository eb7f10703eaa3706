//! Files that hold a value and nothing that says so.

use bytemuck::{CheckedBitPattern, NoUninit};

use super::Options;
#[cfg(doc)]
use crate::FileFault;
use crate::{ShmemBacked, raw::Raw};

/// What nothing in the file says.
pub(super) enum Foreign<M> {
    /// All from the offset on, or so many bytes, are elements of this alignment.
    Elements { raw: Raw<M>, alignment: usize, len: Option<u64> },
    /// So many bytes are a value with these metadata.
    Value { metadata: M, len: u64 },
}

impl<M> Foreign<M> {
    /// Bytes of the value, if that does not depend on the file.
    pub(super) fn len(&self) -> Option<u64> {
        match self {
            Foreign::Elements { len, .. } => *len,
            Foreign::Value { len, .. } => Some(*len),
        }
    }
}

impl<M: Clone> Clone for Foreign<M> {
    fn clone(&self) -> Self {
        match self {
            Foreign::Elements { raw, alignment, len } => {
                Foreign::Elements { raw: *raw, alignment: *alignment, len: *len }
            }
            Foreign::Value { metadata, len } => Foreign::Value { metadata: metadata.clone(), len: *len },
        }
    }
}

impl<E: NoUninit + CheckedBitPattern> Options<[E]> {
    /// Files that hold the elements, from offset 0 or from [`offset`](Self::offset) on to their end or for
    /// [`length`](Self::length) bytes, and nothing that says so: those of programs that don't use this crate, in
    /// whatever language. How many elements there are follows from the length; what they are is told by no one: who
    /// makes such a file and who opens it have to agree on that, byte order included.
    ///
    /// All functions that make a file make such a one then, which holds the elements alone; and all that open one open
    /// such a one. What the header would say is not checked then, nor that its writer had finished. If the length is
    /// not that of whole elements, that is [`FileFault::NotWholeElements`]; so is any of elements that have no size.
    ///
    /// ```
    /// use commonage::file;
    /// # let directory = std::env::temp_dir().join(format!("commonage-docs-raw-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("samples.f32");
    /// std::fs::write(&path, [1.0f32, 2.5, -1.0].map(f32::to_ne_bytes).as_flattened())?; // by any program
    ///
    /// // SAFETY: nobody changes the file; any bytes are numbers.
    /// let samples = unsafe { file::options::<[f32]>().raw().open(&path) }?;
    /// assert_eq!(samples, [1.0, 2.5, -1.0]);
    /// # drop(samples);
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn raw(mut self) -> Self {
        let (raw, alignment) = (Raw::of_elements(size_of::<E>()), align_of::<E>());
        self.foreign = Some(Foreign::Elements { raw, alignment, len: None });
        self
    }
}

impl Options<str> {
    /// Files that hold the text, from offset 0 or from [`offset`](Self::offset) on to their end or for
    /// [`length`](Self::length) bytes, and nothing that says so: text files.
    ///
    /// All functions that make a file make such a one then, which holds the text alone; and all that open one open such
    /// a one. Text that is not UTF-8 is [`Error::Content`](crate::Error::Content).
    ///
    /// ```
    /// use commonage::file;
    /// # let directory = std::env::temp_dir().join(format!("commonage-docs-text-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("notes.txt");
    /// file::options::<str>().raw().write(&path, "for any editor\n")?;
    /// assert_eq!(std::fs::read_to_string(&path)?, "for any editor\n");
    ///
    /// // SAFETY: nobody changes the file.
    /// let notes = unsafe { file::options::<str>().raw().offset(4).length(3).open(&path) }?;
    /// assert_eq!(&*notes, "any");
    /// # drop(notes);
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn raw(mut self) -> Self {
        self.foreign = Some(Foreign::Elements { raw: Raw::of_elements(1), alignment: 1, len: None });
        self
    }
}

impl<T: ShmemBacked + ?Sized> Options<T> {
    /// Files that hold a value of `length` bytes, from offset 0 or from [`offset`](Self::offset) on, and nothing that
    /// says so; the metadata come from elsewhere. For slices and strings, whose metadata follow from the length, there
    /// is `raw`.
    ///
    /// All functions that make a file make such a one then, which holds the value's bytes alone; its metadata are for
    /// the caller to keep.
    ///
    /// ```
    /// use commonage::{Value, file};
    /// # let directory = std::env::temp_dir().join(format!("commonage-docs-raw-as-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("point");
    /// std::fs::write(&path, [7, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3])?;
    ///
    /// // SAFETY: nobody changes the file; any eight bytes are a number.
    /// let value = unsafe { file::options::<Value<u64>>().raw_as((), 8).open(&path) }?;
    /// assert_eq!(u64::from_le(*value.as_view()), 7);
    /// # drop(value);
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn raw_as(mut self, metadata: T::MetaData, length: u64) -> Self {
        self.foreign = Some(Foreign::Value { metadata, len: length });
        self
    }

    /// Where in a file without a header the value begins, in bytes. For what is mapped it has to be a multiple of the
    /// alignment, of the element or of the type, else it is [`FileFault::Misaligned`]; [`read`](Self::read) copies from
    /// anywhere. No effect on what is made, nor on files that have a header.
    #[must_use]
    pub fn offset(mut self, bytes: u64) -> Self {
        self.offset = bytes;
        self
    }

    /// How many bytes of a file without a header the value has: said after `raw`. If there are fewer,
    /// [`FileFault::TooShort`]. No effect on what is made, nor on files that have a header, nor after
    /// [`raw_as`](Self::raw_as), which has a length.
    #[must_use]
    pub fn length(mut self, bytes: u64) -> Self {
        if let Some(Foreign::Elements { len, .. }) = &mut self.foreign {
            *len = Some(bytes);
        }
        self
    }
}

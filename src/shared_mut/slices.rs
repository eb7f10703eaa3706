//! What handles on slices and strings have besides: they look like what they hold, also to write.

use std::{
    borrow::{Borrow, BorrowMut},
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    ops::{Deref, DerefMut},
    slice,
};

use bytemuck::{CheckedBitPattern, NoUninit, Zeroable};

use super::SharedMut;
use crate::{
    Error, Kind, Shared, ShmemBacked,
    shared::{looks_like, made_by, made_of, make},
};

looks_like!([E: NoUninit + CheckedBitPattern] SharedMut<[E]>, [E], Vec<E>);
looks_like!([] SharedMut<str>, str, String);

looks_like!(@compare [E: NoUninit + CheckedBitPattern] SharedMut<[E]>, Shared<[E]>, [E]);
looks_like!(@compare [E: NoUninit + CheckedBitPattern] Shared<[E]>, SharedMut<[E]>, [E]);
looks_like!(@compare [] SharedMut<str>, Shared<str>, str);
looks_like!(@compare [] Shared<str>, SharedMut<str>, str);

/// [`looks_like`], to write.
macro_rules! looks_like_mut {
    ([$($generics:tt)*] $wrapper:ty, $target:ty) => {
        impl<$($generics)*> DerefMut for $wrapper {
            #[inline]
            #[track_caller]
            fn deref_mut(&mut self) -> &mut $target {
                self.as_view_mut()
            }
        }

        impl<$($generics)*> AsMut<$target> for $wrapper {
            fn as_mut(&mut self) -> &mut $target {
                self
            }
        }

        impl<$($generics)*> BorrowMut<$target> for $wrapper {
            fn borrow_mut(&mut self) -> &mut $target {
                self
            }
        }
    };
}

looks_like_mut!([E: NoUninit + CheckedBitPattern] SharedMut<[E]>, [E]);
looks_like_mut!([] SharedMut<str>, str);

impl<E: NoUninit + CheckedBitPattern + PartialEq, const N: usize> PartialEq<[E; N]> for SharedMut<[E]> {
    fn eq(&self, other: &[E; N]) -> bool {
        **self == *other
    }
}

impl<'a, E: NoUninit + CheckedBitPattern> IntoIterator for &'a SharedMut<[E]> {
    type Item = &'a E;
    type IntoIter = slice::Iter<'a, E>;

    fn into_iter(self) -> slice::Iter<'a, E> {
        self.iter()
    }
}

impl<'a, E: NoUninit + CheckedBitPattern> IntoIterator for &'a mut SharedMut<[E]> {
    type Item = &'a mut E;
    type IntoIter = slice::IterMut<'a, E>;

    fn into_iter(self) -> slice::IterMut<'a, E> {
        self.iter_mut()
    }
}

impl fmt::Display for SharedMut<str> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<E: NoUninit + CheckedBitPattern> SharedMut<[E]> {
    /// The slice of `len` elements whose elements `f` makes of their indices, in order. Each is written where it stays: no
    /// zeros before, no copy after. If `f` panics, the memory is given back.
    ///
    /// ```
    /// use commonage::SharedSliceMut;
    /// let squares = SharedSliceMut::from_fn(1000, |index| (index * index) as u64)?;
    /// assert_eq!(squares[30], 900);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_fn(len: usize, f: impl FnMut(usize) -> E) -> Result<Self, Error> {
        let (part, len) = made_by(Kind::SharedMut, len, f)?;
        Ok(Self::from_parts(part, len))
    }

    /// The slice of what an iterator gives that knows how much that is. Each element is written where it stays. (Of an
    /// iterator that does not know, collect a `Vec` first.)
    ///
    /// One that is wrong about its length gives a slice of the elements that came, and of no more than it had promised.
    /// If it panics, the memory is given back.
    ///
    /// ```
    /// use commonage::SharedSliceMut;
    /// let lengths = SharedSliceMut::from_exact_iter(["one", "three", "five"].iter().map(|word| word.len()))?;
    /// assert_eq!(lengths, [3, 5, 4]);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_exact_iter<I>(elements: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item = E, IntoIter: ExactSizeIterator>,
    {
        let (part, len) = made_of(Kind::SharedMut, elements.into_iter())?;
        Ok(Self::from_parts(part, len))
    }
}

impl<E: NoUninit + CheckedBitPattern + Zeroable> SharedMut<[E]> {
    /// A slice of `len` zeros. Memory that comes fresh from the system is zero and is not touched.
    ///
    /// ```
    /// use commonage::SharedSliceMut;
    /// let zeros: SharedSliceMut<f32> = SharedSliceMut::zeroed(1_000_000)?;
    /// assert!(zeros.iter().all(|&zero| zero == 0.0));
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn zeroed(len: usize) -> Result<Self, Error> {
        let bytes = <[E]>::required_memory_arg(&(E::zeroed(), len));
        // Zeros are valid elements: that is `Zeroable`.
        let (part, metadata) = make::<[E]>(Kind::SharedMut, bytes, true, |_| len)?;
        Ok(Self::from_parts(part, metadata))
    }
}

//! What handles on slices and strings have besides: they look like what they hold, and have parts.

use std::{
    borrow::Borrow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    ops::{Bound, Deref, Range, RangeBounds},
    slice,
};

use bytemuck::{CheckedBitPattern, NoUninit};

use super::{Shared, made_by, made_of};
use crate::{Error, Kind};

/// Makes `$wrapper` look like the `$target` that it holds: dereferenced, borrowed, compared, ordered and hashed like it, and
/// compared with it and with what std keeps it in (`$owned`).
macro_rules! looks_like {
    ([$($generics:tt)*] $wrapper:ty, $target:ty, $owned:ty) => {
        impl<$($generics)*> Deref for $wrapper {
            type Target = $target;

            #[inline]
            fn deref(&self) -> &$target {
                self.as_view()
            }
        }

        impl<$($generics)*> AsRef<$target> for $wrapper {
            fn as_ref(&self) -> &$target {
                self
            }
        }

        impl<$($generics)*> Borrow<$target> for $wrapper {
            fn borrow(&self) -> &$target {
                self
            }
        }

        #[allow(trivial_bounds)]
        impl<$($generics)*> Eq for $wrapper where $target: Eq {}

        #[allow(trivial_bounds)]
        impl<$($generics)*> Ord for $wrapper
        where
            $target: Ord,
        {
            fn cmp(&self, other: &Self) -> Ordering {
                (**self).cmp(&**other)
            }
        }

        #[allow(trivial_bounds)]
        impl<$($generics)*> Hash for $wrapper
        where
            $target: Hash,
        {
            fn hash<H: Hasher>(&self, state: &mut H) {
                (**self).hash(state);
            }
        }

        $crate::shared::looks_like!(@compare [$($generics)*] $wrapper, $wrapper, $target);
        $crate::shared::looks_like!(@compare [$($generics)*] $wrapper, $target, $target);
        $crate::shared::looks_like!(@compare [$($generics)*] $target, $wrapper, $target);
        $crate::shared::looks_like!(@compare [$($generics)*] $wrapper, &$target, $target);
        $crate::shared::looks_like!(@compare [$($generics)*] &$target, $wrapper, $target);
        $crate::shared::looks_like!(@compare [$($generics)*] $wrapper, $owned, $target);
        $crate::shared::looks_like!(@compare [$($generics)*] $owned, $wrapper, $target);
    };
    (@compare [$($generics:tt)*] $left:ty, $right:ty, $target:ty) => {
        #[allow(trivial_bounds)]
        impl<$($generics)*> PartialEq<$right> for $left
        where
            $target: PartialEq,
        {
            fn eq(&self, other: &$right) -> bool {
                let (left, right): (&$target, &$target) = (self, other);
                left == right
            }
        }

        // One macro for elements that are `Ord` and for those that are only `PartialOrd`.
        #[allow(trivial_bounds, clippy::non_canonical_partial_ord_impl)]
        impl<$($generics)*> PartialOrd<$right> for $left
        where
            $target: PartialOrd,
        {
            fn partial_cmp(&self, other: &$right) -> Option<Ordering> {
                let (left, right): (&$target, &$target) = (self, other);
                left.partial_cmp(right)
            }
        }
    };
}
pub(crate) use looks_like;

looks_like!([E: NoUninit + CheckedBitPattern] Shared<[E]>, [E], Vec<E>);
looks_like!([] Shared<str>, str, String);

impl<E: NoUninit + CheckedBitPattern + PartialEq, const N: usize> PartialEq<[E; N]> for Shared<[E]> {
    fn eq(&self, other: &[E; N]) -> bool {
        **self == *other
    }
}

impl<'a, E: NoUninit + CheckedBitPattern> IntoIterator for &'a Shared<[E]> {
    type Item = &'a E;
    type IntoIter = slice::Iter<'a, E>;

    fn into_iter(self) -> slice::Iter<'a, E> {
        self.iter()
    }
}

impl fmt::Display for Shared<str> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<E: NoUninit + CheckedBitPattern> Shared<[E]> {
    /// The slice of `len` elements whose elements `f` makes of their indices, in order. Each is written where it stays: no
    /// zeros before, no copy after. If `f` panics, the memory is given back.
    ///
    /// ```
    /// use commonage::SharedSlice;
    /// let squares = SharedSlice::from_fn(1000, |index| (index * index) as u64)?;
    /// assert_eq!(squares[30], 900);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_fn(len: usize, f: impl FnMut(usize) -> E) -> Result<Self, Error> {
        let (part, len) = made_by(Kind::Shared, len, f)?;
        Ok(Self::from_parts(part, len))
    }

    /// The slice of what an iterator gives that knows how much that is. Each element is written where it stays. (Of an
    /// iterator that does not know, collect a `Vec` first.)
    ///
    /// One that is wrong about its length gives a slice of the elements that came, and of no more than it had promised.
    /// If it panics, the memory is given back.
    ///
    /// ```
    /// use commonage::SharedSlice;
    /// let lengths = SharedSlice::from_exact_iter(["one", "three", "five"].iter().map(|word| word.len()))?;
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
        let (part, len) = made_of(Kind::Shared, elements.into_iter())?;
        Ok(Self::from_parts(part, len))
    }

    /// A handle on the elements `range`. Nothing is copied, and the part keeps the whole block alive.
    ///
    /// ```
    /// use commonage::SharedSlice;
    /// let all: SharedSlice<u16> = SharedSlice::copy_from(&[1, 2, 3, 4])?;
    /// let middle = all.slice(1..3);
    /// drop(all);
    /// assert_eq!(*middle, [2, 3]);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If the range does not lie within the slice.
    #[track_caller]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let range = resolve(range, self.len());
        let bytes = range.start * size_of::<E>();
        Self::from_parts(self.part.slice(bytes, range.len() * size_of::<E>()), range.len())
    }
}

impl Shared<str> {
    /// A handle on the bytes `range`. Nothing is copied, and the part keeps the whole block alive.
    ///
    /// ```
    /// use commonage::SharedStr;
    /// let line = SharedStr::copy_from("key=value")?;
    /// let value = line.slice(4..);
    /// assert_eq!(&*value, "value");
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If the range does not lie within the string, or begins or ends within a character.
    #[track_caller]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let range = resolve(range, self.len());
        for end in [range.start, range.end] {
            assert!(self.is_char_boundary(end), "byte {end} is within a character");
        }
        Self::from_parts(self.part.slice(range.start, range.len()), range.len())
    }
}

/// The range that `range` means in something of length `len`.
///
/// # Panics
///
/// If it does not lie within.
#[track_caller]
pub(super) fn resolve(range: impl RangeBounds<usize>, len: usize) -> Range<usize> {
    // A bound at the end of all numbers lies within nothing.
    let start = match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&last) => last.saturating_add(1),
        Bound::Excluded(&end) => end,
        Bound::Unbounded => len,
    };
    assert!(start <= end && end <= len, "the range {start}..{end} does not lie within a length of {len}");
    start..end
}

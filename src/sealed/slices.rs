//! What sealed slices and strings have besides: they look like what they hold.

use std::{
    borrow::Borrow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    slice,
};

use bytemuck::{CheckedBitPattern, NoUninit};

use super::Sealed;
use crate::shared::looks_like;

looks_like!([E: NoUninit + CheckedBitPattern] Sealed<[E]>, [E], Vec<E>);
looks_like!([] Sealed<str>, str, String);

impl<E: NoUninit + CheckedBitPattern + PartialEq, const N: usize> PartialEq<[E; N]> for Sealed<[E]> {
    fn eq(&self, other: &[E; N]) -> bool {
        **self == *other
    }
}

impl<'a, E: NoUninit + CheckedBitPattern> IntoIterator for &'a Sealed<[E]> {
    type Item = &'a E;
    type IntoIter = slice::Iter<'a, E>;

    fn into_iter(self) -> slice::Iter<'a, E> {
        self.iter()
    }
}

impl fmt::Display for Sealed<str> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

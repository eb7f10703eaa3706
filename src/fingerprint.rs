//! Fingerprints: numbers that tell types apart, the same in every process.

use std::any::type_name;

/// The fingerprint of a type with this name, size and alignment, for implementations of
/// [`ShmemBacked::fingerprint`](crate::ShmemBacked::fingerprint) and [`Shareable::FINGERPRINT`](crate::Shareable::FINGERPRINT):
/// a type that keeps its name and size but changes its meaning can put a version into the name.
///
/// It does not depend on the machine, the compiler or the version of this crate.
///
/// ```
/// use commonage::backed::fingerprint_of;
/// assert_eq!(fingerprint_of("tile, version 1", 8, 4), fingerprint_of("tile, version 1", 8, 4));
/// assert_ne!(fingerprint_of("tile, version 1", 8, 4), fingerprint_of("tile, version 2", 8, 4));
/// ```
#[inline]
pub const fn fingerprint_of(name: &str, size: usize, align: usize) -> u64 {
    fingerprint_with(b"custom  ", name, size, align, 0)
}

/// The fingerprint of a `repr(C)` struct: of its name, size and alignment, and of the name, fingerprint and offset of each
/// field, in order. It is what [`shareable!`](crate::shareable) uses, for [`Shareable::FINGERPRINT`](crate::Shareable::FINGERPRINT)
/// of a struct that is made so by hand.
///
/// ```
/// use commonage::fingerprint_of_struct;
/// let order = fingerprint_of_struct("Range", 8, 4, &[("low", 1, 0), ("high", 1, 4)]);
/// assert_ne!(order, fingerprint_of_struct("Range", 8, 4, &[("high", 1, 0), ("low", 1, 4)]));
/// ```
pub const fn fingerprint_of_struct(name: &str, size: usize, align: usize, fields: &[(&str, u64, usize)]) -> u64 {
    let mut state = fingerprint_with(b"struct  ", name, size, align, fields.len() as u64);
    let mut at = 0;
    while at < fields.len() {
        let (field, fingerprint, offset) = fields[at];
        state = fingerprint_with(b"field   ", field, offset, 0, mix(state, fingerprint));
        at += 1;
    }
    state
}

/// The fingerprint of a family of types with elements `T`.
#[inline(always)]
pub(crate) fn fingerprint_of_family<T>(family: &[u8; 8], more: u64) -> u64 {
    fingerprint_with(family, type_name::<T>(), size_of::<T>(), align_of::<T>(), more)
}

/// The fingerprint of a family of types, of its element, and of one more number.
///
/// It has to tell types apart, not to withstand anybody, and it is asked for at each make and claim: so each eight bytes
/// are mixed in by one multiplication, and where the compiler knows the name it can do all of that itself.
#[inline(always)]
pub(crate) const fn fingerprint_with(family: &[u8; 8], name: &str, size: usize, align: usize, more: u64) -> u64 {
    let mut state = mix(0x636f_6d6d_6f6e_6167, u64::from_le_bytes(*family));
    state = mix(state, size as u64);
    state = mix(state, align as u64);
    state = mix(state, more);
    // The length of the name comes before it, so that no two names are the same words.
    state = mix(state, name.len() as u64);
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    let mut at = 0;
    while at < words.len() {
        state = mix(state, u64::from_le_bytes(words[at]));
        at += 1;
    }
    let mut last = 0;
    let mut at = 0;
    while at < rest.len() {
        last |= (rest[at] as u64) << (8 * at);
        at += 1;
    }
    mix(state, last)
}

/// Both halves of a product with a number without a pattern, so that each bit of `state` and `word` reaches many.
#[inline(always)]
const fn mix(state: u64, word: u64) -> u64 {
    let product = (state.rotate_left(23) ^ word) as u128 * 0x9e37_79b9_7f4a_7c15;
    product as u64 ^ (product >> 64) as u64
}

//! Types of elements.
#![allow(unsafe_code)] // Implementations of an unsafe trait: what a type is to NumPy.

use bytemuck::{CheckedBitPattern, NoUninit};

/// A type of elements that NumPy has too: as large, and a value has the same bytes.
///
/// | here | there |
/// |---|---|
/// | `bool` | `numpy.bool` |
/// | `i8` `i16` `i32` `i64` | `numpy.int8` … `numpy.int64` |
/// | `u8` `u16` `u32` `u64` | `numpy.uint8` … `numpy.uint64` |
/// | `f32` `f64` | `numpy.float32` `numpy.float64` |
/// | `half::f16`, with the feature `half` | `numpy.float16` |
/// | `num_complex::Complex` of `f32` and `f64`, with the feature `complex` | `numpy.complex64` `numpy.complex128` |
///
/// ```
/// use commonage::NumPyElement;
/// assert_eq!((f64::DTYPE, u8::DTYPE, bool::DTYPE), ("<f8", "|u1", "|b1"));
/// ```
///
/// # Safety
///
/// NumPy's type `DTYPE` has the size of `Self`, and whatever is a value of `Self` is, byte by byte, one of that type.
pub unsafe trait NumPyElement: NoUninit + CheckedBitPattern {
    /// NumPy's name of the type, as in the attribute `str` of a `numpy.dtype`: the order of the bytes (`<`: little-endian,
    /// this machine's; `|`: there is only one), a letter for the kind, and the size in bytes.
    const DTYPE: &'static str;
}

macro_rules! elements {
    ($($(#[$feature:meta])? $element:ty: $dtype:literal,)*) => {$(
        $(#[$feature])?
        // SAFETY: NumPy's type with this name has the same size and representation: integers in two's complement, IEEE 754
        // numbers, a byte 0 or 1 for a boolean, real part before imaginary part for complex numbers; in the order of bytes
        // that it begins with, which is this machine's.
        unsafe impl NumPyElement for $element {
            const DTYPE: &'static str = $dtype;
        }
    )*};
}

const _: () = assert!(cfg!(target_endian = "little"), "the names of the types say that the machine is little-endian");

elements! {
    bool: "|b1",
    i8: "|i1",
    i16: "<i2",
    i32: "<i4",
    i64: "<i8",
    u8: "|u1",
    u16: "<u2",
    u32: "<u4",
    u64: "<u8",
    f32: "<f4",
    f64: "<f8",
    #[cfg(feature = "half")] half::f16: "<f2",
    #[cfg(feature = "complex")] num_complex::Complex<f32>: "<c8",
    #[cfg(feature = "complex")] num_complex::Complex<f64>: "<c16",
}

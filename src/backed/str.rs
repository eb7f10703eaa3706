//! `str`: its UTF-8 bytes; the metadata is their number.

// Bytes become text here: UTF-8 is checked by `check`, and the unsafe blocks cite it.
#![allow(unsafe_code)]

use std::str;

use super::{
    CheckError, ShmemBacked, ShmemChecked, ShmemView, ShmemViewMut,
    slice::{fits, write_elements},
};
use crate::fingerprint::fingerprint_with;

// SAFETY: `new` and `new_from_src` write as many bytes as the metadata says (or panic), which is what `required_memory_*`
// asked room for, and they are UTF-8; `check` accepts nothing else; a `&mut str` can be changed to nothing else.
unsafe impl ShmemBacked for str {
    /// The text.
    type NewArg = str;
    /// The number of bytes.
    type MetaData = usize;

    const NEEDS_ZEROED: bool = false;

    fn required_memory_arg(arg: &str) -> usize {
        arg.len()
    }

    fn required_memory_src(src: &str) -> usize {
        src.len()
    }

    /// # Panics
    ///
    /// If `data` is shorter than `arg`.
    fn new(data: &mut [u8], arg: &str) -> usize {
        Self::new_from_src(data, arg)
    }

    /// # Panics
    ///
    /// If `data` is shorter than `src`.
    fn new_from_src(data: &mut [u8], src: &str) -> usize {
        write_elements(data, src.as_bytes());
        src.len()
    }

    fn plain_bytes(src: &Self) -> Option<(&[u8], usize)> {
        Some((src.as_bytes(), src.len()))
    }

    fn check(data: &[u8], len: &usize) -> Result<(), CheckError> {
        fits::<u8>(data, *len)?;
        match str::from_utf8(&data[..*len]) {
            Ok(_) => Ok(()),
            Err(error) => Err(CheckError::content(error.to_string())),
        }
    }

    fn fingerprint() -> u64 {
        fingerprint_with(b"str     ", "", 1, 1, 0)
    }
}

// SAFETY: `check` accepts only a number of bytes within the data, and only UTF-8.
unsafe impl ShmemChecked for str {}

impl<'a> ShmemView<'a> for str {
    type View = &'a str;

    /// # Panics
    ///
    /// If [`check`](ShmemBacked::check) refuses: `data` is too short or not UTF-8.
    fn view(data: &'a [u8], len: &'a usize) -> &'a str {
        if let Err(error) = Self::check(data, len) {
            error.refuse::<Self>()
        }
        // SAFETY: `check` has accepted.
        unsafe { Self::view_unchecked(data, len) }
    }

    #[inline]
    unsafe fn view_unchecked(data: &'a [u8], len: &'a usize) -> &'a str {
        // SAFETY: the caller says that `new` made these or `check` accepted them: `len` bytes of UTF-8.
        unsafe { str::from_utf8_unchecked(&data[..*len]) }
    }
}

impl<'a> ShmemViewMut<'a> for str {
    type View = &'a mut str;

    /// # Panics
    ///
    /// If [`check`](ShmemBacked::check) refuses: `data` is too short or not UTF-8.
    fn view_mut(data: &'a mut [u8], len: &'a mut usize) -> &'a mut str {
        if let Err(error) = Self::check(data, len) {
            error.refuse::<Self>()
        }
        // SAFETY: `check` has accepted.
        unsafe { Self::view_mut_unchecked(data, len) }
    }

    #[inline]
    unsafe fn view_mut_unchecked(data: &'a mut [u8], len: &'a mut usize) -> &'a mut str {
        // SAFETY: as in `view_unchecked`.
        unsafe { str::from_utf8_unchecked_mut(&mut data[..*len]) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::backed::tests::{Buffer, assert_travels, copy_of, made_from, panic_of};

    #[test]
    fn text_comes_back() {
        for text in ["", "a", "commonage", "§ and ∞ and 🐑"] {
            let (buffer, len) = made_from::<str>(text);
            assert_eq!(str::view(buffer.bytes(), &len), text);
            let (mut buffer, mut len) = copy_of(text);
            assert_eq!(len, text.len());
            assert_travels::<str>(&len);
            // SAFETY: made by `new_from_src`.
            assert_eq!(unsafe { str::view_unchecked(buffer.bytes(), &len) }, text);
            str::view_mut(buffer.bytes_mut(), &mut len).make_ascii_uppercase();
            // SAFETY: made by `new_from_src`, and written to through a view.
            let view = unsafe { str::view_mut_unchecked(buffer.bytes_mut(), &mut len) };
            assert_eq!(*view, *text.to_ascii_uppercase());
        }
    }

    #[test]
    fn what_is_not_text_is_refused() {
        let mut buffer = Buffer::of("a§".as_bytes());
        assert_eq!(str::view(buffer.bytes(), &1), "a");
        assert!(matches!(
            str::check(buffer.bytes(), &2).unwrap_err().into_error::<str>(),
            crate::Error::Content { type_name: "str", .. }
        ));
        assert!(matches!(
            str::check(buffer.bytes(), &4).unwrap_err().into_error::<str>(),
            crate::Error::Metadata { type_name: "str", .. }
        ));
        assert!(str::check(buffer.bytes(), &usize::MAX).is_err());
        assert!(panic_of(|| str::view(buffer.bytes(), &2)).contains("utf-8"));
        assert!(panic_of(|| str::view_mut(buffer.bytes_mut(), &mut 2).len()).contains("utf-8"));
        assert!(panic_of(|| str::view(buffer.bytes(), &4)).contains("do not fit"));
        assert!(panic_of(|| str::new(buffer.bytes_mut(), "abcd")).contains("do not fit"));
    }

    proptest! {
        #[test]
        fn what_check_accepts_is_text(
            bytes in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..32),
                any::<String>().prop_map(String::into_bytes),
            ],
            len in prop_oneof![0usize..64, any::<usize>()],
        ) {
            match bytes.get(..len).map(str::from_utf8) {
                Some(Ok(text)) => {
                    prop_assert_eq!(str::check(&bytes, &len), Ok(()));
                    prop_assert_eq!(str::view(&bytes, &len), text);
                }
                _ => prop_assert!(str::check(&bytes, &len).is_err()),
            }
        }
    }
}

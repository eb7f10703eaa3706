//! Shared slices and strings as `Bytes`.

use ::bytes::Bytes;
use bytemuck::{CheckedBitPattern, NoUninit};

use crate::Shared;

/// A slice whose bytes a `Bytes` shows.
struct Owner<E: NoUninit + CheckedBitPattern>(Shared<[E]>);

impl<E: NoUninit + CheckedBitPattern> AsRef<[u8]> for Owner<E> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

impl<E: NoUninit + CheckedBitPattern + Send + Sync> Shared<[E]> {
    /// The bytes of the elements as a [`Bytes`], with the feature `bytes`. Nothing is copied: they lie where the slice lies,
    /// and the handle is dropped with the last `Bytes` on any of them.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use commonage::SharedSlice;
    ///
    /// let samples: SharedSlice<f32> = SharedSlice::copy_from(&[1.0, 2.0, 3.0])?;
    /// let bytes: Bytes = samples.clone().into_bytes();
    /// assert_eq!(bytes.as_ptr(), samples.as_ptr().cast());
    /// assert_eq!(bytes.slice(4..8)[..], 2.0_f32.to_ne_bytes());
    /// # Ok::<(), commonage::Error>(())
    /// ```
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(Owner(self))
    }
}

/// [`Shared::into_bytes`].
///
/// ```
/// use bytes::Bytes;
/// use commonage::Shared;
///
/// let token = Shared::<[u8]>::copy_from(b"head, body")?.into_token()?;
/// let received = Bytes::from(Shared::<[u8]>::from_token(&token)?); // in any process; no copy
/// assert_eq!(received.slice(6..), "body");
/// # Ok::<(), commonage::Error>(())
/// ```
impl From<Shared<[u8]>> for Bytes {
    fn from(shared: Shared<[u8]>) -> Bytes {
        shared.into_bytes()
    }
}

/// The bytes of the text, as [`Shared::into_bytes`].
///
/// ```
/// use bytes::Bytes;
/// use commonage::SharedStr;
///
/// let text = SharedStr::copy_from("of UTF-8")?;
/// assert_eq!(Bytes::from(text), "of UTF-8");
/// # Ok::<(), commonage::Error>(())
/// ```
impl From<Shared<str>> for Bytes {
    fn from(shared: Shared<str>) -> Bytes {
        Bytes::from_owner(Text(shared))
    }
}

/// A string whose bytes a `Bytes` shows.
struct Text(Shared<str>);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

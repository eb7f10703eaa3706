//! The types of what is sent and claimed.

use commonage::{
    Error, Shared, SharedMut, ShmemBacked, ShmemView, Ticket, Value,
    bytemuck::{CheckedBitPattern, NoUninit, bytes_of, cast_slice, checked},
};
use ndarray::{Array, ArrayView, Dimension, IntoDimension, Ix1, Ix2, Ix3, IxDyn};
use serde::{Deserialize, Deserializer};

/// A type, with values that any bytes can be made into.
pub trait Subject: ShmemBacked + for<'a> ShmemView<'a> + 'static {
    /// Calls `then` with the value that `content` stands for, and with the bytes that it has in memory.
    fn with<R>(content: &[u8], then: impl FnOnce(&Self, Vec<u8>) -> R) -> R;

    /// Each run of bytes that a view shows.
    fn runs<'a>(view: <Self as ShmemView<'a>>::View, each: &mut dyn FnMut(&[u8]));
}

/// An element of which there is one for each byte.
pub trait Element: NoUninit + CheckedBitPattern {
    fn of(byte: u8) -> Self;
}

macro_rules! element {
    ($($type:ty: $of:expr),*) => {
        $(impl Element for $type {
            fn of(byte: u8) -> Self {
                let of: fn(u8) -> Self = $of;
                of(byte)
            }
        })*
    };
}

element!(u8: |byte| byte, u16: |byte| u16::from(byte) * 0x0101, u32: |byte| u32::from(byte) * 0x0101_0101);
element!(bool: |byte| byte & 1 == 1, char: |byte| char::from_u32(u32::from(byte) << 12).unwrap_or('?'));
element!([u32; 4]: |byte| [0, 1, 2, 3].map(|n| u32::from(byte) << n));

/// The bytes of elements; each must be one, and aligned.
fn checked<E: Element>(bytes: &[u8]) -> &[u8] {
    assert!(checked::try_cast_slice::<_, E>(bytes).is_ok(), "they are elements");
    bytes
}

fn elements<E: Element>(content: &[u8]) -> Vec<E> {
    content.iter().copied().map(E::of).collect()
}

impl<E: Element> Subject for [E]
where
    [E]: for<'a> ShmemView<'a, View = &'a [E]>,
{
    fn with<R>(content: &[u8], then: impl FnOnce(&Self, Vec<u8>) -> R) -> R {
        let elements: Vec<E> = elements(content);
        then(&elements, cast_slice(&elements).to_vec())
    }

    fn runs<'a>(view: <Self as ShmemView<'a>>::View, each: &mut dyn FnMut(&[u8])) {
        each(checked::<E>(cast_slice(view)));
    }
}

impl Subject for str {
    fn with<R>(content: &[u8], then: impl FnOnce(&Self, Vec<u8>) -> R) -> R {
        let text = String::from_utf8_lossy(content);
        then(&text, text.as_bytes().to_vec())
    }

    fn runs<'a>(view: <Self as ShmemView<'a>>::View, each: &mut dyn FnMut(&[u8])) {
        assert!(str::from_utf8(view.as_bytes()).is_ok());
        each(view.as_bytes());
    }
}

impl<E: Element + 'static> Subject for Value<E>
where
    Value<E>: for<'a> ShmemView<'a, View = &'a E>,
{
    fn with<R>(content: &[u8], then: impl FnOnce(&Self, Vec<u8>) -> R) -> R {
        let value = E::of(content.first().copied().unwrap_or(0));
        then(&Value(value), bytes_of(&value).to_vec())
    }

    fn runs<'a>(view: <Self as ShmemView<'a>>::View, each: &mut dyn FnMut(&[u8])) {
        each(checked::<E>(bytes_of(view)));
    }
}

/// A number of axes, with a shape for any number of elements.
pub trait Axes: Dimension + 'static {
    fn of(elements: usize) -> Self;
}

impl Axes for Ix1 {
    fn of(elements: usize) -> Self {
        elements.into_dimension()
    }
}

impl Axes for Ix2 {
    fn of(elements: usize) -> Self {
        (elements / 3, 3).into_dimension()
    }
}

impl Axes for Ix3 {
    fn of(elements: usize) -> Self {
        (2, elements / 4, 2).into_dimension()
    }
}

impl Axes for IxDyn {
    fn of(elements: usize) -> Self {
        IxDyn(&[1, elements / 2, 1, 2])
    }
}

impl<E: Element + 'static, D: Axes> Subject for Array<E, D>
where
    Array<E, D>: for<'a> ShmemView<'a, View = ArrayView<'a, E, D>>,
{
    fn with<R>(content: &[u8], then: impl FnOnce(&Self, Vec<u8>) -> R) -> R {
        let shape = D::of(content.len());
        let elements: Vec<E> = elements(&content[..shape.size()]);
        let bytes = cast_slice(&elements).to_vec();
        then(&Array::from_shape_vec(shape, elements).expect("as many as the shape has"), bytes)
    }

    fn runs<'a>(view: <Self as ShmemView<'a>>::View, each: &mut dyn FnMut(&[u8])) {
        view.iter().for_each(|element| each(checked::<E>(bytes_of(element))));
    }
}

/// A handle, without its type.
pub trait Handle {
    /// Each run of bytes that a view of it shows.
    fn runs(&self, each: &mut dyn FnMut(&[u8]));

    /// The lowest address that it shows, if it shows anything: there begins its range.
    fn start(&self) -> Option<usize> {
        let mut lowest = None;
        self.runs(&mut |run| {
            if !run.is_empty() {
                let at = run.as_ptr().addr();
                lowest = Some(lowest.map_or(at, |lowest: usize| lowest.min(at)));
            }
        });
        lowest
    }
}

impl<T: Subject + ?Sized> Handle for Shared<T> {
    fn runs(&self, each: &mut dyn FnMut(&[u8])) {
        T::runs(self.as_view(), each);
    }
}

impl<T: Subject + ?Sized> Handle for SharedMut<T> {
    fn runs(&self, each: &mut dyn FnMut(&[u8])) {
        T::runs(self.as_view(), each);
    }
}

pub type AnyHandle = Box<dyn Handle>;

pub fn from_token<T: Subject + ?Sized>(exclusive: bool, token: &str) -> Result<AnyHandle, Error> {
    match exclusive {
        false => Shared::<T>::from_token(token).map(|shared| Box::new(shared) as AnyHandle),
        true => SharedMut::<T>::from_token(token).map(|exclusive| Box::new(exclusive) as AnyHandle),
    }
}

pub fn from_ticket<T: Subject + ?Sized>(exclusive: bool, ticket: &Ticket<T>) -> Result<AnyHandle, Error> {
    match exclusive {
        false => ticket.claim().map(|shared| Box::new(shared) as AnyHandle),
        true => ticket.claim_mut().map(|exclusive| Box::new(exclusive) as AnyHandle),
    }
}

pub fn deserialize<'de, T: Subject + ?Sized, D: Deserializer<'de>>(
    exclusive: bool,
    from: D,
) -> Result<AnyHandle, D::Error> {
    match exclusive {
        false => Shared::<T>::deserialize(from).map(|shared| Box::new(shared) as AnyHandle),
        true => SharedMut::<T>::deserialize(from).map(|exclusive| Box::new(exclusive) as AnyHandle),
    }
}

/// A token, and the handle itself if it is kept.
pub fn emit<T: Subject + ?Sized>(made: Shared<T>, kept: bool) -> (Vec<u8>, Option<AnyHandle>) {
    let token = bytes(made.clone().into_token());
    (token, kept.then(|| Box::new(made) as AnyHandle))
}

/// As [`emit`].
pub fn emit_mut<T: Subject + ?Sized>(made: SharedMut<T>, kept: bool) -> (Vec<u8>, Option<AnyHandle>) {
    if !kept {
        return (bytes(made.into_token()), None);
    }
    let ticket = serde_json::to_string(&made).expect("a value can be sent");
    (bytes(Ok(ticket.trim_matches('"').to_owned())), Some(Box::new(made)))
}

fn bytes(token: Result<String, Error>) -> Vec<u8> {
    commonage::fuzzing::bytes_of(&token.expect("a value can be sent")).expect("an honest token")
}

//! What a read-only link offers of a value: loads.

use std::cell::UnsafeCell;

use super::Shareable;

/// A value in memory that this process can only read, and others may change at any time. A read-only
/// [`Link`](crate::Link) derefs to it.
#[repr(transparent)]
pub struct Observed<T>(UnsafeCell<T>);

/// A struct whose fields can be observed one by one: what [`shareable!`](crate::shareable) defines.
pub trait Fields: Shareable {
    /// A struct with a field for each of this one's: an [`Observed`] of it.
    type Fields<'a>;

    /// The fields of a value.
    fn fields(observed: &Observed<Self>) -> Self::Fields<'_>;
}

//! What NumPy has too: types of elements, and files that begin with an `.npy` header.

mod element;
#[cfg(feature = "ndarray")]
mod header;
#[cfg(feature = "ndarray")]
mod literal;
#[cfg(all(test, feature = "ndarray"))]
mod tests;

pub use element::NumPyElement;
#[cfg(feature = "ndarray")]
pub use header::Header;

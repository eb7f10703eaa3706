//! Arrays in `.npy` files, NumPy's own.

pub use crate::numpy::{Header, NumPyElement};

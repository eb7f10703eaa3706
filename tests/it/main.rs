//! What users of the crate see: one binary, a module for each subject.

#[cfg(feature = "ndarray")]
mod arrays;
mod claims;
mod formats;
mod handles;
mod limits;
mod processes;
mod sharify;
mod support;

//! Values in files, which outlive every process.

pub use crate::mapped::Advice;

/// How a file is made or opened.
#[derive(Debug)]
pub struct Options;

impl Options {
    /// No header.
    pub fn raw() {}
}

//! What is handed over.

use std::fmt;

use commonage::bytemuck::{Pod, Zeroable};

#[derive(Clone, Copy, PartialEq, Debug, Pod, Zeroable)]
#[bytemuck(crate = "commonage::bytemuck")]
#[repr(C)]
pub(crate) struct Config {
    pub(crate) workers: u64,
    pub(crate) timeout_ms: u64,
    pub(crate) ratio: f64,
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} workers, {} ms, a ratio of {}", self.workers, self.timeout_ms, self.ratio)
    }
}

//! The contenders: who they are, and how each makes a value.

use serde::{Serialize, de::DeserializeOwned};

use crate::Outcome;

/// This crate, the one that all ratios are about.
pub(crate) const COMMONAGE: &str = "commonage";
/// The bound of what writes the payload: a memcpy into memory that this process has touched before.
pub(crate) const MEMCPY: &str = "memcpy";
/// The bound of what goes over a channel: a number through a channel of the same kind.
pub(crate) const BARE: &str = "bare u64";

/// All peers that ratios are given for, in the order of the table's columns.
pub(crate) const PEERS: [&str; 1] = [Sharify::NAME];
/// All limits; a row has at most one of them.
pub(crate) const LIMITS: [&str; 2] = [MEMCPY, BARE];

/// A way to share a slice of `u64` with another process.
pub(crate) trait Peer: 'static {
    const NAME: &'static str;
    /// What holds the payload, and what serde sends.
    type Value: Serialize + DeserializeOwned + Clone + 'static;
    /// Puts a copy of `source` where another process can see it.
    fn make(source: &[u64]) -> Outcome<Self::Value>;
    /// The payload in place.
    fn read(value: &Self::Value) -> &[u64];
}

pub(crate) struct Commonage;

impl Peer for Commonage {
    const NAME: &'static str = COMMONAGE;
    type Value = commonage::Shared<[u64]>;

    fn make(source: &[u64]) -> Outcome<Self::Value> {
        Ok(commonage::Shared::copy_from(source)?)
    }

    fn read(value: &Self::Value) -> &[u64] {
        value.as_view()
    }
}

pub(crate) struct Sharify;

impl Peer for Sharify {
    const NAME: &'static str = "sharify";
    type Value = sharify::Shared<[u64]>;

    fn make(source: &[u64]) -> Outcome<Self::Value> {
        Ok(sharify::Shared::new_from_inner(source)?)
    }

    fn read(value: &Self::Value) -> &[u64] {
        value.as_view()
    }
}

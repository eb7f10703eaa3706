//! Names of links that only one test uses.

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use commonage::Link;

/// A name that nobody else uses; what has it at the end is removed, also when the test fails.
pub(crate) struct Name(pub(crate) String);

impl Name {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Name(format!("commonage-link-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = Link::remove(&self.0);
    }
}

/// The fault in an error that must be of a link.
#[track_caller]
pub(crate) fn fault<T>(result: Result<T, impl Into<commonage::Error>>) -> commonage::LinkFault {
    match result.map_err(Into::into) {
        Err(commonage::Error::Link { fault, .. }) => fault,
        Err(error) => panic!("an error of the link expected, found {error:?}"),
        Ok(_) => panic!("an error of the link expected, and there is none"),
    }
}

//! Types of other crates over what is shared: they lie where it lies, in every process.

#[cfg(feature = "bytes")]
mod bytes;
#[cfg(feature = "rayon")]
mod rayon;

use std::env;

use commonage::Shared;
use commonage::ShmemBacked;

use crate::support::{BACKING, BOTH, child, role};

const TOKEN: &str = "COMMONAGE_TEST_TOKEN";

/// What `make` makes in one process is `look`ed at in another, on both backings. `test` is the full name of the calling
/// test.
fn from_one_to_another<T>(test: &str, make: impl Fn() -> Shared<T>, look: impl Fn(Shared<T>))
where
    T: ShmemBacked + ?Sized,
{
    match role().as_deref() {
        None => BOTH.iter().for_each(|backing| {
            child(test, "maker").env(BACKING, backing).run_to_success();
        }),
        Some("maker") => {
            let made = make();
            let token = made.clone().into_token().unwrap();
            child(test, "looker").env(TOKEN, &token).run_to_success();
            let counts = made.counts();
            assert_eq!((counts.handles, counts.holders, counts.in_flight), (1, 1, 0), "the other has given it back");
        }
        Some(_) => {
            let received = Shared::<T>::from_token(&env::var(TOKEN).unwrap()).unwrap();
            assert_eq!(received.counts().holders, 2);
            look(received);
        }
    }
}

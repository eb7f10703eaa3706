//! What passes the bus.

use zbus::{OwnedFd, proxy};

/// The name of the service.
pub(crate) const NAME: &str = "org.commonage.Example";
/// Where its one object is.
pub(crate) const PATH: &str = "/org/commonage/Example";

/// As a client sees the service.
#[proxy(
    interface = "org.commonage.Example1",
    default_service = "org.commonage.Example",
    default_path = "/org/commonage/Example"
)]
pub(crate) trait Example {
    /// The descriptors of a new ring's receiver, memory and socket. `count` numbers will come through it, from zero on.
    async fn open(&self, count: u64) -> zbus::Result<(OwnedFd, OwnedFd)>;
}

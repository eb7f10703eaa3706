//! Roles that only processes on Linux can have.

use super::{doors, fork, peer::Told};

/// Whether it was one of them: then it has been played.
pub(super) fn child(role: &str, told: &Told) -> bool {
    doors::child(role, told) || fork::child(role, told)
}

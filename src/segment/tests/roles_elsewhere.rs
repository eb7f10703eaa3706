//! Roles that only processes on Linux can have: none here.

use super::peer::Told;

/// No.
pub(super) fn child(_role: &str, _told: &Told) -> bool {
    false
}

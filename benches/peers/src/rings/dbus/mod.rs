//! D-Bus, which needs a library in C and a running bus: measured if it was asked for.

#[cfg(not(feature = "dbus"))]
mod absent;
#[cfg(feature = "dbus")]
mod bus;

#[cfg(not(feature = "dbus"))]
pub(crate) use self::absent::{one_thread, two_processes};
#[cfg(feature = "dbus")]
pub(crate) use self::bus::{one_thread, two_processes};

#[cfg(not(feature = "dbus"))]
pub(super) use self::absent::obey;
#[cfg(feature = "dbus")]
pub(super) use self::bus::obey;

/// What tells the other process.
pub(super) const MANNER: &str = "bus";

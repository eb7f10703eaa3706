//! The guide: what the documentation of single items does not say.
//!
//! These modules have no items. Each is a page, and each example in it is compiled.
//!
//! | page | |
//! |---|---|
//! | [`migrating`] | from sharify, `shared_memory`, `memmap2`, Python's `multiprocessing.shared_memory`, and others |
//! | [`processes`] | how a value reaches another process, and what becomes of it when a process exits, is killed or forks |
//! | [`containers`] | Docker, Podman, Kubernetes, services: which flags matter |
//! | [`platforms`] | what Linux, Windows and macOS each give |
//! | [`files`] | when to take a file, what strangers can do to it, locks, what a crash leaves, from `memmap2` |
//! | [`layout`] | what lies where in shared memory, and when two versions of the crate can share it |
//! | [`trust`] | what can go wrong, what happens then, and which test shows it |

#[doc = include_str!("guide/containers.md")]
pub mod containers {}

#[doc = include_str!("guide/files.md")]
pub mod files {}

#[doc = include_str!("guide/layout.md")]
pub mod layout {}

#[doc = include_str!("guide/migrating.md")]
pub mod migrating {}

#[doc = include_str!("guide/platforms.md")]
pub mod platforms {}

#[doc = include_str!("guide/processes.md")]
pub mod processes {}

#[doc = include_str!("guide/trust.md")]
pub mod trust {}

//! What users of the crate see: one binary, a module for each subject.

#[cfg(target_os = "linux")]
mod allocations;
#[cfg(feature = "ndarray")]
mod arrays;
#[cfg(any(feature = "bytes", feature = "rayon"))]
mod bridges;
mod building;
mod claims;
mod compile_fail;
#[cfg(any(target_os = "linux", windows))]
mod containers;
#[cfg(target_os = "linux")]
mod dumps;
mod examples;
mod exits;
mod figures;
mod files;
mod files_sent;
mod foreign;
#[cfg(target_os = "linux")]
mod forked;
#[cfg(target_os = "linux")]
mod forks;
mod formats;
mod guide;
mod handles;
mod house;
mod leftovers;
mod limits;
mod limits_of_memory;
mod links;
mod links_of_peers;
mod liveness;
mod locks;
mod lost;
mod named;
mod numpy;
mod orphans;
mod parts;
mod parts_of_peers;
mod processes;
mod puppet;
mod ring;
#[cfg(target_os = "linux")]
mod ring_channel;
#[cfg(feature = "ndarray")]
mod rows;
mod scene;
#[cfg(target_os = "linux")]
mod sealed;
mod shareable;
mod sharify;
mod stats;
mod support;
mod sweeping;
mod teardown;
mod warmth;
mod wills;
mod wills_as_files;
mod wills_of_peers;
#[cfg(windows)]
mod win_shared_memory;

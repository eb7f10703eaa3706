//! What users of the crate see: one binary, a module for each subject.

#[cfg(feature = "ndarray")]
mod arrays;
mod building;
mod claims;
mod compile_fail;
#[cfg(target_os = "linux")]
mod dumps;
mod examples;
#[cfg(target_os = "linux")]
mod exits;
#[cfg(unix)]
mod foreign;
#[cfg(target_os = "linux")]
mod forked;
#[cfg(target_os = "linux")]
mod forks;
mod formats;
mod guide;
mod handles;
#[cfg(target_os = "linux")]
mod leftovers;
mod limits;
#[cfg(target_os = "linux")]
mod limits_of_memory;
mod links;
#[cfg(target_os = "linux")]
mod links_of_peers;
#[cfg(target_os = "linux")]
mod liveness;
#[cfg(target_os = "linux")]
mod locks;
#[cfg(target_os = "linux")]
mod lost;
mod named;
#[cfg(target_os = "linux")]
mod orphans;
mod parts;
#[cfg(target_os = "linux")]
mod parts_of_peers;
mod processes;
#[cfg(target_os = "linux")]
mod puppet;
#[cfg(feature = "ndarray")]
mod rows;
#[cfg(target_os = "linux")]
mod scene;
mod shareable;
mod sharify;
mod stats;
mod support;
#[cfg(target_os = "linux")]
mod sweeping;
#[cfg(target_os = "linux")]
mod teardown;
#[cfg(target_os = "linux")]
mod warmth;
#[cfg(target_os = "linux")]
mod wills;
#[cfg(target_os = "linux")]
mod wills_as_files;
#[cfg(target_os = "linux")]
mod wills_of_peers;

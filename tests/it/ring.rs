//! A ring over memory of the caller's: what goes in comes out, whoever attaches, and whatever a peer writes.

mod attaching;
mod hostile;
mod memory;
mod model;
mod peers;
mod streams;

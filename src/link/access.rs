//! What a process may do with a link.

/// A link that this process can only read: its memory is mapped so.
#[derive(Debug)]
pub enum ReadOnly {}

/// A link that this process can read and write.
#[derive(Debug)]
pub enum ReadWrite {}

//! What a process says of how it will read a file.

/// What a process will do with a value in a file, so that the system can read ahead, or not. It changes no meaning, and has
/// no effect where the platform has no such advice: on Windows none has one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Advice {
    /// Nothing is said.
    #[default]
    Normal,
    /// Bytes here and there: reading ahead is of no use.
    Random,
    /// From the beginning to the end: much is read ahead.
    Sequential,
    /// All of it, soon: reading begins at once.
    WillNeed,
    /// Huge pages, where the file system has them (Linux).
    HugePages,
}

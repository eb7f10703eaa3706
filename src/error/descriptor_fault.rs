//! What is wrong with a descriptor of memory, or with its coming.

/// Why a descriptor is not what it has to be, or has not come. It comes in an
/// [`Error::Descriptor`](crate::Error::Descriptor). Descriptors of memory are Linux's: elsewhere there are none, and no such
/// errors.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptorFault {
    /// It is open on something else: a directory, a pipe, a file that has a name.
    #[error("it is no memory, but {found}")]
    NotMemory {
        /// What it is open on.
        found: String,
    },
    /// Somebody can still change the memory, or its size: it lacks seals.
    #[error("it is not sealed against {missing} (its seals: {found})")]
    Unsealed {
        /// The seals that it lacks.
        missing: String,
        /// The seals that it has.
        found: String,
    },
    /// Somebody has the memory mapped writable, so that it can't be sealed against writing.
    #[error("somebody has it mapped writable, or is still writing it, so that it can't be sealed")]
    Writable,
    /// Nobody can write to the memory any more, and a ring's must be written to.
    #[error("it is sealed against writing, and a ring's memory is written to")]
    WriteSealed,
    /// There are fewer bytes than there have to be.
    #[error("it is too short: {needed} bytes expected, {size} found")]
    TooShort {
        /// The number of bytes there are.
        size: u64,
        /// The least number of bytes that would do.
        needed: u64,
    },
    /// A part of it has no memory: it would be allocated when it is looked at, or be the end of who looks.
    #[error("it has holes: of {size} bytes only the first {backed} are sure to have memory")]
    Sparse {
        /// The number of bytes there are.
        size: u64,
        /// How many of them have memory, up to the first hole.
        backed: u64,
    },
    /// It consists of huge pages, which are taken only by who asks for them.
    #[error("it consists of huge pages, which were not asked for")]
    HugePages,
    /// It does not begin as a sealed value does, or what its header says can't be.
    #[error("it is no sealed value: its {what} can't be {found:#x}")]
    NotASealedValue {
        /// Which of the header's numbers.
        what: &'static str,
        /// What was read.
        found: u64,
    },
    /// It holds a slice and nothing else, as it was asked for, and its length is not that of whole elements.
    #[error("it has {size} bytes, which are no whole number of elements of {element} bytes")]
    NotWholeElements {
        /// The number of bytes there are.
        size: u64,
        /// Bytes of an element.
        element: usize,
    },
    /// It was made by a version of the crate with another layout.
    #[error("it has layout version {found}; this program has {expected}")]
    Version {
        /// The version of this program.
        expected: u32,
        /// The version of the memory.
        found: u32,
    },
    /// It is open on something else than a stream socket.
    #[error("it is no stream socket, but {found}")]
    NotASocket {
        /// What it is open on.
        found: String,
    },
    /// What came over a socket is not what was waited for.
    #[error("{expected} expected, {found} came")]
    Message {
        /// What was waited for.
        expected: &'static str,
        /// What came.
        found: String,
    },
    /// The stream ended, and what was waited for had not come.
    #[error("the stream ended before it came")]
    Closed,
}

//! What can go wrong: one variant per cause, each with its subject, what was expected and what was found.

use std::{fmt, io, ops::Range, path::PathBuf, time::Duration};

mod descriptor_fault;
mod file_fault;
mod link_fault;
mod refused;
mod ring_fault;
mod token_fault;

pub use self::{
    descriptor_fault::DescriptorFault, file_fault::FileAccess, file_fault::FileFault, link_fault::LinkFault,
    refused::Refused, ring_fault::RingFault, token_fault::TokenFault,
};

/// The number of a segment: 64 bits that nobody can guess, the same in every process that has it mapped. On Linux the last
/// 16 say in which PID namespace it was made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SegmentId(pub(crate) u64);

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SegmentId({self})")
    }
}

/// Which of the two wrappers a handle, a ticket or a token stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// [`Shared`](crate::Shared): immutable, held by many.
    Shared,
    /// [`SharedMut`](crate::SharedMut): writable, held by one.
    SharedMut,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Shared => "Shared",
            Kind::SharedMut => "SharedMut",
        })
    }
}

/// How many share a block, as [`Shared::counts`](crate::Shared::counts) finds it at the moment of the call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Counts {
    /// Handles on the block in this process.
    pub handles: usize,
    /// Processes with at least one handle on the block.
    pub holders: usize,
    /// Tickets of the block that have not been claimed: serializations on their way.
    pub in_flight: usize,
}

/// Every way in which a call of this crate can fail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Memory runs out: the machine, the control group or the file system has less than was asked for.
    #[error("no space for {requested} bytes of shared memory: {available} bytes are available")]
    NoSpace {
        /// Bytes asked for.
        requested: u64,
        /// Bytes that could be had.
        available: u64,
    },
    /// More bytes than any machine can address, or a number of bytes that overflowed.
    #[error("a value of {requested} bytes is larger than the limit of {limit} bytes")]
    TooLarge {
        /// Bytes asked for; `usize::MAX` if the number overflowed.
        requested: usize,
        /// The largest number of bytes that a value can have.
        limit: usize,
    },
    /// The type asks for an alignment that no block has.
    #[error("an alignment of {requested} bytes is not a power of two of at most {limit}")]
    Alignment {
        /// The alignment that the type asks for, in bytes.
        requested: usize,
        /// The largest alignment that a block can have, in bytes.
        limit: usize,
    },
    /// All tickets of the segment are in flight: too many serializations have not been claimed.
    #[error(
        "segment {segment}: all {tickets} tickets are in flight, none can be issued until one is claimed or revoked"
    )]
    TicketsFull {
        /// The segment.
        segment: SegmentId,
        /// How many tickets it has.
        tickets: u32,
    },
    /// All participant slots of the segment are occupied.
    #[error("segment {segment}: all {participants} participant slots are occupied")]
    ParticipantsFull {
        /// The segment.
        segment: SegmentId,
        /// How many slots it has.
        participants: u32,
    },
    /// A count of a block is at its limit; nothing has been changed.
    #[error("segment {segment}, block {block}: {count} is at its limit of {limit}")]
    CountLimit {
        /// The segment.
        segment: SegmentId,
        /// The block.
        block: u32,
        /// Which count: `holders` or `in_flight`.
        count: &'static str,
        /// Its limit.
        limit: u32,
    },
    /// The bytes or the text are not a token.
    #[error("not a token: {0}")]
    NotAToken(TokenFault),
    /// The token's MAC is not that of its bytes: at least one bit is not as it was sent.
    #[error("the token for segment {segment} is not as it was sent: its MAC differs")]
    Altered {
        /// The segment that the token names.
        segment: SegmentId,
    },
    /// The token is for a value of another type, or the sealed memory has one. It can still be taken as what it is.
    #[error(
        "what was sent is no `{expected}`: fingerprint {expected_fingerprint:016x} expected, {found_fingerprint:016x} found"
    )]
    WrongType {
        /// The name of the type that was asked for.
        expected: &'static str,
        /// Its fingerprint.
        expected_fingerprint: u64,
        /// The fingerprint of what was sent.
        found_fingerprint: u64,
    },
    /// The token is for the other wrapper. It can still be claimed as what it is.
    #[error("the token is for a `{found}`, not for a `{expected}`")]
    WrongKind {
        /// The wrapper that was asked for.
        expected: Kind,
        /// The wrapper that the token is for.
        found: Kind,
    },
    /// The metadata can't be written as postcard, can't be read as the type's, or does not fit the data.
    #[error("the metadata of a `{type_name}` is not valid: {reason}")]
    Metadata {
        /// The name of the type.
        type_name: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The data holds a bit pattern that is no value of the type.
    #[error("the content is not a valid `{type_name}`: {reason}")]
    Content {
        /// The name of the type.
        type_name: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The ticket of a `SharedMut` has been claimed or revoked before.
    #[error("segment {segment}, ticket {ticket}: already claimed or revoked")]
    AlreadyClaimed {
        /// The segment.
        segment: SegmentId,
        /// The number of the ticket.
        ticket: u32,
    },
    /// The sender of a `SharedMut` has serialized it, but has not dropped it. The token can be claimed later.
    #[error("segment {segment}, ticket {ticket}: its sender still has the handle after {waited:?}")]
    StillHeld {
        /// The segment.
        segment: SegmentId,
        /// The number of the ticket.
        ticket: u32,
        /// How long the claim has waited.
        waited: Duration,
    },
    /// The ticket has been claimed before, and the value it was for has been dropped everywhere, or changed since.
    #[error("segment {segment}, block {block}: the value that the token was for is no longer there")]
    Expired {
        /// The segment.
        segment: SegmentId,
        /// The block.
        block: u32,
    },
    /// Neither the sender nor the owner of the segment is there any more, and the value went with them.
    #[error(
        "segment {segment} is gone: neither process {sender} (sender) nor process {owner} (owner) has it any more, and they have left no file with the message here"
    )]
    Gone {
        /// The segment.
        segment: SegmentId,
        /// The process id of the sender.
        sender: u32,
        /// The process id of the owner.
        owner: u32,
    },
    /// The process with the segment may be there, but this process can't look into it: it is another user's, in another PID
    /// namespace, not dumpable, or has more capabilities; or this process has no `/proc` that shows it. The text says which
    /// of them it is, and the way out.
    #[error("segment {segment} of process {pid} can't be reached: {source}")]
    Unreachable {
        /// The segment.
        segment: SegmentId,
        /// The process that has it.
        pid: u32,
        /// Why not, and what can be done about it.
        source: io::Error,
    },
    /// The locator leads to something that is not a segment, or not this one.
    #[error("{locator} is not segment {segment}: {expected} expected, {found} found")]
    NotTheSegment {
        /// The segment that the token names.
        segment: SegmentId,
        /// Where the locator leads.
        locator: String,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// The segment was made by a version of the crate with another layout.
    #[error("segment {segment} has ABI version {found}; this program has {expected}")]
    Abi {
        /// The segment.
        segment: SegmentId,
        /// The version of this program.
        expected: u32,
        /// The version of the segment.
        found: u32,
    },
    /// Something in the control area can't be as it is.
    #[error("segment {segment}: {what} can't be {found} ({expected} expected)")]
    Corrupt {
        /// The segment.
        segment: SegmentId,
        /// What was read.
        what: &'static str,
        /// What it should have been.
        expected: String,
        /// What it was.
        found: u64,
    },
    /// The `SharedMut` has been serialized: its value is on the way to another handle.
    #[error("this `SharedMut` has been serialized and can't be used any more: its value belongs to the receiver")]
    Serialized,
    /// A change of kind needs this to be the only handle on the block anywhere.
    #[error("this is not the only handle on the block: {} here, {} holders, {} in flight", .0.handles, .0.holders, .0.in_flight)]
    NotAlone(Counts),
    /// The range of a token does not lie within the block that it is for.
    #[error("the range {start}..{end} does not lie within a length of {length}")]
    Range {
        /// Where the range begins.
        start: usize,
        /// Where it ends.
        end: usize,
        /// The length that it must lie within.
        length: usize,
    },
    /// The parts are of different blocks. A part that was on its way while a process exited may have arrived as a copy, and
    /// then is a block of its own.
    #[error(
        "parts of different blocks can't be put together: one is of segment {segment}, block {block}, another of segment {other_segment}, block {other_block}"
    )]
    OtherBlock {
        /// The segment of one of them.
        segment: SegmentId,
        /// Its block.
        block: u32,
        /// The segment of another.
        other_segment: SegmentId,
        /// Its block.
        other_block: u32,
    },
    /// The parts are of different values, at least one of which is in a file.
    #[error("parts of different values can't be put together: one is {}, another {}", Home(path), Home(other_path))]
    OtherFile {
        /// The file of one of them; none if it is in memory.
        path: Option<PathBuf>,
        /// The file of another.
        other_path: Option<PathBuf>,
    },
    /// The parts are of one block, but don't lie side by side. Ranges are in elements, or rows, from the block's first.
    #[error("the parts {first:?} and {second:?} don't lie side by side")]
    Apart {
        /// Where one part is.
        first: Range<usize>,
        /// Where the other is.
        second: Range<usize>,
    },
    /// The parts are not all that there is of the block. Ranges are in elements, or rows, from the block's first.
    #[error("these are not all parts: of {length} elements or rows {} are missing", Ranges(.missing))]
    Missing {
        /// What none of the parts has, in order.
        missing: Vec<Range<usize>>,
        /// The number of elements, or rows, in the block.
        length: usize,
    },
    /// There are no parts to be put together.
    #[error("no parts were given, so there is nothing to be put together")]
    NoParts,
    /// The array has no rows that lie in memory one after the other: it is not in C order, or has no axes.
    #[error("an array of shape {shape:?} with strides {strides:?} is not in C order, so it can't be divided by rows")]
    NoRows {
        /// Its shape.
        shape: Vec<usize>,
        /// Its strides, in elements.
        strides: Vec<isize>,
    },
    /// The arrays have rows of different shapes.
    #[error("rows of shape {first:?} and rows of shape {second:?} can't be put together")]
    OtherRows {
        /// The shape of a row of one of them.
        first: Vec<usize>,
        /// The shape of a row of another.
        second: Vec<usize>,
    },
    /// The handle was inherited from the parent by `fork`: only the parent can send it or change its kind.
    #[error("this handle was inherited from process {process} by fork: a child can neither send it nor change it")]
    Inherited {
        /// The process that has the handle.
        process: u32,
    },
    /// The process is exiting; nothing can be sent any more.
    #[error("the process is exiting: nothing can be sent any more")]
    Exiting,
    /// The configuration can't be changed any more: memory has been allocated with another.
    #[error("the configuration can't be changed: this process has used the crate before")]
    Configured,
    /// A link can't be had.
    #[error("link {link:?}: {fault}")]
    Link {
        /// Its name, or its path.
        link: String,
        /// Why.
        fault: LinkFault,
    },
    /// A value in a file can't be had.
    #[error("file {}: {fault}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        fault: FileFault,
    },
    /// A descriptor that was passed on is not what it has to be, or has not come.
    #[error("descriptor: {0}")]
    Descriptor(DescriptorFault),
    /// Memory can't be attached to as a ring.
    #[error("no ring: {0}")]
    Ring(#[from] RingFault),
    /// A call to the operating system failed.
    #[error("{operation} failed: {source}")]
    Os {
        /// What was tried.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Where a value is, in a sentence.
struct Home<'a>(&'a Option<PathBuf>);

impl fmt::Display for Home<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(path) => write!(f, "in {}", path.display()),
            None => f.write_str("in memory without a file"),
        }
    }
}

/// Ranges in a sentence.
struct Ranges<'a>(&'a [Range<usize>]);

impl fmt::Display for Ranges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 8;
        for (number, range) in self.0.iter().take(MOST).enumerate() {
            write!(f, "{}{range:?}", if number == 0 { "" } else { ", " })?;
        }
        match self.0.len().checked_sub(MOST) {
            Some(more @ 1..) => write!(f, " and {more} more"),
            _ => Ok(()),
        }
    }
}

impl Error {
    pub(crate) fn os(operation: &'static str, source: impl Into<io::Error>) -> Self {
        Error::Os { operation, source: source.into() }
    }
}

//! The contenders: who they are, how each makes a value, and what it sends of it.

mod commonage;
mod iceoryx2;
mod ipc_shared_memory;
mod local;
mod memmap2;
mod shared_memory;
mod sharify;
mod shmem_ipc;
mod vec;

pub(crate) use self::{
    commonage::Commonage, iceoryx2::Iceoryx2, ipc_shared_memory::IpcShared, local::Local, memmap2::MappedFile,
    shared_memory::ByHand, sharify::Sharify, shmem_ipc::WriteOnce, vec::Sent,
};

use crate::{
    Outcome,
    sync::{Eventfds, Futexes, Kept, Linked, PlainCopy, RawCalls, RawEvents, RawMutex, RawRwLock, Robust, ShmemBind},
};

/// This crate, the one that all ratios are about.
pub(crate) const COMMONAGE: &str = "commonage";
/// A memcpy into memory that this process has touched before.
pub(crate) const MEMCPY: &str = "memcpy";
/// A memcpy into private memory that is new from the system.
pub(crate) const MEMCPY_NEW: &str = "memcpy to new memory";
/// A number through a channel of the same kind.
pub(crate) const BARE: &str = "bare u64";
/// The same, and local memory of the payload's size is read where the payload would be.
pub(crate) const BARE_READ: &str = "bare u64 + read";
/// The same, and the payload is first copied to local memory.
pub(crate) const BARE_WRITE_READ: &str = "bare u64 + memcpy + read";
/// Local memory of the payload's size is read.
pub(crate) const READ: &str = "local memory";

/// What no message of a token's length is below: as many bytes, through a channel of the same kind.
pub(crate) const BARE_BYTES: &str = "bare 92 bytes";

/// What bounds the others: no peers, but what any of them would have to do. Where a work has more, the first bounds it.
pub(crate) const LIMITS: [&str; 15] = [
    MEMCPY,
    MEMCPY_NEW,
    BARE_READ,
    BARE_WRITE_READ,
    READ,
    BARE,
    BARE_BYTES,
    PlainCopy::NAME,
    STD_MUTEX,
    Futexes::NAME,
    Eventfds::NAME,
    RawCalls::<true, false>::NAME,
    RawCalls::<true, true>::NAME,
    RTRB,
    CROSSBEAM,
];

/// All peers, in the order of the tables' columns.
pub(crate) const PEERS: [&str; 22] = [
    IN_PLACE,
    Sharify::NAME,
    ByHand::NAME,
    IpcShared::NAME,
    WriteOnce::NAME,
    SHMEM_IPC_POLLING,
    Iceoryx2::NAME,
    MappedFile::NAME,
    STD_FS,
    Sent::NAME,
    COPIED,
    STD_RW_LOCK,
    PARKING_LOT_RW_LOCK,
    PARKING_LOT_MUTEX,
    SEQLOCK,
    RawMutex::NAME,
    RawRwLock::NAME,
    RawEvents::NAME,
    Robust::NAME,
    ShmemBind::NAME,
    UNIX_SOCKET,
    D_BUS,
];

/// Files that are read and written by calls.
pub(crate) const STD_FS: &str = "std::fs";

/// Locks that one process has.
pub(crate) const STD_MUTEX: &str = "std Mutex";
pub(crate) const STD_RW_LOCK: &str = "std RwLock";
pub(crate) const PARKING_LOT_MUTEX: &str = "parking_lot Mutex";
pub(crate) const PARKING_LOT_RW_LOCK: &str = "parking_lot RwLock";
pub(crate) const SEQLOCK: &str = "seqlock";

/// commonage too, but from a slice, beside what is built in place.
pub(crate) const COPIED: &str = "commonage, from a slice";

/// commonage too, but what its safe calls copy, a ring's or a file's contents, is written and read in place.
pub(crate) const IN_PLACE: &str = "commonage, in place";
/// shmem-ipc's ring without anything that sleeps or wakes.
pub(crate) const SHMEM_IPC_POLLING: &str = "shmem-ipc, polling";
pub(crate) const UNIX_SOCKET: &str = "Unix socket";
pub(crate) const D_BUS: &str = "D-Bus";

/// Queues that the threads of one process have.
pub(crate) const RTRB: &str = "rtrb";
pub(crate) const CROSSBEAM: &str = "crossbeam";

/// What one end of a channel is for.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// It makes values of at most so many bytes.
    Maker { largest: usize },
    /// It receives what this process makes.
    Receiver { of: u32 },
}

/// A way to share a slice of `u64` with another process.
pub(crate) trait Peer: Sized + 'static {
    const NAME: &'static str;
    /// What holds the payload where it was made.
    type Value: 'static;
    /// What travels.
    type Message: 'static;
    /// What the maker has to keep until the receiver has opened the message.
    type Kept: 'static;
    /// What holds the payload where it was received.
    type Received: 'static;

    fn new(place: Place) -> Outcome<Self>;
    /// Puts a copy of `source` where another process can see it.
    fn make(&self, source: &[u64]) -> Outcome<Self::Value>;
    /// The payload in place.
    fn made(value: &Self::Value) -> &[u64];
    fn message(&self, value: Self::Value) -> Outcome<(Self::Message, Self::Kept)>;
    fn open(&self, message: Self::Message) -> Outcome<Self::Received>;
    /// The payload in place.
    fn received(value: &Self::Received) -> &[u64];
    /// What makes the next receiver see the same memory.
    fn forward(&self, value: Self::Received) -> Outcome<Self::Message>;
}

/// A value of `source`, read back: whoever is fast because it does not do the work is found out here.
pub(crate) fn checked<P: Peer>(peer: &P, source: &[u64]) -> Outcome<P::Value> {
    let value = peer.make(source)?;
    same_payload::<P>(P::made(&value), source)?;
    Ok(value)
}

pub(crate) fn same_payload<P: Peer>(found: &[u64], source: &[u64]) -> Outcome {
    if found == source {
        Ok(())
    } else {
        Err(format!("{} has not kept its {} bytes", P::NAME, size_of_val(source)).into())
    }
}

/// A slice of `size` bytes of which no two parts are alike.
pub(crate) fn payload(size: usize) -> Vec<u64> {
    (0..size as u64 / 8).map(|index| index.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
}

/// Reads all of it. Never inlined: the same machine code reads for everybody.
#[inline(never)]
pub(crate) fn sum(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0, |sum, &number| sum.wrapping_add(number))
}

//! `shmem-ipc`: a ring whose ends share one counter and wake each other by eventfds.
#![allow(unsafe_code)] // it gives pointers, or slices if nobody else writes

use std::{fs::File, os::fd::OwnedFd, slice};

use shmem_ipc::sharedring::{Receiver, Sender};

use super::{Across, BothWays, Ends, Items, Lent, Payloads, Polled, lent::adopt, spin};
use crate::{
    Outcome,
    peers::{Peer, SHMEM_IPC_POLLING, WriteOnce, sum},
};

/// As it is meant: who finds it empty, or full, sleeps, and is woken. If it is polled, nobody sleeps, nor wakes the other.
pub(crate) struct SharedRing<const POLLED: bool>;

impl<const POLLED: bool> Ends for SharedRing<POLLED> {
    const NAME: &'static str = if POLLED { SHMEM_IPC_POLLING } else { WriteOnce::NAME };
    type In = Sender<u64>;
    type Out = Receiver<u64>;

    fn ends(room: usize) -> Outcome<(Self::In, Self::Out)> {
        let end = Sender::new(room)?;
        let [memory, empty, full] = copies(end.memfd().as_file(), end.empty_signal(), end.full_signal())?;
        let other = Receiver::open(room, memory.into(), empty.into(), full.into())?;
        Ok((end, other))
    }
}

fn copies(memory: &File, empty: &File, full: &File) -> Outcome<[OwnedFd; 3]> {
    Ok([memory.try_clone()?.into(), empty.try_clone()?.into(), full.try_clone()?.into()])
}

impl<const POLLED: bool> Across for SharedRing<POLLED> {
    const MANNER: &'static str = if POLLED { "polled" } else { "signalled" };

    fn lend_out(end: Self::Out) -> Outcome<Lent> {
        Lent::descriptors(copies(end.memfd().as_file(), end.empty_signal(), end.full_signal())?)
    }

    fn adopt_out(lent: &str, room: usize) -> Outcome<Self::Out> {
        let [memory, empty, full] = adopt(lent)?;
        Ok(Receiver::open(room, memory.into(), empty.into(), full.into())?)
    }
}

impl<const POLLED: bool> BothWays for SharedRing<POLLED> {
    fn lend_in(end: Self::In) -> Outcome<Lent> {
        Lent::descriptors(copies(end.memfd().as_file(), end.empty_signal(), end.full_signal())?)
    }

    fn adopt_in(lent: &str, room: usize) -> Outcome<Self::In> {
        let [memory, empty, full] = adopt(lent)?;
        Ok(Sender::open(room, memory.into(), empty.into(), full.into())?)
    }
}

/// Writes what there is room for, and says how much.
fn write(end: &mut Sender<u64>, payload: &[u64]) -> Outcome<usize> {
    let mut written = 0;
    // SAFETY: there is as much room, and the other end only reads what has been sent.
    end.send_raw(|room, most| unsafe { fill(room, most, payload, &mut written) })?;
    Ok(written)
}

/// Reads what there is, but no more than so many words: how many, and their sum.
fn read(end: &mut Receiver<u64>, most: usize) -> Outcome<(usize, u64)> {
    let mut read = (0, 0);
    // SAFETY: there is as much, and the other end does not write to what has not been received.
    end.receive_raw(|found, words| unsafe { add(found, words.min(most), &mut read) })?;
    Ok(read)
}

/// # Safety
///
/// There is room for so many words, and nobody else uses it.
unsafe fn fill(room: *mut u64, most: usize, payload: &[u64], written: &mut usize) -> usize {
    *written = most.min(payload.len());
    // SAFETY: the caller says so, and it is no more than the room or the payload.
    unsafe { room.copy_from_nonoverlapping(payload.as_ptr(), *written) };
    *written
}

/// # Safety
///
/// There are so many words, and nobody writes to them.
unsafe fn add(found: *const u64, words: usize, read: &mut (usize, u64)) -> usize {
    // SAFETY: the caller says so.
    *read = (words, sum(unsafe { slice::from_raw_parts(found, words) }));
    words
}

/// In place, as its own benchmark does it; between processes, with its calls that wait.
impl Payloads for SharedRing<false> {
    fn give(end: &mut Self::In, mut payload: &[u64]) -> Outcome {
        while !payload.is_empty() {
            end.block_until_writable()?;
            payload = &payload[write(end, payload)?..];
        }
        Ok(())
    }

    fn take(end: &mut Self::Out, buffer: &mut [u64]) -> Outcome<u64> {
        let (mut left, mut total) = (buffer.len(), 0_u64);
        while left > 0 {
            end.block_until_readable()?;
            let (words, part) = read(end, left)?;
            left -= words;
            total = total.wrapping_add(part);
        }
        Ok(total)
    }

    fn pass((end, other): &mut (Self::In, Self::Out), mut payload: &[u64], _: &mut [u64]) -> Outcome<u64> {
        let mut total = 0_u64;
        while !payload.is_empty() {
            let words = write(end, payload)?;
            let (read, part) = read(other, words)?;
            if read != words {
                return Err("not all that was sent is there".into());
            }
            total = total.wrapping_add(part);
            payload = &payload[words..];
        }
        Ok(total)
    }
}

impl Payloads for SharedRing<true> {
    fn give(end: &mut Self::In, mut payload: &[u64]) -> Outcome {
        let end = end.sender_mut();
        while !payload.is_empty() {
            spin(|| Ok((end.write_count()? > 0).then_some(())))?;
            let mut written = 0;
            // SAFETY: there is as much room, and the other end only reads what has been sent.
            end.send(|room, most| unsafe { fill(room, most, payload, &mut written) })?;
            payload = &payload[written..];
        }
        Ok(())
    }

    fn take(end: &mut Self::Out, buffer: &mut [u64]) -> Outcome<u64> {
        let end = end.receiver_mut();
        let (mut left, mut total) = (buffer.len(), 0_u64);
        while left > 0 {
            spin(|| Ok((end.read_count()? > 0).then_some(())))?;
            let mut read = (0, 0);
            // SAFETY: there is as much, and the other end does not write to what has not been received.
            end.recv(|found, words| unsafe { add(found, words.min(left), &mut read) })?;
            left -= read.0;
            total = total.wrapping_add(read.1);
        }
        Ok(total)
    }
}

impl Items for SharedRing<false> {
    fn push(end: &mut Self::In, item: u64) -> Outcome {
        end.block_until_writable()?;
        // SAFETY: there is room for one.
        end.send_raw(|room, _| unsafe { put(room, item) })?;
        Ok(())
    }

    fn pop(end: &mut Self::Out) -> Outcome<u64> {
        end.block_until_readable()?;
        let mut item = 0;
        // SAFETY: there is one.
        end.receive_raw(|found, _| unsafe { get(found, &mut item) })?;
        Ok(item)
    }
}

impl Items for SharedRing<true> {
    fn push(end: &mut Self::In, item: u64) -> Outcome {
        let end = end.sender_mut();
        spin(|| Ok((end.write_count()? > 0).then_some(())))?;
        // SAFETY: there is room for one.
        end.send(|room, _| unsafe { put(room, item) })?;
        Ok(())
    }

    fn pop(end: &mut Self::Out) -> Outcome<u64> {
        spin(|| Self::try_pop(end))
    }
}

impl Polled for SharedRing<true> {
    fn try_pop(end: &mut Self::Out) -> Outcome<Option<u64>> {
        let end = end.receiver_mut();
        if end.read_count()? == 0 {
            return Ok(None);
        }
        let mut item = 0;
        // SAFETY: there is one.
        end.recv(|found, _| unsafe { get(found, &mut item) })?;
        Ok(Some(item))
    }
}

/// # Safety
///
/// It can be written to.
unsafe fn put(room: *mut u64, item: u64) -> usize {
    // SAFETY: the caller says so.
    unsafe { room.write(item) };
    1
}

/// # Safety
///
/// It can be read.
unsafe fn get(found: *const u64, item: &mut u64) -> usize {
    // SAFETY: the caller says so.
    *item = unsafe { found.read() };
    1
}

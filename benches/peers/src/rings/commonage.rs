#![allow(unsafe_code)] // what is written and read in place

use std::{marker::PhantomData, mem::MaybeUninit};

use commonage::ring::{Fds, Receiver, RingError, Sender, channel};

use super::{Across, BothWays, Ends, Items, Lent, Payloads, Polled, lent::adopt, spin};
use crate::{
    Outcome,
    peers::{COMMONAGE, IN_PLACE, sum},
};

/// This crate's ring.
pub(crate) struct Ours<M>(PhantomData<M>);

/// How it is used.
pub(crate) trait Manner: 'static {
    const NAME: &'static str = COMMONAGE;
    const MANNER: &'static str;
    /// How often it looks again before it sleeps, if not as often as it does by itself.
    const SPINS: Option<u32> = None;
}

/// By the safe calls, which copy, and wait if they have to.
pub(crate) struct Blocking;

/// By slices of the shared memory itself.
pub(crate) struct InPlace;

/// By the calls that do not wait.
pub(crate) struct Trying;

/// By the calls that wait, and sleep at once.
pub(crate) struct Sleeping;

impl Manner for Blocking {
    const MANNER: &'static str = "blocking";
}

impl Manner for InPlace {
    const NAME: &'static str = IN_PLACE;
    const MANNER: &'static str = "in-place";
}

impl Manner for Trying {
    const MANNER: &'static str = "trying";
}

impl Manner for Sleeping {
    const MANNER: &'static str = "sleeping";
    const SPINS: Option<u32> = Some(0);
}

impl<M: Manner> Ours<M> {
    fn sender(mut end: Sender<u64>) -> Sender<u64> {
        M::SPINS.inspect(|&spins| end.set_spins(spins));
        end
    }

    fn receiver(mut end: Receiver<u64>) -> Receiver<u64> {
        M::SPINS.inspect(|&spins| end.set_spins(spins));
        end
    }
}

impl<M: Manner> Ends for Ours<M> {
    const NAME: &'static str = M::NAME;
    type In = Sender<u64>;
    type Out = Receiver<u64>;

    fn ends(room: usize) -> Outcome<(Self::In, Self::Out)> {
        let (sender, receiver) = channel(room)?;
        Ok((Self::sender(sender), Self::receiver(receiver)))
    }
}

fn lend(Fds { memory, socket }: Fds) -> Outcome<Lent> {
    Lent::descriptors([memory, socket])
}

fn fds(lent: &str) -> Outcome<Fds> {
    let [memory, socket] = adopt(lent)?;
    Ok(Fds { memory, socket })
}

impl<M: Manner> Across for Ours<M> {
    const MANNER: &'static str = M::MANNER;

    fn lend_out(end: Self::Out) -> Outcome<Lent> {
        lend(end.into_fds()?)
    }

    fn adopt_out(lent: &str, _: usize) -> Outcome<Self::Out> {
        Ok(Self::receiver(Receiver::from_fds(fds(lent)?)?))
    }
}

impl<M: Manner> BothWays for Ours<M> {
    fn lend_in(end: Self::In) -> Outcome<Lent> {
        lend(end.into_fds()?)
    }

    fn adopt_in(lent: &str, _: usize) -> Outcome<Self::In> {
        Ok(Self::sender(Sender::from_fds(fds(lent)?)?))
    }
}

impl Payloads for Ours<Blocking> {
    fn give(end: &mut Self::In, payload: &[u64]) -> Outcome {
        Ok(end.push_slice(payload)?)
    }

    fn take(end: &mut Self::Out, buffer: &mut [u64]) -> Outcome<u64> {
        end.pop_slice(buffer)?;
        Ok(sum(buffer))
    }
}

impl Payloads for Ours<InPlace> {
    fn give(end: &mut Self::In, payload: &[u64]) -> Outcome {
        while !Self::write(end, payload)? {
            end.wait_slots(payload.len(), None)?;
        }
        Ok(())
    }

    fn take(end: &mut Self::Out, buffer: &mut [u64]) -> Outcome<u64> {
        loop {
            match Self::read(end, buffer.len())? {
                Some(total) => return Ok(total),
                None => end.wait_slots(buffer.len(), None)?,
            };
        }
    }
}

impl Ours<InPlace> {
    /// Whether there was room.
    fn write(end: &mut Sender<u64>, payload: &[u64]) -> Outcome<bool> {
        let mut chunk = match end.write_chunk(payload.len()) {
            Err(RingError::Full) => return Ok(false),
            chunk => chunk?,
        };
        // SAFETY: the other end only reads what has been committed.
        let (first, second) = unsafe { chunk.as_mut_slices() };
        let (before, after) = payload.split_at(first.len());
        copy(before, first);
        copy(after, second);
        chunk.commit_all();
        Ok(true)
    }

    /// The sum, if there are as many words.
    fn read(end: &mut Receiver<u64>, words: usize) -> Outcome<Option<u64>> {
        let chunk = match end.read_chunk(words) {
            Err(RingError::Empty) => return Ok(None),
            chunk => chunk?,
        };
        // SAFETY: the other end does not write to what has not been taken.
        let (first, second) = unsafe { chunk.as_slices() };
        let total = sum(first).wrapping_add(if second.is_empty() { 0 } else { sum(second) });
        chunk.commit_all();
        Ok(Some(total))
    }
}

fn copy(from: &[u64], to: &mut [MaybeUninit<u64>]) {
    assert_eq!(from.len(), to.len());
    // SAFETY: they are as long, and one of them is borrowed for this alone.
    unsafe { to.as_mut_ptr().cast::<u64>().copy_from_nonoverlapping(from.as_ptr(), from.len()) };
}

impl Items for Ours<Blocking> {
    fn push(end: &mut Self::In, item: u64) -> Outcome {
        Ok(end.push(item)?)
    }

    fn pop(end: &mut Self::Out) -> Outcome<u64> {
        Ok(end.pop()?)
    }
}

impl Items for Ours<Sleeping> {
    fn push(end: &mut Self::In, item: u64) -> Outcome {
        Ok(end.push(item)?)
    }

    fn pop(end: &mut Self::Out) -> Outcome<u64> {
        Ok(end.pop()?)
    }
}

impl Items for Ours<Trying> {
    fn push(end: &mut Self::In, item: u64) -> Outcome {
        spin(|| match end.try_push(item) {
            Ok(()) => Ok(Some(())),
            Err(RingError::Full) => Ok(None),
            Err(error) => Err(error.into()),
        })
    }

    fn pop(end: &mut Self::Out) -> Outcome<u64> {
        spin(|| Self::try_pop(end))
    }
}

impl Polled for Ours<Trying> {
    fn try_pop(end: &mut Self::Out) -> Outcome<Option<u64>> {
        match end.try_pop() {
            Ok(item) => Ok(Some(item)),
            Err(RingError::Empty) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

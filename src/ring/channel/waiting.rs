//! What both sides of a channel have, and how each of them waits for the other.

use std::{
    cell::Cell,
    ops::ControlFlow,
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering, fence},
    thread,
    time::Duration,
};

use bytemuck::{AnyBitPattern, NoUninit};

use super::wake::Wake;
use crate::{
    Error,
    ring::{
        Consumer, Producer, RingError,
        handshake::{end, retract},
        indices::{Popping, Pushing},
        sleep::{arm, sleep},
    },
    sync::patience::{Patience, pause},
    sys::{RingMemory, Waking, barrier},
};

/// How often a side looks before it sleeps.
pub(super) const SPINS: u32 = 100;
/// So many looks are made between two at the clock, for who does not wait for ever.
const CLOCK: u32 = 16;
/// And so many between two at the bell: a process that was killed says nothing in memory.
const BELL: u32 = 4096;
/// How long one sleep takes, at most, where this process can have no fence run on others' processors.
const NAP: Duration = Duration::from_millis(1);
/// So many times in a row a side lets itself be woken for nothing, before it takes a [`NAP`].
const PATIENT: u32 = 64;

/// One side's half of the core, as waiting needs it.
pub(super) trait Half: Sized {
    /// # Safety
    ///
    /// The memory is mapped for as long as the half is there, and nothing else accesses this mapping.
    unsafe fn attach(memory: NonNull<[u8]>) -> Result<Self, Error>;
    /// What this side waits for, and the other: in the memory.
    fn waits(&self) -> (NonNull<AtomicU64>, NonNull<AtomicU64>);
    /// How far this side is.
    fn own(&self) -> u64;
    /// How many slots are this side's. `gone`: the other side was known to have ended before.
    fn look(&mut self, gone: bool) -> Result<usize, RingError>;
    /// The other side has ended.
    fn has_ended(&self) -> bool;
    /// The index that the other side has when so many slots are this side's.
    fn index_for(&self, slots: usize) -> u64;
    fn slots_in_all(&self) -> usize;
}

impl<T: AnyBitPattern + NoUninit> Half for Producer<'_, T> {
    unsafe fn attach(memory: NonNull<[u8]>) -> Result<Self, Error> {
        // SAFETY: the caller's promise.
        unsafe { Producer::attach(memory) }
    }

    fn waits(&self) -> (NonNull<AtomicU64>, NonNull<AtomicU64>) {
        let head = self.area.head();
        (NonNull::from(&head.producer_waits.0), NonNull::from(&head.consumer_waits.0))
    }

    #[inline(always)]
    fn own(&self) -> u64 {
        self.indices.own()
    }

    fn look(&mut self, gone: bool) -> Result<usize, RingError> {
        if gone { Err(RingError::Closed) } else { self.slots() }
    }

    fn has_ended(&self) -> bool {
        self.is_closed()
    }

    fn index_for(&self, slots: usize) -> u64 {
        self.indices.awaited::<Pushing>(slots)
    }

    fn slots_in_all(&self) -> usize {
        self.capacity()
    }
}

impl<T: AnyBitPattern + NoUninit> Half for Consumer<'_, T> {
    unsafe fn attach(memory: NonNull<[u8]>) -> Result<Self, Error> {
        // SAFETY: the caller's promise.
        unsafe { Consumer::attach(memory) }
    }

    fn waits(&self) -> (NonNull<AtomicU64>, NonNull<AtomicU64>) {
        let head = self.area.head();
        (NonNull::from(&head.consumer_waits.0), NonNull::from(&head.producer_waits.0))
    }

    #[inline(always)]
    fn own(&self) -> u64 {
        self.indices.own()
    }

    fn look(&mut self, gone: bool) -> Result<usize, RingError> {
        match self.slots()? {
            0 if gone => Err(RingError::Closed),
            slots => Ok(slots),
        }
    }

    fn has_ended(&self) -> bool {
        self.is_closed()
    }

    fn index_for(&self, slots: usize) -> u64 {
        self.indices.awaited::<Popping>(slots)
    }

    fn slots_in_all(&self) -> usize {
        self.capacity()
    }
}

/// What both sides have.
pub(super) struct Common {
    /// What this side waits for: in `memory`.
    mine: NonNull<AtomicU64>,
    wake: Wake,
    spins: u32,
    /// Unmapped last.
    memory: RingMemory,
}

// SAFETY: the word is an atomic in memory that goes with this value; the rest can be sent.
unsafe impl Send for Common {}
// SAFETY: the same, and shared.
unsafe impl Sync for Common {}

impl Common {
    /// # Safety
    ///
    /// `mine` lies in `memory`.
    pub(super) unsafe fn new(mine: NonNull<AtomicU64>, wake: Wake, memory: RingMemory) -> Self {
        let common = Common { mine, wake, spins: SPINS, memory };
        retract(common.mine());
        common
    }

    fn mine(&self) -> &AtomicU64 {
        // SAFETY: it lies in the memory, which is mapped for as long as this value is there.
        unsafe { self.mine.as_ref() }
    }

    #[inline(always)]
    pub(super) fn wake(&self) -> &Wake {
        &self.wake
    }

    pub(super) fn memory(&self) -> &RingMemory {
        &self.memory
    }

    pub(super) fn into_parts(self) -> (RingMemory, Wake) {
        (self.memory, self.wake)
    }

    pub(super) fn set_spins(&mut self, spins: u32) {
        self.spins = spins;
    }

    /// An error in a forked child.
    #[inline(always)]
    pub(super) fn check(&self) -> Result<(), RingError> {
        if self.wake.is_ours() { Ok(()) } else { Err(RingError::Inherited) }
    }

    /// Has the other side ended, as it says, or as the system knows?
    pub(super) fn asks_gone(&self, half: &impl Half) -> bool {
        if half.has_ended() || self.wake.bell().has_hung_up() {
            self.wake.set_gone();
        }
        self.wake.is_gone()
    }

    /// This side has ended, and has said so in its indices.
    pub(super) fn at_the_end(&self) {
        // Release: whoever finds the word finds the rest.
        fence(Ordering::Release);
        end(self.mine());
        self.wake.at_the_end();
    }

    /// What a wait for `least` slots ends with, if it ends now.
    fn found(&self, half: &mut impl Half, least: usize) -> Option<Result<usize, RingError>> {
        // First this, then the index: what is found after the end is all there is.
        let gone = self.wake.is_gone() || half.has_ended();
        match half.look(gone) {
            Ok(slots) if slots >= least => Some(Ok(slots)),
            Ok(_) if gone => Some(Err(RingError::Closed)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// Waits until `least` slots are this side's: how many are.
    pub(super) fn wait(&self, half: &mut impl Half, least: usize, patience: Patience) -> Result<usize, RingError> {
        let capacity = half.slots_in_all();
        if least > capacity {
            return Err(RingError::TooMany { capacity });
        }
        let mut turn = 0;
        loop {
            if let Some(found) = self.found(half, least) {
                return found;
            }
            if turn >= self.spins || matches!(patience, Patience::Without) {
                break;
            }
            // At the beginning, too: a side that is given a little each time that it waits does not wait for ever.
            if turn.is_multiple_of(CLOCK) && patience.left().is_none() {
                return Err(RingError::TimedOut);
            }
            if turn % BELL == BELL - 1 {
                self.asks_gone(half);
            }
            pause(turn);
            turn += 1;
        }
        if patience.left().is_none() {
            return Err(RingError::TimedOut);
        }
        // Woken for no more than it needs: the other side may wait for just that to be done.
        let index = half.index_for(least);
        let (heard, mut rung) = (Cell::new(true), 0);
        sleep(
            self.mine(),
            index,
            || heard.set(barrier::heavy()),
            || self.found(half, least),
            || self.doze(patience, heard.get(), &mut rung),
        )
    }

    /// Sleeps until the bell rings. `heard`: the other side has kept its order. `rung` counts how often in this wait.
    fn doze(&self, patience: Patience, heard: bool, rung: &mut u32) -> ControlFlow<Result<usize, RingError>> {
        let Some(left) = patience.left() else { return ControlFlow::Break(Err(RingError::TimedOut)) };
        if *rung > PATIENT {
            // An honest side rings once for each sleep, when there is something. This one can only waste its own time.
            thread::sleep(NAP.min(left));
        }
        let at_most = if heard { left } else { left.min(NAP) };
        match self.wake.bell().wait(Some(at_most)) {
            Waking::Rung => *rung = rung.saturating_add(1),
            // The look after this finds what there is, or that nothing more will be.
            Waking::HungUp => self.wake.set_gone(),
            Waking::TimedOut => {}
        }
        ControlFlow::Continue(())
    }

    /// Says that this side is about to wait for one slot by other means: false if there is one.
    pub(super) fn prepare(&self, half: &mut impl Half) -> Result<bool, RingError> {
        if let Some(found) = self.found(half, 1) {
            return found.map(|_| false);
        }
        let barrier = || {
            if !barrier::heavy() {
                // What the other side has done before it could see the announcement is to be seen by then.
                thread::sleep(NAP);
            }
        };
        let index = half.index_for(1);
        arm(self.mine(), index, barrier, || self.found(half, 1)).map_or(Ok(true), |found| found.map(|_| false))
    }

    /// That wait is over.
    pub(super) fn finish(&self) {
        retract(self.mine());
        if self.wake.bell().wait(Some(Duration::ZERO)) == Waking::HungUp {
            self.wake.set_gone();
        }
    }
}

//! What [`owner`](crate::pool::owner) and [`recovery`](crate::pool::recovery) do around the steps, in small.

use std::sync::atomic::Ordering;

use super::{
    area::{ALLOCATED, HELD},
    process::Process,
};
use crate::pool::{
    steps::{self, Area, Atom, Intent, Recount},
    word::Word,
};

impl Process {
    /// As `block::allocate`, of a vacant block in this thread's hands: the new value's serial.
    pub(super) fn allocate(&self, block: u32, exclusive: bool) -> u64 {
        let it = self.block(block);
        let serial = it.serial.load(Ordering::Relaxed) + 1;
        let mut handles = self.stripe(block);
        let intent = Intent::on(self, block);
        it.vacant.store(false, Ordering::SeqCst);
        steps::allocate(self, block, serial, exclusive, || it.header.store(serial, Ordering::Relaxed))
            .expect("it is free");
        it.record.store(it.record.load(Ordering::Relaxed) | ALLOCATED | HELD, Ordering::Release);
        *handles = 1;
        self.has(block);
        drop(intent);
        drop(handles);
        it.bytes.write();
        it.writes.fetch_add(1, Ordering::SeqCst);
        serial
    }

    /// As `records::release`: under the stripe lock.
    pub(super) fn release(&self, block: u32) -> bool {
        let record = &self.block(block).record;
        let before = record.load(Ordering::Relaxed);
        let released = before & (ALLOCATED | HELD) == ALLOCATED;
        if released {
            record.store(before & !ALLOCATED, Ordering::Release);
            self.released(block);
        }
        released
    }

    /// The block is this process's, whoever had it.
    fn released(&self, block: u32) {
        let it = self.block(block);
        assert_eq!(it.handles.load(Ordering::SeqCst), 0, "nothing is given back that somebody holds");
        let held = (0..self.participants()).any(|slot| steps::holds(self, slot, block));
        assert!(!held, "nothing is given back that has a hold bit");
        assert!(!it.vacant.swap(true, Ordering::SeqCst), "nothing is given back twice");
        it.returns.fetch_add(1, Ordering::SeqCst);
        // What anybody read, and what the allocator does with it.
        it.bytes.write();
    }

    pub(super) fn put_back(&self, block: u32, vacant: bool) {
        if vacant {
            self.pool().push(block);
        }
    }

    /// A vacant block, after a drain.
    pub(super) fn pop(&self) -> Option<u32> {
        let mut pool = self.pool();
        self.drain_into(&mut pool);
        pool.pop()
    }

    /// As `Pool::drain`.
    pub(super) fn drain(&self) {
        self.drain_into(&mut self.pool());
    }

    fn drain_into(&self, pool: &mut Vec<u32>) {
        let mut next = steps::take_returned(self);
        while next > 0 {
            let block = next as u32 - 1;
            let it = self.block(block);
            next = it.next.load(Ordering::Relaxed);
            let _handles = self.stripe(block);
            let (held, bit) = self.hold_bit(self.slot(), block);
            assert!(Word(it.word.load(Ordering::SeqCst)).is_zero(), "what is pushed is at 0/0");
            assert_eq!(held.load(Ordering::SeqCst) & bit, 0, "what is pushed is not held");
            assert!(self.release(block), "what is pushed is allocated");
            pool.push(block);
        }
    }

    /// As `recovery::sweep_participant`, but for the slot; false if it has to wait.
    pub(super) fn sweep(&self, dead: u32) -> bool {
        for ticket in 0..self.tickets() {
            steps::settle_ticket(self, ticket, dead);
        }
        for block in 0..self.tables.blocks.len() as u32 {
            let intent = self.intent(dead, block);
            if intent.load(Ordering::SeqCst) == 0 {
                continue;
            }
            match steps::recount(self, block) {
                Recount::Later => return false,
                Recount::Done(word) if word.is_zero() => self.settle(block, word),
                Recount::Done(_) => {}
            }
            intent.store(0, Ordering::SeqCst);
        }
        for block in 0..self.tables.blocks.len() as u32 {
            if steps::holds(self, dead, block) {
                self.give_for(dead, block);
            }
        }
        true
    }

    /// As `recovery::give_for`.
    fn give_for(&self, dead: u32, block: u32) {
        let handles = self.stripe(block);
        let intent = Intent::on(self, block);
        let zero = steps::give(self, dead, block).expect("the count was right").is_zero();
        let vacant = zero && self.give_back(block);
        drop(intent);
        drop(handles);
        self.put_back(block, vacant);
    }

    /// As `Pool::settle`.
    fn settle(&self, block: u32, counted: Word) {
        let mut pool = self.pool();
        self.drain_into(&mut pool);
        let _handles = self.stripe(block);
        if self.word(block).load(Ordering::SeqCst) == counted.0 && self.release(block) {
            pool.push(block);
        }
    }
}

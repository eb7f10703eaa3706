//! One side of a ring under test, whichever of the two it is, between what its enemy does.
#![allow(unsafe_code)] // A ring is attached to memory.

use std::{fmt::Debug, ptr::NonNull};

use arbitrary::Arbitrary;
use commonage::{
    Error,
    bytemuck::{AnyBitPattern, NoUninit},
    ring::RingError,
};

use crate::ring::{Knowledge, Memory, Noise, Ring};

/// What the elements are.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Of {
    Byte,
    Three,
    Word,
    Many,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Step<C> {
    Noise(Noise),
    Reattach,
    /// What the side under test is asked.
    Call(C),
}

#[derive(Arbitrary, Debug)]
pub struct Input<C> {
    pub of: Of,
    ring: Ring,
    steps: Vec<Step<C>>,
}

pub trait Element: AnyBitPattern + NoUninit + PartialEq + Debug {}

impl<T: AnyBitPattern + NoUninit + PartialEq + Debug> Element for T {}

/// A side under test.
pub trait Side<T>: Sized {
    type Call: Copy;
    /// Which end of the ring is its own.
    const END: usize;
    /// What it says when it has no slots.
    const LACK: RingError;

    /// # Safety
    ///
    /// The memory is there for longer than what attaches to it.
    unsafe fn attach(memory: NonNull<[u8]>) -> Result<Self, Error>;

    fn capacity(&self) -> usize;

    /// Makes a call, and holds what comes of it against what must.
    fn call(&mut self, call: Self::Call, memory: &mut Memory, knows: &mut Knowledge);
}

pub fn run<T: Element, S: Side<T>>(input: &Input<S::Call>) {
    let (mut memory, mut kind) = (Memory::new::<T>(input.ring, S::END), None);
    let mut scene = scene::<T, S>(&mut memory, &mut kind);
    for step in &input.steps {
        let Some((side, knows)) = &mut scene else { break };
        match step {
            Step::Noise(noise) => memory.disturb(*noise, knows.own),
            Step::Reattach => {
                drop(scene.take());
                memory.closed();
                memory.assert_as_expected();
                scene = self::scene::<T, S>(&mut memory, &mut kind);
            }
            Step::Call(call) => side.call(*call, &mut memory, knows),
        }
        memory.assert_as_expected();
    }
}

fn scene<T: Element, S: Side<T>>(memory: &mut Memory, kind: &mut Option<u64>) -> Option<(S, Knowledge)> {
    // SAFETY: the memory is dropped after it, and there is one thread.
    let result = unsafe { S::attach(memory.ring()) };
    let side = memory.attached::<T, _>(result, kind)?;
    assert_eq!(side.capacity(), memory.capacity::<T>());
    let knows = Knowledge::new(memory, side.capacity(), S::LACK);
    Some((side, knows))
}

//! What is pushed.

use commonage::bytemuck::{AnyBitPattern, NoUninit};

/// Plain bytes, and any bytes are one.
#[derive(Clone, Copy, PartialEq, Debug, AnyBitPattern, NoUninit)]
#[bytemuck(crate = "commonage::bytemuck")]
#[repr(C)]
pub(crate) struct Measurement {
    process: u32,
    celsius: f32,
    turn: u64,
}

impl Measurement {
    pub(crate) fn new(process: u32, turn: u64) -> Self {
        Measurement { process, celsius: 20.0 + (turn as f32 / 100.0).sin(), turn }
    }
}

//! What is shared.

use std::sync::atomic::AtomicBool;

use commonage::{
    bytemuck::{Pod, Zeroable},
    shareable,
    sync::SeqLock,
};

shareable! {
    /// All that has the name.
    pub(crate) struct Telemetry {
        /// The last sample.
        pub(crate) last: SeqLock<Sample>,
        /// There will be no more.
        pub(crate) over: AtomicBool,
    }

    /// What the machine does at one moment: it moves along a circle. 64 bytes.
    #[derive(Clone, Copy, PartialEq, Debug, Pod, Zeroable)]
    #[bytemuck(crate = "commonage::bytemuck")]
    pub(crate) struct Sample {
        /// Which it is, from 1 on; zero before the first.
        pub(crate) number: u64,
        /// Metres.
        pub(crate) position: [f64; 3],
        /// Metres in a second.
        velocity: [f64; 3],
        /// Degrees Celsius.
        temperature: f64,
    }
}

impl Sample {
    /// The sample with a number: each part of it follows from that.
    pub(crate) fn of(number: u64) -> Self {
        let turns = number as f64 / 1000.0;
        let (sine, cosine) = turns.sin_cos();
        Sample {
            number,
            position: [cosine, sine, turns / 10.0],
            velocity: [-sine, cosine, 0.1],
            temperature: 20.0 + sine * cosine,
        }
    }

    /// Is it no sample, but parts of several?
    pub(crate) fn is_torn(&self) -> bool {
        self.number != 0 && *self != Sample::of(self.number)
    }
}

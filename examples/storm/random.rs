//! Chance that can be repeated: each process has its own stream, derived from the seed and its number.

/// xorshift64*.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64, process: u64) -> Self {
        // Never 0, and far apart for numbers that lie side by side.
        Random(mix(mix(seed).wrapping_add(process)) | 1)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// From 0 up to, and without, `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // The upper half: the lower bits of this generator are its weak ones.
        ((self.number() >> 32) as usize) % end
    }

    pub(crate) fn one_in(&mut self, end: usize) -> bool {
        self.below(end) == 0
    }
}

/// Every bit of the result depends on every bit of `number` (splitmix64).
pub(crate) fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

//! What is played.

use std::{f32::consts::TAU, path::Path};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use super::Failure;

/// Samples between -1 and 1, those of all channels at a time side by side.
pub(crate) struct Sound {
    pub(crate) channels: usize,
    /// Samples of one channel in a second.
    pub(crate) rate: u32,
    pub(crate) samples: Vec<f32>,
}

impl Sound {
    /// A tone of 440 Hz with an octave in the other ear.
    pub(crate) fn tone(seconds: u64) -> Self {
        const RATE: u32 = 48_000;
        let at = |n: u64, hertz: f32| 0.5 * (TAU * hertz * (n % u64::from(RATE)) as f32 / RATE as f32).sin();
        let samples = (0..seconds * u64::from(RATE)).flat_map(|n| [at(n, 440.0), at(n, 880.0)]).collect();
        Sound { channels: 2, rate: RATE, samples }
    }

    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let named = |error: hound::Error| format!("{}: {error}", file.display());
        let mut reader = WavReader::open(file).map_err(named)?;
        let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = reader.spec();
        let samples: Result<Vec<f32>, _> = match sample_format {
            SampleFormat::Float => reader.samples().collect(),
            SampleFormat::Int => {
                let full = (1_i64 << (bits_per_sample - 1)) as f32;
                reader.samples::<i32>().map(|sample| sample.map(|sample| sample as f32 / full)).collect()
            }
        };
        Ok(Sound { channels: channels.into(), rate: sample_rate, samples: samples.map_err(named)? })
    }

    pub(crate) fn write(&self, file: &Path) -> Result<(), Failure> {
        let spec = WavSpec {
            channels: u16::try_from(self.channels)?,
            sample_rate: self.rate,
            bits_per_sample: 32,
            sample_format: SampleFormat::Float,
        };
        let mut writer = WavWriter::create(file, spec)?;
        for sample in &self.samples {
            writer.write_sample(*sample)?;
        }
        Ok(writer.finalize()?)
    }

    /// Samples, of all channels together, in a frame of 10 ms.
    pub(crate) fn frame(&self) -> usize {
        self.rate as usize / 100 * self.channels
    }
}

/// A number for samples: that of what was sent is that of what was heard.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Sum(u64);

impl Sum {
    pub(crate) fn add(&mut self, samples: impl IntoIterator<Item = f32>) {
        for sample in samples {
            self.0 = self.0.wrapping_mul(0x100_0000_01b3).wrapping_add(sample.to_bits().into());
        }
    }

    pub(crate) fn to_number(self) -> u64 {
        self.0
    }
}

//! A type of one's own, with metadata: `cargo run --example custom_type`.

use std::{collections::BTreeMap, error::Error};

use commonage::{Shared, SharedMut, ShmemBacked, ShmemView, ShmemViewMut, bytemuck};
use serde::{Deserialize, Serialize};

/// What a seismograph wrote: the samples go into shared memory, the label travels with every handle.
struct Recording {
    label: Label,
    samples: Vec<f32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Label {
    station: String,
    /// Samples in a second.
    rate: f64,
    /// Ground motion, in micrometres, for one unit of each channel.
    gains: BTreeMap<String, f64>,
}

/// What a reader of a shared [`Recording`] gets.
struct View<'a> {
    label: &'a Label,
    samples: &'a [f32],
}

/// What a writer gets.
struct ViewMut<'a> {
    label: &'a mut Label,
    samples: &'a mut [f32],
}

// SAFETY: label and samples hold nothing that belongs to one process. The views are made by `bytemuck`, which checks
// length and alignment, of a type for which all bytes are valid.
unsafe impl ShmemBacked for Recording {
    type NewArg = (Label, usize);
    type MetaData = Label;

    fn required_memory_arg((_, samples): &Self::NewArg) -> usize {
        samples.saturating_mul(size_of::<f32>())
    }

    fn required_memory_src(src: &Self) -> usize {
        size_of_val(&src.samples[..])
    }

    /// Silence: the data is zeroed already.
    fn new(_: &mut [u8], (label, _): &Self::NewArg) -> Label {
        label.clone()
    }

    fn new_from_src(data: &mut [u8], src: &Self) -> Label {
        data.copy_from_slice(bytemuck::cast_slice(&src.samples));
        src.label.clone()
    }
}

impl<'a> ShmemView<'a> for Recording {
    type View = View<'a>;

    fn view(data: &'a [u8], label: &'a Label) -> View<'a> {
        View { label, samples: bytemuck::cast_slice(data) }
    }
}

impl<'a> ShmemViewMut<'a> for Recording {
    type View = ViewMut<'a>;

    fn view_mut(data: &'a mut [u8], label: &'a mut Label) -> ViewMut<'a> {
        ViewMut { label, samples: bytemuck::cast_slice_mut(data) }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let gains = BTreeMap::from([("north".to_owned(), 0.75), ("up".to_owned(), 1.5)]);
    let label = Label { station: "Kilauea".to_owned(), rate: 100.0, gains };

    // From a value, sent as text: the samples stay where they are.
    let shared = Shared::copy_from(&Recording { label: label.clone(), samples: vec![0.25; 6000] })?;
    let text = serde_json::to_string(&shared)?;
    let received: Shared<Recording> = serde_json::from_str(&text)?;
    let view = received.as_view();
    assert_eq!(*view.label, label);
    assert_eq!(view.samples, shared.as_view().samples);
    let (seconds, station) = (view.samples.len() as f64 / view.label.rate, &view.label.station);
    println!("{seconds} s of {station} in {} bytes of text", text.len());

    // Made in place; samples and label change there, and both are sent.
    let mut silence: SharedMut<Recording> = SharedMut::new(&(label, 6000))?;
    let view = silence.as_view_mut();
    view.samples[17] = 2.0;
    view.label.gains.insert("east".to_owned(), 0.5);
    let received: SharedMut<Recording> = SharedMut::from_token(&silence.into_token()?)?;
    let view = received.as_view();
    assert_eq!(view.samples.iter().sum::<f32>(), 2.0);
    assert_eq!(view.label.gains["east"], 0.5);
    println!("{} channels, sample 17 is {}", view.label.gains.len(), view.samples[17]);
    Ok(())
}

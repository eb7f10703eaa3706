//! What the crate costs alone: `cargo bench`. Beside its peers it is measured by `benches/peers`.

#[cfg(feature = "ndarray")]
mod arrays;
mod build;
mod clone;
mod make;
mod serialize;
mod view;

use criterion::Criterion;

/// Without the feature there are none.
#[cfg(not(feature = "ndarray"))]
mod arrays {
    pub(crate) fn bench(_criterion: &mut criterion::Criterion) {}
}

/// Payloads in bytes: a message, a page, a tile, a photograph, a film's second.
const SIZES: [usize; 5] = [64, 4 << 10, 64 << 10, 1 << 20, 16 << 20];

/// A slice of `size` bytes of which no two parts are alike.
fn payload(size: usize) -> Vec<u64> {
    (0..size as u64 / 8).map(|index| index.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    make::bench(&mut criterion);
    build::bench(&mut criterion);
    clone::bench(&mut criterion);
    serialize::bench(&mut criterion);
    view::bench(&mut criterion);
    arrays::bench(&mut criterion);
    criterion.final_summary();
}

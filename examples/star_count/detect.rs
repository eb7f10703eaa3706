//! Finding stars: arithmetic on pixels that gives the same result whoever computes it, on however many tiles.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView3, ArrayViewMut1, Axis, s};
use serde::{Deserialize, Serialize};

/// Standard deviation of the smoothing, in pixels: that of a point of light in a typical photograph.
const SIGMA: f32 = 1.6;
/// Pixels that the smoothing looks at on each side of a pixel: three standard deviations.
const KERNEL_RADIUS: usize = 5;
/// Pixels on each side of a star in which nothing is brighter: the neighbourhood is 7 x 7.
pub(crate) const PEAK_RADIUS: usize = 3;
/// How far above the background a star is, in standard deviations of the background.
const SIGNIFICANCE: f32 = 5.0;
/// How far above the background a star is at least, in levels of 0 to 255, however even the background.
const LEAST_CONTRAST: f32 = 8.0;

/// A local maximum of the smoothed luminance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Star {
    /// Its row in the photograph, in pixels.
    pub(crate) row: usize,
    /// Its column in the photograph, in pixels.
    pub(crate) column: usize,
    /// The smoothed luminance there, 0 to 255.
    pub(crate) brightness: f32,
}

/// What the whole photograph says about its background.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sky {
    /// The median luminance, 0 to 255.
    pub(crate) background: f32,
    /// The luminance above which a maximum is a star.
    pub(crate) level: f32,
}

/// The background of a photograph (`rows x columns x RGB`) by median and median absolute deviation, which stars, being
/// few, hardly move.
pub(crate) fn sky(image: ArrayView3<'_, u8>) -> Sky {
    let mut counts = [0usize; 256];
    for pixel in image.lanes(Axis(2)) {
        // 0..=255 by construction: a weighted mean of bytes.
        counts[luminance(pixel[0], pixel[1], pixel[2]).round() as usize] += 1;
    }
    let background = median(&counts);
    let mut deviations = [0usize; 256];
    for (value, count) in counts.iter().enumerate() {
        deviations[value.abs_diff(background)] += count;
    }
    // For normally distributed noise the standard deviation is 1.4826 times the median absolute deviation.
    let noise = 1.4826 * median(&deviations) as f32;
    let background = background as f32;
    Sky { background, level: background + (SIGNIFICANCE * noise).max(LEAST_CONTRAST) }
}

/// The value that half of what was counted does not exceed.
fn median(counts: &[usize; 256]) -> usize {
    let total: usize = counts.iter().sum();
    let mut seen = 0;
    counts
        .iter()
        .position(|count| {
            seen += count;
            2 * seen >= total
        })
        .unwrap_or(0)
}

fn luminance(red: u8, green: u8, blue: u8) -> f32 {
    0.2126 * f32::from(red) + 0.7152 * f32::from(green) + 0.0722 * f32::from(blue)
}

/// Writes the smoothed luminance of the rows `rows` of the photograph to `smoothed`, a row each; `done` is called after each
/// row.
///
/// Rows beyond `rows` are read where the smoothing needs them, and beyond the photograph its border goes on, so that a
/// row comes out the same whatever tile it is in.
pub(crate) fn smooth<'a>(
    image: ArrayView3<'_, u8>,
    rows: Range<usize>,
    smoothed: impl Iterator<Item = ArrayViewMut1<'a, f32>>,
    mut done: impl FnMut(),
) {
    let (height, width, _) = image.dim();
    let kernel = kernel();
    let first = rows.start.saturating_sub(KERNEL_RADIUS);
    let end = (rows.end + KERNEL_RADIUS).min(height);

    // Along the rows first ...
    let mut blurred = Array2::zeros((end - first, width));
    let mut padded = vec![0.0f32; width + 2 * KERNEL_RADIUS];
    for (pixels, mut out) in image.slice(s![first..end, .., ..]).outer_iter().zip(blurred.outer_iter_mut()) {
        for (x, value) in padded.iter_mut().enumerate() {
            let column = x.saturating_sub(KERNEL_RADIUS).min(width - 1);
            *value = luminance(pixels[[column, 0]], pixels[[column, 1]], pixels[[column, 2]]);
        }
        for (value, window) in out.iter_mut().zip(padded.windows(kernel.len())) {
            *value = window.iter().zip(&kernel).map(|(value, weight)| value * weight).sum();
        }
    }

    // ... then along the columns.
    for (row, mut out) in rows.zip(smoothed) {
        out.fill(0.0);
        for (offset, &weight) in kernel.iter().enumerate() {
            let from = (row + offset).saturating_sub(KERNEL_RADIUS).min(height - 1);
            out.scaled_add(weight, &blurred.row(from - first));
        }
        done();
    }
}

/// The weights of the smoothing; their sum is 1.
fn kernel() -> [f32; 2 * KERNEL_RADIUS + 1] {
    let mut kernel = [0.0; 2 * KERNEL_RADIUS + 1];
    for (x, weight) in kernel.iter_mut().enumerate() {
        let distance = x as f32 - KERNEL_RADIUS as f32;
        *weight = (-distance * distance / (2.0 * SIGMA * SIGMA)).exp();
    }
    let sum: f32 = kernel.iter().sum();
    kernel.map(|weight| weight / sum)
}

/// The stars among the rows `rows` of `smoothed`, which are those of the photograph from its row `first_row` on: the pixels
/// brighter than `level` and than all others around them. Of several equally bright ones the topmost, then leftmost, is
/// the star.
pub(crate) fn stars(smoothed: &[ArrayView1<'_, f32>], rows: Range<usize>, first_row: usize, level: f32) -> Vec<Star> {
    let mut stars = Vec::new();
    for row in rows {
        for (column, &brightness) in smoothed[row].iter().enumerate() {
            if brightness > level && is_peak(smoothed, row, column) {
                stars.push(Star { row: first_row + row, column, brightness });
            }
        }
    }
    stars
}

fn is_peak(smoothed: &[ArrayView1<'_, f32>], row: usize, column: usize) -> bool {
    let (height, width) = (smoothed.len(), smoothed[row].len());
    let here = smoothed[row][column];
    let rows = row.saturating_sub(PEAK_RADIUS)..(row + PEAK_RADIUS + 1).min(height);
    let columns = column.saturating_sub(PEAK_RADIUS)..(column + PEAK_RADIUS + 1).min(width);
    rows.flat_map(|y| columns.clone().map(move |x| (y, x))).filter(|&at| at != (row, column)).all(|at| {
        let there = smoothed[at.0][at.1];
        if at < (row, column) { there < here } else { there <= here }
    })
}

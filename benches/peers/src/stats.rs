//! Medians and their spread.

/// Order statistics of a series.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) lower_quartile: f64,
    pub(crate) median: f64,
    pub(crate) upper_quartile: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one value, none of them NaN.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |quantile: f64| {
            let position = quantile * (sorted.len() - 1) as f64;
            let (below, above) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
            below + (above - below) * position.fract()
        };
        Spread { min: at(0.0), lower_quartile: at(0.25), median: at(0.5), upper_quartile: at(0.75), max: at(1.0) }
    }

    /// Of the quotients of two series, round by round.
    pub(crate) fn of_ratios(numerators: &[f64], denominators: &[f64]) -> Self {
        Self::of(numerators.iter().zip(denominators).map(|(numerator, denominator)| numerator / denominator))
    }
}

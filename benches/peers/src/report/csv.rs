//! Every figure of the tables, with its spread.

use std::path::Path;

use super::{Finding, Measured};
use crate::{Outcome, peers::COMMONAGE, stats::Spread};

pub(crate) fn write_csv(measured: &[Measured], findings: &[Finding], path: &Path) -> Outcome {
    let mut file = csv::Writer::from_path(path)?;
    file.write_record([
        "work",
        "row",
        "size_bytes",
        "contender",
        "rounds",
        "batch",
        "min_ns",
        "lower_quartile_ns",
        "median_ns",
        "upper_quartile_ns",
        "max_ns",
        "ratio_to_commonage_lower_quartile",
        "ratio_to_commonage_median",
        "ratio_to_commonage_upper_quartile",
        "found",
        "to_reach",
        "reached",
    ])?;
    for measured in measured {
        for (at, row) in measured.work.rows.iter().enumerate() {
            for samples in &measured.samples[at] {
                let Spread { min, lower_quartile, median, upper_quartile, max } =
                    Spread::of(samples.nanoseconds.iter().copied());
                let mut record = vec![measured.work.name.to_owned(), row.name.clone(), row.size.to_string()];
                record.extend([samples.contender.to_owned(), samples.nanoseconds.len().to_string()]);
                record.push(samples.batch.to_string());
                record.extend([min, lower_quartile, median, upper_quartile, max].map(|ns| format!("{ns:.3}")));
                let ratio = measured.ratio(samples.contender, COMMONAGE, at);
                let ratios = ratio.map(|ratio| [ratio.lower_quartile, ratio.median, ratio.upper_quartile]);
                record.extend(ratios.unwrap_or_default().map(|ratio| format!("{ratio:.4}")));
                record.extend([const { String::new() }; 3]);
                file.write_record(record)?;
            }
        }
    }
    for Finding { what, found, asked, reached } in findings {
        let reached = reached.map_or("", |reached| if reached { "yes" } else { "no" });
        let figures = [""; 10];
        file.write_record(
            ["limits of scale", what, "", COMMONAGE].iter().chain(&figures).chain(&[found, asked, reached]),
        )?;
    }
    file.flush()?;
    Ok(())
}

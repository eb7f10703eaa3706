//! The table, and every figure of it as CSV.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use crate::{
    Outcome,
    measure::{Cell, Effort, Samples},
    peers::{COMMONAGE, LIMITS, PEERS},
    stats::Spread,
};

/// One kind of work, as the table names it.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// Which bytes of the payload the contenders read or write.
    pub(crate) touched: &'static str,
    /// What else must be known to read the figures.
    pub(crate) how: &'static str,
    /// Whether the picture has a panel for it.
    pub(crate) drawn: bool,
}

/// One line of the table: a work at a size.
pub(crate) struct Row {
    pub(crate) size: usize,
    targets: Vec<Target>,
}

impl Row {
    pub(crate) fn new<const N: usize>(size: usize, targets: [Target; N]) -> Self {
        Row { size, targets: targets.into() }
    }
}

/// What is to be reached; judged by the median.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// The peer takes at least so many times as long.
    Faster { than: &'static str, times: f64 },
    /// It takes at most so many times as long as the limit.
    Within { of: &'static str, times: f64 },
    /// It takes at most so many times as long as at another size.
    Independent { of: usize, times: f64 },
    /// It takes at most so long.
    AtMost { nanoseconds: f64 },
}

/// A work with all that take part in it: what is measured in common rounds.
pub(crate) struct Group {
    pub(crate) work: Work,
    pub(crate) cells: Vec<Cell>,
    pub(crate) rows: Vec<Row>,
}

/// A group with its samples.
pub(crate) struct Measured {
    pub(crate) work: Work,
    pub(crate) rows: Vec<Row>,
    pub(crate) samples: Vec<Samples>,
}

impl Measured {
    /// The samples that stand beside `size`.
    pub(crate) fn at(&self, contender: &str, size: usize) -> Option<&[f64]> {
        let fits = |samples: &&Samples| samples.contender == contender && samples.size.is_none_or(|of| of == size);
        self.samples.iter().find(fits).map(|samples| &*samples.nanoseconds)
    }

    fn median(&self, contender: &str, size: usize) -> String {
        match self.at(contender, size) {
            Some(samples) => time(Spread::of(samples.iter().copied()).median),
            None => String::new(),
        }
    }

    fn ratio(&self, numerator: &str, denominator: &str, size: usize) -> Option<Spread> {
        Some(Spread::of_ratios(self.at(numerator, size)?, self.at(denominator, size)?))
    }

    /// The words of a target, and the words of its outcome.
    fn judge(&self, target: Target, size: usize) -> (String, String) {
        let verdict = |reached, found: String| if reached { "yes".to_owned() } else { format!("**no**: {found}") };
        let times_verdict = |ratio: Option<Spread>, reached: fn(f64, f64) -> bool, times| match ratio {
            Some(ratio) => verdict(reached(ratio.median, times), format!("{:.3} ×", ratio.median)),
            None => "not measured".to_owned(),
        };
        match target {
            Target::Faster { than, times } => {
                let outcome = times_verdict(self.ratio(than, COMMONAGE, size), |found, asked| found >= asked, times);
                (format!("≥ {times} × faster than {than}"), outcome)
            }
            Target::Within { of, times } => {
                let outcome = times_verdict(self.ratio(COMMONAGE, of, size), |found, asked| found <= asked, times);
                (format!("≤ {times} × {of}"), outcome)
            }
            Target::Independent { of, times } => {
                let ratio = self.at(COMMONAGE, size).zip(self.at(COMMONAGE, of));
                let ratio = ratio.map(|(here, there)| Spread::of_ratios(here, there));
                let outcome = times_verdict(ratio, |found, asked| found <= asked, times);
                (format!("≤ {times} × of {}", bytes(of)), outcome)
            }
            Target::AtMost { nanoseconds } => {
                let found = self.at(COMMONAGE, size).map(|samples| Spread::of(samples.iter().copied()).median);
                let outcome = match found {
                    Some(found) => verdict(found <= nanoseconds, time(found)),
                    None => "not measured".to_owned(),
                };
                (format!("≤ {}", time(nanoseconds)), outcome)
            }
        }
    }
}

/// The Markdown table of everything measured, with what must be known to read it.
pub(crate) fn table(measured: &[Measured], effort: Effort) -> String {
    let mut head = vec!["work".to_owned(), "size".to_owned(), COMMONAGE.to_owned()];
    for peer in PEERS {
        head.extend([peer.to_owned(), format!("{peer} ÷ {COMMONAGE}")]);
    }
    head.extend(["limit", "commonage ÷ limit", "to reach", "reached", "touched"].map(str::to_owned));
    let mut text = line(&head);
    text += &line(&vec!["---".to_owned(); head.len()]);

    for group in measured {
        for row in &group.rows {
            let mut cells = vec![group.work.name.to_owned(), bytes(row.size), group.median(COMMONAGE, row.size)];
            for peer in PEERS {
                cells.extend([group.median(peer, row.size), quotient(group.ratio(peer, COMMONAGE, row.size))]);
            }
            match LIMITS.into_iter().find(|limit| group.at(limit, row.size).is_some()) {
                Some(limit) => cells.extend([
                    format!("{limit}: {}", group.median(limit, row.size)),
                    quotient(group.ratio(COMMONAGE, limit, row.size)),
                ]),
                None => cells.extend([String::new(), String::new()]),
            }
            let judged = row.targets.iter().map(|&target| group.judge(target, row.size));
            let (asked, outcomes): (Vec<_>, Vec<_>) = judged.unzip();
            cells.extend([asked.join("; "), outcomes.join("; "), group.work.touched.to_owned()]);
            text += &line(&cells);
        }
    }
    text.push('\n');
    for Measured { work, .. } in measured {
        let _ = writeln!(text, "- **{}**: {}.", work.name, work.how);
    }
    let _ = writeln!(
        text,
        "\nMedians of {} interleaved rounds after {} of warm-up; ratios are medians of the paired ratios, with their \
         quartiles. One thread, and both processes, on one core: {}.",
        effort.rounds,
        effort.warm_up,
        machine()
    );
    text
}

/// Every figure of the table, with its spread.
pub(crate) fn write_csv(measured: &[Measured], path: &Path) -> Outcome {
    let mut file = csv::Writer::from_path(path)?;
    file.write_record([
        "work",
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
    ])?;
    for group in measured {
        for samples in &group.samples {
            // A contender without a payload stands beside every size, and is written once for each.
            let sizes = group.rows.iter().map(|row| row.size).filter(|&size| samples.size.is_none_or(|of| of == size));
            for size in sizes {
                let Spread { min, lower_quartile, median, upper_quartile, max } =
                    Spread::of(samples.nanoseconds.iter().copied());
                let mut record = vec![group.work.name.to_owned(), size.to_string(), samples.contender.to_owned()];
                record.extend([samples.nanoseconds.len().to_string(), samples.batch.to_string()]);
                record.extend([min, lower_quartile, median, upper_quartile, max].map(|ns| format!("{ns:.3}")));
                if let Some(ratio) = group.ratio(samples.contender, COMMONAGE, size) {
                    let figures = [ratio.lower_quartile, ratio.median, ratio.upper_quartile];
                    record.extend(figures.map(|ratio| format!("{ratio:.4}")));
                }
                file.write_record(record)?;
            }
        }
    }
    file.flush()?;
    Ok(())
}

/// Names in the directory of POSIX shared memory, where a peer's segments would be left.
pub(crate) fn named_segments() -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir("/dev/shm") else { return BTreeSet::new() };
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn quotient(ratio: Option<Spread>) -> String {
    let Some(Spread { lower_quartile, median, upper_quartile, .. }) = ratio else { return String::new() };
    format!("{} × ({}–{})", significant(median), significant(lower_quartile), significant(upper_quartile))
}

/// A number of bytes, as people say it.
pub(crate) fn bytes(size: usize) -> String {
    match size {
        _ if size >= 1 << 20 => format!("{} MiB", size >> 20),
        _ if size >= 1 << 10 => format!("{} KiB", size >> 10),
        _ => format!("{size} B"),
    }
}

/// A time in nanoseconds, as people say it.
pub(crate) fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 1e3 => format!("{} ns", significant(ns)),
        ns if ns < 1e6 => format!("{} µs", significant(ns / 1e3)),
        ns => format!("{} ms", significant(ns / 1e6)),
    }
}

/// Three significant figures.
fn significant(value: f64) -> String {
    let whole = if value < 1.0 { 1 } else { value.log10() as usize + 1 };
    format!("{value:.*}", 3_usize.saturating_sub(whole))
}

fn machine() -> String {
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").map(|text| format!(", Linux {}", text.trim()));
    model.unwrap_or_else(|| std::env::consts::ARCH.to_owned()) + &kernel.unwrap_or_default()
}

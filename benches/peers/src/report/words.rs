//! Figures as people say them.

use std::fs;

/// A number of bytes.
pub(crate) fn bytes(size: usize) -> String {
    match size {
        _ if size >= 1 << 30 && size.is_multiple_of(1 << 30) => format!("{} GiB", size >> 30),
        _ if size >= 1 << 20 => format!("{} MiB", size >> 20),
        _ if size >= 1 << 10 => format!("{} KiB", size >> 10),
        _ => format!("{size} B"),
    }
}

/// A time in nanoseconds.
pub(crate) fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 1e3 => format!("{} ns", significant(ns)),
        ns if ns < 1e6 => format!("{} µs", significant(ns / 1e3)),
        ns => format!("{} ms", significant(ns / 1e6)),
    }
}

/// Three significant figures; two of what is less than one.
pub(crate) fn significant(value: f64) -> String {
    if value <= 0.0 {
        return "0".to_owned();
    }
    let power = value.log10().floor() as i32;
    let decimals = if power < 0 { 1 - power } else { (2 - power).max(0) };
    format!("{value:.*}", decimals as usize)
}

pub(super) fn machine() -> String {
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").map(|text| format!(", Linux {}", text.trim()));
    let cores = std::thread::available_parallelism().map(|cores| format!(", {cores} cores"));
    model.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
        + &cores.unwrap_or_default()
        + &kernel.unwrap_or_default()
}

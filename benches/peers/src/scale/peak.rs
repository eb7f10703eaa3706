//! What stays resident when much memory was used and has been dropped.

use std::{fs, os::unix::fs::MetadataExt};

use commonage::Shared;

use crate::{
    Outcome,
    measure::Effort,
    report::{Finding, bytes},
    role,
};

const EACH: usize = 64 << 20;
/// What a pool keeps when the largest of its recent blocks is [`EACH`], unless it is configured otherwise.
const RETAINED: u64 = 256 << 20;

pub(super) fn measure(effort: Effort) -> Outcome<Vec<Finding>> {
    let (what, peak) = if effort.quick {
        ("resident memory after a peak of 1 GiB in values of 64 MiB", 1 << 30)
    } else {
        ("resident memory after a peak of 4 GiB in values of 64 MiB", 4 << 30)
    };
    let limit = RETAINED.min(available()? / 4);
    let asked = format!("{} ± 5 %, the retain limit", bytes(limit as usize));
    if available()? < peak + peak / 2 {
        return Ok(vec![Finding { what, found: "too little memory is available".into(), asked, reached: None }]);
    }
    let output = role::command("spender", "", &peak.to_string())?.output()?;
    let text = String::from_utf8(output.stdout)?;
    let figures = text.split_whitespace().map(str::parse).collect::<Result<Vec<u64>, _>>()?;
    let [resident, blocks] = figures[..] else { return Err("the process with the peak has failed".into()) };
    let found =
        format!("{} resident in the process, {} in its segments", bytes(resident as usize), bytes(blocks as usize));
    let near = |bytes: u64| (0.95..=1.05).contains(&(bytes as f64 / limit as f64));
    // What was written by the system has never been in the process.
    let reached = near(blocks) && resident as f64 <= 1.05 * limit as f64;
    Ok(vec![Finding { what, found, asked, reached: Some(reached) }])
}

/// Is the process that has the peak.
pub(crate) fn spend(peak: &str) -> Outcome {
    let peak: usize = peak.parse()?;
    let source = vec![1_u64; EACH / 8];
    let values = (0..peak / EACH).map(|_| Shared::copy_from(&*source)).collect::<Result<Vec<_>, _>>()?;
    let most = in_segments()?;
    if most < peak as u64 {
        return Err(format!("only {most} bytes of segments were found at the peak").into());
    }
    drop(values);
    println!("{} {}", status("RssShmem")?, in_segments()?);
    Ok(())
}

/// Bytes in the memory without a name that this process has.
fn in_segments() -> Outcome<u64> {
    let mut blocks = 0;
    for entry in fs::read_dir("/proc/self/fd")? {
        let path = entry?.path();
        if fs::read_link(&path).is_ok_and(|target| target.to_string_lossy().starts_with("/memfd:")) {
            blocks += fs::metadata(&path)?.blocks();
        }
    }
    Ok(512 * blocks)
}

/// Bytes, from `/proc/self/status`.
pub(super) fn status(field: &str) -> Outcome<u64> {
    from("/proc/self/status", field)
}

fn available() -> Outcome<u64> {
    from("/proc/meminfo", "MemAvailable")
}

fn from(path: &str, field: &str) -> Outcome<u64> {
    let text = fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or_else(|| format!("{path} has no {field}"))?;
    Ok(1024 * kib.parse::<u64>()?)
}

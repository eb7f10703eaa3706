//! commonage beside its peers and its limits, measured in one run.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml` prints Markdown tables; `-- --out DIR` also writes them to
//! `DIR/table.md`, every figure to `DIR/results.csv` and a picture to `DIR/plot.svg`. `-- survive` measures nothing: it shows
//! what processes that are killed leave behind.
//!
//! D-Bus is measured with the feature `dbus`, which builds libdbus with a C compiler, and where there is a session bus:
//! `dbus-run-session -- cargo run --release --manifest-path benches/peers/Cargo.toml --features dbus`.

mod cores;
mod files;
mod measure;
mod partner;
mod peers;
mod plot;
mod report;
mod rings;
mod role;
mod scale;
mod stats;
mod survive;
mod sync;
mod wire;
mod works;

use std::{collections::BTreeSet, error::Error, fs, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    cores::OneCore,
    measure::Effort,
    report::{Finding, Measured},
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Measures commonage beside its peers and its limits and prints Markdown tables.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    instead: Option<Instead>,
    /// Fewer rounds, and without the largest payload where it takes long: done within a minute.
    #[arg(long)]
    quick: bool,
    /// Also writes table.md, results.csv and plot.svg to this directory.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Only the works, and parts of the last table, whose names contain this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Be another process of the run, in this role.
    #[arg(long, hide = true, requires = "contender", requires = "with")]
    be: Option<String>,
    /// Whose.
    #[arg(long, hide = true)]
    contender: Option<String>,
    /// What the role needs to know.
    #[arg(long, hide = true)]
    with: Option<String>,
}

/// What is done instead.
#[derive(Subcommand)]
enum Instead {
    /// Kills two of four processes that exchange values, and prints what is left in /dev/shm.
    Survive {
        /// Be one of the four, for this contender.
        #[arg(long, hide = true, requires = "number")]
        member: Option<String>,
        /// Which one.
        #[arg(long, hide = true)]
        number: Option<u64>,
    },
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Outcome {
    // An interrupted run still drops every value: some peers' segments have names, which nobody else would remove.
    ctrlc::set_handler(measure::interrupt)?;
    match &options.instead {
        Some(Instead::Survive { member: Some(contender), number: Some(number) }) => {
            return survive::live(contender, *number);
        }
        Some(Instead::Survive { .. }) => return survive::compare(),
        None => {}
    }
    if let (Some(role), Some(contender), Some(with)) = (&options.be, &options.contender, &options.with) {
        return role::play(role, contender, with);
    }
    let before = named_segments();
    let outcome = compare(&options);
    for name in named_segments().difference(&before) {
        eprintln!("peers: /dev/shm/{name} has appeared during the run and is still there");
    }
    outcome
}

fn compare(options: &Options) -> Outcome {
    let effort = if options.quick { Effort::QUICK } else { Effort::FULL };
    let (measured, findings) = measure_all(effort, options.only.as_deref().unwrap_or_default())?;
    let tables = report::tables(&measured, &findings);
    print!("{tables}");
    if let Some(directory) = &options.out {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("table.md"), &tables)?;
        report::write_csv(&measured, &findings, &directory.join("results.csv"))?;
        plot::draw(&measured, &directory.join("plot.svg"))?;
    }
    Ok(())
}

fn measure_all(effort: Effort, only: &str) -> Outcome<(Vec<Measured>, Vec<Finding>)> {
    let style = ProgressStyle::with_template("{bar:30} {percent} %, {elapsed}: {wide_msg}")?;
    let mut works: Vec<_> = works::all().into_iter().filter(|work| work.name.contains(only)).collect();
    for work in works.iter_mut().filter(|work| effort.quick && work.long) {
        work.rows.pop();
    }
    let parts: Vec<_> = scale::PARTS.into_iter().filter(|(name, _)| name.contains(only)).collect();
    let rows: usize = works.iter().map(|work| work.rows.len()).sum();
    const STEPS: f64 = 100.0;
    let bar = ProgressBar::new((rows + parts.len()) as u64 * STEPS as u64).with_style(style);
    let mut done = 0.0;

    let mut measured = Vec::new();
    let one_core = OneCore::stay();
    for work in works {
        let mut samples = Vec::new();
        for row in &work.rows {
            bar.set_message(format!("{}, {}", work.name, row.name));
            // The bar is drawn between rounds only, and never by a thread of its own: nothing runs beside a sample.
            let progress = |part| bar.set_position((STEPS * (done + part)) as u64);
            samples.push(measure::interleaved((work.cells)(row)?, effort, progress)?);
            done += 1.0;
        }
        measured.push(Measured { work, samples });
    }
    drop(one_core);
    let mut findings = Vec::new();
    for (name, part) in parts {
        bar.set_message(name);
        findings.extend(part(effort)?);
        done += 1.0;
        bar.set_position((STEPS * done) as u64);
    }
    bar.finish_and_clear();
    Ok((measured, findings))
}

/// Names in the directory of POSIX shared memory, where a peer's segments would be left.
fn named_segments() -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir("/dev/shm") else { return BTreeSet::new() };
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

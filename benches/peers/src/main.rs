//! commonage beside its peers and its limits, measured in one run.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml` prints one Markdown table; `-- --out DIR` also writes
//! it to `DIR/table.md`, every figure to `DIR/results.csv` and a picture to `DIR/plot.svg`. `-- survive` measures nothing:
//! it shows what processes that are killed leave behind.

mod measure;
mod peers;
mod ping_pong;
mod plot;
mod report;
mod stats;
mod survive;
mod work;

use std::{error::Error, fs, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    measure::Effort,
    report::{Group, Measured},
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Measures commonage beside its peers and its limits and prints one Markdown table.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    instead: Option<Instead>,
    /// Fewer rounds: done in well under a minute.
    #[arg(long)]
    quick: bool,
    /// Also measures the sizes in between, and writes table.md, results.csv and plot.svg to this directory.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Be the other process of the ping-pong, for this contender.
    #[arg(long, hide = true, requires = "server")]
    echo: Option<String>,
    /// Where the other process reports.
    #[arg(long, hide = true)]
    server: Option<String>,
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
    // An interrupted run still drops every value: sharify's segments have names, which nobody else would remove.
    ctrlc::set_handler(measure::interrupt)?;
    match &options.instead {
        Some(Instead::Survive { member: Some(contender), number: Some(number) }) => {
            return survive::live(contender, *number);
        }
        Some(Instead::Survive { .. }) => return survive::compare(),
        None => {}
    }
    measure::stay_on_one_core();
    if let (Some(contender), Some(server)) = (&options.echo, &options.server) {
        return ping_pong::echo(contender, server);
    }
    let before = report::named_segments();
    let effort = if options.quick { Effort::QUICK } else { Effort::FULL };
    let measured = measure_all(effort, options.out.is_some())?;

    let table = report::table(&measured, effort);
    print!("{table}");
    if let Some(directory) = &options.out {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("table.md"), &table)?;
        report::write_csv(&measured, &directory.join("results.csv"))?;
        plot::draw(&measured, &directory.join("plot.svg"))?;
    }
    for name in report::named_segments().difference(&before) {
        eprintln!("peers: /dev/shm/{name} has appeared during the run and is still there");
    }
    Ok(())
}

fn measure_all(effort: Effort, between: bool) -> Outcome<Vec<Measured>> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} rounds, {msg} ({eta} left)")?;
    let bar = ProgressBar::new(work::ALL.len() as u64 * effort.steps()).with_style(style);
    let mut measured = Vec::new();
    for build in work::ALL {
        let Group { work, cells, rows } = build(between)?;
        bar.set_message(work.name);
        // The bar is drawn between rounds only, and never by a thread of its own: nothing runs beside a sample.
        let samples = measure::interleaved(cells, effort, || bar.inc(1))?;
        measured.push(Measured { work, rows, samples });
    }
    bar.finish_and_clear();
    Ok(measured)
}

//! Mean, standard deviation, minimum and maximum of an array in an `.npy` file, by several processes that map it.
//!
//! ```text
//! cargo run --release --example npy_stats [-- [--workers N] [--make SHAPE DTYPE] [FILE]]
//! ```
//!
//! The file may be larger than memory, and of any real numbers. It is mapped, and each worker process gets a handle on some of
//! its rows through `ipc-channel`: it maps the same file, and nothing is copied. Each block of numbers is gone over twice
//! while it is in the caches, once for its mean and once for the deviations from that, and the blocks are put together by
//! Chan's formula: the result is as exact for numbers that lie close together, far from zero.
//!
//! Where NumPy is there, as `python3` or as `COMMONAGE_PYTHON` says, the time that it takes stands beside.

mod args;
mod conversation;
#[path = "../workers/crew.rs"]
mod crew;
#[path = "../temporary/directory.rs"]
mod directory;
mod element;
mod numbers;
mod numpy;
mod summary;
mod worker;

use std::{
    env,
    error::Error,
    io::{self, Write},
    path::Path,
    process::ExitCode,
    time::Instant,
};

use args::{Command, Options};
use commonage::file::npy;
use conversation::converse;
use crew::Crew;
use directory::Directory;
use indicatif::{ProgressBar, ProgressStyle};
use numbers::Numbers;
use numpy::Beside;
use summary::Summary;

/// Why the program ends early: a sentence for whoever started it.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let result = args::parse(env::args_os().skip(1)).and_then(|command| match command {
        Command::Summarize(options) => summarize(&options),
        Command::Work(server) => worker::work(server),
        Command::Help => Ok(writeln!(io::stdout(), "{}", args::HELP)?),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("npy_stats: {error}");
            ExitCode::FAILURE
        }
    }
}

fn summarize(options: &Options) -> Result<(), Failure> {
    // It goes, with the file in it, at the end.
    let directory = options.file.is_none().then(|| Directory::new("npy-stats")).transpose()?;
    let made = directory.as_ref().map(|directory| directory.0.join("numbers.npy"));
    let path = options.file.as_ref().or(made.as_ref()).ok_or("there is no file")?;
    if let Some((shape, dtype)) = &options.make {
        Numbers::make(path, shape, dtype)?;
    }
    let (text, found) = of_file(path, options.workers)?;
    let beside = numpy::summarize(path, &found)?;
    io::stdout().write_all((text + &said_of(&beside)).as_bytes())?;
    Ok(())
}

/// What there is in a file, and what was found, as text too.
fn of_file(path: &Path, workers: usize) -> Result<(String, Summary), Failure> {
    let begin = Instant::now();
    let header = npy::header(path)?;
    let numbers = Numbers::open(path, &header.dtype)?;
    let parts = numbers.split(header.fortran_order, workers);
    let count = numbers.count();
    let workers = parts.len();

    let style = ProgressStyle::with_template("{bar:40} {percent} % of {len} numbers, {per_sec}")?;
    let bar = ProgressBar::new(count).with_style(style);
    let mut crew = Crew::of(workers)?;
    for part in parts {
        let bar = bar.clone();
        crew.hire(move |worker| converse(worker, part, &bar))?;
    }
    let summaries = crew.results()?;
    bar.finish_and_clear();
    let Some(found) = summaries.into_iter().flatten().reduce(Summary::merge) else {
        return Err(format!("{} has no numbers in it: its shape is {:?}", path.display(), header.shape).into());
    };
    let seconds = begin.elapsed().as_secs_f64();
    let shape: Vec<String> = header.shape.iter().map(usize::to_string).collect();
    let text = format!(
        "{}: {count} numbers {}, {}\n{found}\n{seconds:.3} s, worker processes: {workers}\n",
        path.display(),
        header.dtype,
        if shape.is_empty() { "no axes".to_owned() } else { shape.join(" x ") },
    );
    Ok((text, found))
}

fn said_of(beside: &Beside) -> String {
    match beside {
        Beside::Same { version, seconds } => format!("{seconds:.3} s in NumPy {version}, on one core: the same\n"),
        Beside::Other { version, seconds, found } => {
            format!("{seconds:.3} s in NumPy {version}, on one core:\n{found}\n")
        }
        Beside::Absent(why) => format!("no time of NumPy's beside it: {why}\n"),
    }
}

//! A writer and readers that come and go, and a table of what they saw.

use std::{
    env,
    fmt::Write as _,
    io::{self, BufRead, BufReader, Write as _},
    process::{self, Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use commonage::{Error, Link, LinkFault};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{Failure, reader::OPEN, sample::Telemetry, tally::Tally};

/// Milliseconds from beginning to end.
const TIME: u64 = 3000;

/// When a reader starts, in milliseconds, how often it looks, in microseconds, and how it ends.
struct Plan {
    start: u64,
    every: u64,
    end: End,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    /// With the writer.
    Writer,
    /// By itself, after so many seconds.
    Seconds(u64),
    /// By `kill -9`, at this millisecond.
    Killed(u64),
}

const READERS: [Plan; 5] = [
    Plan { start: 0, every: 1000, end: End::Writer },
    Plan { start: 0, every: 0, end: End::Seconds(1) },
    Plan { start: 500, every: 10_000, end: End::Writer },
    Plan { start: 1000, every: 100, end: End::Killed(2000) },
    Plan { start: 1800, every: 1000, end: End::Seconds(1) },
];

/// Starts them, and says whether each reader saw what it should.
pub(crate) fn show() -> Result<bool, Failure> {
    let name = Name(format!("telemetry-{}", process::id()));
    let Name(name) = &name;
    let bar = ProgressBar::new(TIME).with_style(ProgressStyle::with_template("{bar:40} {msg}")?);
    let began = Instant::now();
    let now = || began.elapsed().as_millis() as u64;
    let mut writer = Running::start(&["write", name, "--told"])?;
    let mut readers: Vec<(Plan, Running)> = Vec::new();
    let mut killed = Vec::new();
    let mut plans = READERS.into_iter().peekable();
    while now() < TIME {
        while let Some(plan) = plans.next_if(|plan| now() >= plan.start) {
            let mut arguments = vec!["read".to_owned(), name.clone(), "--told".to_owned()];
            arguments.extend(["--every".to_owned(), plan.every.to_string()]);
            if let End::Seconds(seconds) = plan.end {
                arguments.extend(["--seconds".to_owned(), seconds.to_string()]);
            }
            let mut reader = Running::start(&arguments)?;
            if reader.line()? != OPEN {
                return Err("a reader has not opened the value".into());
            }
            readers.push((plan, reader));
        }
        for (number, (plan, reader)) in readers.iter_mut().enumerate() {
            if matches!(plan.end, End::Killed(at) if now() >= at) && !killed.contains(&number) {
                reader.process.kill()?;
                killed.push(number);
            }
        }
        bar.set_position(now());
        bar.set_message(format!("{} readers have come, {} killed", readers.len(), killed.len()));
        thread::sleep(Duration::from_millis(20));
    }
    // The writer ends when it is told nothing more.
    drop(writer.process.stdin.take());
    let written = writer.line()?;
    writer.end()?;
    bar.finish_and_clear();

    let mut table = format!("{:>6}  {:<24}  {:<22}", "reader", "looks", "stays");
    writeln!(table, "{:>10}  {:>6}  {:>6}  {:>11}  {:>4}", "reads", "new", "missed", "longest gap", "torn")?;
    let mut well = true;
    for (number, (plan, mut reader)) in readers.into_iter().enumerate() {
        let looks = match plan.every {
            0 => "without a pause".to_owned(),
            every => format!("every {} ms", every as f64 / 1000.0),
        };
        let stays = match plan.end {
            End::Writer => format!("from {} ms to the end", plan.start),
            End::Seconds(seconds) => format!("from {} ms for {seconds} s", plan.start),
            End::Killed(at) => format!("from {} ms to {at} ms", plan.start),
        };
        write!(table, "{:>6}  {looks:<24}  {stays:<22}", number + 1)?;
        if killed.contains(&number) {
            writeln!(table, "{:>10}", "killed")?;
            continue;
        }
        let tally: Tally = reader.line()?.parse()?;
        reader.end()?;
        let Tally { reads, new, missed, longest, torn, .. } = tally;
        let longest = format!("{:.1} ms", longest.as_secs_f64() * 1000.0);
        writeln!(table, "{reads:>10}  {new:>6}  {missed:>6}  {longest:>11}  {torn:>4}")?;
        well &= torn == 0 && new > 0;
    }
    let gone = matches!(Link::<Telemetry>::open(name), Err(Error::Link { fault: LinkFault::Absent, .. }));
    let left = if gone { "nothing" } else { name };
    writeln!(io::stdout(), "written: {written}\n\n{table}\nleft of the name: {left}")?;
    Ok(well && gone)
}

/// What the writer makes. If this program gives up, and the writer is killed, nothing is left of it either.
struct Name(String);

impl Drop for Name {
    fn drop(&mut self) {
        let _ = Link::remove(&self.0);
    }
}

/// This program, as another process. It is killed if this one gives up before.
struct Running {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    fn start(arguments: &[impl AsRef<std::ffi::OsStr>]) -> Result<Self, Failure> {
        let mut command = Command::new(env::current_exe()?);
        let mut process = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().ok_or("a process without a pipe")?;
        Ok(Running { process, output: BufReader::new(output) })
    }

    /// The next line that it says.
    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("a process has ended before it said all".into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn end(&mut self) -> Result<(), Failure> {
        match self.process.wait()?.success() {
            true => Ok(()),
            false => Err("a process has failed".into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without effect on one that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

//! Four processes exchange values, two are killed in the middle of it: what do the others still have, and what is left?
//!
//! ```text
//! cargo run --release --example survive [-- anonymous|named]
//! ```
//!
//! Each process makes values and sends them to the others in turn; half of them it keeps a handle on. Half of the messages
//! are still on their way when `kill -9` comes. The process that starts them only passes tokens on.

mod member;
#[cfg_attr(target_os = "linux", path = "../names/linux.rs")]
#[cfg_attr(all(unix, not(target_os = "linux")), path = "../names/macos.rs")]
#[cfg_attr(windows, path = "../names/windows.rs")]
mod names;
mod table;

use std::{
    collections::BTreeSet,
    env,
    error::Error,
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
};

use commonage::Backing;
use names::{BACKINGS, PLACE, names};
use table::Table;

/// Why the program ends early: a sentence for whoever started it.
type Failure = Box<dyn Error + Send + Sync>;

const PROCESSES: usize = 4;
/// Values that each process makes, in each of two rounds.
const VALUES: usize = 12;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => survive(BACKINGS),
        [backing @ ("anonymous" | "named")] => survive(&[backing_of(backing)]),
        ["--member", backing, number] => member::live(backing_of(backing), number).map(|()| true),
        _ => Err("it takes anonymous, named, or nothing: then it does all that the platform has".into()),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("survive: {error}");
            ExitCode::FAILURE
        }
    }
}

fn backing_of(name: &str) -> Backing {
    if name == "named" { Backing::Named } else { Backing::Anonymous }
}

fn name_of(backing: Backing) -> &'static str {
    if backing == Backing::Named { "named" } else { "anonymous" }
}

/// Does it with each backing, and says whether everything was right and nothing is left.
fn survive(backings: &[Backing]) -> Result<bool, Failure> {
    let mut well = true;
    for backing in backings.iter().copied().map(name_of) {
        let before = names();
        let (table, right) = kill_two(backing, &before)?;
        let left: Vec<String> = names().difference(&before).cloned().collect();
        let is_left = if left.is_empty() { "nothing".to_owned() } else { left.join(" ") };
        writeln!(io::stdout(), "{backing} memory\n\n{table}left in {PLACE}: {is_left}\n")?;
        well &= right && left.is_empty();
    }
    Ok(well)
}

fn kill_two(backing: &str, before: &BTreeSet<String>) -> Result<(Table, bool), Failure> {
    let mut table = Table::new();
    let mut members: Vec<Member> =
        (1..=PROCESSES).map(|number| Member::start(backing, number)).collect::<Result<_, _>>()?;

    exchange(&mut members, true)?;
    // Nobody has claimed these when some of the processes that they are for, or from, are killed.
    let late = exchange(&mut members, false)?;
    table.add("before", &mut members, before)?;

    let killed = members.split_off(2);
    for member in killed {
        member.kill()?;
    }
    table.add("after kill -9", &mut members, before)?;

    for member in &mut members {
        member.ask("sweep")?;
    }
    table.add("after sweep()", &mut members, before)?;

    // What has not been claimed so far never will be.
    drop(late);
    for command in ["drop", "reclaim", "sweep"] {
        for member in &mut members {
            member.ask(command)?;
        }
    }
    table.add("all dropped", &mut members, before)?;
    let right = table.is_right();
    for member in members {
        member.end()?;
    }
    Ok((table, right))
}

/// Each process makes values and sends them to the others in turn. If they are not claimed now, the tokens come back.
fn exchange(members: &mut [Member], claim: bool) -> Result<Vec<String>, Failure> {
    let mut late = Vec::new();
    for sender in 0..members.len() {
        let tokens = members[sender].ask(&format!("make {VALUES}"))?;
        let receivers = (0..members.len()).filter(|&receiver| receiver != sender).cycle();
        for (receiver, token) in receivers.zip(tokens.split_whitespace()) {
            if claim {
                members[receiver].ask(&format!("claim {token}"))?;
            } else {
                late.push(token.to_owned());
            }
        }
    }
    Ok(late)
}

/// One of the processes: it is given a line and answers with a line.
struct Member {
    number: usize,
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Member {
    fn start(backing: &str, number: usize) -> Result<Self, Failure> {
        let mut process = Command::new(env::current_exe()?)
            .args(["--member", backing, &number.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a process without pipes".into());
        };
        Ok(Member { number, process, input, output: BufReader::new(output) })
    }

    fn ask(&mut self, command: &str) -> Result<String, Failure> {
        writeln!(self.input, "{command}")?;
        let mut answer = String::new();
        if self.output.read_line(&mut answer)? == 0 {
            return Err(format!("process {} has ended in the middle of: {command}", self.number).into());
        }
        Ok(answer.trim_end().to_owned())
    }

    /// `kill -9`, or what comes closest.
    fn kill(mut self) -> Result<(), Failure> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    fn end(mut self) -> Result<(), Failure> {
        // It ends when it is told nothing more.
        drop(self.input);
        if !self.process.wait()?.success() {
            return Err(format!("process {} has failed", self.number).into());
        }
        Ok(())
    }
}

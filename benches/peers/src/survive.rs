//! Four processes exchange values and two are killed: what each contender leaves in `/dev/shm`.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml -- survive`. The example `survive` of commonage shows the
//! same of commonage alone, and what the pools of the survivors have.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{self, BufRead, BufReader, Write},
    os::unix::fs::MetadataExt,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use commonage::{Backing, Config};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Outcome, named_segments,
    peers::{Commonage, Peer, Place, Sharify},
};

const ANONYMOUS: &str = "commonage, anonymous";
const NAMED: &str = "commonage, named";
const CONTENDERS: [&str; 3] = [ANONYMOUS, NAMED, Sharify::NAME];

const PROCESSES: usize = 4;
/// Values that each process makes, in each of two rounds.
const VALUES: usize = 12;
/// Numbers in a value: a quarter of a MiB.
const LENGTH: u64 = 1 << 15;

/// Prints the table; an error if a value was wrong, or if commonage has left something.
pub(crate) fn compare() -> Outcome {
    let mut well = true;
    println!("{}", line(["", "", "processes", "values", "right", "gone", "files", "memory"].map(str::to_owned)));
    for contender in CONTENDERS {
        let before = named_segments();
        let mut names = BTreeSet::new();
        let outcome = kill_two(contender, &before, &mut names);
        let left = there(&names, &before);
        for name in &left {
            // Sharify's, whom nobody else would remove; commonage's would be an error.
            fs::remove_file(format!("/dev/shm/{name}"))?;
        }
        well &= outcome? && (left.is_empty() || contender == Sharify::NAME);
        println!();
    }
    println!("gone: messages that a survivor could not claim, because sender and memory had died");
    println!("what sharify has left has been removed");
    if well { Ok(()) } else { Err("a value was wrong, or something was left".into()) }
}

/// True if all values were right. Adds the names of what the processes have made to `names`.
fn kill_two(contender: &str, before: &BTreeSet<String>, names: &mut BTreeSet<String>) -> Outcome<bool> {
    let mut right = true;
    let mut members = (0..PROCESSES).map(|number| Member::start(contender, number)).collect::<Outcome<Vec<_>>>()?;
    let mut show = |moment: &str, members: &mut [Member], names: &BTreeSet<String>| -> Outcome {
        let (mut values, mut good, mut gone) = (0, 0, 0);
        for member in members.iter_mut() {
            let report = member.ask("report")?;
            let [has, of, lost] = report.split(' ').map(str::parse).collect::<Result<Vec<usize>, _>>()?[..] else {
                return Err(format!("not a report: {report}").into());
            };
            (values, good, gone) = (values + has, good + of, gone + lost);
        }
        right &= values == good;
        let left = there(names, before);
        let memory: u64 = left
            .iter()
            .filter_map(|name| fs::metadata(format!("/dev/shm/{name}")).ok())
            .map(|file| file.blocks() * 512)
            .sum();
        let figures = [members.len(), values, good, gone, left.len()].map(|number| number.to_string());
        let [processes, values, good, gone, files] = figures;
        let memory = format!("{:.1} MiB", memory as f64 / f64::from(1 << 20));
        println!("{}", line([contender.to_owned(), moment.to_owned(), processes, values, good, gone, files, memory]));
        Ok(())
    };

    for (receiver, token) in exchange(&mut members, names)? {
        members[receiver].ask(&format!("claim {token}"))?;
    }
    // These are on their way when two of the processes are killed.
    let late = exchange(&mut members, names)?;
    show("before", &mut members, names)?;

    for mut member in members.split_off(2) {
        member.process.kill()?;
        member.process.wait()?;
    }
    show("after kill -9", &mut members, names)?;

    for (receiver, token) in late {
        if let Some(member) = members.get_mut(receiver) {
            member.ask(&format!("claim {token}"))?;
        }
    }
    show("all claimed", &mut members, names)?;

    for command in ["drop", "sweep"] {
        for member in &mut members {
            member.ask(command)?;
        }
    }
    show("all dropped", &mut members, names)?;
    for mut member in members.drain(..) {
        // It ends when it is told nothing more.
        drop(member.input);
        if !member.process.wait()?.success() {
            return Err("a process has failed".into());
        }
    }
    show("all ended", &mut members, names)?;
    Ok(right)
}

/// Each process makes values and sends them to the others in turn: who is to claim which token.
fn exchange(members: &mut [Member], names: &mut BTreeSet<String>) -> Outcome<Vec<(usize, String)>> {
    let mut sent = Vec::new();
    for sender in 0..members.len() {
        let tokens = members[sender].ask("make")?;
        names.extend(members[sender].ask("names")?.split_whitespace().map(str::to_owned));
        let receivers = (0..members.len()).filter(|&receiver| receiver != sender).cycle();
        sent.extend(receivers.zip(tokens.split_whitespace().map(str::to_owned)));
    }
    Ok(sent)
}

/// What is there of what the processes have made, and of commonage's identity files and wills.
fn there(names: &BTreeSet<String>, before: &BTreeSet<String>) -> BTreeSet<String> {
    let mut there = named_segments();
    there.retain(|name| !before.contains(name) && (names.contains(name) || name.contains("commonage")));
    there
}

fn line(cells: [String; 8]) -> String {
    let [contender, moment, figures @ ..] = cells;
    figures.iter().fold(format!("{contender:<22}{moment:<14}"), |line, figure| line + &format!("{figure:>11}"))
}

/// One of the processes: it is given a line and answers with a line.
struct Member {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Member {
    fn start(contender: &str, number: usize) -> Outcome<Self> {
        let mut process = Command::new(env::current_exe()?)
            .args(["survive", "--member", contender, "--number", &number.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a process without pipes".into());
        };
        Ok(Member { process, input, output: BufReader::new(output) })
    }

    fn ask(&mut self, command: &str) -> Outcome<String> {
        writeln!(self.input, "{command}")?;
        let mut answer = String::new();
        if self.output.read_line(&mut answer)? == 0 {
            return Err(format!("a process has ended in the middle of: {command}").into());
        }
        Ok(answer.trim_end().to_owned())
    }
}

/// Is one of the processes.
pub(crate) fn live(contender: &str, number: u64) -> Outcome {
    match contender {
        ANONYMOUS | NAMED => {
            let backing = if contender == NAMED { Backing::Named } else { Backing::Anonymous };
            Config::new().backing(backing).install()?;
            obey::<Commonage>(number, || {
                commonage::reclaim(Duration::ZERO);
                commonage::sweep();
            })
        }
        Sharify::NAME => obey::<Sharify>(number, || {}),
        other => Err(format!("there is no contender `{other}`").into()),
    }
}

/// Does what it is told, line after line.
fn obey<P: Peer<Value: Serialize + DeserializeOwned>>(process: u64, sweep: fn()) -> Outcome {
    let peer = P::new(Place::Maker { largest: 8 * LENGTH as usize })?;
    let (mut made, mut gone) = (0, 0);
    let mut values: Vec<P::Value> = Vec::new();
    let mut names = BTreeSet::new();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut answer = String::new();
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("make", _) => {
                let mut new = Vec::new();
                for _ in 0..VALUES {
                    made += 1;
                    new.push(peer.make(&content(process << 40 | made << 20).collect::<Vec<_>>())?);
                }
                names.extend(mapped()?);
                for (number, value) in new.into_iter().enumerate() {
                    answer += &format!("{} ", to_text(&postcard::to_stdvec(&value)?));
                    // Every second value is then held by its receiver alone.
                    values.extend(number.is_multiple_of(2).then_some(value));
                }
            }
            ("names", _) => answer = names.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
            ("claim", token) => match postcard::from_bytes(&to_bytes(token)?) {
                Ok(value) => values.push(value),
                Err(_) => gone += 1,
            },
            ("report", _) => {
                let is_right = |value: &&P::Value| {
                    let numbers = P::made(value);
                    numbers.first().is_some_and(|&first| numbers.iter().copied().eq(content(first)))
                };
                answer = format!("{} {} {gone}", values.len(), values.iter().filter(is_right).count());
            }
            ("drop", _) => values.clear(),
            ("sweep", _) => sweep(),
            _ => return Err(format!("there is no command {line}").into()),
        }
        println!("{answer}");
    }
    Ok(())
}

/// What a value that begins with `first` must be.
fn content(first: u64) -> impl Iterator<Item = u64> {
    (0..LENGTH).map(move |at| first + at * at)
}

/// The names in `/dev/shm` of what this process has mapped.
fn mapped() -> io::Result<Vec<String>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    Ok(maps.lines().filter_map(|line| Some(line.split_once("/dev/shm/")?.1.to_owned())).collect())
}

fn to_text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn to_bytes(text: &str) -> Outcome<Vec<u8>> {
    let pairs = (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16));
    Ok(pairs.collect::<Result<_, _>>()?)
}

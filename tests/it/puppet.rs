//! A process that does what it is told, line by line, and says what came of it.

mod files;

use std::{
    fmt::Display,
    io::{BufRead, BufReader, Read, Write, stdin},
    process::{ChildStdin, ChildStdout, ExitStatus, exit},
    str::{FromStr, SplitWhitespace},
    time::Duration,
};

use commonage::{Error, Shared, SharedMut, SharedSlice, SharedSliceMut, reclaim, stats, sweep, trim};

use crate::support::{ChildCommand, Running, become_another_program, child};
#[cfg(target_os = "linux")]
pub(crate) use crate::support::{mapped, resident};

/// The role.
pub(crate) const OBEY: &str = "obey";
/// The role of a program that a puppet has started.
pub(crate) const SLEEP: &str = "sleep";
/// What every answer begins with.
pub(crate) const ANSWER: &str = "answer: ";

/// The one who pulls its strings.
pub(crate) struct Puppet {
    running: Running,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    pub(crate) pid: u32,
}

impl Puppet {
    pub(crate) fn new(test: &str) -> Self {
        Self::start(child(test, OBEY))
    }

    pub(crate) fn start(command: ChildCommand) -> Self {
        let mut running = command.spawn();
        let to = running.child().stdin.take();
        let from = BufReader::new(running.child().stdout.take().expect("it is piped"));
        let pid = running.child().id();
        Puppet { running, to, from, pid }
    }

    /// Tells it to do something: what came of it, or what went wrong.
    pub(crate) fn ask(&mut self, command: impl Display) -> Result<String, String> {
        self.tell(&command);
        self.hear(&command.to_string())
    }

    /// Tells it, and does not wait.
    pub(crate) fn tell(&mut self, command: impl Display) {
        let to = self.to.as_mut().expect("its input is open");
        writeln!(to, "{command}").unwrap_or_else(|error| panic!("`{command}`: {error}"));
    }

    /// What came of what it was told.
    pub(crate) fn hear(&mut self, command: &str) -> Result<String, String> {
        let mut line = String::new();
        while self.from.read_line(&mut line).expect("what a child writes is text") > 0 {
            if let Some((_, answer)) = line.split_once(ANSWER) {
                return match answer.trim().split_once(' ').unwrap_or((answer.trim(), "")) {
                    ("ok", answer) => Ok(answer.to_owned()),
                    (_, error) => Err(error.to_owned()),
                };
            }
            line.clear();
        }
        let mut said = String::new();
        if let Some(stderr) = &mut self.running.child().stderr {
            let _ = stderr.read_to_string(&mut said);
        }
        panic!("`{command}`: it has ended without an answer\n{said}");
    }

    /// Tells it to do something that can't go wrong.
    #[track_caller]
    pub(crate) fn get(&mut self, command: impl Display) -> String {
        let command = command.to_string();
        self.ask(&command).unwrap_or_else(|error| panic!("`{command}`: {error}"))
    }

    /// As `get`, of a number.
    #[track_caller]
    pub(crate) fn number(&mut self, command: impl Display) -> u64 {
        let answer = self.get(&command);
        answer.parse().unwrap_or_else(|_| panic!("`{command}`: a number expected, `{answer}` found"))
    }

    pub(crate) fn kill(self) {
        self.running.kill();
    }

    /// Ends it, by the end of its input or by what it was told before.
    pub(crate) fn end(self) -> ExitStatus {
        drop(self.to);
        self.running.end()
    }

    /// Ends it by the end of its input: it returns from `main` with all that it has.
    #[track_caller]
    pub(crate) fn leave(self) {
        let status = self.end();
        assert!(status.success(), "{status}");
    }
}

enum Item {
    Shared(SharedSlice<u8>),
    Mut(SharedSliceMut<u8>),
    Gone,
}

/// Does what it is told until its input ends; what it still has then is never dropped.
pub(crate) fn obey(test: &str) {
    let mut items = Vec::new();
    for line in stdin().lines() {
        let line = line.expect("what a parent writes is text");
        match done(test, &mut items, &mut line.split_whitespace()) {
            Ok(answer) => println!("\n{ANSWER}ok {answer}"),
            Err(error) => println!("\n{ANSWER}error {error:?}"),
        }
    }
    std::mem::forget(items);
}

fn next<T: FromStr>(words: &mut SplitWhitespace<'_>) -> T {
    words.next().and_then(|word| word.parse().ok()).expect("a command has all that it needs")
}

/// Bytes that say which value they are of.
fn filled(len: usize, fill: u8) -> Vec<u8> {
    vec![fill; len]
}

/// How many bytes there are, and what all of them are.
fn seen(bytes: &[u8]) -> String {
    let first = bytes.first().copied().unwrap_or(0);
    match bytes.iter().position(|byte| *byte != first) {
        None => format!("{}x{first}", bytes.len()),
        Some(at) => format!("{} at {at}, where {first} was expected", bytes[at]),
    }
}

fn done(test: &str, items: &mut Vec<Item>, words: &mut SplitWhitespace<'_>) -> Result<String, Error> {
    let keep = |items: &mut Vec<Item>, item| {
        items.push(item);
        Ok((items.len() - 1).to_string())
    };
    let command: String = next(words);
    match &command[..] {
        // make LEN FILL: the number of the new value
        "make" => {
            let value = Shared::copy_from(&filled(next(words), next(words))[..])?;
            keep(items, Item::Shared(value))
        }
        "make_mut" => {
            let value = SharedMut::copy_from(&filled(next(words), next(words))[..])?;
            keep(items, Item::Mut(value))
        }
        // claim TOKEN: the number of the value
        "claim" => {
            let value = SharedSlice::from_token(&next::<String>(words))?;
            keep(items, Item::Shared(value))
        }
        "claim_mut" => {
            let value = SharedSliceMut::from_token(&next::<String>(words))?;
            keep(items, Item::Mut(value))
        }
        "claim_json" => {
            let text: String = next(words);
            let value = serde_json::from_str(&text)
                .map_err(|error| Error::Metadata { type_name: "json", reason: error.to_string() })?;
            keep(items, Item::Mut(value))
        }
        // slice N START END: the number of the part
        "slice" => match &items[next::<usize>(words)] {
            Item::Shared(value) => {
                let part = value.slice(next::<usize>(words)..next(words));
                keep(items, Item::Shared(part))
            }
            _ => panic!("not a `Shared`"),
        },
        // fill N BYTE
        "fill" => match &mut items[next::<usize>(words)] {
            Item::Mut(value) => {
                value.fill(next(words));
                Ok(String::new())
            }
            _ => panic!("not a `SharedMut`"),
        },
        // split N AT: the number of the part from there on
        "split" => match &mut items[next::<usize>(words)] {
            Item::Mut(value) => {
                let part = value.split_off(next(words));
                keep(items, Item::Mut(part))
            }
            _ => panic!("not a `SharedMut`"),
        },
        // join N M: the number of the two in one
        "join" => {
            let mut take = || match std::mem::replace(&mut items[next::<usize>(words)], Item::Gone) {
                Item::Mut(value) => value,
                _ => panic!("not a `SharedMut`"),
            };
            let whole = take().unsplit(take())?;
            keep(items, Item::Mut(whole))
        }
        // see N: its length, and what all its bytes are
        "see" => Ok(match &items[next::<usize>(words)] {
            Item::Shared(value) => seen(value),
            Item::Mut(value) => seen(value),
            Item::Gone => "nothing".into(),
        }),
        // copy N: a token; the value stays here too
        "copy" => match &items[next::<usize>(words)] {
            Item::Shared(value) => value.clone().into_token(),
            _ => panic!("not a `Shared`"),
        },
        // send N: a token; the value goes
        "send" => {
            let at: usize = next(words);
            match std::mem::replace(&mut items[at], Item::Gone) {
                Item::Shared(value) => value.into_token(),
                Item::Mut(value) => value.into_token(),
                Item::Gone => panic!("it is gone"),
            }
        }
        // serialize N: JSON; a `SharedMut` is held until it is dropped, which the end of this process does not do
        "serialize" => Ok(match &items[next::<usize>(words)] {
            Item::Shared(value) => serde_json::to_string(value).expect("a ticket is free"),
            Item::Mut(value) => serde_json::to_string(value).expect("a ticket is free"),
            Item::Gone => panic!("it is gone"),
        }),
        "drop" => {
            items[next::<usize>(words)] = Item::Gone;
            Ok(String::new())
        }
        "drop_all" => {
            items.clear();
            Ok(String::new())
        }
        // counts N: handles, holders, in flight
        "counts" => {
            let counts = match &items[next::<usize>(words)] {
                Item::Shared(value) => value.counts(),
                Item::Mut(value) => value.counts(),
                Item::Gone => panic!("it is gone"),
            };
            Ok(format!("{} {} {}", counts.handles, counts.holders, counts.in_flight))
        }
        "sweep" => Ok(format!("{:?}", sweep())),
        // reclaim MILLISECONDS
        "reclaim" => Ok(format!("{:?}", reclaim(Duration::from_millis(next(words))))),
        "trim" => {
            trim();
            Ok(String::new())
        }
        "blocks" => Ok(stats().blocks.to_string()),
        "tickets" => Ok(stats().tickets.to_string()),
        "participants" => Ok(stats().participants.to_string()),
        "live" => Ok(stats().live.to_string()),
        // Becomes another program, with the same process id; starts one that inherits what programs inherit.
        "exec" => become_another_program(),
        "start" => Ok(child(test, SLEEP).start().to_string()),
        // exit CODE
        "exit" => exit(next(words)),
        "abort" => std::process::abort(),
        "panic" => panic!("as it was told"),
        other => files::done(other, items, words).unwrap_or_else(|| panic!("`{other}` is no command")),
    }
}

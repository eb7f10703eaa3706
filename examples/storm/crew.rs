//! The workers, as the supervisor sees them: started, listened to, told, and missed.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::SyncSender,
    thread,
    time::{Duration, Instant},
};

use crate::{Failure, args::Role, death::Death};

/// A worker that does nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a worker has said, or that it has nothing more to say. With its number.
pub(crate) enum Event {
    Said(u64, String),
    Ended(u64),
}

pub(crate) struct Worker {
    pub(crate) role: Role,
    pub(crate) operations: u64,
    pub(crate) checked: u64,
    /// How it says that it will end.
    pub(crate) doom: Option<Death>,
    /// What it was last heard to do.
    pub(crate) doing: String,
    /// It waits to be told to settle.
    pub(crate) idle: bool,
    /// The supervisor has killed it, because it hung.
    pub(crate) killed: bool,
    /// When it last did something.
    since: Instant,
    process: Child,
    input: ChildStdin,
}

impl Worker {
    /// Starts this program once more, and a thread that listens to it.
    pub(crate) fn start(role: Role, events: SyncSender<Event>) -> Result<Self, Failure> {
        let mut process = Command::new(env::current_exe()?)
            .args(role.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("can't start process {}: {error}", role.number))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a process without pipes".into());
        };
        thread::Builder::new().spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = String::new();
            // A line that is cut short was cut by the end of the process.
            while matches!(output.read_line(&mut line), Ok(1..)) && line.pop() == Some('\n') {
                if events.send(Event::Said(role.number, std::mem::take(&mut line))).is_err() {
                    return;
                }
            }
            let _ = events.send(Event::Ended(role.number));
        })?;
        Ok(Worker {
            role,
            operations: 0,
            checked: 0,
            doom: None,
            doing: "nothing yet".to_owned(),
            idle: false,
            killed: false,
            since: Instant::now(),
            process,
            input,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Tells it something; false if it is dead.
    pub(crate) fn tell(&mut self, line: &str) -> bool {
        self.input.write_all(format!("{line}\n").as_bytes()).is_ok()
    }

    /// It has said how much it has done.
    pub(crate) fn counts(&mut self, operations: u64, checked: u64) {
        if operations != self.operations {
            self.since = Instant::now();
        }
        (self.operations, self.checked) = (operations, checked);
    }

    pub(crate) fn hangs(&self) -> bool {
        !self.idle && !self.killed && self.since.elapsed() > PATIENCE
    }

    /// It has ended, and somebody else still has its output open.
    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(Some(_)))
    }

    pub(crate) fn kill(&mut self) {
        self.killed = true;
        // An error means that it has ended.
        let _ = self.process.kill();
    }

    /// How it has ended. To be asked when it has closed its output.
    pub(crate) fn status(mut self) -> Result<ExitStatus, Failure> {
        drop(self.input);
        Ok(self.process.wait()?)
    }
}

//! Who starts the processes, kills one, and looks at the count.

use std::{
    env,
    fmt::Write as _,
    io::{self, BufRead, BufReader, Read, Write as _},
    process::{self, Child, Command, Stdio},
};

use commonage::{Link, link::ReadWrite};

use crate::{
    Failure,
    args::{Options, Role},
    ledger::Shared,
    worker::HALF,
};

/// The one that is killed.
const VICTIM: usize = 0;

/// Whether the count was right.
pub(crate) fn watch(options: &Options) -> Result<bool, Failure> {
    let name = format!("counter-{}", process::id());
    // It is removed when this is dropped.
    let ledger: Link<Shared, ReadWrite> = Link::create(&name)?;
    let role = |number| Role { name: name.clone(), number, steps: options.steps, dies: false };

    // It gets through half of its steps.
    let mut victim = Worker::start(&Role { steps: options.steps.div_ceil(2), dies: true, ..role(VICTIM) })?;
    let mut workers = Vec::new();
    for number in (0..options.processes).filter(|&number| number != VICTIM) {
        workers.push(Worker::start(&role(number))?);
    }
    let mut line = String::new();
    if BufReader::new(victim.output()?).read_line(&mut line)? == 0 || line.trim_end() != HALF {
        return Err("the process that was to be killed has ended before".into());
    }
    // `kill -9`, or what comes closest.
    victim.process.kill()?;
    victim.process.wait()?;
    writeln!(io::stdout(), "process {VICTIM} was killed with the lock, between the two halves of a change")?;
    workers.push(Worker::start(&role(VICTIM))?);
    for worker in &mut workers {
        io::stdout().write_all(worker.end()?.as_bytes())?;
    }

    let ledger = ledger.lock().map_err(|_| "a process has died with the lock, and none has found it")?;
    let mut table = String::new();
    for (number, count) in ledger.by[..options.processes].iter().enumerate() {
        writeln!(table, "process {number:>2}  {count:>10}")?;
    }
    let expected = options.processes as u64 * options.steps;
    writeln!(table, "all         {:>10}  of {expected}, steps taken back: {}", ledger.all, ledger.repairs)?;
    io::stdout().write_all(table.as_bytes())?;
    let each = ledger.by[..options.processes].iter().all(|&count| count == options.steps);
    Ok(ledger.all == expected && ledger.is_whole() && each && ledger.repairs == 1)
}

/// This program, as another process. It is killed if this one gives up before.
struct Worker {
    process: Child,
}

impl Worker {
    fn start(role: &Role) -> Result<Self, Failure> {
        let mut command = Command::new(env::current_exe()?);
        command.args(role.arguments()).stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(Worker { process: command.spawn()? })
    }

    fn output(&mut self) -> Result<impl Read + use<>, Failure> {
        Ok(self.process.stdout.take().ok_or("a process without a pipe")?)
    }

    /// Waits for its end; what it said.
    fn end(&mut self) -> Result<String, Failure> {
        let mut said = String::new();
        self.output()?.read_to_string(&mut said)?;
        match self.process.wait()?.success() {
            true => Ok(said),
            false => Err("a process has failed".into()),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Without effect on one that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

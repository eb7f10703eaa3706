//! The process that awaits, and those that push.

mod awaited;
mod measurement;

use std::{
    env,
    error::Error,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

use commonage::ring::{self, RingError, Sender};
use tokio::{runtime, time::interval};

use self::{awaited::Awaited, measurement::Measurement};

/// Why the program ends early: a sentence for whoever started it.
type Failure = Box<dyn Error + Send + Sync>;

/// The argument of a process that pushes.
const PUSH: &str = "push";
/// How many measurements each of them has.
const ALL: u64 = 2000;
/// After so many it is to be killed, if it is the last of them.
const KILLED_AFTER: u64 = ALL / 2;

pub(crate) fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        [] => listen(3),
        [PUSH, number] => number.parse().map_err(Failure::from).and_then(push),
        [processes] => processes.parse().map_err(Failure::from).and_then(listen),
        _ => Err("one number is wanted, or none: how many processes push".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ring_async: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Pushes all measurements of one process: its ring comes over the socket that is its standard input.
fn push(number: u32) -> Result<(), Failure> {
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut sender = Sender::<Measurement>::receive_over(&stream)?;
    for turn in 0..ALL {
        if turn % 500 == 499 {
            thread::sleep(Duration::from_millis(5));
        }
        sender.push(Measurement::new(number, turn))?;
    }
    Ok(())
}

/// Starts the processes, and awaits all that they push.
fn listen(processes: u32) -> Result<(), Failure> {
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let clock = tokio::spawn(async {
            let mut ticks = 0_u64;
            let mut clock = interval(Duration::from_millis(1));
            loop {
                clock.tick().await;
                ticks += 1;
                if ticks.is_multiple_of(1000) {
                    println!("{} s", ticks / 1000);
                }
            }
        });
        let mut all = Vec::new();
        for number in 0..processes {
            let (child, ring) = start(number)?;
            // The last one does not get to its end.
            let victim = number + 1 == processes && processes > 1;
            all.push(tokio::spawn(follow(number, child, ring, victim)));
        }
        for one in all {
            println!("{}", one.await??);
        }
        clock.abort();
        Ok(())
    })
}

/// A process that pushes, and the other end of its ring.
fn start(number: u32) -> Result<(Child, Awaited<Measurement>), Failure> {
    let (here, there) = UnixStream::pair()?;
    let mut command = Command::new(env::current_exe()?);
    command.args([PUSH, &number.to_string()]).stdin(Stdio::from(OwnedFd::from(there)));
    let child = command.spawn()?;
    let (sender, receiver) = ring::channel(256)?;
    sender.send_over(&here)?;
    Ok((child, Awaited::new(receiver)?))
}

/// Awaits all measurements of one process, and its end.
async fn follow(
    number: u32,
    mut child: Child,
    mut ring: Awaited<Measurement>,
    victim: bool,
) -> Result<String, Failure> {
    let (mut seen, mut awaited) = (0, 0_u64);
    let end = loop {
        match ring.pop(&mut awaited).await {
            Ok(measurement) if measurement == Measurement::new(number, seen) => seen += 1,
            Ok(other) => return Err(format!("process {number}: {other:?}, where number {seen} was expected").into()),
            Err(end) => break end,
        }
        if victim && seen == KILLED_AFTER {
            child.kill()?;
        }
    };
    child.wait()?;
    let expected = if victim { KILLED_AFTER..=ALL } else { ALL..=ALL };
    if end != RingError::Closed || !expected.contains(&seen) {
        return Err(format!("process {number}: {seen} measurements, and then: {end}").into());
    }
    let how = if victim { "killed" } else { "done" };
    Ok(format!("process {number}: {seen} measurements, awaited {awaited} times, then it was {how}"))
}

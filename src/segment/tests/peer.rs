//! Other processes: this test binary once more, told to run [`super::child`] alone, in a role. They talk in lines; a
//! watchdog kills one that does not end.

use std::{
    env,
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    str::FromStr,
    sync::{
        Arc, Mutex,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use super::super::{Door, Locator};
use crate::{Backing, SegmentId, sys::tests::started};

const ROLE: &str = "COMMONAGE_SEGMENT_TEST_ROLE";
const LIMIT: Duration = Duration::from_secs(30);

/// A process in a role, as the test sees it.
pub(super) struct Peer {
    child: Arc<Mutex<Child>>,
    pid: u32,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    /// Dropped when the process has ended.
    _watchdog: Sender<()>,
}

impl Peer {
    pub(super) fn start(role: &str) -> Peer {
        Peer::start_as(role, &mut Command::new(env::current_exe().unwrap()))
    }

    /// `command` starts this program, or a copy of it.
    pub(super) fn start_as(role: &str, command: &mut Command) -> Peer {
        command.args(["--exact", "segment::tests::child", "--nocapture", "--test-threads=1"]);
        command.env(ROLE, role).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = started(command);
        let (pid, input, output) = (child.id(), child.stdin.take(), child.stdout.take().unwrap());
        let child = Arc::new(Mutex::new(child));
        let (_watchdog, ended) = mpsc::channel();
        let watched = Arc::clone(&child);
        thread::spawn(move || {
            if ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                let _ = watched.lock().unwrap().kill(); // the test then sees the end of the output
            }
        });
        Peer { child, pid, input, output: BufReader::new(output).lines(), _watchdog }
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn say(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        input.flush().unwrap();
    }

    /// The next line that the role has said, among what the test harness prints; none if it has ended.
    fn next(&mut self) -> Option<String> {
        self.output.by_ref().map_while(Result::ok).find_map(|line| line.strip_prefix('@').map(str::to_owned))
    }

    pub(super) fn hear(&mut self) -> String {
        self.next().expect("the child has ended, or was ended by the watchdog")
    }

    pub(super) fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.hear()
    }

    /// Tells it to go; it must do so without a complaint.
    pub(super) fn end(mut self) {
        self.input = None;
        assert_eq!(self.next(), None);
        assert!(self.status().success());
    }

    /// Kills it, and waits until it is gone.
    pub(super) fn kill(mut self) {
        self.child.lock().unwrap().kill().unwrap();
        self.next();
        assert!(!self.status().success());
    }

    /// Waits until it has died of what it was told; how it ended, if that was well.
    pub(super) fn dies(mut self) -> Option<ExitStatus> {
        while self.next().is_some() {}
        Some(self.status()).filter(ExitStatus::success)
    }

    /// Kills it, and leaves it a zombie until the peer is dropped.
    #[cfg(target_os = "linux")]
    pub(super) fn kill_and_leave(&mut self) {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        self.child.lock().unwrap().kill().unwrap();
        let pid = Pid::from_raw(self.pid.cast_signed()).unwrap();
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
    }

    /// Kills it, and leaves its handle open until the peer is dropped: so long the system keeps a note of it.
    #[cfg(windows)]
    pub(super) fn kill_and_leave(&mut self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn status(&mut self) -> ExitStatus {
        // Its output has ended, and so has it, or is about to.
        self.child.lock().unwrap().wait().unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The other end: what a process in a role is told.
pub(super) struct Told(String);

impl Told {
    pub(super) fn by_parent() -> Option<Told> {
        env::var(ROLE).ok().map(Told)
    }

    pub(super) fn role(&self) -> &str {
        &self.0
    }

    pub(super) fn hear(&self) -> Option<String> {
        std::io::stdin().lines().next().map(Result::unwrap)
    }

    pub(super) fn locator(&self) -> Locator {
        locator(&self.hear().unwrap())
    }

    pub(super) fn say(&self, line: &str) {
        let mut output = std::io::stdout();
        output.write_all(format!("\n@{line}\n").as_bytes()).unwrap();
        output.flush().unwrap();
    }
}

/// A locator as a line.
pub(super) fn text(locator: &Locator) -> String {
    let Locator { id, backing, sender, owner } = locator;
    let named = u8::from(*backing == Backing::Named);
    format!("{} {named} {} {} {} {}", id.0, sender.pid, sender.fd, owner.pid, owner.fd)
}

pub(super) fn locator(line: &str) -> Locator {
    fn next<T: FromStr<Err: std::fmt::Debug>>(fields: &mut std::str::SplitWhitespace<'_>) -> T {
        fields.next().unwrap().parse().unwrap()
    }
    let fields = &mut line.split_whitespace();
    let id = SegmentId(next(fields));
    let backing = if next::<u8>(fields) == 1 { Backing::Named } else { Backing::Anonymous };
    let sender = Door { pid: next(fields), fd: next(fields) };
    Locator { id, backing, sender, owner: Door { pid: next(fields), fd: next(fields) } }
}

//! Other processes: this test binary once more, told to run [`super::child`] alone, in a role. They talk in lines; a
//! watchdog kills one that does not end.

use std::{
    env,
    io::{BufRead, BufReader, Lines, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use crate::sys::tests::started;

const ROLE: &str = "COMMONAGE_MAPPED_TEST_ROLE";
const LIMIT: Duration = Duration::from_secs(30);

/// A process in a role, as the test sees it.
pub(super) struct Peer {
    child: Arc<Mutex<Child>>,
    pub(super) pid: u32,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    /// Dropped when the process has ended.
    _watchdog: Sender<()>,
}

impl Peer {
    /// One that does something with a file.
    pub(super) fn start(role: &str, path: &Path) -> Peer {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "mapped::tests::child", "--nocapture", "--test-threads=1"]);
        command.env(ROLE, role).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = started(&mut command);
        let (pid, input, output) = (child.id(), child.stdin.take(), child.stdout.take().unwrap());
        let child = Arc::new(Mutex::new(child));
        let (_watchdog, ended) = mpsc::channel();
        let watched = Arc::clone(&child);
        thread::spawn(move || {
            if ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                let _ = watched.lock().unwrap().kill(); // the test then sees the end of the output
            }
        });
        let mut peer = Peer { child, pid, input, output: BufReader::new(output).lines(), _watchdog };
        peer.say(path.to_str().unwrap());
        peer
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

    /// Tells it to go; it must do so without a complaint.
    pub(super) fn end(mut self) {
        self.input = None;
        while self.next().is_some() {}
        assert!(self.child.lock().unwrap().wait().unwrap().success());
    }

    /// Kills it, and waits until it is gone.
    pub(super) fn kill(mut self) {
        self.child.lock().unwrap().kill().unwrap();
        while self.next().is_some() {}
        assert!(!self.child.lock().unwrap().wait().unwrap().success());
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

    pub(super) fn say(&self, line: &str) {
        let mut output = std::io::stdout();
        output.write_all(format!("\n@{line}\n").as_bytes()).unwrap();
        output.flush().unwrap();
    }
}

//! Children: the test binary run again, by exact test name, as another process.
//!
//! A platform is one whole file; what is the same on every Unix stands in `unix.rs`.

#[cfg(not(target_os = "linux"))]
mod apart;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(all(unix, not(target_os = "linux")))]
mod macos;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::{
    env, fs,
    io::{BufRead, ErrorKind, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use commonage::{Backing, Config};

#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(all(unix, not(target_os = "linux")))]
use macos as platform;
#[cfg(windows)]
use windows as platform;

pub(crate) use platform::*;
#[cfg(unix)]
use unix::Killer;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
use windows::Killer;

pub(crate) const ROLE: &str = "COMMONAGE_TEST_ROLE";
pub(crate) const BACKING: &str = "COMMONAGE_TEST_BACKING";
/// What else is in a child's [`Config`]: milliseconds, bytes, a directory.
pub(crate) const LOST_AFTER: &str = "COMMONAGE_TEST_LOST_AFTER";
pub(crate) const LIMIT: &str = "COMMONAGE_TEST_LIMIT";
pub(crate) const RETAIN: &str = "COMMONAGE_TEST_RETAIN";
pub(crate) const WILLS: &str = "COMMONAGE_TEST_WILLS";

/// No child of a test lives longer, unless it is said.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(60 * platform::SLOWNESS);

/// What this process is to do, if it is a child; the backing that its parent chose is installed.
pub(crate) fn role() -> Option<String> {
    let role = env::var(ROLE).ok()?;
    install_backing();
    Some(role)
}

pub(crate) fn is_child() -> bool {
    env::var_os(ROLE).is_some()
}

fn install_backing() {
    let mut config = Config::new();
    match env::var(BACKING).as_deref() {
        Ok("named") => config = config.backing(Backing::Named),
        Ok("anonymous") => config = config.backing(Backing::Anonymous),
        _ => return,
    }
    let number = |name| env::var(name).ok().map(|number| number.parse().expect("a number"));
    if let Some(lost_after) = number(LOST_AFTER) {
        config = config.lost_after(Duration::from_millis(lost_after));
    }
    if let Some(limit) = number(LIMIT) {
        config = config.limit(limit);
    }
    if let Some(retain) = number(RETAIN) {
        config = config.retain(retain);
    }
    if let Ok(wills) = env::var(WILLS) {
        config = config.wills_in(wills);
    }
    config.install().expect("the first use of the crate in this process");
}

/// Runs `body` in a child of its own for each backing. `test` is the full name of the calling test.
pub(crate) fn on_both_backings(test: &str, body: impl FnOnce()) {
    if role().is_some() {
        return body();
    }
    for backing in BOTH {
        // What is on its way at the end of a test is in wills that nobody claims.
        let wills = Directory::new();
        child(test, "body").env(BACKING, backing).env(WILLS, &wills.0).run_to_success();
    }
}

/// The same test in another process, in `role`.
pub(crate) fn child(test: &str, role: &str) -> ChildCommand {
    let mut command = Command::new(env::current_exe().expect("the path of this test binary"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1", "--include-ignored"]).env(ROLE, role);
    ChildCommand { command, what: format!("{test} as {role}"), watchdog: WATCHDOG, apart: None }
}

/// An example, built beside this test: another program than this one.
pub(crate) fn example(name: &str) -> ChildCommand {
    let mut path = env::current_exe().expect("the path of this test binary");
    path.pop();
    path.pop();
    let program = path.join("examples").join(format!("{name}{}", env::consts::EXE_SUFFIX));
    assert!(program.exists(), "cargo test builds the examples: {}", program.display());
    ChildCommand::program(Command::new(program), &format!("the example `{name}`"))
}

pub(crate) struct ChildCommand {
    command: Command,
    what: String,
    watchdog: Duration,
    /// Where what it names lies, if that goes with it.
    apart: Option<Apart>,
}

impl ChildCommand {
    /// Another program than this one.
    pub(crate) fn program(command: Command, what: &str) -> Self {
        ChildCommand { command, what: what.to_owned(), watchdog: WATCHDOG, apart: None }
    }

    /// It may take so long, where that is more than tests take.
    pub(crate) fn within(mut self, watchdog: Duration) -> Self {
        self.watchdog = watchdog;
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.command.arg(arg);
        self
    }

    /// With a place of its own for what has a name, of so many bytes where that can be said, if [`can_be_alone`] says so.
    pub(crate) fn alone(mut self, bytes: u64) -> Self {
        (self.command, self.apart) = platform::apart(self.command, bytes);
        self
    }

    /// As [`alone`](Self::alone), with a file system of just so many bytes, if [`can_be_in`] says so.
    pub(crate) fn alone_in(mut self, bytes: u64) -> Self {
        (self.command, self.apart) = platform::apart_in(self.command, bytes);
        self
    }

    pub(crate) fn spawn(mut self) -> Running {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.what));
        let (killer, what, watchdog) = (Killer::of(&child), self.what.clone(), self.watchdog);
        let (alive, ended) = mpsc::channel();
        thread::spawn(move || {
            if ended.recv_timeout(watchdog) == Err(RecvTimeoutError::Timeout) {
                eprintln!("watchdog: {what} did not end within {watchdog:?}");
                killer.kill();
            }
        });
        Running { child: Some(child), what: self.what, _watchdog: alive, _apart: self.apart }
    }

    /// Starts what outlives this process, with what programs inherit: its process id. Who asked for it ends it.
    pub(crate) fn start(mut self) -> u32 {
        #[expect(clippy::zombie_processes, reason = "it outlives this process")]
        let child = self.command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.what));
        child.id()
    }

    /// Runs it to its end; what it wrote.
    pub(crate) fn run_to_success(self) -> Output {
        self.spawn().success()
    }
}

/// A child that runs. It is killed if the test ends before it does.
pub(crate) struct Running {
    child: Option<Child>,
    what: String,
    /// Dropped when the child has ended: until then the watchdog waits, from the start.
    _watchdog: Sender<()>,
    /// Removed after its end.
    _apart: Option<Apart>,
}

impl Running {
    pub(crate) fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("it has not been waited for")
    }

    /// Waits for its end.
    pub(crate) fn output(mut self) -> Output {
        let mut child = self.child.take().expect("it has not been waited for");
        drop(child.stdin.take());
        let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
        let read = |pipe: Option<&mut dyn Read>| {
            let mut bytes = Vec::new();
            if let Some(pipe) = pipe {
                pipe.read_to_end(&mut bytes).expect("reading what a child wrote");
            }
            bytes
        };
        let stderr = thread::scope(|scope| {
            let stderr = scope.spawn(|| read(err.as_mut().map(|p| p as &mut dyn Read)));
            let stdout = read(out.as_mut().map(|p| p as &mut dyn Read));
            (stdout, stderr.join().expect("the reader of stderr"))
        });
        let status = child.wait().expect("waiting for a child");
        Output { status, stdout: stderr.0, stderr: stderr.1 }
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        let mut child = self.child.take().expect("it has not been waited for");
        child.kill().expect("killing a child");
        child.wait().expect("waiting for a child");
    }

    /// Waits for its end, however it ends, while nobody reads what it writes.
    pub(crate) fn end(mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it has not been waited for");
        drop(child.stdin.take());
        child.wait().expect("waiting for a child")
    }

    /// Waits for its end, which must be a success.
    pub(crate) fn success(self) -> Output {
        let what = self.what.clone();
        let output = self.output();
        if !output.status.success() {
            remove_what_the_dead_left();
            panic!(
                "{what}: {}\n--- stdout\n{}\n--- stderr\n{}",
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        output
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
            remove_what_the_dead_left();
        }
    }
}

/// What follows `prefix` in the next line of a child that has it; the test harness writes there too.
pub(crate) fn said(from: &mut impl BufRead, prefix: &str) -> String {
    let lines = from.lines().map(|line| line.expect("what a child wrote is text"));
    let found = lines.filter_map(|line| Some(line.split_once(prefix)?.1.trim().to_owned())).next();
    found.unwrap_or_else(|| panic!("the child has ended without a line with `{prefix}`"))
}

const ALONE: &str = "COMMONAGE_TEST_ALONE";

/// Has this process a place of its own for what has a name?
pub(crate) fn is_alone() -> bool {
    env::var_os(ALONE).is_some()
}

/// What is in a directory, in order.
pub(crate) fn listing(directory: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory that can be listed");
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What of this crate has a name where this process is alone.
pub(crate) fn named() -> Vec<String> {
    let mut names = platform::all_named();
    names.retain(|name| name.starts_with("commonage"));
    names
}

/// Removes the named segments of children that did not end cleanly: a test that fails leaves nothing either.
pub(crate) fn remove_what_the_dead_left() {
    // Where this process and its children are alone, it goes with them.
    if is_alone() {
        return;
    }
    let Ok(entries) = fs::read_dir(named_directory()) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with("commonage-id-") {
            continue;
        }
        let Ok(mut file) = fs::File::open(&path) else { continue };
        let mut segments = String::new();
        // A file that its process has removed meanwhile lists nothing that is left.
        if file.try_lock_shared().is_err() || !platform::in_view(&file) || file.read_to_string(&mut segments).is_err() {
            continue;
        }
        segments.lines().for_each(platform::remove_named);
        drop(file);
        let _ = fs::remove_file(&path);
    }
}

/// What a process has for itself.
pub(crate) struct Apart {
    _directory: Directory,
    /// Keeps others out of the file system, until the directory is removed.
    _lock: Option<fs::File>,
}

/// A new directory, removed with all that is in it.
pub(crate) struct Directory(pub(crate) String);

impl Directory {
    pub(crate) fn new() -> Self {
        Self::within(&env::temp_dir())
    }

    pub(crate) fn within(parent: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("test-of-commonage-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Directory(path.to_string_lossy().into_owned()),
                // Of a process that was killed, and had the number that this one has.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("a new directory: {error}"),
            }
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let began = Instant::now();
        // Where what is open can't be removed, it is there until those who had it have quite ended.
        while fs::remove_dir_all(&self.0).is_err() && fs::exists(&self.0).unwrap_or(false) {
            if began.elapsed() > WATCHDOG / 6 {
                return eprintln!("{} is left", self.0);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

//! Children: the test binary run again, by exact test name, as another process.

use std::{
    env, fs,
    io::{BufRead, Read},
    process::{Child, Command, Output, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};
#[cfg(target_os = "linux")]
use std::{process::ExitStatus, sync::OnceLock};

use commonage::{Backing, Config};

const ROLE: &str = "COMMONAGE_TEST_ROLE";
pub(crate) const BACKING: &str = "COMMONAGE_TEST_BACKING";
/// What else is in a child's [`Config`]: milliseconds, bytes, a directory.
pub(crate) const LOST_AFTER: &str = "COMMONAGE_TEST_LOST_AFTER";
pub(crate) const LIMIT: &str = "COMMONAGE_TEST_LIMIT";
pub(crate) const RETAIN: &str = "COMMONAGE_TEST_RETAIN";
pub(crate) const WILLS: &str = "COMMONAGE_TEST_WILLS";

/// No child of a test lives longer, unless it is said.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(60);

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

/// The backings of this platform.
pub(crate) fn backings() -> &'static [&'static str] {
    if cfg!(target_os = "linux") { &["anonymous", "named"] } else { &["named"] }
}

/// Runs `body` in a child of its own for each backing. `test` is the full name of the calling test.
pub(crate) fn on_both_backings(test: &str, body: impl FnOnce()) {
    if role().is_some() {
        return body();
    }
    for backing in backings() {
        // What is on its way at the end of a test is in wills that nobody claims.
        let wills = Directory::new();
        child(test, "body").env(BACKING, backing).env(WILLS, &wills.0).run_to_success();
    }
}

/// The same test in another process, in `role`.
pub(crate) fn child(test: &str, role: &str) -> ChildCommand {
    let mut command = Command::new(env::current_exe().expect("the path of this test binary"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1", "--include-ignored"]).env(ROLE, role);
    ChildCommand { command, what: format!("{test} as {role}"), watchdog: WATCHDOG }
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
}

impl ChildCommand {
    /// Another program than this one.
    pub(crate) fn program(command: Command, what: &str) -> Self {
        ChildCommand { command, what: what.to_owned(), watchdog: WATCHDOG }
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

    /// With a `/dev/shm` of its own, of so many bytes, where [`alone`] says that this is permitted. It and all in it go
    /// with the last process that has it.
    #[cfg(target_os = "linux")]
    pub(crate) fn alone(self, bytes: u64) -> Self {
        let Some(flags) = alone() else { return self };
        let mut command = Command::new("unshare");
        let script = format!("mount -t tmpfs -o size={bytes} tmpfs /dev/shm && exec \"$@\"");
        command.args([flags, "sh", "-c", &script, "sh"]).arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        ChildCommand { command, ..self }.env(ALONE, "yes")
    }

    pub(crate) fn spawn(mut self) -> Running {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.what));
        let (pid, what, watchdog) = (child.id(), self.what.clone(), self.watchdog);
        let (alive, ended) = mpsc::channel();
        thread::spawn(move || {
            if ended.recv_timeout(watchdog) == Err(RecvTimeoutError::Timeout) {
                eprintln!("watchdog: {what} did not end within {watchdog:?}");
                kill(pid);
            }
        });
        Running { child: Some(child), what: self.what, _watchdog: alive }
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
    #[cfg(target_os = "linux")]
    pub(crate) fn kill(mut self) {
        let mut child = self.child.take().expect("it has not been waited for");
        child.kill().expect("killing a child");
        child.wait().expect("waiting for a child");
    }

    /// Waits for its end, however it ends, while nobody reads what it writes.
    #[cfg(target_os = "linux")]
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

fn kill(pid: u32) {
    let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
}

/// Bytes of shared memory that this process has touched and that are still there.
#[cfg(target_os = "linux")]
pub(crate) fn touched() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("this process's status");
    let line = status.lines().find_map(|line| line.strip_prefix("RssShmem:")).expect("shared memory is counted");
    line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).expect("a number") * 1024
}

#[cfg(target_os = "linux")]
const ALONE: &str = "COMMONAGE_TEST_ALONE";

/// Has this process a `/dev/shm` of its own?
#[cfg(target_os = "linux")]
pub(crate) fn is_alone() -> bool {
    env::var_os(ALONE).is_some()
}

/// How `unshare` is to be called for a `/dev/shm` of one's own; none where that is not permitted.
#[cfg(target_os = "linux")]
pub(crate) fn alone() -> Option<&'static str> {
    static FLAGS: OnceLock<Option<&str>> = OnceLock::new();
    *FLAGS.get_or_init(|| {
        let works = |flags: &&str| {
            let mut command = Command::new("unshare");
            command.args([flags, "sh", "-c", "mount -t tmpfs tmpfs /dev/shm"]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        ["-m", "-rm"].into_iter().find(works)
    })
}

/// Removes the named segments of children that did not end cleanly: a test that fails leaves nothing either.
pub(crate) fn remove_what_the_dead_left() {
    // Where this process and its children have a `/dev/shm` of their own, it goes with them.
    #[cfg(target_os = "linux")]
    if is_alone() {
        return;
    }
    let Ok(entries) = fs::read_dir("/dev/shm") else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with("commonage-id-") {
            continue;
        }
        let Ok(mut file) = fs::File::open(&path) else { continue };
        let mut segments = String::new();
        // A file that its process has removed meanwhile lists nothing that is left.
        if file.try_lock().is_err() || !in_view(&file) || file.read_to_string(&mut segments).is_err() {
            continue;
        }
        for segment in segments.lines() {
            let _ = fs::remove_file(format!("/dev/shm/{}", segment.trim_start_matches('/')));
        }
        let _ = fs::remove_file(&path);
    }
}

#[cfg(unix)]
fn in_view(file: &fs::File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
}

#[cfg(not(unix))]
fn in_view(_file: &fs::File) -> bool {
    true
}

/// A new directory, removed with all that is in it.
pub(crate) struct Directory(pub(crate) String);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("commonage-test-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a new directory");
        Directory(path.to_string_lossy().into_owned())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

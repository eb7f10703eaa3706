//! Other processes: this test binary once more, told to run [`super::deaths::child`] alone, in a role, on a file that all of
//! them have mapped. They talk in lines; a watchdog kills one that does not end.

use std::{
    env,
    fs::{self, File},
    io::{self, BufRead, BufReader, Lines, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex as StdMutex,
        atomic::AtomicU64,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use crate::{
    sync::{Event, Mutex, SeqLock, presence::Presence},
    sys::{Address, Mapping, Place, random_u64, tests::started},
};

const ROLE: &str = "COMMONAGE_SYNC_TEST_ROLE";
const FILE: &str = "COMMONAGE_SYNC_TEST_FILE";
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// What the processes share.
#[repr(C)]
pub(super) struct Shared {
    pub(super) pair: Mutex<[u64; 2]>,
    pub(super) second: Mutex<u64>,
    pub(super) values: SeqLock<[u64; 64]>,
    pub(super) done: Event,
    pub(super) number: AtomicU64,
}

/// The file, as this process has it mapped.
pub(super) struct Mapped {
    /// Goes before the mapping.
    presence: Option<Presence>,
    mapping: Mapping,
}

impl Mapped {
    /// Maps the file, and is known there if that is wanted.
    pub(super) fn open(path: &Path, announced: bool) -> Mapped {
        let place = Place::open(&Address::path(path).unwrap(), true).unwrap();
        let mapping = place.map(size_of::<Shared>(), true).unwrap();
        let start = mapping.base().as_ptr() as usize;
        let presence = announced.then(|| Presence::announce(&place, start..start + mapping.len()).unwrap());
        Mapped { presence, mapping }
    }

    /// Nobody is told any more that this process lives.
    pub(super) fn forget_presence(&mut self) {
        self.presence = None;
    }
}

impl std::ops::Deref for Mapped {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        // SAFETY: as many bytes are mapped, as long as this is there; zeroed at first, and then changed by these types.
        unsafe { self.mapping.base().cast::<Shared>().as_ref() }
    }
}

/// A file, in memory where there is one, that goes with the test.
pub(super) struct Scene {
    path: PathBuf,
}

impl Scene {
    pub(super) fn new() -> Scene {
        let path = env::temp_dir().join(format!("commonage-test-sync-{:016x}", random_u64().unwrap()));
        File::create_new(&path).unwrap().set_len(size_of::<Shared>() as u64).unwrap();
        Scene { path }
    }

    pub(super) fn open(&self) -> Mapped {
        Mapped::open(&self.path, true)
    }

    pub(super) fn open_unannounced(&self) -> Mapped {
        Mapped::open(&self.path, false)
    }

    pub(super) fn start(&self, role: &str) -> Peer {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "sync::tests::deaths::child", "--nocapture", "--test-threads=1"]);
        command.env(ROLE, role).env(FILE, &self.path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = started(&mut command);
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        let child = Arc::new(StdMutex::new(child));
        let (_watchdog, ended) = mpsc::channel();
        let watched = Arc::clone(&child);
        thread::spawn(move || {
            if ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                let _ = watched.lock().unwrap().kill(); // the test then sees the end of the output
            }
        });
        Peer { child, input, output: BufReader::new(output).lines(), _watchdog }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// A process in a role, as the test sees it.
pub(super) struct Peer {
    child: Arc<StdMutex<Child>>,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    /// Dropped when the process has ended.
    _watchdog: Sender<()>,
}

impl Peer {
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
        assert_eq!(self.next(), None);
        assert!(self.child.lock().unwrap().wait().unwrap().success());
    }

    /// Kills it, and waits until it is gone. Forked children of it may go on.
    pub(super) fn kill(self) {
        drop(self);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The role that this process was started in, and the file; none in a run of the tests themselves.
pub(super) fn role() -> Option<(String, PathBuf)> {
    Some((env::var(ROLE).ok()?, env::var_os(FILE)?.into()))
}

/// Says a line to the process that has started this one.
pub(super) fn say(line: &str) {
    let mut out = io::stdout().lock();
    // The harness may be in the middle of a line.
    write!(out, "\n@{line}\n").unwrap();
    out.flush().unwrap();
}

/// Waits until this process is told to go.
pub(super) fn until_told() {
    let _ = io::stdin().lock().read_line(&mut String::new());
}
